"""Names of assets that look like syntax, and a report of assets that have them."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from datahub_llmops.report.model import Asset, Column, ColumnEdge, ColumnRef, Edge, Mark, Report

NAMES: Final = (
    *("docs-bot.v1_2", "1. foo", "- a", "_x_ *y* **b**", "# t", "$$x^2$$", "fa:fa-car", "a;b", "end"),
    *(
        "<script>alert(1)</script>",
        "&amp; &#35; #35; &",
        "\"quoted\" 'q'",
        "back\\slash \\N \\",
        "a|b",
        "c\\|d",
    ),
    *("`code`", "``", "@team #12", "https://evil.example/x", "www.evil.example", "[a](javascript:b)"),
    *("style:x#y;", "click n1 href x", "%% x", "{a}[b](c)((d))", "a --> b", "]] -->", "<!-- x", "]]>"),
    *("", " ", "a\nb\r\nc", "\u202egnp.exe", "\x1b]0;pwned\x07", "مرحبا", "日本語 ✓ 😀", "x" * 10_000),
)


def table(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:sqlite,t{number},PROD)"


def report_of(*names: str, columns: bool = False) -> Report:
    """Assets with these names, also as columns, marks and kinds; each feeds the next."""
    assets = tuple(
        Asset(
            urn=table(number),
            type="dataset",
            kind=name,
            name=name,
            platform=name,
            marks=(Mark(kind="term", urn="urn:li:glossaryTerm:x", name=name),),
            columns=(Column(path=name),),
        )
        for number, name in enumerate(names)
    )
    edges = tuple(
        Edge(
            upstream=up.urn,
            downstream=down.urn,
            aspect="upstreamLineage",
            columns=(
                ColumnEdge(upstream=ColumnRef(up.urn, up.name), downstream=ColumnRef(down.urn, down.name)),
            ),
        )
        for up, down in pairwise(assets)
    )
    return Report(assets=assets, edges=edges, columns=columns)
