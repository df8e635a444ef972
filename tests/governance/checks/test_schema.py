"""Columns that were retyped since the index was last written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datahub_llmops.governance.finding import Finding
from datahub_llmops.governance.verdict import check_asset
from governance.cases import VIEW, Case, both, in_view, judge, policy, put
from governance.estate import INDEX, JOB, REVIEWS, estate, operation, schema, write
from governance.runs import run_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "catalog.db"
    write(file, estate()).close()
    return file


def retype(path: Path, **types: str) -> None:
    write(path, {(REVIEWS, "schemaMetadata"): schema("id", "body", "customer_id", types=types)}).close()


def found(path: Path, facts: dict[tuple[str, str], Any] | None = None) -> Finding:
    now = datetime.now(UTC) + timedelta(minutes=1)
    with write(path, facts or {}) as catalog:
        report = check_asset(catalog, INDEX, policy(), now=now)
    return next(one for one in report.findings if one.check == "schema")


def test_a_column_that_feeds_the_index_was_retyped(path: Path) -> None:
    assert found(path).code == "columns_there"
    retype(path, body="jsonb")
    late = found(path)
    assert (late.verdict, late.code) == ("not ok", "column_retyped")
    assert late.message == "reviews.body is jsonb now and was text when the index was last written."
    assert late.path == (REVIEWS, JOB, INDEX)


def test_a_column_was_retyped_and_nobody_knows_when_the_index_was_written(path: Path) -> None:
    silent = {(INDEX, "datasetProperties"): {"name": "docs"}}
    assert found(path, silent).code == "columns_there"
    retype(path, body="jsonb")
    assert (found(path).verdict, found(path).code) == ("not known", "types_before")


def test_a_column_that_does_not_feed_it_may_be_retyped(path: Path) -> None:
    retype(path, customer_id="bigint")
    assert found(path).code == "columns_there"


def test_a_run_after_the_change_has_seen_the_new_type(path: Path) -> None:
    retype(path, body="jsonb")
    facts: dict[tuple[str, str], Any] = {
        (INDEX, "operation"): operation(datetime.now(UTC) + timedelta(seconds=1))
    }
    assert found(path, facts).code == "columns_there"


def test_a_run_of_the_job_after_the_change_has_seen_it_too(path: Path) -> None:
    retype(path, body="jsonb")
    facts: dict[tuple[str, str], Any] = {}
    run_of(JOB, datetime.now(UTC) + timedelta(seconds=1))(facts)
    assert found(path, facts).code == "columns_there"


def test_a_type_that_was_changed_and_changed_back_is_the_same(path: Path) -> None:
    retype(path, body="jsonb")
    retype(path, body="text")
    assert found(path).code == "columns_there"


def test_only_the_last_schemas_are_kept(path: Path) -> None:
    for number in range(25):
        retype(path, body=f"varchar({number})")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("select count(*) from schema_before").fetchone() == (20,)


def test_a_file_of_an_earlier_release_has_no_history(path: Path) -> None:
    retype(path, body="jsonb")
    with closing(sqlite3.connect(path)) as database:
        database.execute("drop table schema_before")
        database.commit()
    assert (found(path).verdict, found(path).code) == ("not known", "types_before")


def test_a_view_that_was_dropped_is_not_only_to_be_read_again(tmp_path: Path) -> None:
    dropped = both(in_view, put((VIEW, "status", {"removed": True})))
    case = Case(name="", check="schema", verdict="not known", code="no_schema", change=dropped)
    assert "correct the job's SQL" in (judge(tmp_path, case).missing or "")
