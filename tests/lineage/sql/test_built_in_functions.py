"""Functions in FROM: built-in ones give what their arguments give, and nobody knows what the others read."""

from __future__ import annotations

import duckdb
import pytest

from datahub_llmops.lineage.sql.built_in_functions import _BUILT_IN
from lineage.estate import inputs, outputs, read, titles

UNKNOWN: list[tuple[str, str, str]] = [
    ("mssql", "select d.title, f.x from docs d cross apply dbo.f(d.id) f", "dbo.f"),
    ("mssql", "select d.title, f.x from docs d outer apply Parts(d.id, d.title) as f(x)", "Parts"),
    (
        "mssql",
        "select d.title, f.x from docs d cross apply shop.dbo.string_split(d.tags, ',') f(x)",
        "shop.dbo",
    ),
    ("postgres", "select d.title, f.x from docs d join lateral f(d.id) f on true", "f,"),
    ("postgres", "select d.title, f.x from docs d, f(d.id) as f(x int)", "f,"),
    ("postgres", "select d.title, f.x from docs d left join lateral kb.f(d.id) as f(x) on true", "kb.f"),
    ("postgres", "select d.title, f.x from docs d, rows from (kb.f(d.id)) as f(x)", "kb.f"),
    ("postgres", "select d.title, f as x from docs d, f(d.id) f", "f,"),
    ("postgres", "select d.title, w.word as x from docs d, ts_stat(d.body) w", "ts_stat"),
    ("snowflake", "select d.title, f.x from docs d, table(f(d.id)) f", "f,"),
    ("snowflake", "select d.title, f.x from docs d join table(kb.f(d.id)) as f", "kb.f"),
    ("snowflake", "select d.title, f.x from docs d, lateral f(d.id) f", "f,"),
    ("snowflake", "select d.title, f.x from docs d, table(f(d.id) over (partition by d.id)) f", "f,"),
    ("oracle", "select d.title, f.x from docs d, table(pkg.f(d.id)) f", "pkg.f"),
    ("oracle", "select d.title, f.x from docs d cross apply f(d.id) f", "f,"),
    ("bigquery", "select d.title, f.x from docs d, kb.mine(d.id) f", "kb.mine"),
    ("databricks", "select d.title, f.x from docs d, lateral kb.f(d.id) f", "kb.f"),
    ("databricks", "select d.title, f.x from docs d lateral view f(d.id) f as x", "f,"),
    ("hive", "select d.title, f.x from docs d lateral view f(d.id) f as x", "f,"),
    ("duckdb", "select d.title, f.x from docs d, f(d.id) f", "f,"),
    ("trino", "select d.title, f.x from docs d, table(kb.f(d.id)) f", "kb.f"),
    ("redshift", "select d.title, f.x from docs d, f(d.id) f", "f,"),
    ("teradata", "select d.title, t.x from docs d, table(f(d.id)) as t", "f,"),
    ("sqlite", "select d.title, f.x from docs d, f(d.id) f", "f,"),
]


@pytest.mark.parametrize(("platform", "sql", "function"), UNKNOWN)
def test_what_a_function_of_the_user_reads_is_not_known(platform: str, sql: str, function: str) -> None:
    """The table edge stays, the column of the table too, and the function is named."""
    lineage = read(platform, sql)
    assert inputs(platform, lineage) == {"docs"}
    assert outputs(platform, lineage) == {"title": {"docs.title"}, "x": set()}
    (warning,) = lineage.warnings
    assert warning.kind == "unknown_function"
    assert warning.context.startswith(function)
    assert "accept `unknown_function`" in warning.message
    assert [one.name for one in lineage.outputs if one.stopped] == ["x"]
    assert lineage.stopped_at_tables == 1
    assert not lineage.complete


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("select d.title, f.* from docs d, f(d.id) f", {"title": {"docs.title"}}),
        ("select title, (f(id)).* from docs", {"title": {"docs.title"}}),
        ("select title, x from raw, f(raw.id) f", {"title": set(), "x": set()}),
    ],
)
def test_its_columns_are_not_guessed(sql: str, wanted: dict[str, set[str]]) -> None:
    lineage = read("postgres", sql)
    assert outputs("postgres", lineage) == wanted
    assert [one.kind for one in lineage.warnings] == ["unknown_function"]


