"""USE, SET SCHEMA and their relatives say where the names behind them are."""

from __future__ import annotations

import pytest

from lineage.estate import Known, read, titles, urn


@pytest.mark.parametrize(
    ("platform", "statement", "name"),
    [
        ("snowflake", "use database kb", "kb.public.docs"),
        ("snowflake", "use kb", "kb.public.docs"),
        ("snowflake", "use schema hr", "shop.hr.docs"),
        ("snowflake", "use schema kb.hr", "kb.hr.docs"),
        ("snowflake", "use kb.hr", "kb.hr.docs"),
        ("snowflake", "use role r", "shop.public.docs"),
        ("snowflake", "use warehouse w", "shop.public.docs"),
        ("snowflake", "use secondary roles all", "shop.public.docs"),
        ("mssql", "use [kb]", "kb.public.docs"),
        ("redshift", "set search_path to hr", "shop.hr.docs"),
        ("postgres", "set search_path to hr", "shop.hr.docs"),
        ("postgres", "set local search_path = hr, pg_catalog", "shop.hr.docs"),
        ("postgres", "set schema 'hr'", "shop.hr.docs"),
        ("oracle", "alter session set current_schema = hr", "shop.hr.docs"),
        ("databricks", "use catalog kb", "kb.public.docs"),
        ("databricks", "use hr", "shop.hr.docs"),
        ("databricks", "use schema hr", "shop.hr.docs"),
        ("trino", "use hr", "shop.hr.docs"),
        ("trino", "use kb.hr", "kb.hr.docs"),
        ("bigquery", "set @@dataset_id = 'hr'", "shop.hr.docs"),
        ("bigquery", "set @@dataset_project_id = 'kb'", "kb.public.docs"),
    ],
)
def test_it_is_followed(platform: str, statement: str, name: str) -> None:
    names = {f"{db}.{schema}.docs" for db in ("shop", "kb") for schema in ("public", "hr")}
    known = Known({urn(platform, one): ["id", "body"] for one in names})
    sql = f"{statement};\nselect id, body from docs"
    lineage = read(platform, sql, known, default_db="shop", default_schema="public")
    assert lineage.inputs == (urn(platform, name),)
    assert titles(lineage) == []


@pytest.mark.parametrize("platform", ["mysql", "mariadb", "hive", "clickhouse", "doris"])
def test_a_database_of_tables(platform: str) -> None:
    known = Known({urn(platform, name): ["id"] for name in ("shop.docs", "kb.docs")})
    lineage = read(platform, "use kb; select id from docs", known, default_db="shop")
    assert lineage.inputs == (urn(platform, "kb.docs"),)
    assert read("teradata", "database kb; select id from docs", known, default_db="shop").warnings[-1].context


@pytest.mark.parametrize(
    ("platform", "statement"),
    [
        ("postgres", "set search_path to hr, public"),
        ("postgres", "set search_path to default_paths()"),
        ("duckdb", "use kb"),
    ],
)
def test_what_is_not_clear_is_a_warning(platform: str, statement: str) -> None:
    lineage = read(platform, f"{statement}; select 1 as a")
    assert titles(lineage) == ["SQL not understood"]
    assert "in full" in lineage.warnings[0].message
    assert not lineage.complete
