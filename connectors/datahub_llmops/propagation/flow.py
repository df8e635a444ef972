"""Computes which label reaches which asset and column, and from where. Pure: a graph and origins in, a mapping out.

A dataset's own labels follow every edge of data. A column's follow column edges only: to the next column, to that
column's dataset, and to the job that carries them there. Hops are those of a DataHub server: a job is one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from datahub_llmops.catalog.labels import Label
from datahub_llmops.catalog.protocol import LABELLED_TYPES, Edge, Lineage
from datahub_llmops.catalog.untraced import Untraced
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.propagation.labels import canonical

_PROCESSES: Final = frozenset({"dataJob", "dataProcessInstance"})
_NEAREST: Final = 2
"""How many origins to keep for each asset: the nearest may be the asset itself, and then the second counts."""

Wanted: TypeAlias = Mapping[str, Mapping[Label, str]]
"""Label -> its one origin, by the asset or canonical column that should have it."""


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """An origin of a label, and its distance in hops."""

    hops: int
    origin: str


@dataclass(frozen=True, slots=True, order=True)
class Stop:
    """A place where a column's label stops: an edge joins the two assets, but not all of its columns are known."""

    upstream: str
    downstream: str
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The labels that assets should have, and where labels of columns stop."""

    wanted: Wanted
    stops: tuple[Stop, ...]


class Graph:
    """The lineage of many walks combined: the edges that leave each asset and each column."""

    def __init__(self) -> None:
        self.live: set[str] = set()
        """Assets that a walk returned: they exist and are not soft-deleted."""
        self.whole: set[str] = set()
        """Assets whose every edge downstream a walk was to return."""
        self.assets: dict[str, set[str]] = {}
        self.columns: dict[str, set[tuple[str, str | None]]] = {}
        """Next column, and the job in between if there is one; columns are canonical."""
        self.joined: set[tuple[str, str]] = set()
        """Pairs of assets with at least one column edge."""
        self.marks: dict[tuple[str, str], str] = {}
        """Edges between assets that are not confirmed, and since when."""
        self.untraced: Untraced = {}
        """What jobs could not trace."""
        self.uses: Mapping[str, Collection[tuple[str, str]]] = {}
        """Canonical column -> the jobs that join, filter, group or sort by it, each with the index that it fills; empty
        unless labels are to follow such uses."""

    def add(self, lineage: Lineage) -> None:
        """Add a walk; edges that are already known count once."""
        self.live.update(node.urn for node in lineage.nodes)
        for edge in lineage.edges:
            self.add_edge(edge)

    def without(
        self, is_left_out: Callable[[str, str], bool], columns: Collection[str] = frozenset()
    ) -> Graph:
        """Return a copy without the edges between two assets for which ``is_left_out``, and without their columns.

        It has no edges either that begin at one of ``columns``.
        """

        def stays(up: str, down: str, via: str | None) -> bool:
            ways = [(asset_of(up), via), (via, asset_of(down))] if via else [(asset_of(up), asset_of(down))]
            return not any(is_left_out(str(start), str(end)) for start, end in ways)

        copy = Graph()
        copy.live, copy.joined, copy.marks, copy.untraced = self.live, self.joined, self.marks, self.untraced
        copy.assets = {
            up: {down for down in ends if not is_left_out(up, down)} for up, ends in self.assets.items()
        }
        copy.uses = {
            column: [
                (job, index)
                for job, index in uses
                if not is_left_out(asset_of(column), job) and not is_left_out(job, index)
            ]
            for column, uses in self.uses.items()
            if column not in columns
        }
        copy.columns = {
            up: {(down, via) for down, via in ends if stays(up, down, via)}
            for up, ends in self.columns.items()
            if up not in columns
        }
        return copy

    def add_edge(self, edge: Edge) -> None:
        """Add one edge; it counts once."""
        if carries_data(edge):
            self.assets.setdefault(edge.upstream, set()).add(edge.downstream)
        if edge.not_confirmed_since:
            self.marks[edge.upstream, edge.downstream] = edge.not_confirmed_since
        for pair in edge.columns:
            up, down = canonical(pair.upstream), canonical(pair.downstream)
            via = None if asset_of(up) == edge.upstream else edge.upstream
            self.columns.setdefault(up, set()).add((down, via))
            self.joined.add((asset_of(up), asset_of(down)))

    def asset_steps(self, asset: str) -> Iterable[tuple[str, int]]:
        """List the next assets, each one hop away."""
        return ((down, 1) for down in self.assets.get(asset, ()))

    def column_steps(self, column: str) -> Iterable[tuple[str, int]]:
        """List the next columns with their distance, which is two hops if a job is in between."""
        return ((down, _hops(via)) for down, via in self.columns.get(column, ()))

    def table_only(self, asset: str) -> Iterator[tuple[str, int]]:
        """List the next assets that no column edge reaches from ``asset``, with hops, and jobs that nothing leaves."""
        for down in self.assets.get(asset, ()):
            process = entity_type(down) in _PROCESSES
            ends = self.assets.get(down) if process else None
            for end in ends or {down}:
                if end != asset and (asset, end) not in self.joined:
                    yield end, 2 if process else 1


def carries_data(edge: Edge) -> bool:
    """Return whether data flows along an edge. A dependency between two jobs is about scheduling."""
    return not {entity_type(edge.upstream), entity_type(edge.downstream)} <= _PROCESSES


def flow(graph: Graph, origins: Mapping[Label, Collection[str]], max_hops: int) -> Flow:
    """Compute the labels of every asset and column downstream of the origins, within ``max_hops``.

    ``origins`` are datasets and canonical columns. Of several origins of one label the nearest counts, of equally near
    ones the first by URN; nothing is its own origin.
    """
    wanted: dict[str, dict[Label, str]] = {}
    stops: set[Stop] = set()
    for label in sorted(origins):
        columns = {urn for urn in origins[label] if entity_type(urn) == "schemaField"}
        reached = nearest(columns, graph.column_steps, max_hops)
        offers = [
            *_own(graph, set(origins[label]) - columns, max_hops),
            *_carried(graph, reached, max_hops),
            *_used(graph, reached, max_hops),
        ]
        best: dict[str, Arrival] = {}
        for target, arrival in offers:
            if asset_of(target) in graph.live and entity_type(target) in LABELLED_TYPES:
                best[target] = min(best.get(target, arrival), arrival)
        for target, arrival in best.items():
            wanted.setdefault(target, {})[label] = arrival.origin
        stops.update(_stops(graph, label, reached, max_hops))
    return Flow(wanted=wanted, stops=tuple(sorted(stops)))


def nearest(
    starts: Iterable[str], steps: Callable[[str], Iterable[tuple[str, int]]], max_hops: int
) -> dict[str, list[Arrival]]:
    """Find the two nearest starts of every reachable node, by distance and then by URN. A start counts as its own."""
    return _spread(((0, start, start) for start in starts), steps, max_hops)


def _spread(
    seeds: Iterable[tuple[int, str, str]],
    steps: Callable[[str], Iterable[tuple[str, int]]],
    max_hops: int,
) -> dict[str, list[Arrival]]:
    """Find the two nearest origins of every node. A seed is a distance, an origin, and the node that it has reached."""
    found: dict[str, list[Arrival]] = {}
    ahead = list(seeds)
    heapq.heapify(ahead)
    while ahead:
        hops, origin, here = heapq.heappop(ahead)
        arrivals = found.setdefault(here, [])
        if len(arrivals) == _NEAREST or any(arrival.origin == origin for arrival in arrivals):
            continue
        arrivals.append(Arrival(hops, origin))
        for there, length in steps(here):
            if hops + length <= max_hops:
                heapq.heappush(ahead, (hops + length, origin, there))
    return found


def _own(graph: Graph, datasets: Iterable[str], max_hops: int) -> Iterator[tuple[str, Arrival]]:
    for asset, arrivals in nearest(datasets, graph.asset_steps, max_hops).items():
        if arrival := _other(asset, arrivals):
            yield asset, arrival


def _carried(
    graph: Graph, reached: Mapping[str, list[Arrival]], max_hops: int
) -> Iterator[tuple[str, Arrival]]:
    for column, arrivals in reached.items():
        if arrival := _other(column, arrivals):
            yield column, arrival
            yield asset_of(column), arrival
        start = arrivals[0]
        for _, via in graph.columns.get(column, ()):
            if via is not None and start.hops + 2 <= max_hops:
                yield via, Arrival(start.hops + 1, start.origin)


def _used(graph: Graph, reached: Mapping[str, list[Arrival]], max_hops: int) -> Iterator[tuple[str, Arrival]]:
    """Carry labels of columns that a job uses to the job, to its index as a whole, and on from there."""
    seeds: list[tuple[int, str, str]] = []
    for column, arrivals in reached.items():
        start = arrivals[0]
        for job, index in graph.uses.get(column, ()):
            if start.hops + 2 <= max_hops:
                yield job, Arrival(start.hops + 1, start.origin)
                seeds.append((start.hops + 2, start.origin, index))
    for asset, arrivals in _spread(seeds, graph.asset_steps, max_hops).items():
        yield asset, arrivals[0]


def _stops(graph: Graph, label: Label, reached: Mapping[str, list[Arrival]], max_hops: int) -> Iterator[Stop]:
    distance: dict[str, int] = {}
    for column, arrivals in reached.items():
        asset = asset_of(column)
        distance[asset] = min(distance.get(asset, max_hops), arrivals[0].hops)
    for asset, hops in distance.items():
        for end, length in graph.table_only(asset):
            if hops + length <= max_hops:
                yield Stop(asset, end, label)
    yield from _untraced(graph, label, reached, max_hops)


def _untraced(
    graph: Graph, label: Label, reached: Mapping[str, list[Arrival]], max_hops: int
) -> Iterator[Stop]:
    """Yield where a column has no edge, and the job that reads its table could not trace all of the columns."""
    readers: dict[str, list[tuple[str, str]]] = {}
    for way, tables in graph.untraced.items():
        for table in tables:
            readers.setdefault(table, []).append(way)
    if not readers:
        return
    written = {(via, down) for ends in graph.columns.values() for down, via in ends}
    for column, arrivals in reached.items():
        if arrivals[0].hops + 2 > max_hops:
            continue
        asset = asset_of(column)
        carried = {(via, asset_of(down)) for down, via in graph.columns.get(column, ())}
        for job, index in readers.get(asset, ()):
            if (job, index) not in carried and (job, column) not in written:
                yield Stop(asset, index, label)


def _other(target: str, arrivals: Iterable[Arrival]) -> Arrival | None:
    return next((arrival for arrival in arrivals if arrival.origin != target), None)


def _hops(via: str | None) -> int:
    return 1 if via is None else 2
