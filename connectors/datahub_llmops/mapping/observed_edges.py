"""Edges that hooks or tools saw: added beside those of others, refreshed, and removed when not seen for long.

Several hosts and recipes write the same edges. An edge keeps what others wrote on it: the other ways that found it, and
a newer day.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from datahub.metadata.schema_classes import (
    DatasetLineageTypeClass,
    EdgeClass,
    FineGrainedLineageClass,
    UpstreamClass,
)
from datahub.specific.datajob import DataJobPatchBuilder
from datahub.specific.dataset import DatasetPatchBuilder

from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.lineage.found_by import FoundBy
from datahub_llmops.mapping.edge_properties import (
    LAST_SEEN,
    SEEN,
    column_edges,
    counted,
    edge_properties,
    fine_grained,
    found_by,
    without,
)
from datahub_llmops.mapping.proposals import Proposal
from datahub_llmops.net.json_values import moment

RETIRED_DAYS: Final = 30
"""Days without use after which an edge that a hook or a tool saw is removed."""

Columns = Mapping[str, Iterable[str]]
"""Downstream field -> upstream fields, as ``schemaField`` URNs."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How a run sees edges.

    ``retires`` is false if it cannot say that an edge of its way that it did not see is out of use.
    """

    way: FoundBy = "hook"
    retires: bool = True
    also: frozenset[FoundBy] = frozenset()
    """Other ways in which it finds edges. An edge to an index names the one that found it in place of ``way``."""

    def is_over(self, edge: Mapping[str, Any], now: float) -> bool:
        """Whether an edge that this run did not see is out of use."""
        own = not self.also.union((self.way,)).isdisjoint(found_by(edge))
        return self.retires and own and _long_ago(_last_seen(edge), now)


BY_HOOKS: Final = Sight()


class _Patch(Protocol):
    def add_fine_grained_lineage(self, fine_grained_lineage: FineGrainedLineageClass) -> Any: ...
    def remove_fine_grained_lineage(self, fine_grained_lineage: FineGrainedLineageClass) -> Any: ...


def job_edges(
    job: str,
    inputs: Mapping[str, float],
    outputs: Mapping[str, float],
    present: Mapping[str, Any],
    now: float,
    columns: Columns | None = None,
    *,
    sight: Sight = BY_HOOKS,
    sources: Collection[str] = (),
    ways: Mapping[str, Collection[FoundBy]] | None = None,
) -> Iterator[Proposal]:
    """Patch a job's inputs and outputs; each comes with the time in seconds at which it was last seen.

    Args:
        job: the job.
        inputs: datasets that it was seen to read.
        outputs: datasets that it was seen to write.
        present: its ``dataJobInputOutput`` in the catalog.
        now: the time in seconds.
        columns: all column edges from ``inputs``; ``None`` leaves the present ones unchanged.
        sight: how the edges were seen.
        sources: those of ``inputs`` that documents named as their source: these edges are found in the payload too.
        ways: how each input was found, where that is not the way of ``sight``.
    """
    patch = DataJobPatchBuilder(job)
    for field, seen, add, remove in (
        ("inputDatasetEdges", inputs, patch.add_input_dataset, patch.remove_input_dataset),
        ("outputDatasetEdges", outputs, patch.add_output_dataset, patch.remove_output_dataset),
    ):
        there = {edge["destinationUrn"]: edge for edge in present.get(field) or []}

        def put(urn: str, properties: dict[str, str], add: Callable[[EdgeClass], Any] = add) -> None:
            add(EdgeClass(destinationUrn=urn, properties=properties))

        found: dict[str, tuple[FoundBy, ...]] = {
            urn: ("payload", sight.way) if urn in sources else tuple((ways or {}).get(urn) or (sight.way,))
            for urn in seen
        }
        _patch_edges(found, seen, there, now, put, remove, sight)
    if columns is not None:
        unseen = _still_in_use(inputs, present.get("inputDatasetEdges"), "destinationUrn", now, sight)
        _patch_columns(patch, columns, present, unseen)
    yield from patch.build()


def upstream_edges(
    dataset: str,
    upstreams: Mapping[str, float],
    present: Mapping[str, Any],
    now: float,
    columns: Columns,
    *,
    sight: Sight = BY_HOOKS,
    ways: Mapping[str, Collection[FoundBy]] | None = None,
) -> Iterator[Proposal]:
    """Patch a retriever's indexes in the same way; ``present`` is its ``upstreamLineage``.

    ``ways`` says how each of ``upstreams`` was found, where that is not the way of ``sight``.
    """
    patch = DatasetPatchBuilder(dataset)

    def put(urn: str, properties: dict[str, str]) -> None:
        patch.add_upstream_lineage(
            UpstreamClass(dataset=urn, type=DatasetLineageTypeClass.VIEW, properties=properties)
        )

    there = {edge["dataset"]: edge for edge in present.get("upstreams") or []}
    found = {urn: tuple((ways or {}).get(urn) or (sight.way,)) for urn in upstreams}
    _patch_edges(found, upstreams, there, now, put, patch.remove_upstream_lineage, sight)
    unseen = _still_in_use(upstreams, present.get("upstreams"), "dataset", now, sight)
    _patch_columns(patch, columns, present, unseen)
    yield from patch.build()


def in_use(
    seen: Mapping[str, float],
    edges: Iterable[Mapping[str, Any]] | None,
    end: str,
    now: float,
    sight: Sight = BY_HOOKS,
) -> set[str]:
    """List the ends of edges that were seen now, or that the catalog still has from earlier."""
    recent = {urn for urn, when in seen.items() if not _long_ago(when, now)}
    return recent | _still_in_use(seen, edges, end, now, sight)


def _still_in_use(
    seen: Mapping[str, float],
    edges: Iterable[Mapping[str, Any]] | None,
    end: str,
    now: float,
    sight: Sight,
) -> set[str]:
    return {edge[end] for edge in edges or () if edge[end] not in seen and not sight.is_over(edge, now)}


def day(when: float) -> str:
    """Format seconds since the epoch as a date in UTC."""
    return datetime.fromtimestamp(when, UTC).date().isoformat()


def _patch_edges(
    found: Mapping[str, tuple[FoundBy, ...]],
    seen: Mapping[str, float],
    there: Mapping[str, Mapping[str, Any]],
    now: float,
    put: Callable[[str, dict[str, str]], None],
    remove: Callable[[str], Any],
    sight: Sight,
) -> None:
    for urn in sorted(seen.keys() | there.keys()):
        edge = there.get(urn)
        ways = found_by(edge or {})
        if edge is not None and not ways:
            continue  # Somebody else drew it, and would draw it without us again.
        times = [when for when in (seen.get(urn), _last_seen(edge or {})) if when is not None]
        last = max(times, default=None)
        if last is None:
            continue
        properties = (edge or {}).get("properties") or {}
        if not _long_ago(last, now):
            # Store the day, not the second: a value that changes on every run would add an aspect version each time.
            if urn in seen:
                seen_last = {**properties, LAST_SEEN: day(last)}
                put(urn, edge_properties((*ways, *found[urn]), counted(properties), seen_last))
        elif edge is not None and sight.is_over(edge, now):
            rest = without((*SEEN, "payload") if "trace" in ways else SEEN, edge)
            if rest is None:
                remove(urn)
            else:
                put(urn, rest)


def _last_seen(edge: Mapping[str, Any]) -> float | None:
    if SEEN.isdisjoint(found_by(edge)):
        return None
    date = moment((edge.get("properties") or {}).get(LAST_SEEN))
    return date.timestamp() if date is not None else None


def _long_ago(when: float | None, now: float) -> bool:
    return when is not None and now - when > RETIRED_DAYS * 86_400


def _patch_columns(patch: _Patch, wanted: Columns, present: Mapping[str, Any], unseen: set[str]) -> None:
    """Patch column edges. Those from ``unseen``, datasets in use that were not seen this time, stay."""
    pairs = {(up, down) for down, ups in wanted.items() for up in ups}
    there = column_edges(present)
    for up, down in sorted(there - pairs):
        if asset_of(up) not in unseen:
            patch.remove_fine_grained_lineage(fine_grained([up], down))
    for up, down in sorted(pairs - there):
        patch.add_fine_grained_lineage(fine_grained([up], down))
