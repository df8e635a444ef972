"""Variables hand values on: they are not tables, and what is read from them has the sources of what they were given."""

from __future__ import annotations

import pytest

from lineage.estate import inputs, outputs, read, titles


def body(sql: str, declares: str = "v text; w text") -> str:
    return f"do $$ declare {declares}; begin {sql}; end $$"


BODY: list[tuple[str, str]] = [
    ("postgres", body("select body into v from docs; insert into chunks (text) select v")),
    ("postgres", body("select body into strict v from docs; insert into chunks (text) values (v)")),
    ("postgres", body("select into v body from docs; insert into chunks (text) values (upper(v))")),
    ("postgres", body("select title, body into w, v from docs; insert into chunks (text) values (v)")),
    ("postgres", body("select * into r from docs; insert into chunks (text) values (r.body)", "r record")),
    ("postgres", body("v := (select body from docs); w := v; insert into chunks (text) values (w)")),
    ("postgres", body("insert into chunks (text) values (v)", "v text := (select body from docs)")),
    (
        "postgres",
        body(
            "select title into v from docs; select body into v from docs; insert into chunks (text) values (v)"
        ),
    ),
    (
        "redshift",
        "create procedure p() as $$ declare v text; begin select into v body from docs; insert into chunks (text)"
        " values (v); end; $$ language plpgsql",
    ),
    ("mssql", "declare @x nvarchar(max); select @x = body from docs; insert into chunks (text) select @x"),
    (
        "mssql",
        "declare @x nvarchar(max) = ''; select @x += body from docs; insert into chunks (text) values (@x)",
    ),
    (
        "mssql",
        "declare @x nvarchar(max) = (select body from docs), @y int; insert into chunks (text) select @x",
    ),
    (
        "mssql",
        "declare @x nvarchar(max), @y nvarchar(max); select @x = body from docs; set @y = upper(@x);"
        " insert into chunks (text) values (@y)",
    ),
    (
        "mssql",
        "declare @x nvarchar(max); set @x = (select top 1 body from docs); update chunks set text = @x",
    ),
    ("snowflake", "begin select body into :x from docs; insert into chunks (text) select :x; end"),
    ("snowflake", "begin select title, body into :y, :x from docs; insert into chunks (text) select :x; end"),
    (
        "snowflake",
        "begin let x string := (select body from docs); insert into chunks (text) values (:x); end",
    ),
    ("snowflake", "set x = (select body from docs); insert into chunks (text) select $x"),
    ("mysql", "select body into @x from docs; insert into chunks (text) select @x"),
    ("mysql", "select title, body from docs into @y, @x; insert into chunks (text) values (@x)"),
    ("mysql", "set @x = (select body from docs limit 1); insert into chunks (text) select @x"),
    (
        "mysql",
        "create procedure p() begin declare v text; select body into v from docs;"
        " insert into chunks (text) select v; end",
    ),
    (
        "oracle",
        "declare v clob; w number; begin select body into v from docs; insert into chunks (text) values (v); end;",
    ),
    (
        "oracle",
        "create procedure p is v clob; w clob; begin select title, body into w, v from docs;"
        " insert into chunks (text) select v from dual; end;",
    ),
    (
        "oracle",
        "create procedure p (p_id in number) as v clob; begin select body into v from docs where id = p_id;"
        " update chunks set text = v; end p;",
    ),
    ("oracle", "begin select body bulk collect into v from docs; insert into chunks (text) values (v); end;"),
    (
        "bigquery",
        "declare x string default (select body from docs limit 1); insert into chunks (text) select x",
    ),
    (
        "bigquery",
        "declare x, y string; set (y, x) = (select as struct title, body from docs);"
        " insert into chunks (text) values (x)",
    ),
    (
        "databricks",
        "declare x string; set var x = (select body from docs); insert into chunks (text) select x",
    ),
    ("duckdb", "set variable x = (select body from docs); insert into chunks (text) select getvariable('x')"),
]


@pytest.mark.parametrize(("platform", "sql"), BODY)
def test_a_variable_has_the_sources_of_its_value(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == {"text": {"docs.body"}}
    assert inputs(platform, lineage) == {"docs"}
    assert titles(lineage) == []
    assert lineage.complete


@pytest.mark.parametrize(
    ("platform", "sql", "wanted"),
    [
        (
            "postgres",
            body(
                "if a then select title into v from docs; else select body into v from docs; end if;"
                " insert into chunks (text) values (v)"
            ),
            {"text": {"docs.title", "docs.body"}},
        ),
        (
            "postgres",
            body(
                "select max(id) into v from docs; insert into chunks (text) select body from comments where id > v"
            ),
            {"text": {"comments.body"}},
        ),
        (
            "mysql",
            "select @x := body as b from docs; select @x as text",
            {"b": {"docs.body"}, "text": {"docs.body"}},
        ),
        (
            "postgres",
            body("insert into chunks (text) select body from docs returning text into v"),
            {"text": {"docs.body"}},
        ),
        ("postgres", "select body as text into chunks from docs", {"text": {"docs.body"}}),
        (
            "postgres",
            "create function f(p_id int) returns void language plpgsql as"
            " $$ begin insert into chunks (id, text) select p_id, body from raw; end $$",
            {"id": set(), "text": {"raw.body"}},
        ),
        ("mssql", "insert into chunks (text) select @x from docs", {"text": set()}),
        (
            "mssql",
            "declare @body int; select @body = id from docs; select body from docs",
            {"body": {"docs.body"}},
        ),
        (
            "duckdb",
            "unpivot (select id, title, body from docs) on title, body into name k value v",
            {"id": {"docs.id"}, "k": set(), "v": {"docs.title", "docs.body"}},
        ),
    ],
)
def test_only_values_of_variables_are_handed_on(platform: str, sql: str, wanted: dict[str, set[str]]) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == wanted
    assert titles(lineage) == []


def test_what_a_variable_could_not_be_given_is_a_gap_where_it_is_used() -> None:
    lineage = read(
        "mssql", "declare @x int; select @x = nope from docs; insert into chunks (text) values (@x)"
    )
    assert outputs("mssql", lineage) == {"text": set()}
    assert [one.kind for one in lineage.warnings] == ["unknown_column"]


def test_a_column_that_a_variable_may_be_is_not_guessed() -> None:
    sql = "declare x string; set x = (select title from docs); select x as text from raw"
    lineage = read("bigquery", sql)
    assert outputs("bigquery", lineage) == {"text": set()}
    assert [one.kind for one in lineage.warnings] == ["stopped_at_tables"]
