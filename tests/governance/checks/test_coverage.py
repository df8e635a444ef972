"""Rows without chunks, chunks without a row, duplicates, and everything that keeps the check from knowing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from datahub_llmops.governance.finding import Finding, Verdict
from governance.cases import HOUR, NOTHING, Case, Change, both, check_case, in_a_circle, judge, put
from governance.estate import (
    CUSTOMERS,
    INDEX,
    JOB,
    NOW,
    OTHER_JOB,
    REVIEWS,
    WRITTEN,
    inputs_and_outputs,
    milliseconds,
    operation,
)
from governance.runs import run_of, running

SAMPLE: dict[str, Any] = {"partitionSpec": {"type": "QUERY", "partition": "SAMPLE"}}
COUNTED = NOW - HOUR / 2
"""When the store's recipe and the one of the tables counted: after the last write and the last run."""


def counted(
    chunks: int,
    rows: int | None = None,
    without_row: int = 0,
    field: str = "dh_source_key",
    at: datetime = COUNTED,
) -> Change:
    keys = [] if rows is None else [{"fieldPath": field, "uniqueCount": rows, "nullCount": without_row}]
    profile = {"timestampMillis": milliseconds(at), "rowCount": chunks, "fieldProfiles": keys}
    return put((INDEX, "datasetProfile", profile))


def rows(table: str, count: int, at: datetime = COUNTED, **more: Any) -> Change:
    return put((table, "datasetProfile", {"timestampMillis": milliseconds(at), "rowCount": count, **more}))


def job(*tables: str, urn: str = JOB, **stated: str) -> Change:
    """A job whose SQL gives every row of ``tables``, which are all that it reads."""
    whole = {"every_row_of": " ".join(tables)} if tables else {}
    info = {"name": "embed-docs", "type": {"string": "EMBEDDING"}, "customProperties": {**whole, **stated}}
    reads = list(tables) or [REVIEWS]
    return put((urn, "dataJobInfo", info), (urn, "dataJobInputOutput", inputs_and_outputs(reads, INDEX)))


ONE = both(job(REVIEWS), rows(REVIEWS, 100))
"""The index is made of the 100 rows of one table."""

PROPERTY = "urn:li:structuredProperty:datahub_llmops.count_is_estimate"
ESTIMATED = put(
    (
        INDEX,
        "structuredProperties",
        {"properties": [{"propertyUrn": PROPERTY, "values": [{"string": "true"}]}]},
    )
)
COPIED = {"dataset": CUSTOMERS, "type": "COPY", "auditStamp": {"time": 1, "actor": "urn:li:corpuser:a"}}
FED_BY_PAYLOAD = put((INDEX, "upstreamLineage", {"upstreams": [COPIED]}))

