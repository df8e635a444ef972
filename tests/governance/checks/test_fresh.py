"""Indexes that several jobs fill: each source is compared with the runs of the jobs that read it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.local.local_runs import dataset
from datahub_llmops.catalog.local import pipeline_runs
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.pipeline_runs import PipelineRun
from datahub_llmops.governance.finding import Verdict
from datahub_llmops.governance.verdict import check_asset
from governance.cases import (
    HOUR,
    STAMP,
    Case,
    Change,
    both,
    check_case,
    in_a_circle,
    judge,
    policy,
    profile,
    put,
)
from governance.estate import (
    CUSTOMERS,
    INDEX,
    JOB,
    NOW,
    OTHER_JOB,
    REVIEWS,
    WRITTEN,
    Facts,
    estate,
    inputs_and_outputs,
    milliseconds,
    operation,
    schema,
    write,
)
from governance.runs import run_of, running


def two_jobs(*runs: Change) -> Change:
    """One job embeds the reviews, the other one the customers, whose table changed an hour before the last write."""
    return both(
        put(
            (JOB, "dataJobInputOutput", inputs_and_outputs([REVIEWS], INDEX)),
            (OTHER_JOB, "dataJobInfo", {"name": "embed-more", "type": {"string": "E"}}),
            (OTHER_JOB, "dataJobInputOutput", inputs_and_outputs([CUSTOMERS], INDEX)),
            (CUSTOMERS, "operation", operation(WRITTEN - HOUR)),
        ),
        *runs,
    )


CASES: list[tuple[str, Verdict, str, Change]] = [
    ("both ran since", "ok", "fresh", two_jobs(run_of(JOB, WRITTEN), run_of(OTHER_JOB, WRITTEN - HOUR / 2))),
    (
        "the job of the changed table did not run since",
        "not ok",
        "source_changed",
        two_jobs(run_of(JOB, WRITTEN), run_of(OTHER_JOB, WRITTEN - 20 * HOUR)),
    ),
    (
        "its last run failed",
        "not ok",
        "source_changed",
        two_jobs(
            run_of(JOB, WRITTEN),
            run_of(OTHER_JOB, WRITTEN - 20 * HOUR),
            run_of(OTHER_JOB, WRITTEN, "FAILURE"),
        ),
    ),
    ("one of them never ran", "not known", "several_jobs", two_jobs(run_of(JOB, WRITTEN))),
    (
        "one of them never ended well",
        "not known",
        "run_failed",
        two_jobs(run_of(JOB, WRITTEN), run_of(OTHER_JOB, WRITTEN, "FAILURE")),
    ),
    (
        "its last run filled another index",
        "not known",
        "several_jobs",
        two_jobs(run_of(JOB, WRITTEN), run_of(OTHER_JOB, WRITTEN, outputs=REVIEWS)),
    ),
    (
        "a change after the last write of all is late, whichever job it was",
        "not ok",
        "source_changed",
        both(
            two_jobs(),
            put(
                (CUSTOMERS, "operation", operation(NOW - HOUR)),
                (INDEX, "operation", operation(NOW - 30 * HOUR)),
                (INDEX, "datasetProperties", {"name": "docs"}),
            ),
        ),
    ),
    (
        "both read the changed table, and one of them before the change",
        "not ok",
        "source_changed",
        both(
            two_jobs(run_of(JOB, WRITTEN), run_of(OTHER_JOB, WRITTEN - 30 * HOUR)),
            put((JOB, "dataJobInputOutput", inputs_and_outputs([REVIEWS, CUSTOMERS], INDEX))),
        ),
    ),
    (
        "a run in the future",
        "not known",
        "clock",
        two_jobs(run_of(JOB, NOW + HOUR), run_of(OTHER_JOB, WRITTEN)),
    ),
]


OLD = put(
    (INDEX, "datasetProperties", {"name": "docs"}), (REVIEWS, "operation", operation(WRITTEN - 40 * HOUR))
)
"""The store does not tell when the index was written."""


def declared(
    column: str,
    *columns: str,
    changed: str = "2026-11-20T07:00:00Z",
    taken: datetime = WRITTEN + 4 * HOUR,
    **more: Any,
) -> Change:
    """The job declares a change column, and the customers, who have these columns, tell of a change by it only."""
    info = {"name": "embed-docs", "type": {"string": "E"}, "customProperties": {"change_column": column}}
    return put(
        (JOB, "dataJobInfo", info),
        (CUSTOMERS, "operation", None),
        (CUSTOMERS, "schemaMetadata", schema("id", "email", *columns)),
        (CUSTOMERS, "datasetProfile", {**profile(taken, 10, changed=changed), **more}),
    )


CASES += [
    ("the job's change column shows no change", "ok", "fresh", declared("changed", "changed")),
    (
        "the job's change column shows a change",
        "not ok",
        "source_changed",
        both(
            declared("changed", "changed", changed="2026-11-29T05:00:00Z"),
            run_of(JOB, WRITTEN - 30 * HOUR),
            OLD,
        ),
    ),
    (
        "a change column that no table of the job has",
        "not known",
        "unknown_name",
        declared("changd", "changed"),
    ),
    (
        "a change column whose largest value nobody profiled",
        "not known",
        "source_silent",
        declared("at", "at"),
    ),
]


def scheduled(schedule: str, job: str = JOB) -> Change:
    info = {"name": "embed", "type": {"string": "E"}, "customProperties": {"schedule": schedule}}
    return put((job, "dataJobInfo", info))


def touched(**more: Any) -> Change:
    """The last operation on the reviews is of after the run, and affected no row."""
    return put((REVIEWS, "operation", {**operation(WRITTEN + 3 * HOUR), "numAffectedRows": 0, **more}))


LATE = put((REVIEWS, "operation", operation(WRITTEN + 3 * HOUR)))
SILENT = put((INDEX, "datasetProperties", {"name": "docs"}))
"""The store does not tell when the index was written."""
FUTURE = NOW + 24 * HOUR

CASES += [
    ("an update of no row may hide a change before it", "not known", "source_silent", touched()),
    (
        "an update of no row before the run hides nothing",
        "ok",
        "fresh",
        touched(lastUpdatedTimestamp=milliseconds(WRITTEN - HOUR)),
    ),
    (
        "an update of no row beside a time of the last change",
        "not ok",
        "source_changed",
        both(
            touched(),
            put((REVIEWS, "datasetProperties", {"lastModified": {"time": milliseconds(WRITTEN + 2 * HOUR)}})),
        ),
    ),
    ("an update of some rows", "not ok", "source_changed", touched(numAffectedRows=3)),
    (
        "an update of no row after a profile that shows no change",
        "not known",
        "source_silent",
        both(
            declared("changed", "changed"),
            put((CUSTOMERS, "operation", {**operation(WRITTEN + 5 * HOUR), "numAffectedRows": 0})),
        ),
    ),
    (
        "an update of no row before a profile that shows no change",
        "ok",
        "fresh",
        both(
            declared("changed", "changed"),
            put((CUSTOMERS, "operation", {**operation(WRITTEN + 3 * HOUR), "numAffectedRows": 0})),
        ),
    ),
    (
        "a change column in the future",
        "not known",
        "source_silent",
        declared("changed", "changed", changed="2099-01-01T00:00:00Z"),
    ),
    (
        "the last change of a source by its properties is in the future",
        "not known",
        "source_silent",
        put((REVIEWS, "datasetProperties", {"lastModified": {"time": milliseconds(FUTURE)}})),
    ),
    ("a run of the only job in the future", "not known", "clock", both(SILENT, run_of(JOB, FUTURE))),
    (
        "a run in the future beside what the store says",
        "not known",
        "clock",
        both(LATE, run_of(JOB, FUTURE)),
    ),
    (
        "a source whose clock is a minute ahead",
        "not ok",
        "source_changed",
        put((REVIEWS, "operation", operation(NOW + HOUR / 60))),
    ),
    ("the only job never ran, and the store does not tell", "not known", "never_written", SILENT),
    (
        "the only run of the job failed, and the store does not tell",
        "not known",
        "run_failed",
        both(SILENT, run_of(JOB, WRITTEN, "FAILURE")),
    ),
    ("a schedule that never comes", "not known", "schedule", both(LATE, scheduled("0 4 31 2,4 *"))),
    ("a schedule of ages", "not known", "schedule", both(LATE, scheduled("@every 999999w"))),
    ("a schedule of nothing", "not known", "schedule", both(LATE, scheduled("@every 0h"))),
    ("a schedule of once", "not known", "schedule", both(LATE, scheduled("@once"))),
    (
        "one of two jobs has a schedule that cannot be understood",
        "not known",
        "schedule",
        both(
            two_jobs(run_of(JOB, WRITTEN), run_of(OTHER_JOB, WRITTEN)), scheduled("when it suits", OTHER_JOB)
        ),
    ),
    ("a circle hides no change", "not ok", "source_changed", both(in_a_circle, LATE)),
    (
        "a job that reads only what it writes",
        "not known",
        "no_source",
        put((JOB, "dataJobInputOutput", inputs_and_outputs([INDEX], INDEX))),
    ),
]


LONG_AGO = both(
    SILENT, run_of(JOB, NOW - 15 * 24 * HOUR), put((REVIEWS, "operation", operation(NOW - 20 * 24 * HOUR)))
)
"""The only run is of before the largest value of the change column, and no operation has been seen since."""
SAMPLE = {"type": "QUERY", "partition": "SAMPLE"}

CASES += [
    (
        "a change column that was read before the run shows nothing of what came after it",
        "not known",
        "profiled_before",
        declared("changed", "changed", taken=WRITTEN - HOUR),
    ),
    (
        "the largest value of a sample is not that of the table",
        "not known",
        "source_silent",
        declared("changed", "changed", partitionSpec=SAMPLE),
    ),
    (
        "the largest value of a sample shows a change",
        "not ok",
        "source_changed",
        both(declared("changed", "changed", partitionSpec=SAMPLE), LONG_AGO),
    ),
    (
        "a date is no time before the run of its day",
        "not known",
        "source_silent",
        declared("changed", "changed", changed="2026-11-29"),
    ),
    ("a date before the day of the run", "ok", "fresh", declared("changed", "changed", changed="2026-11-28")),
    (
        "a change column shows what no operation tells",
        "not ok",
        "source_changed",
        both(
            declared("changed", "changed"),
            put((CUSTOMERS, "operation", operation(NOW - 20 * 24 * HOUR))),
            LONG_AGO,
        ),
    ),
    (
        "the last run failed, and no source changed since the one before it",
        "not known",
        "run_failed",
        both(run_of(JOB, WRITTEN - HOUR / 2), run_of(JOB, WRITTEN, "FAILURE")),
    ),
    (
        "the last run failed, and the next one is not due yet",
        "not known",
        "run_failed",
        both(
            run_of(JOB, WRITTEN - 2 * HOUR),
            run_of(JOB, WRITTEN, "FAILURE"),
            scheduled("@daily"),
        ),
    ),
    (
        "the last run failed, and what it should have embedded is overdue",
        "not ok",
        "source_changed",
        both(run_of(JOB, WRITTEN - 2 * HOUR), run_of(JOB, WRITTEN, "FAILURE")),
    ),
    (
        "the last run is to be tried again",
        "not known",
        "run_failed",
        both(run_of(JOB, WRITTEN - HOUR / 2), run_of(JOB, WRITTEN, "UP_FOR_RETRY")),
    ),
    (
        "the last run could not write some chunks",
        "not known",
        "run_failed",
        both(run_of(JOB, WRITTEN - HOUR / 2), run_of(JOB, WRITTEN, failed=2)),
    ),
    (
        "the only run failed, and the store says that something was written",
        "not known",
        "run_failed",
        run_of(JOB, WRITTEN, "FAILURE"),
    ),
    (
        "the last run found nothing to embed",
        "not known",
        "run_empty",
        both(run_of(JOB, WRITTEN - HOUR / 2), run_of(JOB, WRITTEN, added=0, skipped=0)),
    ),
    ("the last run found everything there", "ok", "fresh", run_of(JOB, WRITTEN, added=0, skipped=9)),
    (
        "a run has not ended",
        "not known",
        "run_running",
        both(run_of(JOB, WRITTEN - HOUR / 2), running(JOB, NOW - HOUR)),
    ),
    (
        "a run was skipped",
        "ok",
        "fresh",
        both(run_of(JOB, WRITTEN), run_of(JOB, NOW - HOUR, "SKIPPED")),
    ),
    (
        "a run failed before the one that ended well",
        "ok",
        "fresh",
        both(run_of(JOB, WRITTEN - HOUR / 2, "FAILURE"), run_of(JOB, WRITTEN)),
    ),
    (
        "a run that was tried again within the run of its task",
        "ok",
        "fresh",
        both(
            run_of(JOB, WRITTEN - HOUR / 2, "FAILURE"),
            run_of(JOB, WRITTEN - HOUR / 4),
            run_of(JOB, WRITTEN, took=HOUR),
        ),
    ),
    (
        "a run failed within the run of its task, and none after it",
        "not known",
        "run_failed",
        both(run_of(JOB, WRITTEN - HOUR / 2, "FAILURE"), run_of(JOB, WRITTEN, took=HOUR)),
    ),
    (
        "a failed run of another index",
        "ok",
        "fresh",
        both(run_of(JOB, WRITTEN), run_of(JOB, NOW - HOUR, "FAILURE", outputs=CUSTOMERS)),
    ),
    (
        "a source changed while the run was at work",
        "not ok",
        "source_changed",
        run_of(JOB, WRITTEN, took=2 * HOUR),
    ),
    (
        "a source changed while the run was at work, and the next run is not due yet",
        "ok",
        "due",
        both(run_of(JOB, WRITTEN, took=2 * HOUR), scheduled("@daily")),
    ),
    (
        "the index was written after the last run, and a source had changed",
        "not known",
        "write_without_run",
        run_of(JOB, WRITTEN - 2 * HOUR),
    ),
    (
        "the index was written after the last run, and no source had changed",
        "ok",
        "fresh",
        run_of(JOB, WRITTEN - HOUR / 2),
    ),
]


LOADED = dataset("shop.public.manual")


def began(run: Change, at: Any) -> Change:
    """The run says that it began at a time, in milliseconds."""

    def change(facts: Facts) -> None:
        run(facts)
        for (_, aspect), value in facts.items():
            if aspect == "dataProcessInstanceProperties":
                value["created"]["time"] = at

    return change


CASES += [
    (
        "a table that no job reads was loaded by hand, and the run of the job says nothing about it",
        "not known",
        "write_without_run",
        both(
            run_of(JOB, WRITTEN),
            put(
                (
                    INDEX,
                    "upstreamLineage",
                    {"upstreams": [{"dataset": LOADED, "type": "COPY", "auditStamp": STAMP}]},
                ),
                (LOADED, "datasetProperties", {"name": "manual"}),
                (LOADED, "operation", operation(WRITTEN - HOUR)),
            ),
        ),
    ),
    ("nothing tells when the run began", "not known", "run_start", began(run_of(JOB, WRITTEN), 0)),
    (
        "nothing tells when the run began, and a source changed after it ended",
        "not ok",
        "source_changed",
        both(began(run_of(JOB, WRITTEN), 0), LATE),
    ),
]


@pytest.mark.parametrize(
    "case",
    [
        Case(name=name, check="fresh", verdict=verdict, code=code, change=change)
        for name, verdict, code, change in CASES
    ],
    ids=lambda case: case.name,
)
def test_the_decision_table(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


@pytest.mark.parametrize(
    ("profiles", "verdict", "code"),
    [
        (((-1, 10), (1, 51)), "not known", "source_silent"),
        (((-2, 10), (1, 10), (2, 51)), "not ok", "source_changed"),
        (((1, 10), (2, 51)), "not ok", "source_changed"),
        (((-1, 10), (1, 10)), "not known", "source_silent"),
        (((-3, 10), (-1, 51)), "not known", "source_silent"),
    ],
)
def test_row_counts_of_a_table_that_only_grows(
    profiles: tuple[tuple[int, int], ...], verdict: Verdict, code: str, tmp_path: Path
) -> None:
    facts = estate()
    facts[CUSTOMERS, "operation"] = None
    path = tmp_path / "catalog.db"
    write(path, facts).close()
    for hours, rows in profiles:
        write(path, {(CUSTOMERS, "datasetProfile"): profile(WRITTEN + hours * HOUR, rows)}).close()
    with LocalCatalog(path) as catalog:
        found = check_asset(catalog, INDEX, policy(), now=NOW).findings[0]
    assert (found.verdict, found.code) == (verdict, code)
    assert ("41 rows" in found.message) == (verdict == "not ok")


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        pytest.param(((1, -2), (0, 3)), "source_changed", id="the earlier report is of the later operation"),
        pytest.param(((0, -2), (0, 3)), "source_changed", id="both in one millisecond"),
        pytest.param(((0, 3), (0, -2)), "source_changed", id="both in one millisecond, the later one first"),
        pytest.param(((1, -2), (0, -3)), "fresh", id="both of before the run"),
    ],
)
def test_the_last_operation_is_not_always_the_one_that_was_reported_last(
    reports: tuple[tuple[int, int], ...], code: str, tmp_path: Path
) -> None:
    """Snowflake's connector reports the operations of a day together, the latest one first."""
    path = tmp_path / "catalog.db"
    facts = estate()
    facts[CUSTOMERS, "operation"] = None
    write(path, facts).close()
    for reported, happened in reports:
        at = milliseconds(WRITTEN + 5 * HOUR) + reported
        write(
            path,
            {(CUSTOMERS, "operation"): {**operation(WRITTEN + happened * HOUR), "timestampMillis": at}},
        ).close()
    with LocalCatalog(path) as catalog:
        found = check_asset(catalog, INDEX, policy(), now=NOW).findings[0]
    assert found.code == code, found.message


