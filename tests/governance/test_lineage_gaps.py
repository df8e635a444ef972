"""Lineage of which something is known to be missing: what was found amiss stays, and nothing else is ok."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.local.local_runs import column, dataset
from datahub_llmops.catalog.confirmation import NOT_CONFIRMED_SINCE
from datahub_llmops.catalog.untraced import UNTRACED_TABLES, write_untraced
from datahub_llmops.governance.policy import Forbidden
from datahub_llmops.governance.verdict import check_asset
from governance.cases import HOUR, PERSONAL, STAMP, Change, both, policy, put, terms
from governance.estate import CUSTOMERS, INDEX, JOB, NOW, REVIEWS, WRITTEN, Facts, estate, operation, write

SINCE = "2026-11-20T04:00:00+00:00"
RAW = dataset("raw.reviews")
OF_JOBS, OF_UPSTREAM = {"fresh", "schema"}, {"trusted sources", "one meaning", "allowed"}


def on_output(**properties: str) -> Change:
    """Properties of the job's edge to the index."""

    def change(facts: Facts) -> None:
        facts[JOB, "dataJobInputOutput"]["outputDatasetEdges"][0]["properties"] = properties

    return change


def of_job(name: str, value: str) -> Change:
    urn = f"urn:li:structuredProperty:datahub_llmops.{name}"
    assigned: dict[str, Any] = {"properties": [{"propertyUrn": urn, "values": [{"string": value}]}]}
    return put((JOB, "structuredProperties", assigned))


COPIED = {"dataset": RAW, "type": "COPY", "auditStamp": STAMP, "properties": {NOT_CONFIRMED_SINCE: SINCE}}
FAR = put((RAW, "datasetProperties", {"name": "raw"}), (REVIEWS, "upstreamLineage", {"upstreams": [COPIED]}))


def verdicts(tmp_path: Path, change: Change) -> dict[str, tuple[str, str]]:
    facts = estate()
    change(facts)
    with write(tmp_path / "catalog.db", facts) as catalog:
        given = policy(forbidden=(Forbidden(term=PERSONAL),))
        report = check_asset(catalog, INDEX, given, now=NOW)
    return {one.check: (one.verdict, one.code) for one in report.findings}


@pytest.mark.parametrize(
    ("change", "code", "checks"),
    [
        pytest.param(put(), "", set(), id="all is known"),
        pytest.param(
            on_output(**{NOT_CONFIRMED_SINCE: SINCE}), "not_confirmed", OF_JOBS | OF_UPSTREAM, id="an edge"
        ),
        pytest.param(FAR, "not_confirmed", OF_UPSTREAM, id="an edge further upstream"),
        pytest.param(
            of_job(NOT_CONFIRMED_SINCE, SINCE), "lineage_gap", OF_JOBS | OF_UPSTREAM, id="the job itself"
        ),
        pytest.param(
            of_job("accepted_gaps", "unknown_table, unmatched_output"),
            "lineage_gap",
            OF_JOBS | OF_UPSTREAM,
            id="an accepted gap that hides tables",
        ),
        pytest.param(
            of_job("accepted_gaps", "unmatched_output"),
            "lineage_gap",
            {"schema", "one meaning", "allowed"},
            id="an accepted gap that hides columns",
        ),
    ],
)
def test_a_check_that_looked_at_a_gap_is_not_ok(
    change: Change, code: str, checks: set[str], tmp_path: Path
) -> None:
    before = verdicts(tmp_path, put())
    assert {before[check][0] for check in OF_JOBS | OF_UPSTREAM} == {"ok"}
    (tmp_path / "gap").mkdir()
    found = verdicts(tmp_path / "gap", change)
    assert {check: found[check] for check in found if found[check] != before[check]} == dict.fromkeys(
        checks, ("not known", code)
    )


def test_what_is_amiss_stays_not_ok(tmp_path: Path) -> None:
    late = put((REVIEWS, "operation", operation(WRITTEN + 3 * HOUR)))
    found = verdicts(tmp_path, both(late, on_output(**{NOT_CONFIRMED_SINCE: SINCE})))
    assert found["fresh"] == ("not ok", "source_changed")


def test_columns_that_could_not_be_traced(tmp_path: Path) -> None:
    stopped = on_output(**{UNTRACED_TABLES: write_untraced([CUSTOMERS])})
    found = verdicts(
        tmp_path, both(stopped, put((column(CUSTOMERS, "id"), "glossaryTerms", terms(PERSONAL))))
    )
    assert found["schema"] == ("not known", "job_columns")
    assert found["allowed"] == ("not known", "columns")