CASES: list[tuple[str, Verdict, str, Change]] = [
    ("rows and keys agree", "ok", "covered_by_keys", both(ONE, counted(250, 100))),
    (
        "an empty table and an empty index",
        "ok",
        "covered_by_totals",
        both(job(REVIEWS, chunks_per_row="1"), rows(REVIEWS, 0), counted(0)),
    ),
    ("rows without chunks", "not ok", "rows_missing", both(ONE, counted(250, 99))),
    ("chunks without a row", "not ok", "orphans", both(ONE, counted(250, 101))),
    (
        "chunks that name no row may be of the missing rows",
        "not known",
        "unstamped",
        both(ONE, counted(250, 99, 4)),
    ),
    ("chunks that name no row may have none", "not known", "unstamped", both(ONE, counted(250, 100, 4))),
    ("fewer chunks than rows, whoever made them", "not ok", "rows_missing", both(ONE, counted(90, 80, 10))),
    (
        "keys in a field that the job names",
        "ok",
        "covered_by_keys",
        both(
            job(REVIEWS, key_field="review_id"),
            rows(REVIEWS, 100),
            counted(250, 100, field="metadata.review_id"),
        ),
    ),
    (
        "keys in a field that nobody names",
        "not known",
        "chunks_per_row",
        both(ONE, counted(250, 100, field="page")),
    ),
    (
        "totals and chunks per row agree",
        "ok",
        "covered_by_totals",
        both(job(REVIEWS, chunks_per_row="2"), rows(REVIEWS, 100), counted(200)),
    ),
    (
        "totals: chunks are missing",
        "not ok",
        "rows_missing",
        both(job(REVIEWS, chunks_per_row="2"), rows(REVIEWS, 100), counted(198)),
    ),
    (
        "totals: duplicates",
        "not ok",
        "too_many_chunks",
        both(job(REVIEWS, chunks_per_row="2"), rows(REVIEWS, 100), counted(201)),
    ),
    (
        "each row twice",
        "not ok",
        "too_many_chunks",
        both(job(REVIEWS, chunks_per_row="1"), rows(REVIEWS, 100), counted(200, 100)),
    ),
    ("totals: fewer chunks than rows", "not ok", "rows_missing", both(ONE, counted(99))),
    (
        "totals: as many chunks as rows may be anything",
        "not known",
        "chunks_per_row",
        both(ONE, counted(100)),
    ),
    (
        "several tables, and all rows are there",
        "ok",
        "covered_by_keys",
        both(job(REVIEWS, CUSTOMERS), rows(REVIEWS, 100), rows(CUSTOMERS, 10), counted(300, 110)),
    ),
    (
        "keys of several tables may be equal",
        "not known",
        "several_tables",
        both(job(REVIEWS, CUSTOMERS), rows(REVIEWS, 100), rows(CUSTOMERS, 10), counted(300, 100)),
    ),
    (
        "several tables, and more keys than rows",
        "not ok",
        "orphans",
        both(job(REVIEWS, CUSTOMERS), rows(REVIEWS, 100), rows(CUSTOMERS, 10), counted(300, 111)),
    ),
    ("the index was not counted", "not known", "not_counted", ONE),
    ("the index was estimated", "not known", "estimated", both(ONE, counted(250, 100), ESTIMATED)),
    ("the table was not profiled", "not known", "rows_not_counted", both(job(REVIEWS), counted(250, 100))),
    (
        "the profile is of a sample",
        "not known",
        "rows_not_counted",
        both(
            job(REVIEWS),
            rows(REVIEWS, 100, **SAMPLE),
            counted(250, 100),
        ),
    ),
    ("the SQL filters", "not known", "rows_of_sql", both(job(), rows(REVIEWS, 100), counted(250, 100))),
    (
        "nothing is known to fill it",
        "not known",
        "no_job",
        both(counted(250, 100), put((JOB, "dataJobInputOutput", None))),
    ),
    (
        "another job fills it too",
        "not known",
        "rows_of_sql",
        both(ONE, counted(250, 100), job(urn=OTHER_JOB)),
    ),
    ("payloads name another source", "not known", "no_job", both(ONE, counted(250, 100), FED_BY_PAYLOAD)),
    (
        "rows that came after the last run",
        "not known",
        "changed_since",
        both(ONE, counted(250, 99), put((REVIEWS, "operation", operation(WRITTEN + HOUR)))),
    ),
    (
        "the last run saw as much",
        "ok",
        "covered_by_run",
        both(job(), counted(250), run_of(JOB, NOW - HOUR, added=50, skipped=200)),
    ),
    (
        "the last run saw more",
        "not ok",
        "chunks_missing",
        both(job(), counted(249), run_of(JOB, NOW - HOUR, added=50, skipped=200)),
    ),
    (
        "the last run saw less",
        "not known",
        "run_saw_less",
        both(job(), counted(251), run_of(JOB, NOW - HOUR, added=50, skipped=200)),
    ),
    (
        "the last run only added",
        "not known",
        "rows_of_sql",
        both(job(), counted(50), run_of(JOB, NOW - HOUR, added=50)),
    ),
    (
        "the last run could not write all",
        "not known",
        "rows_of_sql",
        both(job(), counted(50), run_of(JOB, NOW - HOUR, added=50, skipped=0, failed=2)),
    ),
    (
        "the last run broke off",
        "not known",
        "rows_of_sql",
        both(job(), counted(50), run_of(JOB, NOW - HOUR, "FAILURE", added=90, skipped=0)),
    ),
    (
        "the last run ended in the future",
        "not known",
        "clock",
        both(job(), counted(250), run_of(JOB, NOW + HOUR, added=50, skipped=200)),
    ),
    ("a circle changes no numbers", "not ok", "rows_missing", both(ONE, counted(250, 99), in_a_circle)),
    ("a job that reads what it fills", "not known", "reads_itself", both(job(INDEX), counted(250, 100))),
    (
        "two jobs embed a table each",
        "not ok",
        "orphans",
        both(ONE, job(CUSTOMERS, urn=OTHER_JOB), rows(CUSTOMERS, 10), counted(300, 111)),
    ),
    (
        "one of two tables was not counted",
        "not known",
        "rows_not_counted",
        both(ONE, job(CUSTOMERS, urn=OTHER_JOB), counted(300, 111)),
    ),
]


