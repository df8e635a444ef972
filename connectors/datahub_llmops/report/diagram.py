"""The boxes and arrows of a report, before they are written in the language of a drawing tool. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal, TypeAlias

from datahub_llmops.net.shown import clean_name
from datahub_llmops.report.model import Asset, ColumnRef, Report

Look: TypeAlias = Literal["root", "missing", "bad"]
"""An asset that was asked for, one that the catalog does not hold, one with a check that is not ok."""

LONGEST: Final = 80
"""Letters of a name in a box."""
_SHOWN_MARKS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A column in the box of its asset. ``id`` is the box's with a number behind it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An asset. ``lines`` begin with its name; ``cells`` are those of its columns that lineage shows."""

    id: str
    lines: tuple[str, ...]
    cells: tuple[Cell, ...] = ()
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """An arrow between boxes, or between cells. A dashed one is not confirmed."""

    source: str
    target: str
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """Everything that is drawn, in a fixed order. No text in it has a line break or a control character."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    column_arrows: tuple[Arrow, ...] = ()


def build_diagram(report: Report) -> Diagram:
    """Draw the assets and edges of a report, and its columns if it was made with them."""
    ids = {asset.urn: f"n{number}" for number, asset in enumerate(report.assets)}
    pairs = _column_pairs(report) if report.columns else []
    cells = _cell_ids(report, ids, chain.from_iterable(pairs))
    return Diagram(
        boxes=tuple(
            _box(asset, ids[asset.urn], report.roots, cells.get(asset.urn, {})) for asset in report.assets
        ),
        arrows=tuple(_arrows(report, ids)),
        column_arrows=tuple(
            Arrow(source=cells[up.asset][up], target=cells[down.asset][down]) for up, down in pairs
        ),
    )


def named(text: str, longest: int = LONGEST) -> str:
    """Make a name safe for one line, and cut it. A blank one is in quotes; an empty one is *(no name)*.

    >>> named("a" * 5 + chr(10), 4), named(" "), named("")
    ('aaa…', '" "', '(no name)')
    """
    shown = clean_name(text[: longest + 1])
    return (shown if len(shown) <= longest else shown[: longest - 1] + "…").strip() or "(no name)"


def _column_pairs(report: Report) -> list[tuple[ColumnRef, ColumnRef]]:
    """The column edges between assets of the report, each once."""
    pairs = dict.fromkeys((pair.upstream, pair.downstream) for edge in report.edges for pair in edge.columns)
    return [pair for pair in pairs if all(end.asset in report.by_urn for end in pair)]


def _cell_ids(
    report: Report, ids: Mapping[str, str], drawn: Iterable[ColumnRef]
) -> dict[str, dict[ColumnRef, str]]:
    """Name the columns of each asset: in the order of its table, then those that its schema does not have."""
    wanted: dict[str, set[str]] = {}
    for ref in drawn:
        wanted.setdefault(ref.asset, set()).add(ref.path)
    found: dict[str, dict[ColumnRef, str]] = {}
    for urn, paths in wanted.items():
        stated = [column.path for column in report.by_urn[urn].columns if column.path in paths]
        order = dict.fromkeys((*stated, *sorted(paths)))
        found[urn] = {ColumnRef(urn, path): f"{ids[urn]}c{number}" for number, path in enumerate(order)}
    return found


def _box(asset: Asset, own: str, roots: Collection[str], cells: Mapping[ColumnRef, str]) -> Box:
    looks: list[Look] = []
    if asset.urn in roots:
        looks.append("root")
    if not asset.in_catalog:
        looks.append("missing")
    if asset.verdict == "not ok":
        looks.append("bad")
    return Box(
        id=own,
        lines=tuple(_lines(asset)),
        cells=tuple(Cell(id=number, name=named(ref.path)) for ref, number in cells.items()),
        looks=tuple(looks),
    )


def _lines(asset: Asset) -> Iterator[str]:
    yield named(asset.name)
    yield named(" · ".join(part for part in (asset.kind, asset.platform) if part))
    if marks := mark_names(asset):
        more = [f"and {len(marks) - _SHOWN_MARKS:,} more"] if len(marks) > _SHOWN_MARKS else []
        yield ", ".join((*(named(mark, 40) for mark in marks[:_SHOWN_MARKS]), *more))
    if asset.checks:
        yield f"checks: {asset.verdict}"


def mark_names(asset: Asset) -> list[str]:
    """List the names of the terms and tags of an asset and of its columns, terms first."""
    marks = [*asset.marks, *(mark for column in asset.columns for mark in column.marks)]
    named = sorted({(mark.kind != "term", mark.name) for mark in marks})
    return [f"{'#' if is_tag else '◆'} {clean_name(name)}" for is_tag, name in named]


def _arrows(report: Report, ids: Mapping[str, str]) -> Iterator[Arrow]:
    """One arrow between two assets, dashed if nothing that states it has confirmed it."""
    confirmed: dict[tuple[str, str], bool] = {}
    for edge in report.edges:
        pair = edge.upstream, edge.downstream
        if all(end in ids for end in pair):
            confirmed[pair] = confirmed.get(pair, False) or edge.not_confirmed_since is None
    for (up, down), known in confirmed.items():
        yield Arrow(source=ids[up], target=ids[down], dashed=not known)
