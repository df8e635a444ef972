"""What could not be traced is named with the output that it feeds, counted, and never guessed."""

from __future__ import annotations

import pytest

from lineage.estate import inputs, outputs, read, titles, unchecked


@pytest.mark.parametrize(
    ("platform", "sql", "wanted", "context"),
    [
        (
            "postgres",
            "select c.e_mail as email, c.name from authors c",
            {"email": set(), "name": {"authors.name"}},
            "c.e_mail (output email)",
        ),
        ("postgres", "select e_mail from authors", {"e_mail": set()}, "e_mail"),
        (
            "postgres",
            "select a.name || a.surname as text from authors a join docs d on d.author_id = a.id",
            {"text": {"authors.name"}},
            "surname (output text)",
        ),
        (
            "postgres",
            "with x as (select e_mail as m, name from authors) select m || name as t from x",
            {"t": {"authors.name"}},
            "e_mail (output t)",
        ),
        ("postgres", "select x.nope from (select id from docs) x", {"nope": set()}, "nope"),
        ("postgres", "select (a).emial as m from authors a", {"m": set()}, "emial (output m)"),
        ("postgres", "select u.x from docs d, unnest(d.tagz) as u(x)", {"x": set()}, "tagz (output x)"),
        ("postgres", "select nowhere.x, title from docs", {"x": set(), "title": {"docs.title"}}, "nowhere.x"),
        ("snowflake", "select a.e_mail as email from authors a", {"email": set()}, "e_mail (output email)"),
        ("bigquery", "select a.e_mail as email from authors a", {"email": set()}, "e_mail (output email)"),
        ("mysql", "select upper(nme) as n from authors", {"n": set()}, "nme (output n)"),
        ("mssql", "select a.nme as n from dbo.authors a", {"n": set()}, "nme (output n)"),
    ],
)
def test_a_column_that_no_table_has(
    platform: str, sql: str, wanted: dict[str, set[str]], context: str
) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == wanted
    (warning,) = lineage.warnings
    assert warning.kind == "unknown_column"
    assert context.removeprefix("c.").removeprefix("a.") in warning.context
    assert lineage.stopped_at_tables == 1
    assert [output.name for output in lineage.outputs if output.stopped]


@pytest.mark.parametrize(
    "sql",
    [
        "select d.title from docs d where d.nope = 1",
        "select d.title from docs d order by nope",
        "with unused as (select nope from docs) select title from docs",
    ],
)
def test_a_column_that_feeds_no_output_says_nothing(sql: str) -> None:
    lineage = read("postgres", sql)
    assert outputs("postgres", lineage) == {"title": {"docs.title"}}
    assert titles(lineage) == []
    assert lineage.stopped_at_tables == 0


@pytest.mark.parametrize(
    ("platform", "sql", "title", "tables"),
    [
        (
            "postgres",
            "select to_jsonb(r) as j, d.title from raw r, docs d",
            "SELECT * without a schema",
            "raw docs",
        ),
        (
            "snowflake",
            "select object_construct(*) as j, 1 as title from raw",
            "SELECT * without a schema",
            "raw",
        ),
        (
            "postgres",
            "select a.j, title from (select * from raw x, raw y) a, docs",
            "SELECT * without a schema",
            "raw docs",
        ),
        (
            "bigquery",
            "select f.j, d.title from docs d, mine((select body from comments), 1) f",
            "Columns of a table function",
            "comments docs",
        ),
        (
            "postgres",
            "select text as j, title from raw x, raw y, docs",
            "Column of an unknown table",
            "raw docs",
        ),
    ],
)
def test_edges_stop_at_tables(platform: str, sql: str, title: str, tables: str) -> None:
    """The table edge stays, other outputs keep their columns, and a warning names the output."""
    lineage = read(platform, sql)
    assert inputs(platform, lineage) == set(tables.split())
    assert outputs(platform, lineage)["j"] == set()
    assert outputs(platform, lineage)["title"] <= {"docs.title"}
    assert [(one.kind, one.title) for one in lineage.warnings] == [("stopped_at_tables", title)]
    assert "output j" in lineage.warnings[0].context
    assert [output.name for output in lineage.outputs if output.stopped] == ["j"]
    assert lineage.stopped_at_tables == 1