BEFORE = WRITTEN - HOUR / 2
"""After the last change of the reviews, and before the index was last written."""
SILENT_INDEX = put((INDEX, "datasetProperties", {"name": "docs"}))
SILENT_TABLE = put((REVIEWS, "operation", None))
BY_RUN = both(job(), run_of(JOB, NOW - HOUR, added=50, skipped=200))
MISSING = both(ONE, counted(250, 99))
EQUAL = both(ONE, counted(250, 100))

CASES += [
    (
        "the index was counted before it was written",
        "not known",
        "counted_before",
        both(ONE, counted(250, 100, at=BEFORE)),
    ),
    ("rows missing in an old count", "not known", "counted_before", both(ONE, counted(250, 99, at=BEFORE))),
    (
        "the index was counted before the last run",
        "not known",
        "counted_before",
        both(EQUAL, run_of(JOB, NOW - HOUR / 4)),
    ),
    (
        "the index was counted before a run that found everything there",
        "ok",
        "covered_by_keys",
        both(EQUAL, run_of(JOB, NOW - HOUR / 4, added=0, skipped=250)),
    ),
    (
        "nobody tells of another write than a run that found everything there",
        "not known",
        "counted_before",
        both(EQUAL, SILENT_INDEX, run_of(JOB, NOW - HOUR / 4, added=0, skipped=250)),
    ),
    (
        "the index was counted before a run that deleted",
        "not known",
        "counted_before",
        both(EQUAL, run_of(JOB, NOW - HOUR / 4, deleted=1, skipped=250)),
    ),
    (
        "the index was counted before a run that failed",
        "not known",
        "counted_before",
        both(MISSING, run_of(JOB, NOW - HOUR / 4, "FAILURE")),
    ),
    (
        "the table was counted before it changed",
        "not known",
        "counted_before",
        both(MISSING, rows(REVIEWS, 100, at=WRITTEN - 2 * HOUR)),
    ),
    (
        "the table was counted before the run, and no operation says that it has changed since",
        "ok",
        "covered_by_keys",
        both(EQUAL, rows(REVIEWS, 100, at=BEFORE)),
    ),
    (
        "a table that does not tell was counted before the run",
        "not known",
        "counted_before",
        both(MISSING, rows(REVIEWS, 100, at=BEFORE), SILENT_TABLE),
    ),
    (
        "a table that does not tell was counted after the run",
        "not ok",
        "rows_missing",
        both(MISSING, SILENT_TABLE),
    ),
    ("equal numbers of a table that does not tell", "not known", "source_silent", both(EQUAL, SILENT_TABLE)),
    (
        "equal numbers of a table that changed after the run",
        "not known",
        "changed_since",
        both(EQUAL, put((REVIEWS, "operation", operation(WRITTEN + HOUR)))),
    ),
    (
        "equal totals of a table that changed after the run",
        "not known",
        "changed_since",
        both(
            job(REVIEWS, chunks_per_row="2"),
            rows(REVIEWS, 100),
            counted(200),
            put((REVIEWS, "operation", operation(WRITTEN + HOUR))),
        ),
    ),
    (
        "equal numbers, and the last run failed",
        "not known",
        "run_failed",
        both(EQUAL, run_of(JOB, NOW - HOUR, "FAILURE")),
    ),
    (
        "rows are missing, and the last run failed",
        "not ok",
        "rows_missing",
        both(MISSING, run_of(JOB, NOW - HOUR, "FAILURE")),
    ),
    (
        "rows are missing while a run is at work",
        "not known",
        "run_running",
        both(MISSING, running(JOB, NOW - HOUR)),
    ),
    ("equal numbers of nobody knows when", "not known", "never_written", both(EQUAL, SILENT_INDEX)),
    ("rows are missing, whenever it was written", "not ok", "rows_missing", both(MISSING, SILENT_INDEX)),
    (
        "counts of other days, and nobody knows when it was written",
        "not known",
        "counted_before",
        both(MISSING, SILENT_INDEX, rows(REVIEWS, 100, at=NOW - 30 * HOUR)),
    ),
    (
        "the index was counted in the future",
        "not known",
        "counted_before",
        both(ONE, counted(250, 100, at=NOW + HOUR)),
    ),
    (
        "it was written in the future",
        "not known",
        "clock",
        both(EQUAL, put((INDEX, "operation", operation(NOW + HOUR)))),
    ),
    (
        "a sample of the index was counted",
        "not known",
        "not_counted",
        both(
            ONE,
            put(
                (
                    INDEX,
                    "datasetProfile",
                    {**SAMPLE, "timestampMillis": milliseconds(COUNTED), "rowCount": 100},
                )
            ),
        ),
    ),
    (
        "the last run saw as much as there was before it",
        "not known",
        "counted_before",
        both(BY_RUN, counted(250, at=BEFORE)),
    ),
    (
        "a run failed after the one that saw as much",
        "not known",
        "rows_of_sql",
        both(BY_RUN, counted(250), run_of(JOB, NOW - 0.8 * HOUR, "FAILURE")),
    ),
    (
        "something wrote the index after the run that saw as much",
        "not known",
        "rows_of_sql",
        both(BY_RUN, counted(250), put((INDEX, "operation", operation(NOW - 0.8 * HOUR)))),
    ),
    (
        "the last run saw as much, and a source changed after it",
        "not known",
        "changed_since",
        both(BY_RUN, counted(250), put((REVIEWS, "operation", operation(NOW - 0.8 * HOUR)))),
    ),
    (
        "the last run saw as much, and a source does not tell of its changes",
        "not known",
        "source_silent",
        both(BY_RUN, counted(250), SILENT_TABLE),
    ),
]


@pytest.mark.parametrize(
    "case",
    [
        Case(name=name, check="coverage", verdict=verdict, code=code, change=change)
        for name, verdict, code, change in [
            *CASES,
            ("nothing was counted", "not known", "not_counted", NOTHING),
        ]
    ],
    ids=lambda case: case.name,
)
def test_the_decision_table(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_numbers_are_said(tmp_path: Path) -> None:
    def found(change: Change) -> Finding:
        case = Case(name="", check="coverage", verdict="ok", code="", change=change)
        return judge(tmp_path, case)

    many = both(job(REVIEWS), rows(REVIEWS, 12_480), counted(30_000, 12_439))
    assert found(many).message == "12,439 of 12,480 rows: 41 rows have no chunks."