def test_the_job_that_is_late_is_named(tmp_path: Path) -> None:
    change = two_jobs(run_of(JOB, WRITTEN), run_of(OTHER_JOB, WRITTEN - 20 * HOUR))
    found = judge(tmp_path, Case(name="", check="fresh", verdict="not ok", code="", change=change))
    assert found.to_do == "Run embed-more again."
    assert found.path == (CUSTOMERS, OTHER_JOB, INDEX)


def test_a_run_of_the_only_job_tells_where_the_store_does_not(tmp_path: Path) -> None:
    silent = put((INDEX, "datasetProperties", {"name": "docs"}))
    late = put((REVIEWS, "operation", operation(NOW - 30 * HOUR)))
    for ended, code in ((NOW - HOUR, "fresh"), (NOW - 40 * HOUR, "source_changed")):
        change = both(silent, late, run_of(JOB, ended))
        (tmp_path / code).mkdir()
        found = judge(tmp_path / code, Case(name="", check="fresh", verdict="ok", code=code, change=change))
        assert found.code == code


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            put((REVIEWS, "operation", operation(FUTURE))),
            "reviews changed in the future, at 2026-11-30 12:00.",
        ),
        (touched(), "The last operation on reviews affected no row; whether one before it did is not known."),
        (
            declared("changed", "changed", changed="2026-11-29"),
            "customers changed on the day of the last run, and its change column has no time of day.",
        ),
        (
            declared("changed", "changed", taken=WRITTEN - HOUR),
            "customers was profiled at 2026-11-29 03:00, before the last run (2026-11-29 04:00); whether it changed "
            "since is not known.",
        ),
    ],
)
def test_what_is_not_known_is_said(change: Change, said: str, tmp_path: Path) -> None:
    case = Case(name="", check="fresh", verdict="not known", code="", change=change)
    assert judge(tmp_path, case).message == said


