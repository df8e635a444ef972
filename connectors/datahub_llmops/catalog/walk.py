"""Walks lineage hop by hop, over the neighbours that a catalog gives for some assets or columns. Pure.

Hops are counted as a DataHub server counts its ``degree``. A job is a hop. An asset that was never emitted is walked
through and not returned, so numbers may jump. A walk over columns counts steps from column to column; the job in
between has the hop of the columns that it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from datahub_llmops.catalog.protocol import ColumnPair, Direction, Edge

K = TypeVar("K", int, str)
"""An asset or column: its row number in a local file, its URN on a server."""
S = TypeVar("S")

EdgeKey: TypeAlias = tuple[K, K, str]
"""Upstream asset, downstream asset, and the aspect that has the edge."""


class EdgeFacts(NamedTuple):
    """What the properties of an edge say, as on ``Edge``."""

    found_by: tuple[str, ...] = ()
    not_confirmed_since: str | None = None


class AssetStep(NamedTuple, Generic[K]):
    """One edge between assets. ``known``: whether the asset that the walk reaches by it was ever emitted."""

    upstream: K
    downstream: K
    aspect: str
    known: bool


class ColumnStep(NamedTuple, Generic[K]):
    """One edge between columns, of a dataset itself or ``via`` a job.

    ``known`` and ``via_known`` say whether the asset that the walk reaches, and the job, were ever emitted.
    """

    upstream: K
    downstream: K
    upstream_asset: K
    downstream_asset: K
    via: K | None
    aspect: str
    known: bool
    via_known: bool


@dataclass(frozen=True, slots=True)
class Walked(Generic[K, S]):
    """The steps of a walk, the hop at which it reached each asset, and those of the assets that were ever emitted."""

    steps: Sequence[S]
    hops: Mapping[K, int]
    known: set[K]


def walk_assets(
    root: K, direction: Direction, hops: int, neighbours: Callable[[Sequence[K]], Iterable[AssetStep[K]]]
) -> Walked[K, AssetStep[K]]:
    """Walk from asset to asset. Assets that were never emitted are kept if the walk goes on to a known one."""
    up = direction == "up"
    distance = {root: 0}
    known = {root}
    steps: list[AssetStep[K]] = []
    frontier = [root]
    for hop in range(1, hops + 1):
        reached: list[K] = []
        for step in neighbours(frontier):
            steps.append(step)
            end = step.upstream if up else step.downstream
            if step.known:
                known.add(end)
            if end not in distance:
                distance[end] = hop
                reached.append(end)
        frontier = reached
        if not frontier:
            break
    ways = [(step.downstream, step.upstream) if up else (step.upstream, step.downstream) for step in steps]
    kept = _leading_to(known, ways)
    return Walked(
        [step for step in steps if step.upstream in kept and step.downstream in kept],
        {asset: hop for asset, hop in distance.items() if asset in kept},
        known,
    )


def walk_columns(
    root: K, direction: Direction, hops: int, neighbours: Callable[[Sequence[K]], Iterable[ColumnStep[K]]]
) -> Walked[K, ColumnStep[K]]:
    """Walk from column to column; the hops are those of their assets and of the jobs in between."""
    up = direction == "up"
    distance: dict[K, int] = {}
    known: set[K] = set()
    steps: list[ColumnStep[K]] = []
    seen = {root}
    frontier = [root]
    for hop in range(1, hops + 1):
        reached: list[K] = []
        for step in neighbours(frontier):
            steps.append(step)
            end, asset = (
                (step.upstream, step.upstream_asset) if up else (step.downstream, step.downstream_asset)
            )
            distance.setdefault(asset, hop)
            if step.known:
                known.add(asset)
            if step.via is not None:
                distance.setdefault(step.via, hop)
                if step.via_known:
                    known.add(step.via)
            if end not in seen:
                seen.add(end)
                reached.append(end)
        frontier = reached
        if not frontier:
            break
    return Walked(steps, distance, known)


def join_columns(
    root: K,
    direction: Direction,
    steps: Iterable[ColumnStep[K]],
    urn_of: Callable[[K], str],
    facts_of: Callable[[EdgeKey[K]], EdgeFacts],
) -> tuple[Edge, ...]:
    """The edges between assets that the steps run along, with the pairs of columns on them, sorted.

    The column ``root`` stands for its own asset. Behind a job the pairs are on the job's outgoing edge.
    """
    pairs: dict[EdgeKey[K], set[ColumnPair]] = {}
    facts: dict[EdgeKey[K], EdgeFacts] = {}

    def add(start: K, end: K, key: EdgeKey[K], columns: Iterable[ColumnPair] = ()) -> None:
        shown = (start, end, key[2])
        pairs.setdefault(shown, set()).update(columns)
        facts[shown] = facts_of(key)

    for step in steps:
        up, down, via, aspect = step.upstream_asset, step.downstream_asset, step.via, step.aspect
        start = root if direction == "down" and step.upstream == root else up
        end = root if direction == "up" and step.downstream == root else down
        pair = ColumnPair(upstream=urn_of(step.upstream), downstream=urn_of(step.downstream))
        if via is None:
            add(start, end, (up, down, aspect), [pair])
        else:
            add(start, via, (up, via, aspect))
            add(via, end, (via, down, aspect), [pair])
    return sort_edges(
        Edge(
            upstream=urn_of(up),
            downstream=urn_of(down),
            aspect=aspect,
            columns=tuple(sorted(columns)),
            **facts[up, down, aspect]._asdict(),
        )
        for (up, down, aspect), columns in pairs.items()
    )


def sort_edges(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """The edges in the order in which catalogs return them."""
    return tuple(sorted(edges, key=lambda edge: (edge.upstream, edge.downstream, edge.aspect)))


def _leading_to(known: set[K], ways: Iterable[tuple[K, K]]) -> set[K]:
    """Return the known assets, and the unknown ones from which a path leads to a known one."""
    kept = set(known)
    unknown = [(near, far) for near, far in ways if near not in kept]
    grown = bool(unknown)
    while grown:
        found = {near for near, far in unknown if far in kept and near not in kept}
        kept |= found
        grown = bool(found)
    return kept
