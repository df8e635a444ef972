"""Adds the edges that walks do not show, read from the assets that hold them.

A job that computes the vectors of a table from its text columns has column edges within that table. The table is not
its own upstream, so no walk down from it finds the job.

A DataHub server stores an asset first and writes its indexes later. A walk asks the index of the graph, so right after
``llm-runs`` it may end at an index, although a retriever that reads the index is there. The assets that this package
writes are few, and an asset holds its own edges: reading these makes the walk whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from datahub_llmops.catalog.aspect_edges import edges_in
from datahub_llmops.catalog.protocol import Aspect, Edge
from datahub_llmops.catalog.urn_text import entity_type
from datahub_llmops.mapping.applications import ANSWER_LOG, APPLICATION, RETRIEVER
from datahub_llmops.mapping.collections import SUBTYPE
from datahub_llmops.mapping.embedding_jobs import EMBEDDING_JOB
from datahub_llmops.net.json_values import mapping
from datahub_llmops.propagation.estate import Readable
from datahub_llmops.propagation.flow import Graph, carries_data

_SUBTYPES: Final = (SUBTYPE, EMBEDDING_JOB, RETRIEVER, APPLICATION, ANSWER_LOG)


@dataclass(frozen=True, slots=True)
class Beside:
    """The edges that were read from assets, and those of them that a walk should have shown."""

    edges: tuple[Edge, ...] = ()
    late: tuple[Edge, ...] = ()


def add_edges_beside_walks(catalog: Readable, graph: Graph, labelled: Collection[str]) -> Beside:
    """Add the edges of our own assets, of jobs within one table, and of ``labelled`` assets to the graph.

    Raises:
        CatalogError: something could not be read.
    """
    own = {*catalog.possibly_late(_SUBTYPES), *_jobs_not_reached(catalog, graph, labelled)}
    if not own:
        return Beside()
    held = _read_with_outputs(catalog, {*own, *labelled}, graph.live)
    live = {urn: aspects for urn, aspects in held.items() if not _is_removed(aspects)}
    known = graph.live | live.keys()
    edges = [edge for edge in edges_in(live).values() if {edge.upstream, edge.downstream} <= known]
    late = tuple(edge for edge in edges if _is_missing(graph, edge))
    graph.live |= live.keys()
    for edge in edges:
        graph.add_edge(edge)
    return Beside(tuple(edges), late)


def _jobs_not_reached(catalog: Readable, graph: Graph, labelled: Collection[str]) -> set[str]:
    """The jobs that write to a dataset of the graph and that no walk came to."""
    datasets = sorted(urn for urn in {*graph.live, *labelled} if entity_type(urn) == "dataset")
    return set(catalog.jobs_into(datasets)) - graph.live if datasets else set()


def _is_missing(graph: Graph, edge: Edge) -> bool:
    if not carries_data(edge):
        return False
    return edge.upstream in graph.whole and edge.downstream not in graph.assets.get(edge.upstream, ())


def _read_with_outputs(catalog: Readable, urns: set[str], known: set[str]) -> dict[str, Mapping[str, Aspect]]:
    """Read assets, and whatever their edges lead to that is not known."""
    held: dict[str, Mapping[str, Aspect]] = {}
    asked: set[str] = set()
    ahead = urns
    while ahead:
        found = catalog.aspects_of(sorted(ahead))
        held.update(found)
        asked |= ahead
        ahead = set(_ends(found)) - asked - known
    return held


def _ends(aspects: Mapping[str, Mapping[str, Aspect]]) -> Iterator[str]:
    return (edge.downstream for edge in edges_in(aspects).values())


def _is_removed(aspects: Mapping[str, Aspect]) -> bool:
    return mapping(aspects.get("status")).get("removed") is True
