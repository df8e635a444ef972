"""Parameters of drivers are values in every dialect; templates are no SQL."""

from __future__ import annotations

import pytest

from lineage.estate import Known, outputs, read, titles, urn

PLATFORMS = (
    *(
        "athena",
        "bigquery",
        "clickhouse",
        "databricks",
        "doris",
        "druid",
        "duckdb",
        "hive",
        "mariadb",
        "mssql",
    ),
    *("mysql", "oracle", "postgres", "presto", "redshift", "risingwave", "singlestore", "snowflake", "spark"),
    *("sqlite", "starrocks", "teradata", "trino"),
)
PARAMETERS = ("%s", "%(last)s", "%(last id)s", "%d", "?", ":last", ":1", "$1")
QUERIES = (
    "select id, body from shop.docs where id > {p}",
    "select id, body from shop.docs where id>{p}",
    "select id, body from shop.docs where id in ({p}, {p}) and title like {p}",
    "select id, body from shop.docs where id in {p}",
    "select id, {p} as x, coalesce(body, {p}) as body from shop.docs",
    "select id, body from shop.docs where id between {p} and {p} and id = any({p})",
    "select id, body from shop.docs where title = 'a' and id=cast({p} as int) or not {p}",
)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_a_parameter_is_a_value(platform: str, parameter: str) -> None:
    if (platform, parameter) == ("snowflake", "$1"):  # the first column
        return
    names = ("shop.docs", "docs")
    known = Known({urn(platform, name): ["id", "title", "body"] for name in names})
    for query in QUERIES:
        lineage = read(platform, query.format(p=parameter), known, env="PROD")
        found = {
            name.lower(): [one.column for one in o.sources] for o in lineage.outputs for name in [o.name]
        }
        assert found in ({"id": ["id"], "body": ["body"]}, {"id": ["id"], "x": [], "body": ["body"]}), query
        assert titles(lineage) == [], query


@pytest.mark.parametrize("limit", ["limit %s", "limit %(n)s offset %(m)s", "limit ?", "limit :n", "limit :1"])
@pytest.mark.parametrize(
    "platform", ["postgres", "mysql", "sqlite", "snowflake", "bigquery", "duckdb", "databricks"]
)
def test_limits(platform: str, limit: str) -> None:
    assert titles(read(platform, f"select id from docs {limit}")) == []


@pytest.mark.parametrize("top", ["%s", "(%s)", "(?)", "@n"])
def test_top(top: str) -> None:
    assert titles(read("mssql", f"select top {top} id from docs")) == []


@pytest.mark.parametrize("platform", ["mysql", "mssql", "sqlite", "snowflake", "duckdb"])
def test_a_remainder_stays_a_remainder(platform: str) -> None:
    known = Known({urn(platform, name): ["id", "s"] for name in ("docs", "main.docs")})
    for text in ("id %s", "id%s", "id % s", "id %%s", "(id)%s"):
        lineage = read(platform, f"select {text} as x from docs", known, env="PROD")
        assert {one.column for one in lineage.outputs[0].sources} == {"id", "s"}, text
        assert titles(lineage) == []


def test_parameters_inside_strings_stay() -> None:
    lineage = read(
        "mysql", "select concat('%s', body, '%(x)s') as t from docs where title like '%%s' and id = %s"
    )
    assert outputs("mysql", lineage) == {"t": {"docs.body"}}
    assert titles(lineage) == []


def test_names_with_a_dollar_sign_stay() -> None:
    sql = "merge docs t using comments s on t.id = s.id when matched then update set t.body = s.body output $action;"
    assert "SQL not understood" not in titles(read("mssql", sql))
    assert titles(read("snowflake", "select v.$1 as a from (values (1)) v")) == []


@pytest.mark.parametrize(
    "sql",
    [
        "select {{ column }} from docs",
        "select body from {{ ref('docs') }}",
        "{% if x %} select 1 {% endif %}",
        "select body from docs {% if x %} where id > 1 {% endif %}",
        "select {column} from docs",
        "select body from ${schema}.docs",
        "select body from $(db).dbo.docs",
    ],
)
@pytest.mark.parametrize("platform", ["postgres", "snowflake", "bigquery", "mssql", "mysql", "databricks"])
def test_templates_get_the_advice_to_compile_them(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert titles(lineage) == ["SQL not understood"]
    assert "is a template" in lineage.warnings[0].message
    assert "as it runs" in lineage.warnings[0].message


def test_variables_of_psql_are_a_template_where_they_are_names() -> None:
    assert "is a template" in read("postgres", 'select body from :"schema".docs').warnings[0].message
    assert titles(read("postgres", "select body from docs where title = :'title'")) == []
