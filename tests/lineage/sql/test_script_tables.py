"""A table that a script makes twice has the columns of the definition that holds where it is read."""

from __future__ import annotations

import pytest

from lineage.estate import inputs, outputs, read, titles

OLD, NEW = "select title as x from docs", "select body as x from docs"

MADE_ANEW: list[tuple[str, str]] = [
    (
        "postgres",
        f"create temp table t as {OLD}; drop table t; create temp table t as {NEW}; select x from t",
    ),
    (
        "postgres",
        f"create table t as {OLD}; drop table if exists u, t cascade; create table t as {NEW}; select x from t",
    ),
    ("postgres", f"create view t as {OLD}; create or replace view t as {NEW}; select x from t"),
    (
        "postgres",
        f"create temp table t (x text); insert into t {OLD}; truncate t; insert into t {NEW}; select x from t",
    ),
    ("postgres", f"create temp table t as {OLD}; delete from only t; insert into t {NEW}; select x from t"),
    ("postgres", f"create temp table t as {OLD}; with t as ({NEW}) select x from t"),
    ("postgres", f"create temp table t as {OLD}; drop table t; {NEW}"),
    (
        "postgres",
        f"create table t_new as {NEW}; drop table if exists authors; alter table t_new rename to authors;"
        " select x from authors",
    ),
    (
        "snowflake",
        f"create or replace temp table t as {OLD}; create or replace temp table t as {NEW}; select x from t",
    ),
    ("snowflake", f"create table t as {OLD}; insert overwrite into t {NEW}; select x from t"),
    ("snowflake", f"create table n as {NEW}; alter table n swap with authors; select x from authors"),
    (
        "mssql",
        f"{OLD.replace(' from', ' into #t from')} drop table #t; {NEW.replace(' from', ' into #t from')}"
        " select x from #t",
    ),
    (
        "mssql",
        f"create procedure p as begin {OLD.replace(' from', ' into #t from')};"
        " if object_id('tempdb..#t') is not null begin drop table #t end;"
        f" {NEW.replace(' from', ' into #t from')} select x from #t end",
    ),
    (
        "mssql",
        f"{NEW.replace(' from', ' into n from')}; exec sp_rename 'n', 'authors'; select x from authors",
    ),
    ("mysql", f"create table n as {NEW}; rename table authors to a_old, n to authors; select x from authors"),
    (
        "bigquery",
        f"create temp table t as {OLD}; drop table t; create temp table t as {NEW}; select x from _session.t",
    ),
    ("redshift", f"create table #t as {OLD}; drop table #t; create table #t as {NEW}; select x from #t"),
    (
        "databricks",
        f"create or replace temporary view t as {OLD}; create or replace temporary view t as {NEW}; select x from t",
    ),
    ("databricks", f"create table t as {OLD}; insert overwrite table t {NEW}; select x from t"),
    ("duckdb", f"create temp table t as {OLD}; create or replace temp table t as {NEW}; from t"),
    ("sqlite", f"create temp table t as {OLD}; delete from t; insert into t {NEW}; select x from temp.t"),
    (
        "teradata",
        f"create volatile table t as ({OLD}) with data; drop table t; create volatile table t as ({NEW}) with data;"
        " select x from t",
    ),
    (
        "clickhouse",
        f"create table t as {OLD}; create table u as {NEW}; exchange tables t and u; drop table u; select x from t",
    ),
    (
        "mssql",
        "declare @t table (x nvarchar(max)); insert @t select title from docs; delete from @t;"
        " insert @t select body from docs; select x from @t",
    ),
    (
        "postgres",
        f"create temp table t on commit drop as {OLD}; drop table t; create temp table t on commit drop as {NEW};"
        " select x from t",
    ),
    ("snowflake", f"create temp table t like authors; insert into t (x) {NEW}; select x from t"),
    (
        "postgres",
        f"do $$ begin create temp table t as {OLD}; drop table t; create temp table t as {NEW}; end $$;"
        " select x from t",
    ),
]


@pytest.mark.parametrize(("platform", "sql"), MADE_ANEW)
def test_the_last_definition_counts(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == {"x": {"docs.body"}}
    assert titles(lineage) == []
    assert lineage.complete


def test_what_was_read_from_an_earlier_definition_stays() -> None:
    sql = (
        f"create temp table t as {OLD}; create table u as select x from t; drop table t;"
        f" create temp table t as {NEW}; select u.x as a, t.x as b from u, t"
    )
    assert outputs("postgres", read("postgres", sql)) == {"a": {"docs.title"}, "b": {"docs.body"}}


EITHER: list[tuple[str, str]] = [
    (
        "mssql",
        "if @a = 1 select title as x into #t from docs else select body as x into #t from docs; select x from #t",
    ),
    (
        "mssql",
        "if @a = 1 begin select title as x into #t from docs end else begin select body as x into #t from docs end"
        " select x from #t",
    ),
    (
        "mssql",
        "select title as x into #t from docs; while @a = 1 begin drop table #t; select body as x into #t from docs end"
        " select x from #t",
    ),
    (
        "postgres",
        f"do $$ begin create temp table t as {OLD}; if a then drop table t; create temp table t as {NEW}; end if;"
        " end $$; select x from t",
    ),
    (
        "postgres",
        f"do $$ begin create temp table t as {OLD}; exception when others then create temp table t as {NEW}; end $$;"
        " select x from t",
    ),
    (
        "postgres",
        f"create temp table t as {OLD}; create temp table if not exists t as {NEW}; select x from t",
    ),
    (
        "postgres",
        f"create temp table t as {OLD}; insert into t {NEW}; delete from t where x = 'y'; select x from t",
    ),
    (
        "databricks",
        f"create table t as {OLD}; insert overwrite table t partition (d = 'a') {NEW}; select x from t",
    ),
]


@pytest.mark.parametrize(("platform", "sql"), EITHER)
def test_where_either_may_hold_both_count(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == {"x": {"docs.title", "docs.body"}}
    assert titles(lineage) == []


@pytest.mark.parametrize(
    ("platform", "sql", "wanted"),
    [
        ("postgres", "create temp table docs as select id, title from docs", {"id": "id", "title": "title"}),
        (
            "postgres",
            "create temp table docs as select title as body from docs; select body from public.docs",
            {"body": "body"},
        ),
        (
            "postgres",
            "create temp table docs as select title as body from docs; select body from docs",
            {"body": "title"},
        ),
        (
            "postgres",
            "create temp table docs as select title as body from docs; drop table docs; select body from docs",
            {"body": "body"},
        ),
        ("mssql", "select title as body into #docs from docs; select body from docs", {"body": "body"}),
        (
            "snowflake",
            "create temp table docs as select title as body from docs; select body from public.docs",
            {"body": "title"},
        ),
        (
            "mysql",
            "create temporary table docs as select title as body from docs; select body from shop.docs",
            {"body": "title"},
        ),
    ],
)
def test_a_temporary_table_beside_one_of_its_name(platform: str, sql: str, wanted: dict[str, str]) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == {name: {f"docs.{column}"} for name, column in wanted.items()}
    assert inputs(platform, lineage) == {"docs"}
    assert titles(lineage) == []


def test_a_temporary_table_of_another_script_is_not_the_table_of_its_name() -> None:
    lineage = read("mssql", "select body from #docs")
    assert lineage.inputs == ()
    assert [one.kind for one in lineage.warnings] == ["unknown_table"]


def test_a_table_that_feeds_itself_is_output_still() -> None:
    lineage = read("postgres", f"create table t as {OLD}; insert into t select x || '!' from t")
    assert outputs("postgres", lineage) == {"x": {"docs.title"}}
