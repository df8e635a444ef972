"""Terms that exclude each other by the glossary's own tree, and what keeps the check from knowing which terms meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.local.local_runs import column, dataset
from datahub_llmops.governance.finding import Verdict
from datahub_llmops.governance.policy import Policy
from governance.cases import (
    PERSONAL,
    PUBLIC,
    STAMP,
    Case,
    Change,
    both,
    check_case,
    policy,
    put,
    terms,
    without,
)
from governance.estate import CUSTOMERS, INDEX, JOB, REVIEWS, inputs_and_outputs

NODE, INNER = "urn:li:glossaryNode:7f3a", "urn:li:glossaryNode:91bc"
SECRET, OPEN = "urn:li:glossaryTerm:0a1b", "urn:li:glossaryTerm:2c3d"
"""What was made in DataHub has a name that tells nothing."""
RAW = dataset("raw.reviews")


def made_in_datahub(parent: str | None = NODE) -> Change:
    def info(above: str | None) -> dict[str, Any]:
        return {"definition": "", "termSource": "INTERNAL", **({"parentNode": above} if above else {})}

    return put(
        (NODE, "glossaryNodeInfo", {"definition": ""}),
        (INNER, "glossaryNodeInfo", {"definition": "", "parentNode": NODE}),
        (SECRET, "glossaryTermInfo", info(parent and INNER)),
        (OPEN, "glossaryTermInfo", info(parent)),
    )


def meet(one: str, other: str) -> Change:
    """The columns that feed the index carry two terms."""
    return put(
        (column(REVIEWS, "body"), "glossaryTerms", terms(one)),
        (column(CUSTOMERS, "email"), "glossaryTerms", terms(other)),
    )


NO_COLUMNS = put((JOB, "dataJobInputOutput", inputs_and_outputs([REVIEWS, CUSTOMERS], INDEX)))
"""The job does not say which columns it reads."""
COPIED = put(
    (RAW, "datasetProperties", {"name": "raw"}),
    (REVIEWS, "upstreamLineage", {"upstreams": [{"dataset": RAW, "type": "COPY", "auditStamp": STAMP}]}),
)
"""The reviews are copied from a table, of unknown columns."""
BY_NODE, BY_URN = policy(exclusive_nodes=frozenset({"Privacy"})), policy(exclusive_nodes=frozenset({NODE}))

CASES: list[tuple[str, Verdict, str, Policy, Change]] = [
    (
        "terms below one node",
        "not ok",
        "conflicting_terms",
        BY_URN,
        both(made_in_datahub(), meet(SECRET, OPEN)),
    ),
    ("terms below no node", "ok", "one_meaning", BY_URN, both(made_in_datahub(None), meet(SECRET, OPEN))),
    (
        "a term that the catalog does not hold may be below the node",
        "not known",
        "term_unseen",
        BY_URN,
        both(made_in_datahub(), meet(SECRET, "urn:li:glossaryTerm:4e5f")),
    ),
    (
        "a term that the catalog does not hold has its nodes in its name",
        "ok",
        "one_meaning",
        BY_URN,
        both(made_in_datahub(), meet(SECRET, "urn:li:glossaryTerm:Privacy.Personal")),
    ),
    (
        "terms meet if the job reads their columns, which it does not say",
        "not known",
        "columns",
        BY_NODE,
        both(meet(PERSONAL, PUBLIC), NO_COLUMNS),
    ),
    (
        "no terms meet, whichever columns the job reads",
        "ok",
        "one_meaning",
        BY_NODE,
        both(meet(PUBLIC, PUBLIC), NO_COLUMNS),
    ),
    (
        "terms of a table that is copied without lineage of columns",
        "not known",
        "columns",
        BY_NODE,
        both(meet(PUBLIC, PUBLIC), COPIED, put((RAW, "glossaryTerms", terms(PERSONAL)))),
    ),
    (
        "a column that does not feed the index, in a job that says what it reads",
        "ok",
        "one_meaning",
        BY_NODE,
        both(meet(PUBLIC, PUBLIC), put((column(CUSTOMERS, "id"), "glossaryTerms", terms(PERSONAL)))),
    ),
    ("the policy asks for nothing", "ok", "one_meaning", policy(), without((JOB, "embeddingJobInfo"))),
]


@pytest.mark.parametrize(
    "case",
    [
        Case(name=name, check="one meaning", verdict=verdict, code=code, policy=given, change=change)
        for name, verdict, code, given, change in CASES
    ],
    ids=lambda case: case.name,
)
def test_the_decision_table(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)
