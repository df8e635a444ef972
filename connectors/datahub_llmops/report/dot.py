"""Writes a report in DOT, the language of Graphviz. Pure.

https://graphviz.org/doc/info/lang.html
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from datahub_llmops.report.diagram import Box, Cell, Look, build_diagram
from datahub_llmops.report.model import Report

_LOOKS: Final[dict[Look, str]] = {"root": "penwidth=3", "missing": "style=dashed", "bad": 'color="#c62828"'}


def write_dot(report: Report) -> str:
    """Write the assets and edges of a report as a directed graph from left to right."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    diagram = build_diagram(report)
    cells = {cell.id: f"{box.id}:{cell.id}" for box in diagram.boxes for cell in box.cells}
    yield "digraph lineage {"
    yield '  graph [rankdir=LR, charset="UTF-8"]'
    yield '  node [shape=box, fontname="sans-serif"]'
    if not diagram.boxes:
        yield f"  empty [label={_quoted(report.notes or ('No assets',))}, shape=plain]"
    elif report.notes:
        yield f"  label={_quoted(report.notes)}"
    for box in diagram.boxes:
        yield f"  {box.id} [{', '.join((f'label={_label(box)}', *_attributes(box)))}]"
    for arrow in diagram.arrows:
        yield f"  {arrow.source} -> {arrow.target}{' [style=dashed]' if arrow.dashed else ''}"
    for arrow in diagram.column_arrows:
        yield f"  {cells[arrow.source]} -> {cells[arrow.target]} [color=gray]"
    yield "}"


def _attributes(box: Box) -> Iterator[str]:
    yield from (style for look, style in _LOOKS.items() if look in box.looks)


def _label(box: Box) -> str:
    return f"<{_table(box)}>" if box.cells else _quoted(box.lines)


def _quoted(lines: tuple[str, ...]) -> str:
    r"""Write lines as a string. In one, ``\`` begins an escape and ``&`` an entity of HTML."""
    written = (line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(written) + '"'


def _table(box: Box) -> str:
    """Write the columns as a table, whose cells have ports that arrows end at."""
    head = "<BR/>".join(map(_text, box.lines))
    rows = "".join(map(_row, box.cells))
    return f'<TABLE BORDER="0" CELLBORDER="0"><TR><TD>{head}</TD></TR><HR/>{rows}</TABLE>'


def _row(cell: Cell) -> str:
    return f'<TR><TD PORT="{cell.id}" ALIGN="LEFT">{_text(cell.name)}</TD></TR>'


def _text(line: str) -> str:
    # An empty cell is an error of syntax in some releases.
    return escape(line) or " "
