"""Places a graph in columns, so that its edges run from left to right: Sugiyama's method for small graphs. Pure.

Sugiyama, Tagawa, Toda: Methods for Visual Understanding of Hierarchical System Structures, 1981.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

Bend: TypeAlias = tuple[str, str, int]
"""Where an edge passes through a column in which it has no end: its ends, and the column."""
Place: TypeAlias = tuple[int, float]
"""Column and row. A row may lie between two others."""

_SWEEPS: Final = 8
_BEND_ROOM: Final = 0.5
"""Rows that an edge takes that passes through a column; a node takes one."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the nodes lie, and the places along each edge, both ends included."""

    places: Mapping[str, Place]
    ways: Mapping[tuple[str, str], Sequence[Place]]
    columns: int
    rows: float

    def mirrored(self) -> Layout:
        """Return the layout with its last column first, and with each edge turned round."""
        last = self.columns - 1
        return Layout(
            places={node: (last - column, row) for node, (column, row) in self.places.items()},
            ways={
                (end, start): [(last - column, row) for column, row in reversed(way)]
                for (start, end), way in self.ways.items()
            },
            columns=self.columns,
            rows=self.rows,
        )


def lay_out(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> Layout:
    """Place nodes so that each edge leads to the right, except where edges make a circle.

    Each node lies as near to the first column as its edges allow.

    Args:
        nodes: the nodes; of a circle, the edge into the first one leads back.
        edges: pairs of nodes.
    """
    links = sorted({(start, end) for start, end in edges if start != end})
    column = _columns(nodes, links)
    chains = {(start, end): _chain(start, end, column) for start, end in links}
    layers: list[list[str | Bend]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for node in nodes:
        layers[column[node]].append(node)
    for chain in chains.values():
        for bend in chain[1:-1]:
            if isinstance(bend, tuple):
                layers[bend[2]].append(bend)
    beside = _neighbours(chains.values())
    row = _rows(layers, beside)
    lowest = min(row.values(), default=0.0)
    places: dict[str | Bend, Place] = {
        point: (number, row[point] - lowest) for number, layer in enumerate(layers) for point in layer
    }
    return Layout(
        places={node: places[node] for node in nodes},
        ways={link: [places[point] for point in chain] for link, chain in chains.items()},
        columns=len(layers),
        rows=max((place[1] for place in places.values()), default=-1.0) + 1,
    )


def _columns(nodes: Sequence[str], links: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The length of the longest way to each node; the first node of a circle has none of it before itself."""
    following: dict[str, list[str]] = {node: [] for node in nodes}
    waiting = dict.fromkeys(nodes, 0)
    for start, end in links:
        following[start].append(end)
        waiting[end] += 1
    found = dict.fromkeys(nodes, 0)
    left = dict.fromkeys(nodes)
    while left:
        node = next((one for one in left if not waiting[one]), next(iter(left)))
        del left[node]
        for after in following[node]:
            if after in left:
                found[after] = max(found[after], found[node] + 1)
                waiting[after] -= 1
    return found


def _chain(start: str, end: str, column: Mapping[str, int]) -> list[str | Bend]:
    between = range(column[start] + 1, column[end])
    return [start, *((start, end, number) for number in between), end]


def _neighbours(chains: Iterable[Sequence[str | Bend]]) -> dict[str | Bend, list[str | Bend]]:
    found: dict[str | Bend, list[str | Bend]] = {}
    for chain in chains:
        for left, right in pairwise(chain):
            found.setdefault(left, []).append(right)
            found.setdefault(right, []).append(left)
    return found


def _rows(
    layers: Sequence[list[str | Bend]], beside: Mapping[str | Bend, Sequence[str | Bend]]
) -> dict[str | Bend, float]:
    """Order each column by the mean row of its neighbours, again and again, and keep the distances."""
    row: dict[str | Bend, float] = {}
    for layer in layers:
        _place(layer, row, {})
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = {
                point: sum(row[near] for near in beside[point]) / len(beside[point])
                for point in layer
                if beside.get(point)
            }
            layer.sort(key=lambda point: wanted.get(point, row[point]))
            _place(layer, row, wanted)
    return row


def _place(
    layer: Sequence[str | Bend], row: dict[str | Bend, float], wanted: Mapping[str | Bend, float]
) -> None:
    """Give the points of a column rows in their order, as near as there is room to those that are wanted."""
    below = float("-inf")
    for point in layer:
        room = 1.0 if isinstance(point, str) else _BEND_ROOM
        row[point] = max(wanted.get(point, row.get(point, 0.0)), below + room / 2)
        below = row[point] + room / 2
    shift = sum(row[point] - wanted.get(point, row[point]) for point in layer) / max(len(layer), 1)
    for point in layer:
        row[point] -= shift
