from __future__ import annotations

from dataclasses import replace

from datahub_llmops.report.diagram import LONGEST, Arrow, build_diagram
from datahub_llmops.report.model import Asset, Check, Column, ColumnRef, Edge, Mark, Report
from report.names import NAMES, report_of, table


def edge(up: int, down: int, since: str | None = None, aspect: str = "upstreamLineage") -> Edge:
    return Edge(upstream=table(up), downstream=table(down), aspect=aspect, not_confirmed_since=since)


def test_a_box_says_name_kind_marks_and_checks() -> None:
    asset = Asset(
        urn=table(0),
        type="dataset",
        kind="Table",
        name="docs",
        platform="sqlite",
        marks=(Mark(kind="tag", urn="urn:li:tag:hot", name="hot"),),
        columns=(
            Column(path="mail", marks=(Mark(kind="term", urn="urn:li:glossaryTerm:p", name="Personal"),)),
        ),
        verdict="not ok",
        checks=(Check(name="freshness", kind="Index Health", verdict="not ok"),),
    )
    (box,) = build_diagram(Report(assets=(asset,), roots=(asset.urn,))).boxes
    assert box.lines == ("docs", "Table · sqlite", "◆ Personal, # hot", "checks: not ok")
    assert box.looks == ("root", "bad")
    assert box.cells == ()


def test_an_asset_that_the_catalog_does_not_hold_looks_otherwise() -> None:
    asset = Asset(urn=table(0), type="dataset", kind="", name="x", in_catalog=False)
    (box,) = build_diagram(Report(assets=(asset,))).boxes
    assert box.looks == ("missing",)


def test_two_statements_of_one_edge_are_one_arrow_and_dashed_only_if_neither_is_confirmed() -> None:
    since = "2026-11-29T05:30:00+00:00"
    report = replace(
        report_of("a", "b", "c"),
        edges=(
            edge(0, 1, since),
            edge(0, 1, aspect="other"),
            edge(1, 2, since),
            edge(2, 2),
            edge(2, 2, since),
            edge(2, 99),
        ),
    )
    assert build_diagram(report).arrows == (
        Arrow(source="n0", target="n1"),
        Arrow(source="n1", target="n2", dashed=True),
        Arrow(source="n2", target="n2"),
    )


def test_columns_are_drawn_if_they_were_asked_for_in_the_order_of_their_table() -> None:
    report = report_of("b", "c", columns=True)
    first = replace(report.assets[0], columns=(Column(path="z"), Column(path="b"), Column(path="unused")))
    pair = report.edges[0].columns[0]
    pairs = tuple(
        replace(pair, upstream=ColumnRef(first.urn, path)) for path in ("a, which no schema has", "b", "z")
    )
    report = replace(
        report, assets=(first, report.assets[1]), edges=(replace(report.edges[0], columns=pairs),)
    )
    diagram = build_diagram(report)
    assert [(cell.id, cell.name) for cell in diagram.boxes[0].cells] == [
        *(("n0c0", "z"), ("n0c1", "b"), ("n0c2", "a, which no schema has")),
    ]
    assert [(one.source, one.target) for one in diagram.column_arrows] == [
        *(("n0c2", "n1c0"), ("n0c1", "n1c0"), ("n0c0", "n1c0")),
    ]
    assert build_diagram(replace(report, columns=False)).column_arrows == ()


def test_every_line_of_a_box_is_short_and_printable() -> None:
    for box in build_diagram(report_of(*NAMES, columns=True)).boxes:
        for line in (*box.lines, *(cell.name for cell in box.cells)):
            assert line.isprintable()
            assert 0 < len(line) <= LONGEST
            assert line.strip()
