"""Full names of tables, as DataHub's source of each platform writes them."""

from __future__ import annotations

import pytest

from lineage.estate import Known, read, titles, unchecked, urn

DATABASES = [
    "athena",
    "clickhouse",
    "doris",
    "glue",
    "hive",
    "mariadb",
    "mysql",
    "presto-on-hive",
    "teradata",
    "tidb",
]


@pytest.mark.parametrize("platform", DATABASES)
@pytest.mark.parametrize("table", ["docs", "shop.docs"])
@pytest.mark.parametrize(
    "defaults",
    [{"default_db": "shop"}, {"default_schema": "shop"}, {"default_db": "shop", "default_schema": "shop"}],
)
def test_a_database_holds_tables(platform: str, table: str, defaults: dict[str, str]) -> None:
    known = Known({urn(platform, "shop.docs"): ["id", "body"]})
    lineage = read(platform, f"select id, body from {table}", known, **defaults)
    assert lineage.inputs == (urn(platform, "shop.docs"),)
    assert titles(lineage) == []
    assert unchecked(platform, f"select id, body from {table}", **defaults).inputs == lineage.inputs


@pytest.mark.parametrize(
    ("platform", "table", "defaults", "name"),
    [
        ("mysql", "other.docs", {"default_db": "shop"}, "other.docs"),
        ("mysql", "def.shop.docs", {"default_db": "other"}, "shop.docs"),
        ("athena", "awsdatacatalog.shop.docs", {"default_db": "other"}, "shop.docs"),
        ("athena", "docs", {"default_db": "AwsDataCatalog", "default_schema": "shop"}, "shop.docs"),
        ("athena", "other.shop.docs", {"default_db": "shop"}, "other.shop.docs"),
        ("hive", "spark_catalog.shop.docs", {"default_db": "shop"}, "shop.docs"),
        ("presto-on-hive", "docs", {"default_db": "lake", "default_schema": "shop"}, "lake.shop.docs"),
        ("oracle", "shop.docs", {"default_db": "orcl"}, "shop.docs"),
        ("oracle", "shop.docs", {"default_db": "orcl"}, "orcl.shop.docs"),
        ("oracle", "docs", {"default_db": "orcl", "default_schema": "shop"}, "orcl.shop.docs"),
        ("oracle", "docs", {"default_db": "orcl", "default_schema": "shop"}, "shop.docs"),
        ("starrocks", "shop.docs", {"default_db": "shop"}, "default_catalog.shop.docs"),
        ("starrocks", "docs", {"default_db": "shop"}, "shop.docs"),
        ("starrocks", "lake.shop.docs", {"default_db": "shop"}, "lake.shop.docs"),
        ("druid", "druid.docs", {}, "docs"),
        ("sqlite", "docs", {"default_db": "main"}, "main.docs"),
        ("mssql", "shop..docs", {"default_db": "other"}, "shop.dbo.docs"),
        ("mssql", "shop..docs", {"default_schema": "kb"}, "shop.kb.docs"),
        ("trino", "kb.docs", {"default_db": "shop"}, "shop.kb.docs"),
        ("postgres", "shop.docs", {"default_db": "shop"}, "shop.shop.docs"),
    ],
)
def test_the_catalog_settles_the_number_of_parts(
    platform: str, table: str, defaults: dict[str, str], name: str
) -> None:
    lineage = read(
        platform, f"select id from {table}", Known({urn(platform, name): ["id"]}), env="PROD", **defaults
    )
    assert lineage.inputs == (urn(platform, name),)


def test_without_a_catalog_the_usual_name_is_taken() -> None:
    starrocks = unchecked("starrocks", "select id from docs", default_db="shop")
    assert starrocks.inputs == (urn("starrocks", "default_catalog.shop.docs"),)
    oracle = unchecked("oracle", "select id from docs", default_db="orcl", default_schema="shop")
    assert oracle.inputs == (urn("oracle", "orcl.shop.docs"),)