def test_statements_are_counted_and_not_columns() -> None:
    lineage = read(
        "postgres", "select nope as a, nada as b from docs; select title as c from docs; select * from raw"
    )
    assert lineage.stopped_at_tables == 2


@pytest.mark.parametrize(
    ("sql", "context"),
    [
        (
            "select a.emial as email from authors a",
            "emial (output email); the nearest columns are email, in ",
        ),
        (
            "select d.titel, a.nmae from docs d, authors a",
            "the nearest columns are title; the nearest columns are name, in ",
        ),
        ("select bdoy from docs d, authors a", "bdoy; the nearest columns are body, in "),
        ("select zzz from published", "zzz; the columns are body, id, title, in "),
        ("select nowhere.x from (select 1) t", "nowhere.x (output x), in statement 1 (select nowhere.x ...)"),
    ],
)
def test_a_column_that_no_table_has_is_told_with_the_nearest(sql: str, context: str) -> None:
    (warning,) = read("postgres", sql).warnings
    assert warning.title == "Column not in the catalog"
    assert context in warning.context


def test_a_statement_is_named_by_its_own_words() -> None:
    sql = "select d.id,d . nope from docs d; select /* a 'secret' */ nope as x from docs"
    first, second = (one.context.partition(" in statement ")[2] for one in read("postgres", sql).warnings)
    assert first == "1 (select d.id ...)"
    assert second == "2 (select nope as x ...)"


@pytest.mark.parametrize(
    ("platform", "sql"),
    [
        ("postgres", "create temp table t as select id, body from where docs; select body from t"),
        (
            "postgres",
            "create temp table if not exists t as select id from (docs; select t.body from docs d join t on true",
        ),
        ("mssql", "select id, body into #t from docs where (; select body from #t"),
        (
            "postgres",
            "do $$ begin fetch nonsense from c into v; insert into chunks (text) values (v); end $$",
        ),
    ],
)
def test_a_statement_that_does_not_parse_is_told_once(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert titles(lineage) == ["SQL not understood"]
    assert not lineage.complete


def test_what_a_script_does_not_know_stays_unknown_in_later_statements() -> None:
    lineage = read(
        "postgres", "create temp table t as select nope as a, title as b from docs; select a, b from t"
    )
    assert outputs("postgres", lineage) == {"a": set(), "b": {"docs.title"}}
    assert "unknown_column" in {one.kind for one in lineage.warnings}
    assert lineage.stopped_at_tables == 1


def test_columns_of_a_table_without_a_schema_keep_their_names() -> None:
    lineage = read("postgres", "create temp table t as select * from raw; select text as chunk from t")
    assert outputs("postgres", lineage) == {"chunk": {"raw.text"}}


def test_without_a_catalog_no_column_is_unknown() -> None:
    lineage = unchecked(
        "postgres", "select c.e_mail as email, to_jsonb(d.meta) ->> 'x' as x from c join d on true"
    )
    assert outputs("postgres", lineage) == {"email": {"c.e_mail"}, "x": {"d.meta"}}
    assert titles(lineage) == []


def test_many_names_are_cut() -> None:
    listed = ", ".join(f"nope{i}" for i in range(30))
    (warning,) = read("postgres", f"select {listed} from docs").warnings
    assert "and 10 more" in warning.context


@pytest.mark.parametrize(
    "sql",
    [
        "with c0 as (select title as a, body as b from docs)"
        + "".join(f", c{i} as (select x.*, y.* from c{i - 1} x, c{i - 1} y)" for i in range(1, 40))
        + " select a from c39",
        "with c0 as (select title as a, body as b from docs)"
        + "".join(
            f", c{i} as (select {{'p': m, 'q': m}} as a, b"
            f" from (select max(a) over (order by b) as m, b from c{i - 1}))"
            for i in range(1, 60)
        )
        + " select to_json(a) as text from c59",
    ],
)
def test_what_doubles_with_every_step_is_bounded(sql: str) -> None:
    lineage = read("duckdb", sql)
    assert inputs("duckdb", lineage) <= {"docs"}
    assert lineage.warnings or outputs("duckdb", lineage) == {"text": {"docs.title", "docs.body"}}
