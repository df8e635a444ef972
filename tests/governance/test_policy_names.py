"""What a policy names and the catalog does not have is not known, and never green."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.local.local_runs import column, dataset
from datahub_llmops.governance.policy import Forbidden
from governance.cases import HOUR, PERSONAL, PUBLIC, Case, check_case, judge, policy, put, terms
from governance.estate import (
    CUSTOMERS,
    INDEX,
    NOW,
    OTHER_JOB,
    REVIEWS,
    inputs_and_outputs,
    operation,
)

OTHER_INDEX = dataset("default_database.other", "chroma")


def facet(name: str, value: str) -> dict[str, Any]:
    urn = f"urn:li:structuredProperty:datahub_llmops.{name}"
    return {"properties": [{"propertyUrn": urn, "values": [{"string": value}]}]}


CASES = [
    Case(
        name="a misspelt region forbids nothing",
        check="allowed",
        verdict="not known",
        code="unknown_name",
        change=put(
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
            (INDEX, "structuredProperties", facet("region", "us-east-1")),
        ),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, region="us-est-1"),)),
    ),
    Case(
        name="a misspelt purpose forbids nothing",
        check="allowed",
        verdict="not known",
        code="unknown_name",
        change=put(
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
            (INDEX, "structuredProperties", facet("purpose", "public-chat")),
        ),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, purpose="public_chat"),)),
    ),
    Case(
        name="a region that another index has",
        check="allowed",
        verdict="ok",
        code="allowed",
        change=put(
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
            (INDEX, "structuredProperties", facet("region", "us-east-1")),
            (OTHER_INDEX, "subTypes", {"typeNames": ["Vector Collection"]}),
            (OTHER_INDEX, "structuredProperties", facet("region", "eu-west-1")),
        ),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, region="eu-west-1"),)),
    ),
    Case(
        name="a region that a table with vectors has",
        check="allowed",
        verdict="ok",
        code="allowed",
        change=put(
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
            (INDEX, "structuredProperties", facet("region", "us-east-1")),
            (OTHER_INDEX, "subTypes", {"typeNames": ["Table"]}),
            (OTHER_INDEX, "structuredProperties", facet("region", "eu-west-1")),
            (OTHER_JOB, "dataJobInfo", {"name": "embed-more", "type": {"string": "EMBEDDING"}}),
            (OTHER_JOB, "subTypes", {"typeNames": ["Embedding Job"]}),
            (OTHER_JOB, "dataJobInputOutput", inputs_and_outputs([REVIEWS], OTHER_INDEX)),
        ),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, region="eu-west-1"),)),
    ),
    Case(
        name="a misspelt region of a rule for another domain",
        check="allowed",
        verdict="ok",
        code="allowed",
        change=put(
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
            (INDEX, "domains", {"domains": ["urn:li:domain:support"]}),
            (INDEX, "structuredProperties", facet("region", "us-east-1")),
            ("urn:li:domain:marketing", "domainProperties", {"name": "Marketing"}),
        ),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, domain="marketing", region="us-est-1"),)),
    ),
    Case(
        name="a misspelt table of a change column",
        check="fresh",
        verdict="not known",
        code="unknown_name",
        policy=policy(change_columns={dataset("shop.public.reviewz"): "updated_at"}),
    ),
    Case(
        name="a misspelt change column",
        check="fresh",
        verdict="not known",
        code="unknown_name",
        policy=policy(change_columns={REVIEWS: "idd"}),
    ),
    Case(
        name="an unknown table of another platform",
        check="fresh",
        verdict="ok",
        code="fresh",
        policy=policy(change_columns={dataset("shop.public.reviewz", "mysql"): "updated_at"}),
    ),
    Case(
        name="an unknown table where every source has its change column",
        check="fresh",
        verdict="ok",
        code="fresh",
        policy=policy(
            change_columns={REVIEWS: "id", CUSTOMERS: "id", dataset("shop.public.old"): "updated_at"}
        ),
    ),
    Case(
        name="a source that changed wins over a misspelt change column",
        check="fresh",
        verdict="not ok",
        code="source_changed",
        change=put((REVIEWS, "operation", operation(NOW - 2 * HOUR))),
        policy=policy(change_columns={REVIEWS: "idd"}),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_decision_table(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("a misspelt region forbids nothing", "region us-est-1 (did you mean us-east-1?)"),
        ("a misspelt purpose forbids nothing", "purpose public_chat (did you mean public-chat?)"),
        (
            "a misspelt table of a change column",
            "shop.public.reviewz,PROD) (did you mean shop.public.reviews?)",
        ),
        ("a misspelt change column", "shop.public.reviews#idd (did you mean id?)"),
        ("a misspelt node", "Privacies (did you mean Privacy?)"),
        ("a misspelt term", "Privacy.Persnal (did you mean Privacy.Personal?)"),
    ],
)
def test_the_nearest_name_is_said(case: str, said: str, tmp_path: Path) -> None:
    assert said in judge(tmp_path, next(one for one in [*CASES, *NEAR] if one.name == case)).message


NEAR = [
    Case(
        name="a misspelt node",
        check="one meaning",
        verdict="not known",
        code="unknown_name",
        policy=policy(exclusive_nodes=frozenset({"Privacies"})),
    ),
    Case(
        name="a misspelt term",
        check="one meaning",
        verdict="not known",
        code="unknown_name",
        policy=policy(exclusive_terms=(frozenset({PUBLIC, "Privacy.Persnal"}),)),
    ),
]
