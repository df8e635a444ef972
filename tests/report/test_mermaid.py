"""Mermaid 11.17 drew each of the names in ``report.names`` as it is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from datahub_llmops.errors import ReportError
from datahub_llmops.report.diagram import build_diagram
from datahub_llmops.report.mermaid import MOST_EDGES, write_mermaid
from datahub_llmops.report.model import Edge, Report
from report.names import NAMES, report_of, table

LINE = re.compile(
    r"flowchart LR|  n\d+\[(\".*\")\]|  subgraph n\d+\[(\".*\")\]|    n\d+c\d+\[(\".*\")\]|  end"
    r"|  n\d+(c\d+)? (-->|-\.->) n\d+(c\d+)?"
)
LABEL = re.compile(r'"(?:[^\W_]|[ ,·◆…]|(?<=[^\W_])[-._](?=[^\W_])|#\d+;|<br>)*"')


def read(label: str) -> list[str]:
    """The lines that Mermaid draws."""
    decoded = (re.sub(r"#(\d+);", lambda code: chr(int(code[1])), line) for line in label[1:-1].split("<br>"))
    return [line.replace("\u2060", "") for line in decoded]


def test_a_flowchart() -> None:
    report = report_of("docs-bot", "b", columns=True)
    report = replace(
        report,
        roots=(table(1),),
        edges=(
            *report.edges,
            Edge(upstream=table(1), downstream=table(0), aspect="x", not_confirmed_since="t"),
        ),
    )
    assert write_mermaid(report) == (
        "flowchart LR\n"
        '  subgraph n0["docs-bot<br>docs-bot · docs-bot<br>◆ docs-bot"]\n'
        '    n0c0["docs-bot"]\n'
        "  end\n"
        '  subgraph n1["b<br>b · b<br>◆ b"]\n'
        '    n1c0["b"]\n'
        "  end\n"
        "  n0 --> n1\n"
        "  n1 -.-> n0\n"
        "  n0c0 --> n1c0\n"
        "  classDef root stroke-width:3px\n"
        "  class n1 root\n"
    )


@pytest.mark.parametrize("columns", [True, False])
def test_names_are_text_whatever_they_contain(columns: bool) -> None:
    report = report_of(*NAMES, columns=columns)
    labels = []
    for line in write_mermaid(report).splitlines():
        found = LINE.fullmatch(line)
        assert found, line
        if label := found[1] or found[2] or found[3]:
            assert LABEL.fullmatch(label), label
            labels.append(read(label))
    assert labels == [
        lines
        for box in build_diagram(report).boxes
        for lines in (list(box.lines), *([cell.name] for cell in box.cells))
    ]


def test_neither_formulas_nor_icons_are_drawn() -> None:
    # Mermaid looks for these after it has read the numbers.
    written = write_mermaid(report_of("$$x^2$$", "fa:fa-car"))
    decoded = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), written)
    assert "$$" not in decoded
    assert ":fa-" not in decoded


def test_more_edges_than_mermaid_draws_are_refused_with_what_to_do() -> None:
    allowed = report_of(*(f"t{number}" for number in range(MOST_EDGES + 1)))
    assert write_mermaid(allowed).count("-->") == MOST_EDGES
    beyond = report_of(*(f"t{number}" for number in range(MOST_EDGES + 2)))
    with pytest.raises(
        ReportError, match=r"501 edges, .* at most 500; ask for an ASSET, or for --format html"
    ):
        write_mermaid(beyond)
    with pytest.raises(ReportError, match="fewer --hops, or for --format html or --format dot"):
        write_mermaid(replace(beyond, roots=(table(0),)))
    with pytest.raises(ReportError, match=r"1,002 edges.* leave out --columns"):
        write_mermaid(replace(beyond, columns=True))


def test_more_text_than_mermaid_reads_is_refused() -> None:
    with pytest.raises(ReportError, match="letters, and Mermaid draws at most 50,000"):
        write_mermaid(report_of(*("x" * 80 for _ in range(300))))


def test_an_empty_report_says_why() -> None:
    assert write_mermaid(Report(notes=("Nothing: run a recipe.",))) == (
        'flowchart LR\n  empty["Nothing#58; run a recipe#46;"]\n'
    )
