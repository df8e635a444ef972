"""What notebooks are given: text stays text, whatever a catalog holds."""

from __future__ import annotations

import pytest

from datahub_llmops.governance.finding import CheckReport, Finding, Verdict
from support.seen_html import AS_TEXT, EVIL, Seen


def report(verdict: Verdict, text: str) -> CheckReport:
    finding = Finding(
        check="fresh", verdict=verdict, code="c", message=text, to_do="Run it.", missing="A time."
    )
    return CheckReport(urn="urn:li:x", name=text, subtype=None, platform="chroma", findings=(finding,))


def test_what_a_catalog_holds_is_text() -> None:
    seen = Seen(report("not ok", EVIL)._repr_html_())
    assert seen.tags == {"div", "p", "strong", "span", "table", "thead", "tbody", "tr", "th", "td"}
    assert seen.attributes == {"class", "style"}
    assert seen.text.count(AS_TEXT) == 2


def test_a_long_text_is_cut() -> None:
    html = report("not ok", "x" * 10_000)._repr_html_()
    assert len(html) < 3_000
    assert "x…" in html


@pytest.mark.parametrize(("verdict", "advice"), [("ok", ""), ("not ok", "Run it."), ("not known", "Run it.")])
def test_a_finding_that_is_not_ok_says_what_to_do(verdict: Verdict, advice: str) -> None:
    seen = Seen(report(verdict, "docs")._repr_html_())
    assert seen.text.count(verdict) >= 2
    assert ("Run it." in seen.text) == bool(advice)
