"""Lines for client programs are no SQL."""

from __future__ import annotations

import pytest

from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.sql.client import without_client_lines
from lineage.estate import outputs, read, titles, unchecked


@pytest.mark.parametrize(
    ("platform", "sql"),
    [
        ("postgres", "\\timing on\n\\set x 1\nselect id, body from docs;\n\\echo done"),
        ("mysql", "delimiter //\nselect id, body from docs//\ndelimiter ;\nset names utf8;"),
        ("mssql", "GO\nselect id, body from docs\nGO"),
    ],
)
def test_they_are_left_out(platform: str, sql: str) -> None:
    lineage = read(platform, sql)
    assert titles(lineage) == []
    assert outputs(platform, lineage) == {"id": {"docs.id"}, "body": {"docs.body"}}


def test_oracle_ends_blocks_with_a_slash() -> None:
    sql = "set define off\n/\nselect id, body from docs\n/\nselect id/\n2 as x from docs"
    lineage = unchecked("oracle", sql, env="PROD")
    assert titles(lineage) == []
    assert [output.name for output in lineage.outputs] == ["id", "body", "x"]


@pytest.mark.parametrize("command", ["\\i other.sql", "\\copy docs from 'x.csv'", "\\gexec"])
def test_commands_of_psql_that_run_other_sql_are_a_warning(command: str) -> None:
    assert "SQL not understood" in titles(read("postgres", f"{command}\nselect id from docs"))


@pytest.mark.parametrize("platform", ["mssql", "oracle", "postgres", "mysql", "clickhouse", "sqlite"])
def test_positions_stay(platform: str) -> None:
    sql = "DELIMITER $$\nGO\n/\n\\timing\nselect '\nGO\n/\n\\timing\n' as a, $1 -- it's\n/* ' */\nGO$$\n"
    dialect = UpstreamConfig(platform=platform, sql="select 1").dialect
    text = without_client_lines(sql, dialect)
    assert len(text) == len(sql)
    assert [i for i, char in enumerate(text) if char == "\n"] == [
        i for i, char in enumerate(sql) if char == "\n"
    ]
    assert text[text.index("'") : text.index(" as a")] == sql[sql.index("'") : sql.index(" as a")]
