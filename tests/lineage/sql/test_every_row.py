from __future__ import annotations

import pytest
import sqlglot

from datahub_llmops.lineage.sql.every_row import gives_every_row


@pytest.mark.parametrize(
    "sql",
    [
        "select * from docs",
        "select id, title || ' ' || body as text, lower(lang) from kb.main.docs d order by id",
        "select cast(id as varchar), coalesce(body, '') from docs;",
        'select "id" from "docs"',
    ],
)
def test_a_plain_query_over_one_table_gives_every_row(sql: str) -> None:
    for dialect in ("duckdb", "postgres", "snowflake", "sqlite", "bigquery"):
        assert gives_every_row(sql, sqlglot.Dialect.get_or_raise(dialect)), dialect


@pytest.mark.parametrize(
    "sql",
    [
        "select id from docs where lang = 'en'",
        "select id from docs limit 10",
        "select id from docs offset 10",
        "select distinct id from docs",
        "select count(*) from docs",
        "select lang from docs group by lang",
        "select id from docs having true",
        "select id from docs qualify row_number() over (order by id) = 1",
        "select id from docs join users using (id)",
        "select id from docs, users",
        "select id from docs union all select id from users",
        "with d as (select * from docs) select * from d",
        "select * from (select * from docs limit 1)",
        "select * from read_csv('docs.csv')",
        "select unnest(tags) from docs",
        "select explode(tags) from docs",
        "select id, my_function(body) from docs",
        "select id from docs tablesample (10 percent)",
        "select id, (select max(id) from users) from docs",
        "select 1",
        "select from where",
        "",
        "insert into chunks select id from docs",
        "create table chunks as select id from docs",
        "select id from docs; select id from users",
    ],
)
def test_what_may_drop_or_multiply_rows_does_not(sql: str) -> None:
    for dialect in ("duckdb", "postgres", "snowflake"):
        assert not gives_every_row(sql, sqlglot.Dialect.get_or_raise(dialect)), dialect
