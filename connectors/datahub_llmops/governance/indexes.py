"""Which datasets of a catalog are indexes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.governance.facts import EMBEDDING_JOB

_JOBS_AT_ONCE: Final = 100


def list_embedded(catalog: FullCatalog) -> Iterator[str]:
    """List what embedding jobs write: tables with vectors are described by DataHub's own sources, as any table.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    jobs = iter(catalog.of_subtypes((EMBEDDING_JOB,)))
    while part := list(islice(jobs, _JOBS_AT_ONCE)):
        written = {
            edge.downstream
            for edge in catalog.stated_edges(part)
            if edge.upstream in part and edge.downstream.startswith("urn:li:dataset:")
        }
        yield from (node.urn for node in catalog.nodes(sorted(written)))
