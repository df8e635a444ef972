"""A walk as a picture and tables for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from datahub_llmops.catalog.kinds import kind_in_words
from datahub_llmops.catalog.protocol import Direction, Edge, Lineage, Node
from datahub_llmops.catalog.runs_in_walks import without_runs
from datahub_llmops.catalog.urn_text import asset_of, entity_type, full_name, platform, simple_path
from datahub_llmops.notebook.layered import Layout, Place, lay_out
from datahub_llmops.notebook.rendering import render
from datahub_llmops.queries.labels import Names
from datahub_llmops.queries.sentences import (
    Sentence,
    not_confirmed,
    stop_sentences,
    summarise,
    use_sentences,
    within_sentences,
)
from datahub_llmops.queries.walk import LineageResult

MOST_DRAWN: Final = 60
"""Assets in a picture."""
MOST_LISTED: Final = 1_000
"""Rows of a table below it: a notebook keeps its pages whole."""
WIDTH: Final = 190
HEIGHT: Final = 58
_GAP: Final = 40
_SPACE: Final = 16
_EDGE: Final = 2
"""Pixels: size of a box, the distance between columns and between rows, and the edge of the picture."""
_ASSET_HEADS: Final = ("Asset", "Kind", "Owners", "Terms and tags")
_COLUMN_HEADS: Final = ("From", "To")
_COLOURS: Final[Mapping[str, str]] = {
    "dataset": "#3b82f6",
    "schemaField": "#3b82f6",
    "dataJob": "#d97706",
    "mlModel": "#8b5cf6",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One asset in the picture, at a place in pixels."""

    urn: str
    name: str
    kind: str
    marks: str
    title: str
    """What a pointer on the box shows."""
    colour: str
    is_root: bool
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One edge in the picture: a path of SVG, and what a pointer on it shows."""

    path: str
    title: str
    confirmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table below the picture. ``left_out`` rows are not in it; ``attribute`` of the result has all."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left_out: int
    attribute: str

    @staticmethod
    def of(what: str, heads: Sequence[str], rows: Iterable[Sequence[str]], attribute: str) -> Table:
        """Build a table, whose title counts all rows."""
        every = list(rows)
        count = f"{len(every):,} {what}" if len(every) == 1 else f"{len(every):,} {_plural(what)}"
        shown = every[:MOST_LISTED]
        return Table(
            title=count, heads=heads, rows=shown, left_out=len(every) - len(shown), attribute=attribute
        )


def _plural(what: str) -> str:
    noun, space, rest = what.partition(" ")
    return f"{noun}s{space}{rest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The nearest assets of a walk and the edges between them. The size is in pixels."""

    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    width: float
    height: float
    left_out: int
    """Assets that are not drawn."""


def draw(found: LineageResult) -> str:
    """Return a walk as HTML without scripts."""
    shown = replace(found, walk=without_runs(found.walk))
    walk, names = shown.walk, shown.names
    root = next(node for node in walk.nodes if node.urn == walk.root)
    return render(
        "lineage",
        upstream=walk.direction == "up",
        name=_name(root),
        kind=_kind(root, names),
        summary=summarise(walk, found.hops, within=bool(found.within), more="hops=N"),
        picture=build_picture(walk, names),
        box=(WIDTH, HEIGHT),
        sentences=list(_sentences(shown)),
        tables=(
            Table.of("asset", _ASSET_HEADS, (_row(node, names) for node in walk.nodes), "nodes"),
            Table.of("edge between columns", _COLUMN_HEADS, _column_rows(walk, names), "edges"),
        ),
    )


def build_picture(walk: Lineage, names: Names) -> Picture:
    """Place the nearest assets of a walk, and those that only its edges name, on a picture."""
    every = _with_ends(walk)
    nodes = every[:MOST_DRAWN]
    drawn = {node.urn for node in nodes}
    edges = [edge for edge in walk.edges if edge.upstream in drawn and edge.downstream in drawn]
    layout = _lay_out(nodes, edges, walk.direction)
    return Picture(
        boxes=[_box(node, layout.places[node.urn], walk.root, names) for node in nodes],
        arrows=list(_arrows(edges, layout.ways, names)),
        width=layout.columns * (WIDTH + _GAP) - _GAP + 2 * _EDGE,
        height=layout.rows * (HEIGHT + _SPACE) - _SPACE + 2 * _EDGE,
        left_out=len(every) - len(nodes),
    )


