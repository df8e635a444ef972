"""Writes a report as a Mermaid flowchart, which GitHub, GitLab and many wikis draw. Pure.

https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from datahub_llmops.errors import ReportError
from datahub_llmops.report.diagram import Box, Diagram, Look, build_diagram
from datahub_llmops.report.model import Report

MOST_EDGES: Final = 500
MOST_LETTERS: Final = 50_000
"""Mermaid's own limits, ``maxEdges`` and ``maxTextSize``. Sites such as GitHub do not let a diagram raise them.

https://mermaid.js.org/config/schema-docs/config.html
"""
_LOOKS: Final[dict[Look, str]] = {
    "root": "stroke-width:3px",
    "missing": "stroke-dasharray:4",
    "bad": "stroke:#c62828",
}
_SIGN: Final = re.compile(r"[^\w\-., ·◆…]|(?<![^\W_])[-._]|[-._](?![^\W_])")
"""What Mermaid, Markdown or HTML may take for a sign of their own. ``-._`` are none between letters."""
_REPLACED: Final = re.compile(r"\$(?=\$)|:(?=fa-)")
"""Mermaid draws formulas and icons although their signs are written as numbers. A joiner, which is not seen, helps."""


def write_mermaid(report: Report) -> str:
    """Write the assets and edges of a report as a flowchart from left to right.

    Raises:
        ReportError: it is larger than Mermaid draws.
    """
    diagram = build_diagram(report)
    edges = len(diagram.arrows) + len(diagram.column_arrows)
    if edges > MOST_EDGES:
        raise _too_large(f"this diagram has {edges:,} edges, and Mermaid draws at most {MOST_EDGES}", report)
    written = "\n".join(_lines(diagram, report)) + "\n"
    if len(written) > MOST_LETTERS:
        raise _too_large(
            f"this diagram has {len(written):,} letters, and Mermaid draws at most {MOST_LETTERS:,}", report
        )
    return written


def _too_large(what: str, report: Report) -> ReportError:
    smaller = "one direction (--up or --down), fewer --hops" if report.roots else "an ASSET"
    columns = ", leave out --columns" if report.columns else ""
    return ReportError(f"{what}; ask for {smaller}{columns}, or for --format html or --format dot")


def _lines(diagram: Diagram, report: Report) -> Iterator[str]:
    yield "flowchart LR"
    if not diagram.boxes:
        yield f"  empty[{_label(report.notes or ('No assets',))}]"
    elif report.notes:
        yield f"  note[{_label(report.notes)}]"
        yield "  style note fill:none,stroke:none"
    for box in diagram.boxes:
        yield from _box(box)
    for arrow in diagram.arrows:
        yield f"  {arrow.source} {'-.->' if arrow.dashed else '-->'} {arrow.target}"
    for arrow in diagram.column_arrows:
        yield f"  {arrow.source} --> {arrow.target}"
    for look, style in _LOOKS.items():
        if ids := [box.id for box in diagram.boxes if look in box.looks]:
            yield f"  classDef {look} {style}"
            yield f"  class {','.join(ids)} {look}"


def _box(box: Box) -> Iterator[str]:
    if not box.cells:
        yield f"  {box.id}[{_label(box.lines)}]"
        return
    yield f"  subgraph {box.id}[{_label(box.lines)}]"
    for cell in box.cells:
        yield f"    {cell.id}[{_label((cell.name,))}]"
    yield "  end"


def _label(lines: tuple[str, ...]) -> str:
    return '"' + "<br>".join(map(_escaped, lines)) + '"'


def _escaped(text: str) -> str:
    return _SIGN.sub(lambda sign: f"#{ord(sign[0])};", _REPLACED.sub("\\g<0>\u2060", text))
