"""Each pass that prepares a query establishes its condition, and lineage is wrong without it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import pytest
import sqlglot
from sqlglot import exp

from datahub_llmops.lineage.sql import prepare
from datahub_llmops.lineage.sql.prepare import PASSES, Draft
from datahub_llmops.lineage.sql.tables import Column, Source
from lineage.estate import outputs, read, titles

SQL = (
    "select to_jsonb(D) as whole, Body,"
    " (select max(d.Title || comments.body) from comments where comments.doc_id = d.id) as best,"
    " (select j.value from docs e, json_each(e.tags) j limit 1) as tag from Docs D where d.id in (1, 2, 3)"
)
COLUMNS = {"docs": ("id", "title", "body", "tags"), "comments": ("doc_id", "body")}


def draft() -> Draft:
    def resolve(table: exp.Table, files: prepare.Files) -> Source:
        columns = {name: (Column(dataset=table.name, column=name),) for name in COLUMNS[table.name]}
        return Source(datasets=(table.name,), columns=columns)

    query = sqlglot.parse_one(SQL, dialect="postgres")
    assert isinstance(query, exp.Query)
    return Draft(
        query=query,
        dialect=sqlglot.Dialect.get_or_raise("postgres"),
        fold=str.lower,
        resolve=resolve,
        refuse=lambda kind, title, message: pytest.fail(f"{title}: {message}"),
    )


def names(query: exp.Query, kind: type[exp.Expr]) -> set[str]:
    return {node.name for node in query.find_all(kind)}


AFTER: Sequence[Callable[[Draft], bool]] = (
    lambda it: {name.lower() for name in names(it.query, exp.Identifier)} == names(it.query, exp.Identifier),
    lambda it: hasattr(it, "spelling") and it.spelling.names == ("whole", "Body", "best", "tag"),
    lambda it: all(len(node.expressions) == 1 for node in it.query.find_all(exp.In)),
    lambda it: not any(isinstance(table.this, exp.Func) for table in it.query.find_all(exp.Table)),
    lambda it: all(table.alias for table in it.query.find_all(exp.Table)),
    lambda it: names(it.query, exp.Table) == it.sources.keys(),
    lambda it: {column.name for column in it.query.selects[0].find_all(exp.Column)} == set(COLUMNS["docs"]),
    lambda it: all(column.table for column in it.query.find_all(exp.Column)),
    lambda it: len(list(it.query.find_all(exp.Table))) == 4,
)
"""What holds after each pass and all later ones, but not before it."""


def test_each_pass_establishes_its_condition() -> None:
    it = draft()
    for run, holds in zip(PASSES, AFTER, strict=True):
        assert not holds(it), run.__name__
        run(it)
        assert holds(it), run.__name__


QUERIES = (
    SQL,
    "select BODY from Docs where id in (1, 2)",
    "insert into t (a, b) select * from (select d.id, a.name from docs d join authors a on a.id = d.author_id) x",
    "with c as (select id, body from comments) select c.*, upper(title) as Up from docs join c using (id)",
)


def traced() -> list[object]:
    lineages = [read("postgres", sql) for sql in QUERIES]
    return [(outputs("postgres", lineage), titles(lineage)) for lineage in lineages]


@pytest.mark.parametrize("position", [0, 1, 3, 5, 6, 7, 8])
def test_lineage_differs_without_a_pass(position: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two passes are missing here: short lists only save time, and qualified columns bring aliases themselves."""
    expected = traced()
    monkeypatch.setattr(prepare, "PASSES", PASSES[:position] + PASSES[position + 1 :])
    with contextlib.suppress(AttributeError):  # The spelling is not set.
        assert traced() != expected
