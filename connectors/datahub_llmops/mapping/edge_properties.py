"""Lineage edges: the properties that say who found one, column edges, and the ``upstreamLineage`` of a collection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from datahub.metadata.schema_classes import (
    DatasetKeyClass,
    DatasetLineageTypeClass,
    FineGrainedLineageClass,
    FineGrainedLineageDownstreamTypeClass,
    FineGrainedLineageUpstreamTypeClass,
    UpstreamClass,
)
from datahub.metadata.urns import DatasetUrn
from datahub.specific.dataset import DatasetPatchBuilder

from datahub_llmops.catalog.confirmation import NOT_CONFIRMED_SINCE
from datahub_llmops.lineage.found_by import WAYS, FoundBy, Input
from datahub_llmops.mapping.proposals import Proposal, propose

LAST_SEEN: Final = "last_seen"
"""Day, in UTC, that a hook or a tool saw the edge last."""
BY_SPANS: Final[frozenset[FoundBy]] = frozenset(
    {"trace", "span attribute", "recipe rule", "database span", "id probe"}
)
"""The ways in which spans show an edge."""
SEEN: Final[frozenset[FoundBy]] = frozenset({"hook", *BY_SPANS})
"""The ways that saw an application at work: their edges have ``last_seen``."""
PAYLOAD_NOT_CONFIRMED_SINCE: Final = "payload_not_confirmed_since"
"""Property of an edge that something confirms: the instant of the first run that could not see whether, or in how many
chunks, the payload still names its source. What the edge says of the payload is what the last run saw."""
_OURS: Final = ("found_by", "chunks", NOT_CONFIRMED_SINCE)
"""Properties that a run sets anew for each edge that it finds."""
_NO_OPERATION: Final = "NONE"
"""What a DataHub server writes on a column edge without an operation when it applies a patch."""


def found_by(edge: Mapping[str, Any]) -> tuple[str, ...]:
    """List the ways named on an edge of a catalog; an edge that is not ours names none."""
    text = (edge.get("properties") or {}).get("found_by", "")
    return tuple(way for way in text.split(",") if way)


def edge_properties(
    ways: Iterable[str], chunks: int | None, others: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Build the ``properties`` of an ``Edge`` or ``Upstream``: who found it, and how many chunks support it."""
    named = set(ways)
    properties = {key: value for key, value in (others or {}).items() if key not in _OURS}
    properties["found_by"] = ",".join(way for way in WAYS if way in named)
    if chunks is not None:
        properties["chunks"] = str(chunks)
    # Sorted, so that two writers of one edge produce identical properties.
    return dict(sorted(properties.items()))


def keep_payload(
    properties: Mapping[str, str], before: Mapping[str, str], not_confirmed_since: str
) -> dict[str, str]:
    """Add to the properties of an edge what the payload told of it ``before``, if anything, marked as not confirmed."""
    if "payload" not in found_by({"properties": before}):
        return dict(properties)
    kept = edge_properties((*found_by({"properties": properties}), "payload"), counted(before), properties)
    kept[PAYLOAD_NOT_CONFIRMED_SINCE] = before.get(PAYLOAD_NOT_CONFIRMED_SINCE, not_confirmed_since)
    return dict(sorted(kept.items()))


def counted(properties: Mapping[str, str]) -> int | None:
    """Return how many chunks support an edge, if its properties say so."""
    chunks = properties.get("chunks", "")
    return int(chunks) if chunks.isdecimal() else None


def without(ways: Collection[str], edge: Mapping[str, Any]) -> dict[str, str] | None:
    """Build the properties of a catalog's edge that ``ways`` no longer find; ``None`` when no other way finds it."""
    rest = [other for other in found_by(edge) if other not in ways]
    if not rest:
        return None
    gone = {NOT_CONFIRMED_SINCE}
    if "payload" in ways:
        gone |= {"chunks", PAYLOAD_NOT_CONFIRMED_SINCE}
    if SEEN.isdisjoint(rest):
        gone.add(LAST_SEEN)
    kept = {key: value for key, value in edge["properties"].items() if key not in gone}
    return {**kept, "found_by": ",".join(rest)}


