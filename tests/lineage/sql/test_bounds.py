"""SQL that is long, deep or odd is refused in words. Without the bounds, each of these crashes or never ends."""

from __future__ import annotations

import pytest

from lineage.estate import outputs, read, titles

DEEP = {
    "queries": "select a from (" * 20_000 + "select body from docs" + ") x" * 20_000,
    "parentheses": "select " + "(" * 50_000 + "body" + ")" * 50_000 + " as a from docs",
    "open parentheses": "select " + "(" * 50_000,
    "cases": "select " + "case when id = 1 then " * 5_000 + "1" + " end" * 5_000 + " as a from docs",
    "calls": "select " + "f(" * 5_000 + "body" + ")" * 5_000 + " as a from docs",
    "not": "select " + "not " * 20_000 + "a as b from docs",
    "minus": "select " + "- " * 20_000 + "a as b from docs",
    "subscripts": "select body" + "[1]" * 5_000 + " as a from docs",
    "casts": "select body" + "::int" * 5_000 + " as a from docs",
    "names": "select " + ".".join(["a"] * 5_000) + " from docs",
    "joins": "select d.body from docs d" + " join authors a" * 5_000,
    "statements": "select body from docs;" * 6_000,
    "tokens": "select a" + ", a" * 110_000 + " from docs",
}


@pytest.mark.parametrize("kind", DEEP)
def test_what_is_too_deep_or_long_is_refused(kind: str) -> None:
    lineage = read("postgres", DEEP[kind])
    assert titles(lineage) == ["SQL not understood"]
    assert lineage.warnings[0].kind == "unparsed_sql"
    assert lineage.warnings[0].message.endswith("tables instead.")
    assert not lineage.complete


def test_rows_that_double_are_refused() -> None:
    steps = "".join(
        f", c{i} as (select x.*, y.* from c{i - 1} x cross join c{i - 1} y)" for i in range(1, 20)
    )
    lineage = read("postgres", f"with c0 as (select id, body from docs){steps} select * from c19")
    assert titles(lineage) == ["SQL not understood"]
    assert "more than 20000 columns" in lineage.warnings[0].message


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "f(" * 40 + "body" + ")" * 40 + " as text from docs",
        "select body as text from " + "(select * from " * 30 + "docs" + ") x" * 30,
        "select body as text from docs where " + " and ".join(["id = 1"] * 10_000),
        "select " + " || ".join(["body"] * 5_000) + " as text from docs",
        " union all ".join(["select body as text from docs"] * 1_000),
        "select body as text from docs where id in (" + ", ".join(map(str, range(20_000))) + ")",
        "select d.body as text from docs d"
        + "".join(f" join authors a{i} on a{i}.id = d.id" for i in range(500)),
    ],
)
def test_what_people_generate_is_read(sql: str) -> None:
    lineage = read("postgres", sql)
    assert titles(lineage) == []
    assert outputs("postgres", lineage) == {"text": {"docs.body"}}
