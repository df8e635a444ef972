"""Statements beside the query are quiet if they cannot change what it reads."""

from __future__ import annotations

import pytest

from lineage.estate import outputs, read, titles, unchecked

QUIET: dict[str, list[str]] = {
    "postgres": [
        *("create extension if not exists vector", "grant select on docs to u", "revoke all on docs from u"),
        *(
            "analyze",
            "analyze docs",
            "vacuum (analyze) docs",
            "begin",
            "start transaction",
            "commit",
            "end",
            "rollback",
        ),
        *(
            "savepoint x",
            "release savepoint x",
            "rollback to savepoint x",
            "set work_mem = '1GB'",
            "reset all",
        ),
        *("set local statement_timeout = 0", "set session time zone 'UTC'", "set role x", "show search_path"),
        *("create index concurrently i on docs using hnsw (embedding vector_cosine_ops)", "drop index i"),
        *(
            "create schema if not exists kb",
            "create role x",
            "alter table docs add column x int",
            "lock table docs",
        ),
        *("alter system set x = 1", "comment on table docs is 'x'", "truncate chunks", "reindex table docs"),
        *(
            "refresh materialized view mv",
            "cluster docs",
            "notify c",
            "listen c",
            "discard all",
            "deallocate all",
        ),
        *(
            "create type t as enum ('a')",
            "create domain d as int",
            "create sequence s",
            "checkpoint",
            "close c",
        ),
        *("create policy p on docs using (true)", "alter table docs enable row level security"),
        *(
            "create publication p for table docs",
            "set constraints all deferred",
            "create user ada with password 'x'",
        ),
        "security label on table docs is 'x'",
    ],
    "snowflake": [
        *(
            "use warehouse etl",
            "use role r",
            "alter session set timezone = 'UTC'",
            "alter warehouse etl resume",
        ),
        *(
            "set x = 5",
            "unset x",
            "show tables",
            "describe table docs",
            "put file:///x @s",
            "list @s",
            "rm @s/x",
        ),
        *(
            "create stage s",
            "create file format f type = csv",
            "create warehouse w",
            "begin transaction",
            "commit",
        ),
        *(
            "grant usage on warehouse w to role r",
            "create tag x",
            "undrop table docs",
            "create or replace sequence s",
        ),
        "create masking policy p as (val string) returns string -> val",
    ],
    "bigquery": [
        *(
            "declare since int64 default 5",
            "declare a, b string",
            "set since = 6",
            "set @@query_label = 'x:y'",
        ),
        *(
            "begin transaction",
            "commit transaction",
            "assert true",
            "create schema kb",
            "drop table if exists x",
        ),
        *("create search index i on docs(body)", "create vector index i on docs(embedding) options(x = 'y')"),
        *(
            "alter table docs set options(x = 1)",
            "grant `x` on schema kb to 'user:x'",
            "truncate table chunks",
        ),
    ],
    "duckdb": [
        *("install httpfs", "load httpfs", "force install httpfs", "install x from community", "detach y"),
        *(
            "attach 'x.db' as y",
            "pragma threads = 4",
            "set threads = 4",
            "reset threads",
            "create secret s (type s3)",
        ),
        *(
            "create or replace persistent secret s (type s3)",
            "drop secret s",
            "checkpoint",
            "vacuum",
            "analyze",
        ),
        *("set variable x = 5", "begin", "commit", "update extensions", "set s3_region = 'x'"),
    ],
    "mysql": [
        *(
            "set names utf8mb4",
            "set @x = 5",
            "set session sql_mode = ''",
            "set autocommit = 0",
            "unlock tables",
        ),
        *("set foreign_key_checks = 0", "lock tables docs read", "start transaction", "analyze table docs"),
        *(
            "optimize table docs",
            "flush tables",
            "create user u",
            "grant all on *.* to u",
            "show tables",
            "kill 5",
        ),
        *("set transaction isolation level read committed", "check table docs", "savepoint x"),
    ],
    "mssql": [
        *(
            "set nocount on",
            "set ansi_nulls on",
            "set transaction isolation level read uncommitted",
            "print 'x'",
        ),
        *("declare @x int", "declare @x int = 5", "set @x = 5", "raiserror('x', 16, 1)", "begin transaction"),
        *("begin tran", "commit tran", "rollback tran", "waitfor delay '00:00:01'", "update statistics docs"),
        *("dbcc checkdb", "create index i on docs(id)", "deny select on docs to u", "truncate table chunks"),
    ],
    "databricks": [
        *(
            "set spark.sql.x = true",
            "set time zone 'UTC'",
            "cache table docs",
            "uncache table docs",
            "clear cache",
        ),
        *("refresh table docs", "analyze table docs compute statistics", "optimize docs zorder by (id)"),
        *(
            "vacuum docs retain 1 hours",
            "add jar 'x'",
            "msck repair table docs",
            "declare variable x int default 5",
        ),
        *(
            "create volume v",
            "grant select on table docs to `u`",
            "create database x",
            "describe history docs",
        ),
    ],
    "redshift": [
        *(
            "analyze docs",
            "vacuum docs",
            "set query_group to 'x'",
            "refresh materialized view mv",
            "lock docs",
            "cancel 5",
        ),
        "create external schema x from data catalog database 'y' iam_role 'z'",
    ],
    "sqlite": ["pragma journal_mode = wal", "attach 'x' as y", "vacuum", "reindex", "begin immediate", "end"],
}


@pytest.mark.parametrize("platform", QUIET)
def test_they_are_quiet(platform: str) -> None:
    table = "kb.docs" if platform in ("bigquery", "databricks") else "docs"
    for statement in QUIET[platform]:
        lineage = read(platform, f"{statement};\nselect id, body as text from {table};")
        assert titles(lineage) == [], statement
        assert outputs(platform, lineage) == {"id": {"docs.id"}, "text": {"docs.body"}}, statement


@pytest.mark.parametrize(
    ("platform", "statement"),
    [
        ("postgres", "explain select id from docs"),
        ("postgres", "call p()"),
        ("mysql", "load data infile 'x' into table chunks"),
        ("mssql", "exec p"),
        ("redshift", "alter table chunks append from docs"),
        ("mssql", "alter table docs switch to chunks"),
        ("oracle", "alter table docs exchange partition p with table chunks"),
        ("clickhouse", "attach table chunks from 'x'"),
        ("snowflake", "execute immediate $x"),
        ("snowflake", "create pipe p as copy into chunks from @s"),
        ("postgres", "whatever this is"),
    ],
)
def test_what_may_move_rows_is_a_warning(platform: str, statement: str) -> None:
    lineage = unchecked(platform, f"{statement};\nselect 1 as a", env="PROD")
    assert [warning.kind for warning in lineage.warnings] == ["unparsed_sql"]
    assert not lineage.complete
