"""Plans which labels to add and remove, so that every asset has those that its upstream gives it, and no others.

Everything is read before anything is decided: if part of the catalog cannot be read, there is no plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from datahub_llmops.catalog.labels import AttachedLabel, Label
from datahub_llmops.catalog.protocol import Aspect, Direction, Lineage
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.propagation.flow import Graph, Stop, Wanted, flow
from datahub_llmops.propagation.labels import (
    Holder,
    canonical,
    is_origin,
    is_ours,
    read_holder,
    source_detail,
)

_BATCH: Final = 500


class Readable(Protocol):
    """The part of a catalog that planning needs. Every method raises ``CatalogError``."""

    def labelled(self) -> Iterable[str]: ...

    def aspects_of(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Aspect]]: ...

    def lineage(self, urn: str, direction: Direction, hops: int = 5) -> Lineage: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One label of ours to attach to an entity, or to remove if ``origin`` is ``None``.

    ``moved``: the label is already attached, and its origin has changed.
    """

    urn: str
    label: Label
    origin: str | None = None
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The changes, ordered by URN and label, and counts for the report."""

    changes: tuple[Change, ...]
    kept: tuple[tuple[str, Label], ...]
    """Labels that are already attached as they should be."""
    scanned: int
    """Assets and columns that carry a label."""
    origins: int
    """Datasets and columns that a label is carried from."""
    stops: tuple[Stop, ...]


def plan(catalog: Readable, *, allowed: Callable[[Label], bool], max_hops: int) -> Plan:
    """Read the catalog and decide what has to change.

    Raises:
        CatalogError: something could not be read.
    """
    labelled = sorted(set(catalog.labelled()))
    estate = _Estate(catalog)
    estate.read(labelled)
    # The search index may lag. Read each origin directly before removing anything that it labelled.
    estate.read(sorted({at.origin for _, at in estate.ours() if at.origin and is_origin(at.origin)}))
    origins = estate.origins(allowed)
    sources = {urn for urns in origins.values() for urn in urns}
    graph = Graph()
    complete: set[str] = set()
    for asset in sorted({asset_of(urn) for urn in sources}):
        if asset not in complete:
            walk = catalog.lineage(asset, "down", max_hops)
            graph.add(walk)
            # A walk that ended by itself has everything below its assets. An asset that was never emitted is not in
            # it, so one that was cut off may show one hop less than it went.
            if all(node.hops < max_hops - 1 for node in walk.nodes):
                complete.update(node.urn for node in walk.nodes)
    found = flow(graph, origins, max_hops)
    estate.read(sorted(found.wanted))
    changes, kept = _reconcile(estate, found.wanted)
    return Plan(changes=changes, kept=kept, scanned=len(labelled), origins=len(sources), stops=found.stops)


class _Estate:
    """Every entity that was read. Each is read only once."""

    def __init__(self, catalog: Readable) -> None:
        self._catalog = catalog
        self._holders: dict[str, Holder] = {}

    def read(self, urns: Iterable[str]) -> None:
        """Read assets and columns, the asset of each column, and every spelling of a column."""
        wanted = list(dict.fromkeys(part for urn in urns for part in (asset_of(urn), urn)))
        self._read(wanted)
        self._read([urn for column in wanted for urn in self.spellings(column)])

    def _read(self, urns: Iterable[str]) -> None:
        missing = [urn for urn in dict.fromkeys(urns) if urn not in self._holders]
        for start in range(0, len(missing), _BATCH):
            part = missing[start : start + _BATCH]
            found = self._catalog.aspects_of(part)
            self._holders.update((urn, read_holder(urn, found.get(urn, {}))) for urn in part)

    def spellings(self, urn: str) -> tuple[str, ...]:
        """The URNs of an asset or column: a column as its schema spells it, or none if the schema lacks it."""
        if entity_type(urn) != "schemaField":
            return (urn,)
        columns = self._holders[asset_of(urn)].columns
        return (urn,) if columns is None else columns.get(canonical(urn), ())

    def ours(self) -> Iterator[tuple[str, AttachedLabel]]:
        """The labels that propagation attached to live entities; those of soft-deleted ones stay as they are."""
        for urn, found in self._holders.items():
            if self._live(urn):
                yield from ((urn, attached) for attached in found.own if is_ours(attached))

    def origins(self, allowed: Callable[[Label], bool]) -> dict[Label, set[str]]:
        """Map each label to the datasets and canonical columns to which someone else attached it."""
        found: dict[Label, set[str]] = {}
        for urn, read in self._holders.items():
            if self._live(urn) and is_origin(urn):
                for at, attached in (*((urn, attached) for attached in read.own), *read.fields):
                    if not is_ours(attached) and allowed(attached.label):
                        found.setdefault(attached.label, set()).add(canonical(at))
        return found

    def _live(self, urn: str) -> bool:
        asset = self._holders[asset_of(urn)]
        return asset.exists and not asset.removed and not self._holders[urn].removed

    def targets(self, wanted: Wanted) -> Iterator[tuple[str, Label, str]]:
        """Yield entity, label and origin, with columns as their schemas spell them."""
        for target, labels in wanted.items():
            for urn in self.spellings(target):
                if self._live(urn):
                    yield from ((urn, label, self._shown(origin)) for label, origin in labels.items())

    def _shown(self, origin: str) -> str:
        return next(iter(self.spellings(origin)), origin)


def _reconcile(estate: _Estate, wanted: Wanted) -> tuple[tuple[Change, ...], tuple[tuple[str, Label], ...]]:
    present = {(urn, attached.label): attached for urn, attached in estate.ours()}
    changes: list[Change] = []
    kept: list[tuple[str, Label]] = []
    for urn, label, origin in estate.targets(wanted):
        attached = present.pop((urn, label), None)
        if attached is not None and attached.detail == source_detail(origin):
            kept.append((urn, label))
        else:
            changes.append(Change(urn=urn, label=label, origin=origin, moved=attached is not None))
    changes.extend(Change(urn=urn, label=label) for urn, label in present)
    changes.sort(key=lambda change: (change.urn, change.label))
    return tuple(changes), tuple(sorted(kept))
