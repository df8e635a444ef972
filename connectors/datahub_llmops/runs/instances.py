"""Takes back the edges that earlier releases wrote on process instances of ours.

A lineage graph draws four neighbours of an asset. Instances with edges, one for each day or run, took the places of the
assets, and their job has the same edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from datahub_llmops import urns
from datahub_llmops.answers.embedding_runs import run_key
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.ingestion.applications.emission import day_key
from datahub_llmops.mapping import applications as mapping
from datahub_llmops.mapping.proposals import Proposal

_PROPERTIES = "dataProcessInstanceProperties"
_EDGES = ("dataProcessInstanceInput", "dataProcessInstanceOutput")


def take_edges_back(
    catalog: Catalog, written: str, is_ours: Callable[[str, Any], bool]
) -> Iterator[Proposal]:
    """Propose empty edges for the instances of ours that have ``written``, a dataset, among their outputs.

    Args:
        catalog: where the instances are.
        written: an answer log or an index.
        is_ours: tells an instance of ours by its URN and its ``dataProcessInstanceProperties``.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    try:
        walk = catalog.lineage(written, "up", 1)
    except UnknownAssetError:
        return
    for node in walk.nodes:
        if node.type == "dataProcessInstance":
            found = catalog.aspects(node.urn, (_PROPERTIES, *_EDGES))
            if is_ours(node.urn, found.get(_PROPERTIES, {})):
                yield from mapping.without_instance_edges(node.urn, [one for one in _EDGES if one in found])


def is_day_of(job: str) -> Callable[[str, Any], bool]:
    """Tell the days of an application, whose job is ``job``."""

    def is_ours(urn: str, properties: Mapping[str, Any]) -> bool:
        facts = properties.get("customProperties") or {}
        day = str(properties.get("name", "")).rpartition(" ")[2]
        return urn == urns.process_instance(
            day_key(job, str(facts.get("version", "")), day, str(facts.get("host", "")))
        )

    return is_ours


def is_run_into(index: str) -> Callable[[str, Any], bool]:
    """Tell the embedding runs that wrote ``index``."""

    def is_ours(urn: str, properties: Mapping[str, Any]) -> bool:
        run = (properties.get("customProperties") or {}).get("run")
        return urn == urns.process_instance(run_key(str(run), index))

    return is_ours
