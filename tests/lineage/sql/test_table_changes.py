"""Which statements drop, empty or rename which tables."""

from __future__ import annotations

import pytest
from datahub.sql_parsing.sqlglot_utils import get_dialect

from datahub_llmops.lineage.sql.table_changes import table_changes, tables_made

CHANGES: list[tuple[str, str, list[str]]] = [
    ("postgres", "drop table if exists a, kb.b cascade", ["drop a kb.b"]),
    ("postgres", "drop materialized view a", ["drop a"]),
    ("postgres", "drop index a", []),
    ("mysql", "drop temporary table if exists a, `b c`", ["drop a b c"]),
    ("mssql", "drop table #t, ##u, [a b]", ["drop t u a b"]),
    ("postgres", "truncate table only a, b restart identity", ["empty a b"]),
    ("oracle", "truncate table a reuse storage", ["empty a"]),
    ("mssql", "delete #t", ["empty t"]),
    ("postgres", "delete from a", ["empty a"]),
    ("postgres", "delete from a where x = 1", []),
    ("postgres", "delete from a using b", []),
    ("mssql", "delete top (3) from a", []),
    ("postgres", "alter table kb.a rename to b", ["rename kb.a kb.b"]),
    ("postgres", "alter table a rename x to y", []),
    ("postgres", "alter table a rename column x to y", []),
    ("mysql", "alter table a rename b", ["rename a b"]),
    ("mysql", "rename table a to b, kb.c to d", ["rename a b", "rename kb.c kb.d"]),
    ("oracle", "rename a to b", ["rename a b"]),
    ("snowflake", "alter table a swap with b", ["swap a b"]),
    ("clickhouse", "exchange tables a and b", ["swap a b"]),
    ("mssql", "exec sp_rename 'kb.a', 'b'", ["rename kb.a kb.b"]),
    ("mssql", "exec sp_rename 'kb.a.x', 'y', 'COLUMN'", []),
    ("postgres", "select a from b", []),
    ("postgres", "drop", []),
    ("postgres", "rename", []),
]


@pytest.mark.parametrize(("platform", "sql", "wanted"), CHANGES)
def test_what_a_statement_changes(platform: str, sql: str, wanted: list[str]) -> None:
    dialect = get_dialect(platform)
    found = table_changes(dialect.tokenize(sql), dialect)
    assert [
        " ".join([one.kind, *(".".join(part.name for part in table.parts) for table in one.tables)])
        for one in found
        if one.tables
    ] == wanted


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("create temp table if not exists kb.t as select from", ["t"]),
        ("create or replace view v (a, b) as nonsense", ["v"]),
        ("select a into t from where", ["t"]),
        ("select a from t", []),
        ("create", []),
    ],
)
def test_the_table_that_a_broken_statement_would_make(sql: str, wanted: list[str]) -> None:
    assert [table.name for table in tables_made(get_dialect("postgres").tokenize(sql))] == wanted