def payload_upstreams(
    index_urn: str,
    sources: Sequence[Input],
    present: Mapping[str, Any],
    *,
    not_confirmed_since: str | None = None,
    earlier: Iterable[Input] = (),
) -> Iterator[Proposal]:
    """Patch ``index_urn`` so that its edges found in the payload are those to ``sources``.

    ``present`` is the index's ``upstreamLineage`` in the catalog. Without a catalog it is empty, and no edge is
    removed. Edges that others drew stay, and so do the other ways that found an edge of ours. If only a part of the
    payload was read, ``not_confirmed_since`` is the instant of this run: an edge that was not seen may still hold, so
    it stays and is marked, and so is a count that is not known now. ``earlier`` are sources that a job's edge held
    until now.
    """
    patch = DatasetPatchBuilder(index_urn)
    there = {edge["dataset"]: edge for edge in present.get("upstreams") or []}
    wanted = {source.urn: source for source in sources}
    held = {source.urn: edge_properties(("payload",), source.chunks) for source in earlier}
    for urn, edge in there.items():
        ways = found_by(edge)
        if "payload" in ways and urn not in wanted:
            if not_confirmed_since is not None:
                if NOT_CONFIRMED_SINCE not in edge["properties"]:
                    marked = {**edge["properties"], NOT_CONFIRMED_SINCE: not_confirmed_since}
                    patch.add_upstream_lineage(_upstream(urn, dict(sorted(marked.items()))))
            elif rest := without(("payload",), edge):
                patch.add_upstream_lineage(_upstream(urn, rest))
            else:
                patch.remove_upstream_lineage(urn)
    for urn, source in wanted.items():
        edge = there.get(urn) or {}
        before = edge.get("properties") or held.get(urn) or {}
        others = {key: value for key, value in before.items() if key != PAYLOAD_NOT_CONFIRMED_SINCE}
        properties = edge_properties(("payload", *found_by(edge)), source.chunks, others)
        if not_confirmed_since is not None and source.chunks is None and counted(before) is not None:
            properties = keep_payload(properties, before, not_confirmed_since)
        patch.add_upstream_lineage(_upstream(urn, properties))
    yield from patch.build()


def unseen_upstreams(
    index_urn: str, sources: Iterable[Input], present: Mapping[str, Any], not_confirmed_since: str
) -> Iterator[Proposal]:
    """Patch ``index_urn`` with edges to ``sources`` that the payload named and that nothing else holds any more.

    ``present`` is its ``upstreamLineage``. An edge that is there stays as it is.
    """
    patch = DatasetPatchBuilder(index_urn)
    there = {edge["dataset"] for edge in present.get("upstreams") or []}
    for source in sources:
        if source.urn not in there:
            properties = edge_properties(("payload",), source.chunks)
            properties[NOT_CONFIRMED_SINCE] = not_confirmed_since
            patch.add_upstream_lineage(_upstream(source.urn, properties))
    yield from patch.build()


def key_proposal(dataset_urn: str) -> Proposal:
    """Describe a bare dataset, so that no edge ends at an asset that is not in the catalog."""
    urn = DatasetUrn.from_string(dataset_urn)
    key = DatasetKeyClass(platform=urn.platform, name=urn.name, origin=urn.env)
    return propose(dataset_urn, key)


def fine_grained(upstreams: Iterable[str], downstream: str) -> FineGrainedLineageClass:
    """Build the column edges from ``upstreams`` to ``downstream``, all of them ``schemaField`` URNs."""
    return FineGrainedLineageClass(
        upstreamType=FineGrainedLineageUpstreamTypeClass.FIELD_SET,
        upstreams=list(upstreams),
        downstreamType=FineGrainedLineageDownstreamTypeClass.FIELD,
        downstreams=[downstream],
        transformOperation=_NO_OPERATION,
    )


def column_edges(present: Mapping[str, Any], *, foreign: bool = False) -> set[tuple[str, str]]:
    """List the column edges of a lineage aspect in the catalog, as (upstream, downstream) ``schemaField`` URNs.

    In a ``foreign`` aspect, those with an operation are somebody else's and left out.
    """
    return {
        (upstream, downstream)
        for fine in present.get("fineGrainedLineages") or []
        if not foreign or fine.get("transformOperation") in (None, _NO_OPERATION)
        for downstream in fine.get("downstreams") or []
        for upstream in fine.get("upstreams") or []
    }


def _upstream(urn: str, properties: dict[str, str]) -> UpstreamClass:
    return UpstreamClass(dataset=urn, type=DatasetLineageTypeClass.TRANSFORMED, properties=properties)
