"""What a dataset edge says of itself, and which edges of a collection's own ``upstreamLineage`` come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import DatasetKeyClass, DatasetLineageTypeClass, UpstreamClass
from datahub.metadata.urns import DatasetUrn
from datahub.specific.dataset import DatasetPatchBuilder

from datahub_llmops.lineage.declared_jobs import WAYS, FoundBy, Input
from datahub_llmops.mapping.collections import Proposal

LAST_SEEN: Final = "last_seen"
"""Day, in UTC, that a hook saw the edge last."""


def found_by(edge: Mapping[str, Any]) -> tuple[str, ...]:
    """The ways named on an edge of a catalog; empty for an edge that is not ours."""
    text = (edge.get("properties") or {}).get("found_by", "")
    return tuple(way for way in text.split(",") if way)


def edge_properties(
    ways: Iterable[str], chunks: int | None, others: Mapping[str, str] | None = None
) -> dict[str, str]:
    """``properties`` of an ``Edge`` or ``Upstream``: who found it, and how many chunks say so."""
    named = set(ways)
    properties = {key: value for key, value in (others or {}).items() if key not in ("found_by", "chunks")}
    properties["found_by"] = ",".join(way for way in WAYS if way in named)
    if chunks is not None:
        properties["chunks"] = str(chunks)
    # By name: whoever writes an edge after another one writes the same.
    return dict(sorted(properties.items()))


def without(way: FoundBy, edge: Mapping[str, Any]) -> dict[str, str] | None:
    """``properties`` of an edge of a catalog that one way does not find any more; ``None`` when no other way does."""
    rest = [other for other in found_by(edge) if other != way]
    if not rest:
        return None
    gone = {"payload": "chunks", "hook": LAST_SEEN}.get(way)
    kept = {key: value for key, value in edge["properties"].items() if key != gone}
    return {**kept, "found_by": ",".join(rest)}


def beside_hook(ways: Iterable[str], chunks: int | None, edge: Mapping[str, Any] | None) -> dict[str, str]:
    """``edge_properties`` of an edge that a recipe found; that a hook found it too stays on it, with its day."""
    if edge is None or "hook" not in found_by(edge):
        return edge_properties(ways, chunks)
    seen = {key: value for key, value in edge["properties"].items() if key == LAST_SEEN}
    return edge_properties((*ways, "hook"), chunks, seen)


def payload_upstreams(
    index_urn: str, sources: Sequence[Input], present: Mapping[str, Any]
) -> Iterator[Proposal]:
    """Patches that make the payload's edges on ``index_urn`` those of ``sources``.

    ``present`` is the index's ``upstreamLineage`` in the catalog, empty where there is none to ask: then nothing is
    taken away. Edges that others drew, and the other ways on an edge of ours, stay.
    """
    patch = DatasetPatchBuilder(index_urn)
    there = {edge["dataset"]: edge for edge in present.get("upstreams") or []}
    wanted = {source.urn: source for source in sources}
    for urn, edge in there.items():
        ways = found_by(edge)
        if "payload" in ways and urn not in wanted:
            if rest := without("payload", edge):
                patch.add_upstream_lineage(_upstream(urn, rest))
            else:
                patch.remove_upstream_lineage(urn)
    for urn, source in wanted.items():
        edge = there.get(urn) or {}
        ways = ("payload", *found_by(edge))
        properties = edge_properties(ways, source.chunks, edge.get("properties"))
        patch.add_upstream_lineage(_upstream(urn, properties))
    yield from patch.build()


def key_proposal(dataset_urn: str) -> Proposal:
    """The bare dataset, so that an edge to something no recipe has cataloged yet does not end at nothing."""
    urn = DatasetUrn.from_string(dataset_urn)
    key = DatasetKeyClass(platform=urn.platform, name=urn.name, origin=urn.env)
    return MetadataChangeProposalWrapper(entityUrn=dataset_urn, aspect=key)


def _upstream(urn: str, properties: dict[str, str]) -> UpstreamClass:
    return UpstreamClass(dataset=urn, type=DatasetLineageTypeClass.TRANSFORMED, properties=properties)