@pytest.mark.parametrize(
    ("recipes", "schedule", "code"),
    [
        pytest.param({"postgres": -20}, "@hourly", "not_read_since", id="the recipe has not run since"),
        pytest.param({"postgres": 1}, "@hourly", "fresh", id="the recipe has run since"),
        pytest.param({"postgres": -20}, "@daily", "fresh", id="no change since the run can be overdue yet"),
        pytest.param(
            {"snowflake": 1, "postgres": -20}, "@hourly", "not_read_since", id="another system was read"
        ),
        pytest.param({"sqlalchemy": 1}, "@hourly", "fresh", id="a recipe of no platform has run since"),
        pytest.param(
            {"sqlalchemy": -20, "llm-chroma": 1}, "@hourly", "not_read_since", id="the store was read"
        ),
        pytest.param({}, "@hourly", "fresh", id="the catalog does not keep it"),
    ],
)
def test_nobody_looked_at_the_tables_since_the_run(
    recipes: dict[str, int], schedule: str, code: str, tmp_path: Path
) -> None:
    path = tmp_path / "catalog.db"
    facts = estate()
    scheduled(schedule)(facts)
    write(path, facts).close()
    for kind, hours in recipes.items():
        at = milliseconds(WRITTEN + hours * HOUR)
        run = PipelineRun(
            pipeline="",
            source=kind,
            instance="",
            run_id="r",
            began=at,
            ended=at,
            outcome="SUCCESS",
            succeeded=at,
        )
        pipeline_runs.note(path, run, 1)
    with LocalCatalog(path) as catalog:
        found = check_asset(catalog, INDEX, policy(), now=NOW).findings[0]
    assert found.code == code, found.message


def test_a_recipe_that_failed_since_has_not_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    write(path, estate()).close()
    good, failed = (milliseconds(WRITTEN + hours * HOUR) for hours in (-20, 1))
    run = PipelineRun(
        pipeline="", source="postgres", instance="", run_id="r", began=good, ended=good, outcome="SUCCESS"
    )
    for one in (replace(run, succeeded=good), replace(run, began=failed, ended=failed, outcome="FAILURE")):
        pipeline_runs.note(path, one, 1)
    with LocalCatalog(path) as catalog:
        assert check_asset(catalog, INDEX, policy(), now=NOW).findings[0].code == "not_read_since"
