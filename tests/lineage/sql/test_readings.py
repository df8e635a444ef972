"""What statements read when they write: their own target, tables named by an alias, variables, clones."""

from __future__ import annotations

import pytest

from lineage.estate import Known, inputs, outputs, read, titles, unchecked, urn

CASES: list[tuple[str, str, str, dict[str, str]]] = [
    # platform, SQL, input tables, output column -> source columns
    (
        "mssql",
        "update d set d.tags = a.name from dbo.docs d join authors a on a.id = d.author_id",
        "authors",
        {"tags": "authors.name"},
    ),
    ("mssql", "update d set tags = name from docs as d, authors as a", "authors", {"tags": "authors.name"}),
    (
        "mssql",
        "update dbo.docs set tags = a.name from dbo.docs join authors a on 1 = 1",
        "authors",
        {"tags": "authors.name"},
    ),
    (
        "mysql",
        "update docs d, authors a set d.tags = a.name where a.id = d.author_id",
        "authors",
        {"tags": "authors.name"},
    ),
    (
        "mysql",
        "update docs d join authors a on a.id = d.author_id set d.tags = a.name",
        "authors",
        {"tags": "authors.name"},
    ),
    (
        "snowflake",
        "update docs d set tags = a.name from authors a where true",
        "authors",
        {"tags": "authors.name"},
    ),
    (
        "bigquery",
        "update kb.docs d set tags = a.name from kb.authors a where true",
        "authors",
        {"tags": "authors.name"},
    ),
    # A table is an upstream of itself where one of its columns feeds another one.
    ("postgres", "update docs set tags = lower(title)", "docs", {"tags": "docs.title"}),
    ("postgres", "update docs set title = trim(title)", "", {"title": ""}),
    (
        "postgres",
        "update docs d set meta = embed(d.title || body || a.name) from authors a where a.id = d.author_id",
        "docs authors",
        {"meta": "docs.title docs.body authors.name"},
    ),
    (
        "postgres",
        "update docs set meta = c.v from (select id, embed(title || body) as v from docs) c where c.id = docs.id",
        "docs",
        {"meta": "docs.title docs.body"},
    ),
    (
        "postgres",
        "insert into docs (id, meta) select id, embed(body) from docs"
        " on conflict (id) do update set meta = excluded.meta",
        "docs",
        {"id": "", "meta": "docs.body"},
    ),
    (
        "databricks",
        "merge into docs t using docs s on t.id = s.id when matched then update set t.meta = s.body",
        "docs",
        {"meta": "docs.body"},
    ),
    (
        "postgres",
        "update docs d set (title, tags) = (select a.name, a.email from authors a)",
        "authors",
        {"title": "authors.name", "tags": "authors.email"},
    ),
    # Values that come from queries.
    (
        "postgres",
        "insert into chunks (id, text) values (1, (select max(body) from docs)), (2, 'x')",
        "docs",
        {"id": "", "text": "docs.body"},
    ),
    (
        "snowflake",
        "create table x clone docs; select id, body from x",
        "docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "bigquery",
        "create table x copy docs; select id, body from x",
        "docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "bigquery",
        "export data options(uri = 'gs://x') as select id, body from docs",
        "docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "databricks",
        "cache table c as select id, body from docs; select id, body as text from c",
        "docs",
        {"id": "docs.id", "text": "docs.body"},
    ),
    (
        "bigquery",
        "create or replace model kb.m options(model_type = 'x') as select id, body from docs",
        "docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
    # A variable that a query sets is read, but its value goes nowhere.
    (
        "bigquery",
        "declare since int64 default (select max(id) from kb.comments); select id, body from docs where id > since",
        "comments docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "mssql",
        "declare @t table (k int, v nvarchar(max)) insert into @t select id, body from docs select v as text from @t",
        "docs",
        {"text": "docs.body"},
    ),
    # A table that exists already is the catalog's.
    (
        "postgres",
        "create table if not exists docs (id int, body text); select id, body from docs",
        "docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
]


@pytest.mark.parametrize(("platform", "sql", "tables", "columns"), CASES)
def test_what_is_read(platform: str, sql: str, tables: str, columns: dict[str, str]) -> None:
    lineage = read(platform, sql)
    found = outputs(platform, lineage)
    assert {name: found.get(name) for name in columns} == {
        name: set(sources.split()) for name, sources in columns.items()
    }
    assert inputs(platform, lineage) == set(tables.split())
    assert titles(lineage) == []


def test_a_target_that_the_catalog_lacks_is_no_unknown_table() -> None:
    sql = "update chunks c set text = d.body, seen = c.seen + 1 from docs d where d.id = c.doc_id"
    lineage = read("postgres", sql)
    assert titles(lineage) == []
    assert outputs("postgres", lineage) == {"text": {"docs.body"}, "seen": set()}


def test_without_a_catalog_a_table_can_feed_itself() -> None:
    docs, authors = urn("postgres", "kb.docs"), urn("postgres", "kb.authors")
    lineage = unchecked(
        "postgres", "update kb.docs set v = embed(title, a.name) from kb.authors a", default_schema="x"
    )
    assert lineage.inputs == (authors,)
    lineage = unchecked("postgres", "update kb.docs set v = embed(title)", default_schema="x")
    assert lineage.inputs == (docs,)
    assert [(one.dataset, one.column) for one in lineage.outputs[0].sources] == [(docs, "title")]


def test_an_insert_without_rows_is_a_warning() -> None:
    assert titles(read("mssql", "insert into chunks (id, text)")) == ["SQL not understood"]


def test_a_defined_table_that_nothing_fills_is_not_known() -> None:
    lineage = read("postgres", "create temp table x (id int, body text); select id, body from x", Known({}))
    assert "unknown_table" in [warning.kind for warning in lineage.warnings] or titles(lineage) == [
        "Platform not in the catalog"
    ]
    lineage = read("postgres", "create temp table x (id int, body text); select id, body from x")
    assert titles(lineage) == ["Unknown table"]
