"""Lineage of a server: the edges of a walk, read from the aspects of the assets that it passes. Pure.

The server's own answer says how far away an asset is, but not by which edges and columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from datahub_llmops.catalog.aspect_edges import Aspects, column_edges_in, edges_in
from datahub_llmops.catalog.protocol import Direction, Edge
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.catalog.walk import (
    AssetStep,
    ColumnStep,
    EdgeFacts,
    EdgeKey,
    join_columns,
    sort_edges,
    walk_assets,
    walk_columns,
)


@dataclass(frozen=True, slots=True)
class Walk:
    """Edges of a walk, and the hop at which it reached each asset, known or on the way to a known one."""

    edges: tuple[Edge, ...]
    hops: Mapping[str, int]


class AssetGraph:
    """The edges between assets, read once for walks from several of them."""

    def __init__(self, direction: Direction, aspects: Aspects, gone: Collection[str] = frozenset()) -> None:
        """Leave out the edges of ``gone`` (soft-deleted) assets.

        ``aspects`` are those of all assets that exist; an edge may end at another one if a walk goes on behind it.
        """
        self._direction: Direction = direction
        self._edges = edges_in(aspects)
        self._leaving: dict[str, list[AssetStep[str]]] = {}
        for up, down, aspect in self._edges:
            if up not in gone and down not in gone:
                here, there = (down, up) if direction == "up" else (up, down)
                self._leaving.setdefault(here, []).append(AssetStep(up, down, aspect, there in aspects))

    def walk(self, root: str, hops: int) -> Walk:
        """Return the edges within ``hops`` of ``root``."""
        walked = walk_assets(root, self._direction, hops, self._neighbours)
        return Walk(sort_edges({self._edges[step[:3]]: None for step in walked.steps}), walked.hops)

    def _neighbours(self, assets: Sequence[str]) -> Iterator[AssetStep[str]]:
        return (step for asset in assets for step in self._leaving.get(asset, ()))


def asset_lineage(
    root: str, direction: Direction, hops: int, aspects: Aspects, gone: Collection[str] = frozenset()
) -> Walk:
    """Return the edges within ``hops`` of ``root``: see ``AssetGraph``."""
    return AssetGraph(direction, aspects, gone).walk(root, hops)


def column_lineage(
    root: str, direction: Direction, hops: int, aspects: Aspects, gone: Collection[str] = frozenset()
) -> Walk:
    """Column edges within ``hops`` of the column ``root`` as edges of assets; at its own end stands ``root`` itself."""
    leaving: dict[str, list[ColumnStep[str]]] = {}
    for edge in column_edges_in(aspects):
        up, down, via = edge.pair.upstream, edge.pair.downstream, edge.via
        assets = asset_of(up), asset_of(down)
        if not {*assets, via} & set(gone):
            here, end = (down, assets[0]) if direction == "up" else (up, assets[1])
            step = ColumnStep(up, down, *assets, via, edge.aspect, end in aspects, via in aspects)
            leaving.setdefault(here, []).append(step)

    def neighbours(columns: Sequence[str]) -> Iterator[ColumnStep[str]]:
        return (step for column in columns for step in leaving.get(column, ()))

    edges = edges_in(aspects)

    def facts_of(key: EdgeKey[str]) -> EdgeFacts:
        edge = edges.get(key)
        return EdgeFacts(edge.found_by, edge.not_confirmed_since) if edge else EdgeFacts()

    walked = walk_columns(root, direction, hops, neighbours)
    return Walk(join_columns(root, direction, walked.steps, str, facts_of), walked.hops)
