"""Forbidden terms that may reach an asset by columns of which nothing is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.local.local_runs import column
from datahub_llmops.governance.policy import Forbidden
from datahub_llmops.governance.verdict import check_asset
from governance.cases import PERSONAL, Change, both, policy, put, terms
from governance.checks.test_one_meaning import NO_COLUMNS
from governance.estate import ANSWERS, CUSTOMERS, INDEX, NOW, estate, write

PUT_ON = put((column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)))
ELSEWHERE = put((column(CUSTOMERS, "id"), "glossaryTerms", terms(PERSONAL)))


@pytest.mark.parametrize(
    ("asset", "change", "code"),
    [
        pytest.param(INDEX, PUT_ON, "forbidden_term", id="the term reaches the index"),
        pytest.param(INDEX, ELSEWHERE, "allowed", id="the column does not feed the index"),
        pytest.param(INDEX, both(ELSEWHERE, NO_COLUMNS), "columns", id="the job does not say what it reads"),
        pytest.param(ANSWERS, PUT_ON, "columns", id="the term may reach the answers by the index"),
        pytest.param(ANSWERS, ELSEWHERE, "allowed", id="the column does not reach the answers"),
    ],
)
def test_the_decision_table(asset: str, change: Change, code: str, tmp_path: Path) -> None:
    facts = estate()
    change(facts)
    given = policy(forbidden=(Forbidden(term=PERSONAL),))
    with write(tmp_path / "catalog.db", facts) as catalog:
        report = check_asset(catalog, asset, given, now=NOW)
    assert next(one.code for one in report.findings if one.check == "allowed") == code


def test_a_rule_for_a_domain_is_one_for_the_domains_in_it(tmp_path: Path) -> None:
    outer, inner = "urn:li:domain:8d1e", "urn:li:domain:3f20"
    facts = estate()
    both(
        PUT_ON,
        put(
            (outer, "domainProperties", {"name": "Marketing"}),
            (inner, "domainProperties", {"name": "Marketing EU", "parentDomain": outer}),
            (INDEX, "domains", {"domains": [inner]}),
        ),
    )(facts)
    given = policy(forbidden=(Forbidden(term=PERSONAL, domain=outer),))
    with write(tmp_path / "catalog.db", facts) as catalog:
        report = check_asset(catalog, INDEX, given, now=NOW)
    assert next(one.code for one in report.findings if one.check == "allowed") == "forbidden_term"
