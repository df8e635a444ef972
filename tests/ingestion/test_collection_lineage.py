"""What a run reports about the lineage of declared jobs."""

from __future__ import annotations

from typing import Any

import pytest
from datahub.configuration.common import PipelineExecutionError

from ingestion.recipes import DECLARED, Run


def upstream(sql: str) -> dict[str, Any]:
    return {**DECLARED, "upstream": {"platform": "sqlite", "sql": sql}}


def test_statements_whose_columns_could_not_be_traced_are_counted(run: Run) -> None:
    report = run(
        upstream(
            "select d.title, d.body, mine.text as contact from docs d, mine((select email from people)) mine"
        )
    ).source.get_report()
    assert report.as_obj()["stopped_at_tables"] == 1
    assert [warning.title for warning in report.warnings] == ["Columns of a table function"]
    assert "mine (output contact)" in str(report.warnings[0].context)


def test_a_column_that_does_not_exist_gets_no_edge_and_fails_the_job(run: Run) -> None:
    sql = "select d.title, d.body, p.e_mail as contact from docs d join people p on p.id = d.person"
    with pytest.raises(PipelineExecutionError, match=r"e_mail \(output contact\)"):
        run(upstream(sql))


def test_traced_statements_are_not_counted(run: Run) -> None:
    assert run(DECLARED).source.get_report().as_obj()["stopped_at_tables"] == 0
