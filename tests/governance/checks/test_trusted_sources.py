"""Assertions without a result, and what lies further upstream than was walked."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from catalog.local.local_runs import dataset
from datahub_llmops.governance.facts import HOPS
from datahub_llmops.governance.finding import Verdict
from governance.cases import (
    ASSERTION,
    STAMP,
    Case,
    Change,
    assertion,
    both,
    check_case,
    deprecated,
    put,
    run_event,
)
from governance.estate import REVIEWS

ASSERTED = put((ASSERTION, "assertionInfo", assertion(REVIEWS)))


def upstream(tables: int) -> Change:
    """So many tables in a row, each copied into the next one, and the last one into the reviews."""
    row = [REVIEWS, *(dataset(f"raw.t{number}") for number in range(tables))]
    return put(
        *((urn, "datasetProperties", {"name": urn}) for urn in row[1:]),
        *(
            (down, "upstreamLineage", {"upstreams": [{"dataset": up, "type": "COPY", "auditStamp": STAMP}]})
            for down, up in pairwise(row)
        ),
    )


CASES: list[tuple[str, Verdict, str, Change]] = [
    ("an assertion that never ran", "not known", "assertion_error", ASSERTED),
    (
        "an assertion that has only begun to learn",
        "not known",
        "assertion_error",
        both(ASSERTED, put((ASSERTION, "assertionRunEvent", run_event(REVIEWS, "INIT")))),
    ),
    (
        "an assertion that passes",
        "ok",
        "trusted",
        both(ASSERTED, put((ASSERTION, "assertionRunEvent", run_event(REVIEWS, "SUCCESS")))),
    ),
    ("a long way upstream", "ok", "trusted", upstream(HOPS - 3)),
    ("a longer way than is walked", "not known", "walk_cut", upstream(HOPS)),
    (
        "a deprecated table at the end of the way",
        "not ok",
        "deprecated",
        both(upstream(HOPS), put((dataset("raw.t5"), "deprecation", deprecated()))),
    ),
]


@pytest.mark.parametrize(
    "case",
    [
        Case(name=name, check="trusted sources", verdict=verdict, code=code, change=change)
        for name, verdict, code, change in CASES
    ],
    ids=lambda case: case.name,
)
def test_the_decision_table(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)
