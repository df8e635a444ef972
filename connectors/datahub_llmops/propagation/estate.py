"""Everything that a run read of assets and columns: their labels, schemas and states. Each is read only once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from datahub_llmops.catalog.column_uses import uses_on_edges
from datahub_llmops.catalog.labels import AttachedLabel, Label
from datahub_llmops.catalog.protocol import Aspect, Direction, Lineage
from datahub_llmops.catalog.untraced import Untraced, untraced_of
from datahub_llmops.catalog.urn_text import asset_of, entity_type, schema_field
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.net.json_values import mapping
from datahub_llmops.propagation.flow import Graph, Wanted
from datahub_llmops.propagation.labels import Holder, canonical, is_origin, is_ours, read_holder

_BATCH: Final = 500


class Readable(Protocol):
    """The part of a catalog that planning needs. Every method raises ``CatalogError``."""

    def labelled(self) -> Iterable[str]: ...

    def possibly_late(self, subtypes: Sequence[str]) -> Iterable[str]: ...

    def jobs_into(self, datasets: Iterable[str]) -> Iterable[str]: ...

    def aspects_of(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Aspect]]: ...

    def lineage(
        self, urn: str, direction: Direction, hops: int = 5, *, through_removed: bool = False
    ) -> Lineage: ...


def read_graph(
    catalog: Readable, assets: Iterable[str], max_hops: int, *, through_removed: bool = False
) -> Graph:
    """Read what is below the assets, in as few walks as possible. An asset that nothing names has nothing below it.

    Raises:
        CatalogError: something could not be read.
    """
    graph = Graph()
    for asset in sorted(assets):
        if asset in graph.whole:
            continue
        try:
            walk = catalog.lineage(asset, "down", max_hops, through_removed=through_removed)
        except UnknownAssetError:
            if through_removed:
                continue
            raise
        graph.add(walk)
        # A walk that ended by itself has everything below its assets. An asset that was never emitted is not in
        # it, so one that was cut off may show one hop less than it went.
        if all(node.hops < max_hops - 1 for node in walk.nodes):
            graph.whole.update(node.urn for node in walk.nodes)
    return graph


def read_untraced(catalog: Readable, graph: Graph) -> Untraced:
    """Read which tables the jobs of a graph could not trace columns of.

    Raises:
        CatalogError: something could not be read.
    """
    jobs = sorted(urn for urn in graph.live if entity_type(urn) == "dataJob")
    found: dict[tuple[str, str], frozenset[str]] = {}
    for start in range(0, len(jobs), _BATCH):
        found.update(untraced_of(catalog.aspects_of(jobs[start : start + _BATCH])))
    return found


Uses: TypeAlias = Mapping[str, Collection[tuple[str, str]]]
"""Column or table -> jobs with the indexes that they fill."""


def read_uses(catalog: Readable, graph: Graph) -> tuple[Uses, Uses]:
    """Read which columns the jobs of a graph join, filter, group and sort by, and the tables of which it is not known.

    Raises:
        CatalogError: something could not be read.
    """
    jobs = sorted(urn for urn in graph.live if entity_type(urn) == "dataJob")
    found: dict[str, set[tuple[str, str]]] = {}
    hidden: dict[str, set[tuple[str, str]]] = {}
    for start in range(0, len(jobs), _BATCH):
        for job, aspects in catalog.aspects_of(jobs[start : start + _BATCH]).items():
            for index, (stated, _) in uses_on_edges(mapping(aspects.get("dataJobInputOutput"))).items():
                for part in stated:
                    for table in part.hidden:
                        hidden.setdefault(table, set()).add((job, index))
                    for table, columns in part.columns.items():
                        for name, uses in columns.items():
                            if set(uses) - {"select"}:  # What is only named decides nothing.
                                column = canonical(schema_field(table, name))
                                found.setdefault(column, set()).add((job, index))
    return found, hidden


class Estate:
    """The entities of a catalog, as far as a run needs them."""

    def __init__(self, catalog: Readable) -> None:
        self._catalog = catalog
        self._holders: dict[str, Holder] = {}

    def read(self, urns: Iterable[str]) -> None:
        """Read assets and columns, the asset of each column, and every spelling of a column.

        Raises:
            CatalogError: something could not be read.
        """
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

    def is_live(self, urn: str) -> bool:
        """Return whether the entity, and of a column its asset too, exists and is not soft-deleted."""
        asset = self._holders[asset_of(urn)]
        return asset.exists and not asset.removed and not self._holders[urn].removed

    def is_gone(self, urn: str) -> bool:
        """Return whether the entity is not live, or is a column that the schema of its asset no longer has."""
        return not self.is_live(urn) or not self.spellings(urn)

    def has_vanished(self, column: str) -> bool:
        """Return whether the canonical ``column`` has a label, and the schema of its live asset no longer has it.

        Lineage may name columns that no schema ever had. A label is what tells that this one was there.
        """
        if entity_type(column) != "schemaField" or not self.is_live(asset_of(column)):
            return False
        if not self.is_gone(column):
            return False
        on_fields = self._holders[asset_of(column)].fields
        return bool(self._holders[column].own) or any(canonical(at) == column for at, _ in on_fields)

    def was_removed(self, asset: str) -> bool:
        """Return whether an asset that was read is soft-deleted. One that was never emitted is not."""
        return asset in self._holders and self._holders[asset].removed

    def columns(self, asset: str) -> Iterable[str]:
        """List the canonical columns of an asset's schema; none if no schema is known."""
        return self._holders[asset].columns or ()

    def ours(self) -> Iterator[tuple[str, AttachedLabel]]:
        """The labels that propagation attached to live entities; those of soft-deleted ones stay as they are."""
        for urn, found in self._holders.items():
            if self.is_live(urn):
                yield from ((urn, attached) for attached in found.own if is_ours(attached))

    def set_by_others(self) -> set[tuple[str, Label]]:
        """The labels that somebody else attached to live assets and canonical columns, in any of their places."""
        return {
            (canonical(at), attached.label)
            for urn, found in self._holders.items()
            if self.is_live(urn)
            for at, attached in (*((urn, own) for own in found.own), *found.fields)
            if not is_ours(attached)
        }

    def origins(self, allowed: Callable[[Label], bool]) -> dict[Label, set[str]]:
        """Map each label to the datasets and canonical columns to which someone else attached it."""
        found: dict[Label, set[str]] = {}
        for at, label in self.set_by_others():
            if is_origin(at) and allowed(label):
                found.setdefault(label, set()).add(at)
        return found

    def targets(self, wanted: Wanted) -> Iterator[tuple[str, Label, str]]:
        """Yield entity, label and origin, with columns as their schemas spell them."""
        for target, labels in wanted.items():
            for urn in self.spellings(target):
                if self.is_live(urn):
                    yield from ((urn, label, self._shown(origin)) for label, origin in labels.items())

    def _shown(self, origin: str) -> str:
        return next(iter(self.spellings(origin)), origin)
