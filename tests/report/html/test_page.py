"""The file as bytes: what it has, what it may load, and that names are text in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import fields, is_dataclass, replace
from html import unescape

import pytest

from datahub_llmops.net.shown import clean
from datahub_llmops.report.html.page import filled, plain_runs, shared_evidence, typed_runs, write_page
from datahub_llmops.report.model import Column, Report, Table
from report.reports import BOT, CUSTOMERS, HOSTILE, INDEX, JOB, ORDERS, PERSONAL, edge, hostile, sample


def page(report: Report) -> str:
    return write_page(report).decode()


def element(html: str, tag: str) -> str:
    """The text of the only ``<tag>``."""
    (found,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    return str(found)


def texts_in(value: object) -> set[str]:
    """All texts in plain data that a page has to show."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, tuple):
        return {text for one in value for text in texts_in(one)}
    if is_dataclass(value):
        return {text for one in fields(value) for text in texts_in(getattr(value, one.name))}
    return set()


def test_everything_that_the_report_says_is_in_the_file() -> None:
    report = sample()
    words = " ".join(unescape(re.sub(r"<[^>]*>", " ", page(report))).split())
    said = set().union(*map(texts_in, (report.assets, report.prompts, report.answers, report.notes)))
    hidden = {"dataset", "dataJob", "mlModel", "2026-11-29T04:00:00Z", "success", "sparse"}
    urns = {text for text in said if text.startswith("urn:li:") and text not in report.by_urn}
    assert {text for text in said - hidden - urns if " ".join(text.split()) not in words} == set()


def test_the_same_report_gives_the_same_bytes() -> None:
    assert write_page(sample()) == write_page(sample())


def test_only_the_files_own_style_and_script_run() -> None:
    html = page(sample())
    policy = re.search(r'http-equiv=Content-Security-Policy content="(.*?)"', html)
    assert policy is not None
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(element(html, tag).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in unescape(policy[1])
    assert policy[1].startswith("default-src 'none'")


def test_names_are_text_whatever_they_contain() -> None:
    html = page(hostile())
    markup = re.sub("<(style|script)>.*?</(style|script)>", "", html, flags=re.DOTALL)
    assert set(re.findall("<script[^>]*>", markup)) == {"<script type=application/json id=data>"}
    assert markup.count("</noscript>") == 2
    assert not re.search(r"<img|<b id|<!--|\u202e|\u2028", markup)
    for name in HOSTILE[:-2]:
        assert clean(name) in unescape(markup)


def test_the_data_is_json_that_ends_no_element() -> None:
    (text,) = re.findall("<script type=application/json id=data>(.*?)</script>", page(hostile()), re.DOTALL)
    assert "<" not in text
    assert {clean(name) for name in HOSTILE} <= set(json.loads(text)["words"])


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "https://", "data:text/html,x", "//x"]
)
def test_only_an_address_of_the_web_is_a_link(url: str) -> None:
    report = sample()
    changed = replace(
        report, assets=tuple(replace(one, url=url) if one.urn == INDEX else one for one in report.assets)
    )
    assert re.findall('href="?([^"#>][^">]*)', page(changed)) == []
    assert url in page(changed)


def test_a_name_of_blanks_is_seen() -> None:
    report = sample()
    renamed = replace(report, assets=tuple(replace(one, name=" ", path=(" ",)) for one in report.assets))
    assert "<summary>&#34; &#34; <small>" in page(renamed)
    assert "> </a>" not in page(renamed)
    assert " · &#34; &#34;" in page(renamed)


def test_an_empty_report_says_so() -> None:
    assert "There is nothing in this report" in page(Report())


def test_a_report_of_one_asset_has_its_name() -> None:
    assert element(page(replace(sample(), roots=(BOT,))), "title") == "Lineage of bot"


def test_columns_of_a_table_without_a_value_are_left_out() -> None:
    table = filled(Table(title="t", columns=("a", "b", "c"), rows=(("1", "", ""), ("2", ""), ("", "", "3"))))
    assert (table.columns, table.rows) == (("a", "c"), (("1", ""), ("2", ""), ("", "3")))


def test_plain_fields_of_one_type_share_a_line_and_all_others_have_their_own() -> None:
    fields = [
        *(Column(path=path, type="int") for path in "ab"),
        Column(path="c", type="int", description="said"),
        Column(path="d", type="int"),
        *(Column(path=path, type="text") for path in "ef"),
        Column(path="g", type="text", marks=(PERSONAL,)),
    ]
    assert ["".join(one.path for one in run) for run in plain_runs(fields)] == ["ab", "c", "d", "ef", "g"]
    assert list(plain_runs([])) == []
    # The type of "ab", "c" and "d" is written beside the first of them.
    assert [rows for _, rows in typed_runs(fields)] == [3, 0, 0, 2, 0]


def test_what_found_all_edges_is_said_once() -> None:
    by_hook, by_tool = edge(CUSTOMERS, JOB), replace(edge(ORDERS, JOB), found_by=("tool",))
    assert shared_evidence([by_hook, by_hook]) == ("hook",)
    assert shared_evidence([by_hook, by_tool]) == ()
    assert shared_evidence([by_hook]) == ()
