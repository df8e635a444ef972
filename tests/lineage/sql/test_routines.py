"""The lineage of a declared procedure is that of its body."""

from __future__ import annotations

import pytest

from lineage.estate import inputs, outputs, read, titles

INSERT = "insert into chunks (id, text) select id, body from docs"

ROUTINES: list[tuple[str, str]] = [
    ("postgres", f"create procedure fill() language sql as $$ {INSERT} $$"),
    (
        "postgres",
        "create or replace function fill() returns void language plpgsql as $f$\ndeclare n int; m text;\nbegin\n"
        f"  n := 1;\n  if n > 0 then\n    {INSERT};\n  else\n    delete from chunks;\n  end if;\nend $f$;",
    ),
    ("postgres", f"do $$ begin {INSERT}; end $$"),
    ("postgres", f"create procedure p() begin atomic {INSERT}; end"),
    (
        "postgres",
        "create function f() returns table (id int, text text) language sql"
        " as 'select id, body as text from docs where title <> ''x'''",
    ),
    (
        "postgres",
        "create function f() returns setof docs language plpgsql as $$ begin return query"
        " select id, body as text from docs; return; end $$",
    ),
    ("redshift", f"create procedure p() as $$ begin {INSERT}; end; $$ language plpgsql"),
    ("snowflake", f"create procedure p() returns string language sql as $$ {INSERT} $$"),
    ("snowflake", f"create procedure p() returns string as 'begin {INSERT}; return ''ok''; end'"),
    ("snowflake", f"create procedure p() returns string language sql as begin {INSERT}; return 'ok'; end;"),
    ("snowflake", f"create task t warehouse = w schedule = '1 minute' as {INSERT}"),
    ("bigquery", "create table function kb.f(x int64) as select id, body as text from docs where id > x"),
    (
        "bigquery",
        "create procedure kb.p() begin insert into kb.chunks (id, text) select id, body from kb.docs; end",
    ),
    ("mysql", f"delimiter //\ncreate procedure p()\nbegin\n  {INSERT};\nend //\ndelimiter ;"),
    ("mssql", f"create procedure p as begin set nocount on; {INSERT}; end"),
    ("mssql", f"create or alter procedure p @x int as\n{INSERT}"),
    ("mssql", f"if not exists (select 1 from chunks)\nbegin\n  {INSERT}\nend"),
    ("mssql", f"begin try\n{INSERT}\nend try\nbegin catch\nthrow\nend catch"),
    ("duckdb", "create macro f(x) as table select id, body as text from docs"),
]


@pytest.mark.parametrize(("platform", "sql"), ROUTINES)
def test_the_body_is_read(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == {"id": {"docs.id"}, "text": {"docs.body"}}
    assert inputs(platform, lineage) == {"docs"}
    assert titles(lineage) == []


@pytest.mark.parametrize(
    ("platform", "sql"),
    [
        ("snowflake", "create procedure p() returns string language python as $$ def run(): pass $$"),
        ("postgres", "create procedure p() language plpython3u as $$ plpy.execute('select 1') $$"),
        (
            "postgres",
            "create procedure p() language plpgsql as $$ declare r record; begin for r in select id from docs loop"
            " insert into chunks (id) values (r.id); end loop; end $$",
        ),
        ("postgres", "do $$ begin execute 'insert into chunks select id from docs'; end $$"),
        ("postgres", "insert into chunks (id, text) values (some_id, some_text)"),
    ],
)
def test_what_cannot_be_followed_is_a_warning(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert "unparsed_sql" in [warning.kind for warning in lineage.warnings]
    assert not lineage.complete


@pytest.mark.parametrize(
    "sql",
    [
        "create temp function f(x int64) as (x + 1)",
        "create temp function f(x string) returns string language js as 'return x'",
    ],
)
def test_functions_of_one_value_are_quiet(sql: str) -> None:
    lineage = read("bigquery", f"{sql}; select id, body as text from docs")
    assert titles(lineage) == []
    assert outputs("bigquery", lineage) == {"id": {"docs.id"}, "text": {"docs.body"}}


def test_positions_in_a_body_are_those_of_the_file() -> None:
    sql = "create procedure p() language sql as $$\ninsert into chunks (id)\nselect id from docs where ) $$"
    message = read("postgres", sql).warnings[0].message
    assert "at line 3, column 27 of `sql`" in message
