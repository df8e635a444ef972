"""Lineage of a server: the edges of a walk, read from the aspects of the assets that it passes. Pure.

The server's own answer says how far away an asset is, but not by which edges and columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from datahub_llmops.catalog.aspect_edges import ColumnEdge, column_edges_of, edges_of
from datahub_llmops.catalog.protocol import ColumnPair, Direction, Edge
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.catalog.walk import (
    AssetStep,
    ColumnStep,
    EdgeKey,
    join_columns,
    sort_edges,
    walk_assets,
    walk_columns,
)

Aspects: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Aspects by name, by URN."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Edges of a walk, and the hop at which it reached each asset, known or on the way to a known one."""

    edges: tuple[Edge, ...]
    hops: Mapping[str, int]


def asset_lineage(
    root: str, direction: Direction, hops: int, aspects: Aspects, gone: Collection[str] = frozenset()
) -> Walk:
    """Edges within ``hops`` of ``root``, except those of ``gone`` (soft-deleted) assets.

    ``aspects`` are those of all assets that exist; an edge may end at another one if the walk goes on behind it.
    """
    edges = _edges(aspects)
    leaving: dict[str, list[AssetStep[str]]] = {}
    for up, down, aspect in edges:
        if up not in gone and down not in gone:
            here, there = (down, up) if direction == "up" else (up, down)
            leaving.setdefault(here, []).append(AssetStep(up, down, aspect, there in aspects))

    def neighbours(assets: Sequence[str]) -> Iterator[AssetStep[str]]:
        return (step for asset in assets for step in leaving.get(asset, ()))

    walked = walk_assets(root, direction, hops, neighbours)
    return Walk(sort_edges({edges[step[:3]]: None for step in walked.steps}), walked.hops)


def column_lineage(
    root: str, direction: Direction, hops: int, aspects: Aspects, gone: Collection[str] = frozenset()
) -> Walk:
    """Column edges within ``hops`` of the column ``root`` as edges of assets; at its own end stands ``root`` itself."""
    leaving: dict[str, list[ColumnStep[str]]] = {}
    for edge in _column_edges(aspects):
        up, down, via = edge.pair.upstream, edge.pair.downstream, edge.via
        assets = asset_of(up), asset_of(down)
        if not {*assets, via} & set(gone):
            here, end = (down, assets[0]) if direction == "up" else (up, assets[1])
            step = ColumnStep(up, down, *assets, via, edge.aspect, end in aspects, via in aspects)
            leaving.setdefault(here, []).append(step)

    def neighbours(columns: Sequence[str]) -> Iterator[ColumnStep[str]]:
        return (step for column in columns for step in leaving.get(column, ()))

    edges = _edges(aspects)

    def found_by(key: EdgeKey[str]) -> tuple[str, ...]:
        return edges[key].found_by if key in edges else ()

    walked = walk_columns(root, direction, hops, neighbours)
    return Walk(join_columns(root, direction, walked.steps, str, found_by), walked.hops)


def _edges(aspects: Aspects) -> dict[EdgeKey[str], Edge]:
    """Every edge that the aspects hold, with the column pairs that stand on it."""
    pairs: dict[EdgeKey[str], set[ColumnPair]] = {}
    for step in _column_edges(aspects):
        start = step.via or asset_of(step.pair.upstream)
        pairs.setdefault((start, asset_of(step.pair.downstream), step.aspect), set()).add(step.pair)
    found: dict[EdgeKey[str], Edge] = {}
    for urn, named in aspects.items():
        for name, aspect in named.items():
            for edge in edges_of(urn, name, aspect):
                key = (edge.upstream, edge.downstream, edge.aspect)
                found[key] = replace(edge, columns=tuple(sorted(pairs.get(key, ()))))
    return found


def _column_edges(aspects: Aspects) -> list[ColumnEdge]:
    return [
        step
        for urn, named in aspects.items()
        for name, aspect in named.items()
        for step in column_edges_of(urn, name, aspect)
    ]