def _sentences(found: LineageResult) -> Iterator[Sentence]:
    yield from within_sentences(found.within, found.names)
    yield from use_sentences(found.uses, found.names)
    yield from stop_sentences(found.stops, found.names, found.walk.direction)


def _lay_out(nodes: Sequence[Node], edges: Iterable[Edge], direction: Direction) -> Layout:
    """Place the asset that was asked for in the last column, or in the first one, and all others near to it."""
    order = [node.urn for node in nodes]
    if direction == "down":
        return lay_out(order, ((edge.upstream, edge.downstream) for edge in edges))
    return lay_out(order, ((edge.downstream, edge.upstream) for edge in edges)).mirrored()


def _with_ends(walk: Lineage) -> list[Node]:
    """The assets of a walk, and those that only its edges name because the catalog does not hold them."""
    known = {node.urn for node in walk.nodes}
    ends = dict.fromkeys(end for edge in walk.edges for end in (edge.upstream, edge.downstream))
    return [
        *walk.nodes,
        *(
            Node(
                urn=urn,
                type=entity_type(urn),
                subtype="not in the catalog",
                platform=platform(urn),
                name=full_name(urn),
            )
            for urn in ends
            if urn not in known
        ),
    ]


def _box(node: Node, place: Place, root: str, names: Names) -> Box:
    owners = f"owned by {', '.join(map(names.of, node.owners))}" if node.owners else ""
    marks = _marks(node, names)
    lines = (_name(node), _kind(node, names), owners, marks, node.urn)
    x, y = _corner(place)
    return Box(
        urn=node.urn,
        name=_name(node),
        kind=_kind(node, names),
        marks=marks or owners,
        title=" · ".join(line for line in lines if line),
        colour=_COLOURS.get(node.type, "#6b7280"),
        is_root=node.urn == root,
        x=x,
        y=y,
    )


def _arrows(
    edges: Sequence[Edge], ways: Mapping[tuple[str, str], Sequence[Place]], names: Names
) -> Iterator[Arrow]:
    since: dict[tuple[str, str], str | None] = {}
    for edge in edges:
        ends = (edge.upstream, edge.downstream)
        since[ends] = since.get(ends) or edge.not_confirmed_since
    for (start, end), way in ways.items():
        fault = since[(start, end)]
        title = f"{names.of(start)} → {names.of(end)}"
        yield Arrow(
            path=_path(way),
            title=f"{title}, {not_confirmed(fault)}" if fault else title,
            confirmed=fault is None,
        )


def _path(way: Sequence[Place]) -> str:
    """A curve from the right side of the first box to the left side of the last one, by way of the places between."""
    parts: list[str] = []
    for start, end in pairwise(way):
        (x, y), (to_x, to_y) = _corner(start), _corner(end)
        x, y, to_y = x + WIDTH, y + HEIGHT / 2, to_y + HEIGHT / 2
        bend = _GAP / 2
        parts.append(f"{'L' if parts else 'M'}{x:g} {y:g}")
        parts.append(f"C{x + bend:g} {y:g} {to_x - bend:g} {to_y:g} {to_x:g} {to_y:g}")
    return "".join(parts)


def _corner(place: Place) -> tuple[float, float]:
    """The upper left corner of the box at a place, in pixels."""
    column, row = place
    return column * (WIDTH + _GAP) + _EDGE, row * (HEIGHT + _SPACE) + _EDGE


def _name(node: Node) -> str:
    return simple_path(node.name) if node.type == "schemaField" else node.name


def _kind(node: Node, names: Names) -> str:
    what = kind_in_words(node.subtype, node.type)
    if node.type == "schemaField":
        what += f" of {names.of(asset_of(node.urn))}"
    return f"{what} · {node.platform}" if node.platform else what


def _marks(node: Node, names: Names) -> str:
    terms = [f"◆ {names.of(term)}" for term in node.terms]
    return "  ".join((*terms, *(f"# {names.of(tag)}" for tag in node.tags)))


def _column_rows(walk: Lineage, names: Names) -> Iterator[tuple[str, str]]:
    for edge in walk.edges:
        for pair in edge.columns:
            yield names.column(pair.upstream), names.column(pair.downstream)


def _row(node: Node, names: Names) -> tuple[str, str, str, str]:
    return _name(node), _kind(node, names), ", ".join(map(names.of, node.owners)), _marks(node, names)
