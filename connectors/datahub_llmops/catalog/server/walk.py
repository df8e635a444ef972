"""The edges of a walk, put together from the aspects of the assets that it passes: what a server's answer lacks.

Pure. The walk is the local catalog's: an asset that was never emitted is walked through, and a pair of columns stands
on the edge that enters its asset.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from datahub_llmops.catalog.aspect_edges import ColumnEdge, column_edges_of, edges_of
from datahub_llmops.catalog.protocol import ColumnPair, Direction, Edge
from datahub_llmops.catalog.urn_text import asset_of

Aspects: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Aspects by name, by URN."""

_Key: TypeAlias = tuple[str, str, str]
"""Upstream, downstream, aspect."""


@dataclass(frozen=True, slots=True)
class Walked:
    """Edges of a walk, and the hop at which it reached each asset, known or on the way to a known one."""

    edges: tuple[Edge, ...]
    hops: Mapping[str, int]


def walk_assets(
    root: str, direction: Direction, hops: int, aspects: Aspects, gone: Collection[str] = frozenset()
) -> Walked:
    """Edges within ``hops`` of ``root``, those of ``gone`` (soft-deleted) assets apart.

    ``aspects`` are those of all assets that exist; an edge may end at another one when the walk goes on behind it.
    """
    here, there = _ends(direction)
    leaving: dict[str, list[Edge]] = {}
    for edge in _edges(aspects).values():
        if edge.upstream not in gone and edge.downstream not in gone:
            leaving.setdefault(here(edge), []).append(edge)
    walked: list[Edge] = []
    distance = {root: 0}
    frontier = [root]
    for hop in range(1, hops + 1):
        steps = [edge for asset in frontier for edge in leaving.get(asset, ())]
        walked.extend(steps)
        frontier = [end for end in dict.fromkeys(map(there, steps)) if end not in distance]
        distance.update(dict.fromkeys(frontier, hop))
    kept = _leading_on(
        distance.keys() & aspects.keys() | {root}, [(here(edge), there(edge)) for edge in walked]
    )
    return Walked(
        _sorted(edge for edge in walked if {edge.upstream, edge.downstream} <= kept),
        {asset: hop for asset, hop in distance.items() if asset in kept},
    )


def walk_columns(
    root: str, direction: Direction, hops: int, aspects: Aspects, gone: Collection[str] = frozenset()
) -> Walked:
    """Column edges within ``hops`` of the column ``root`` as edges of assets; at its own end stands ``root`` itself."""
    here, there = _ends(direction)
    leaving: dict[str, list[ColumnEdge]] = {}
    for column_edge in _column_edges(aspects):
        pair = column_edge.pair
        if not {asset_of(pair.upstream), asset_of(pair.downstream), column_edge.via} & set(gone):
            leaving.setdefault(here(pair), []).append(column_edge)
    steps: dict[ColumnEdge, None] = {}
    distance: dict[str, int] = {}
    seen = {root}
    frontier = [root]
    for hop in range(1, hops + 1):
        fresh = [step for column in frontier for step in leaving.get(column, ())]
        steps.update(dict.fromkeys(fresh))
        for step in fresh:
            for asset in (asset_of(there(step.pair)), step.via):
                if asset:
                    distance.setdefault(asset, hop)
        frontier = [end for end in dict.fromkeys(there(step.pair) for step in fresh) if end not in seen]
        seen.update(frontier)
    return Walked(_sorted(_joined(root, direction, steps, _edges(aspects))), distance)


def _joined(
    root: str, direction: Direction, steps: Iterable[ColumnEdge], known: Mapping[_Key, Edge]
) -> list[Edge]:
    pairs: dict[_Key, set[ColumnPair]] = {}
    ways: dict[_Key, tuple[str, ...]] = {}

    def add(start: str, end: str, known_as: _Key, pair: ColumnPair | None) -> None:
        key = (start, end, known_as[2])
        pairs.setdefault(key, set()).update([pair] if pair else [])
        ways[key] = known[known_as].found_by if known_as in known else ()

    for step in steps:
        up, down = asset_of(step.pair.upstream), asset_of(step.pair.downstream)
        start = root if direction == "down" and step.pair.upstream == root else up
        end = root if direction == "up" and step.pair.downstream == root else down
        if step.via is None:
            add(start, end, (up, down, step.aspect), step.pair)
        else:
            add(start, step.via, (up, step.via, step.aspect), None)
            add(step.via, end, (step.via, down, step.aspect), step.pair)
    return [
        Edge(
            upstream=up,
            downstream=down,
            aspect=aspect,
            found_by=ways[up, down, aspect],
            columns=tuple(sorted(found)),
        )
        for (up, down, aspect), found in pairs.items()
    ]


def _edges(aspects: Aspects) -> dict[_Key, Edge]:
    """Every edge that the aspects hold, with the column pairs that stand on it."""
    pairs: dict[_Key, set[ColumnPair]] = {}
    for step in _column_edges(aspects):
        start = step.via or asset_of(step.pair.upstream)
        pairs.setdefault((start, asset_of(step.pair.downstream), step.aspect), set()).add(step.pair)
    found: dict[_Key, Edge] = {}
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


def _leading_on(known: Collection[str], ways: Iterable[tuple[str, str]]) -> set[str]:
    """``known`` assets, and those unknown from which a way leads to one of them."""
    kept = set(known)
    unknown = [(near, far) for near, far in ways if near not in kept]
    grown = True
    while grown:
        found = {near for near, far in unknown if far in kept and near not in kept}
        kept |= found
        grown = bool(found)
    return kept


def _ends(
    direction: Direction,
) -> tuple[Callable[[Edge | ColumnPair], str], Callable[[Edge | ColumnPair], str]]:
    """Where a step of the walk starts, and where it ends."""
    if direction == "up":
        return (lambda edge: edge.downstream), (lambda edge: edge.upstream)
    return (lambda edge: edge.upstream), (lambda edge: edge.downstream)


def _sorted(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    return tuple(sorted(dict.fromkeys(edges), key=lambda edge: (edge.upstream, edge.downstream, edge.aspect)))
