"""Copies of a registry's templates in the code of applications, recognised by the digest, as lineage.

Whoever sees both ends writes the same edge: the source of the registry, and the one that saw the application.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

from datahub.metadata.schema_classes import DatasetLineageTypeClass, UpstreamClass
from datahub.specific.dataset import DatasetPatchBuilder

from datahub_llmops.mapping.edge_properties import LAST_SEEN, edge_properties, found_by, without
from datahub_llmops.mapping.proposals import Proposal


def copy_proposals(
    prompt: str,
    originals: Collection[str],
    last_seen: date | None,
    present: Mapping[str, Any],
    *,
    outdated: Collection[str] = (),
) -> Iterator[Proposal]:
    """Patch a prompt without a name so that it comes from the versions with the same template.

    Args:
        prompt: the prompt without a name.
        originals: the versions; of each prompt of a registry, the newest one with this template.
        last_seen: the day that an application was seen to use it last.
        present: its ``upstreamLineage`` in the catalog. Edges that others drew stay.
        outdated: versions that no longer have this template, or are not the newest one that has.
    """
    patch = DatasetPatchBuilder(prompt)
    there = {edge["dataset"]: edge for edge in present.get("upstreams") or []}
    for urn in sorted(set(outdated) - set(originals)):
        edge = there.get(urn) or {}
        if "digest" in found_by(edge):
            if rest := without(("digest",), edge):
                patch.add_upstream_lineage(_copy(urn, rest))
            else:
                patch.remove_upstream_lineage(urn)
    for urn in sorted(originals):
        edge = there.get(urn) or {}
        properties = edge_properties(("digest", *found_by(edge)), None, edge.get("properties"))
        days = [day for day in (last_seen and last_seen.isoformat(), properties.get(LAST_SEEN)) if day]
        if days:
            properties[LAST_SEEN] = max(days)
        patch.add_upstream_lineage(_copy(urn, dict(sorted(properties.items()))))
    yield from patch.build()


def _copy(urn: str, properties: dict[str, str]) -> UpstreamClass:
    return UpstreamClass(dataset=urn, type=DatasetLineageTypeClass.COPY, properties=properties)
