"""Statements whose parser would not end are found in a process that can be ended."""

from __future__ import annotations

import pytest

from datahub_llmops.lineage.sql import probe
from lineage.estate import outputs, read, titles


@pytest.mark.parametrize("word", ["struct(", "date(", "decimal("])
def test_a_parser_that_never_ends_is_refused(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PROBE_SECONDS", 2)
    lineage = read("postgres", "select " + word * 40 + "body" + ")" * 40 + " as a from docs")
    assert titles(lineage) == ["SQL not understood"]
    assert "takes the parser too long" in lineage.warnings[0].message


def test_a_deep_statement_that_parses_is_read() -> None:
    sql = "select " + "coalesce(body, " * 30 + "title" + ")" * 30 + " as text from docs"
    assert outputs("postgres", read("postgres", sql)) == {"text": {"docs.body", "docs.title"}}


def test_simple_sql_pays_for_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a process was started"))
    sql = "select " + "coalesce(body, " * 10 + "title" + ")" * 10 + " as text from docs"
    assert titles(read("postgres", sql)) == []


def test_no_interpreter_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    sql = "select " + "f(" * 30 + "body" + ")" * 30 + " as a from docs"
    assert titles(read("postgres", sql)) == ["SQL not understood"]