BUILT_IN: list[tuple[str, str, dict[str, set[str]]]] = [
    ("postgres", "select w as x from docs d, string_to_table(d.body, ' ') w", {"x": {"docs.body"}}),
    ("postgres", "select k as x from docs d, pg_catalog.jsonb_object_keys(d.meta) k", {"x": {"docs.meta"}}),
    (
        "postgres",
        "select e.* from docs d, json_each(d.meta) e",
        {"key": {"docs.meta"}, "value": {"docs.meta"}},
    ),
    ("postgres", "select w.* from docs d, regexp_split_to_table(d.body, ' ') w", {"w": {"docs.body"}}),
    (
        "postgres",
        "select t as x from docs d, lateral concat(d.title, d.body) t",
        {"x": {"docs.title", "docs.body"}},
    ),
    ("postgres", "select x from string_to_table('a,b', ',') x", {"x": set()}),
    ("mssql", "select value as x from string_split('a,b', ',')", {"x": set()}),
    (
        "mssql",
        "select c.chunk as x, c.chunk_order as n from docs d cross apply"
        " ai_generate_chunks(source = d.body, chunk_type = fixed, chunk_size = 100) c",
        {"x": {"docs.body"}, "n": set()},
    ),
    (
        "mssql",
        "select x.n.value('.', 'int') as x from docs d cross apply d.meta.nodes('/a') x(n)",
        {"x": {"docs.meta"}},
    ),
    (
        "snowflake",
        "select c.value as x from docs d, table(split_to_table(d.body, ' ')) c",
        {"x": {"docs.body"}},
    ),
    (
        "oracle",
        "select c.column_value as x from docs d, table(apex_string.split(d.body, ' ')) c",
        {"x": {"docs.body"}},
    ),
    (
        "oracle",
        "select c.column_value as x from docs d, dbms_vector_chain.utl_to_chunks(d.body) c",
        {"x": {"docs.body"}},
    ),
    ("databricks", "select x from docs lateral view posexplode_outer(tags) t as n, x", {"x": {"docs.tags"}}),
    ("duckdb", "select x.value as x from docs d, json_each(d.meta) x", {"x": {"docs.meta"}}),
]


@pytest.mark.parametrize(("platform", "sql", "wanted"), BUILT_IN)
def test_a_built_in_function_gives_what_its_arguments_give(
    platform: str, sql: str, wanted: dict[str, set[str]]
) -> None:
    lineage = read(platform, sql)
    assert outputs(platform, lineage) == wanted
    assert titles(lineage) == []


@pytest.mark.parametrize("platform", ["postgres", "mssql", "snowflake", "bigquery", "mysql"])
@pytest.mark.parametrize("table", ["docs", "raw"])
def test_the_schema_of_a_scalar_function_is_no_column(platform: str, table: str) -> None:
    """A scalar function over a column keeps the column's edge, with or without a schema."""
    lineage = read(platform, f"select shop.kb.f(id) as x, kb.f(id) as y from {table}")
    assert outputs(platform, lineage) == {"x": {f"{table}.id"}, "y": {f"{table}.id"}}
    assert titles(lineage) == []


def test_duckdb_has_the_functions_that_are_listed() -> None:
    sql = "select function_name from duckdb_functions() where function_type like 'table%'"
    found = duckdb.connect().execute(sql).fetchall()
    scalars = {"regexp_split_to_table"}  # A macro over UNNEST.
    assert _BUILT_IN["duckdb"] - scalars <= {name for (name,) in found}
