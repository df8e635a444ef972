"""Whether the index carries a term that the policy forbids for its domain, region or purpose."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import Forbidden, Policy
from datahub_llmops.governance.terms import domain_urn, misspelt, reached, short
from datahub_llmops.net.json_values import strings

NAME: Final = "allowed"

_Facet: TypeAlias = Literal["domain", "region", "purpose"]


def check(facts: Facts, policy: Policy) -> Finding:
    """Compare the terms that reach the asset with the policy's rules."""
    if not policy.forbidden:
        return _not_known(
            "no_policy", "Nothing says which terms are forbidden here.", "List them in the policy."
        )
    found = reached(facts)
    open_rules: list[tuple[Forbidden, _Facet]] = []
    for rule in policy.forbidden:
        carried = next((one for one in found if short(one.term) == short(rule.term)), None)
        if carried is None:
            continue
        applies, unknown = _applies(facts, rule)
        if applies:
            return Finding(
                check=NAME,
                verdict="not ok",
                code="forbidden_term",
                message=f"{short(carried.term)} is forbidden {_where(rule)}.",
                evidence=(Evidence(urn=carried.origin, aspect="glossaryTerms"),),
                path=facts.path(asset_of(carried.origin)),
                to_do="Leave the column out of the job's SQL, or move the index.",
            )
        if unknown is not None:
            open_rules.append((rule, unknown))
    if open_rules:
        rule, facet = open_rules[0]
        return _not_known(
            f"no_{facet}",
            f"It carries {short(rule.term)}, and its {facet} is not known.",
            f"Set the {facet} of the index.",
        )
    carried_terms = {short(one.term) for one in found}
    strangers = {
        rule.term for rule in policy.forbidden if short(rule.term) not in carried_terms
    } & policy.unknown
    strangers |= {
        urn
        for rule in policy.forbidden
        if rule.domain
        and short(rule.term) in carried_terms
        and (urn := domain_urn(rule.domain)) in policy.unknown
    }
    if (stranger := misspelt(NAME, strangers)) is not None:
        return stranger
    unseen = [urn for urn in facts.sources if urn not in facts.nodes]
    if unseen or not facts.sources:
        return _not_known(
            "source_unseen" if unseen else "no_source",
            "The terms of all that feeds it are not known.",
            "Ingest what feeds it, with its glossary terms.",
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="allowed",
        message=f"{len({one.term for one in found})} terms, none of them forbidden here.",
    )


def _applies(facts: Facts, rule: Forbidden) -> tuple[bool, _Facet | None]:
    """Return whether the rule applies to the asset, and which of its facts is missing to tell."""
    domains = strings(facts.aspect(facts.root.urn, "domains").get("domains"))
    held: dict[_Facet, list[str]] = {
        "domain": [*domains, *map(short, domains)],
        "region": [str(value) for value in facts.property(facts.root.urn, "region")],
        "purpose": [str(value) for value in facts.property(facts.root.urn, "purpose")],
    }
    wanted: dict[_Facet, str | None] = {"domain": rule.domain, "region": rule.region, "purpose": rule.purpose}
    missing: _Facet | None = None
    for facet, value in wanted.items():
        if value is None:
            continue
        if not held[facet]:
            missing = missing or facet
        elif value not in held[facet]:
            return False, None
    return missing is None, missing


def _where(rule: Forbidden) -> str:
    parts = [
        f"in {kind} {short(value)}"
        for kind, value in (("domain", rule.domain), ("region", rule.region))
        if value is not None
    ]
    if rule.purpose is not None:
        parts.append(f"for purpose {rule.purpose}")
    return " and ".join(parts) or "in every index"


def _not_known(code: str, message: str, missing: str) -> Finding:
    return Finding(check=NAME, verdict="not known", code=code, message=message, missing=missing)
