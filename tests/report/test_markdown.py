from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from datahub_llmops.report.diagram import named
from datahub_llmops.report.markdown import write_markdown
from datahub_llmops.report.model import Answer, AnswerDocument, Asset, Fact, Owner, Report
from report.names import NAMES, report_of, table

SHOWN = 200


def tokens(written: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(written)


def cells(written: str) -> list[list[str]]:
    """The texts of the table's rows, as a reader sees them. Anything that is not text fails."""
    rows: list[list[str]] = []
    inside = False
    for token in tokens(written):
        if token.type == "tr_open":
            rows.append([])
        inside = (inside or token.type in ("th_open", "td_open")) and token.type not in (
            "th_close",
            "td_close",
        )
        if inside and token.type == "inline":
            assert {child.type for child in token.children or ()} <= {
                *("text", "text_special", "code_inline", "html_inline")
            }
            tags = [child.content for child in token.children or () if child.type == "html_inline"]
            assert set(tags) <= {"<code>", "</code>"}
            rows[-1].append(
                "".join(child.content for child in token.children or () if child.type != "html_inline")
            )
    return rows


def test_a_table_and_a_diagram() -> None:
    asset = Asset(
        urn=table(0),
        type="dataset",
        kind="Table",
        name="docs",
        platform="sqlite",
        owners=(Owner(urn="urn:li:corpuser:ada", name="ada@example.com"),),
    )
    report = Report(assets=(asset,), as_of="2026-11-29T04:00:00Z", notes=("One <note>.",))
    assert write_markdown(report) == (
        "# Lineage\n\n"
        "1 asset, 0 edges. The newest fact is of 2026-11-29 04:00 UTC.\n\n"
        "One &#60;note&#62;.\n\n"
        "| Name | Kind | Platform | Owners | Terms and tags | Checks |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| docs | Table | sqlite | `ada@example.com` |  | not known |\n\n"
        "```mermaid\n"
        "flowchart LR\n"
        '  n0["docs<br>Table · sqlite"]\n'
        "```\n"
    )


def test_names_are_text_whatever_they_contain() -> None:
    rows = cells(write_markdown(report_of(*NAMES)))[1:]
    for name, row in zip(NAMES, rows, strict=True):
        assert len(row) == 6
        # A reader of Markdown sees several spaces as one.
        assert " ".join(row[0].split()) == " ".join(named(name, SHOWN).split())


@pytest.mark.parametrize("name", ["@team", "#12", "https://evil.example/x", "www.evil.example", "a|b @team"])
def test_what_a_site_may_turn_into_a_link_stands_in_code(name: str) -> None:
    inside = False
    for token in tokens(write_markdown(report_of(name))):
        for child in token.children or ():
            inside = (inside or child.content == "<code>") and child.content != "</code>"
            assert child.type != "text" or inside or name not in child.content


def test_what_was_asked_for_stands_above() -> None:
    report = replace(
        report_of("a", "b"),
        roots=(table(1),),
        directions=("up",),
        hops=1,
        filters=(Fact(title="--platform", text="sqlite"), Fact(title="--owner", text="@ada")),
    )
    written = write_markdown(report)
    assert "\nAsked for: b, upstream, within 1 hop.\n" in written
    assert "\nFiltered by: --platform sqlite, --owner `@ada`.\n" in written


def test_a_report_beyond_mermaid_has_its_table_and_says_so() -> None:
    written = write_markdown(report_of(*(f"t{number}" for number in range(600))))
    assert len(cells(written)) == 601
    assert "```" not in written
    assert "No diagram: this diagram has 599 edges" in written


def test_answers_have_a_table_of_their_own() -> None:
    answer = Answer(
        id="01a2",
        application="docs-bot",
        urn=None,
        version=None,
        started="2026-11-29T04:00:00Z",
        seconds=1.5,
        status="ok",
        documents=(AnswerDocument(chunk="c", score=None, index=None, source=None, rests_on="index"),),
        sources=(table(0), table(9), "urn:li:mlModel:(urn:li:dataPlatform:openai,m,PROD)"),
        gaps=("no model",),
    )
    written = write_markdown(replace(report_of("a"), answers=(answer,)))
    assert cells(written)[-1] == [
        *("01a2", "docs-bot", "2026-11-29 04:00", "ok", "1", "a, t9", "no model"),
    ]


def test_an_empty_report_says_why() -> None:
    written = write_markdown(Report(notes=("The catalog is empty.",)))
    assert written == "# Lineage\n\n0 assets, 0 edges.\n\nThe catalog is empty.\n"
