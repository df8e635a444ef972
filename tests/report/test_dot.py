"""Graphviz 14 drew each of the names in ``report.names`` as it is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import unescape

from datahub_llmops.report.diagram import build_diagram
from datahub_llmops.report.dot import write_dot
from datahub_llmops.report.model import Report
from report.names import NAMES, report_of

STRING = re.compile(r'  n\d+ \[label="((?:[^"\\]|\\.)*)"\]')
TABLE = re.compile(r"  n\d+ \[label=<(<TABLE.*</TABLE>)>\]")


def read(string: str) -> list[str]:
    """The lines of a string, as Graphviz draws them."""
    lines = "".join(
        "\n" if part == "\\n" else part[-1] if part.startswith("\\") else part
        for part in re.findall(r"\\.|[^\\]", string)
    )
    return [unescape(line) for line in lines.split("\n")]


def test_a_graph() -> None:
    assert write_dot(report_of("a", "b")) == (
        "digraph lineage {\n"
        '  graph [rankdir=LR, charset="UTF-8"]\n'
        '  node [shape=box, fontname="sans-serif"]\n'
        '  n0 [label="a\\na · a\\n◆ a"]\n'
        '  n1 [label="b\\nb · b\\n◆ b"]\n'
        "  n0 -> n1\n"
        "}\n"
    )


def test_names_are_text_whatever_they_contain() -> None:
    report = report_of(*NAMES)
    written = write_dot(report)
    assert [read(string) for string in STRING.findall(written)] == [
        list(box.lines) for box in build_diagram(report).boxes
    ]
    assert len(written.splitlines()) == 4 + len(report.assets) + len(report.edges)


def test_columns_are_rows_with_ports() -> None:
    report = report_of(*NAMES, columns=True)
    written = write_dot(report)
    tables = [ET.fromstring(found) for found in TABLE.findall(written)]
    assert [[cell.get("PORT") for cell in table.iter("TD")][1:] for table in tables] == [
        [cell.id for cell in box.cells] for box in build_diagram(report).boxes
    ]
    assert [["".join(cell.itertext()) for cell in table.iter("TD")][1:] for table in tables] == [
        [cell.name for cell in box.cells] for box in build_diagram(report).boxes
    ]
    assert "  n0:n0c0 -> n1:n1c0 [color=gray]\n" in written


def test_an_empty_report_says_why() -> None:
    assert '  empty [label="Nothing: run a recipe.", shape=plain]\n' in write_dot(
        Report(notes=("Nothing: run a recipe.",))
    )
