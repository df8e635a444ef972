"""Whether the index carries a term that the policy forbids for its domain, region or purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import Forbidden, Policy
from datahub_llmops.governance.policy_names import domain_urn, facet_name, misspelt, short
from datahub_llmops.governance.terms import possibly_reached, reached
from datahub_llmops.net.json_values import strings

NAME: Final = "allowed"

_Facet: TypeAlias = Literal["domain", "region", "purpose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aim:
    """Whether a rule is for the asset. It is not known if a fact of the asset is missing, or a name of it is strange.

    ``strange`` are names as in ``Policy.unknown``.
    """

    applies: bool
    missing: _Facet | None = None
    strange: frozenset[str] = frozenset()


def check(facts: Facts, policy: Policy) -> Finding:
    """Compare the terms that reach the asset with the policy's rules."""
    if not policy.forbidden:
        return _not_known(
            "no_policy", "Nothing says which terms are forbidden here.", "List them in the policy."
        )
    found = reached(facts)
    open_rules: list[tuple[Forbidden, _Facet]] = []
    strange: set[str] = set()
    for rule in policy.forbidden:
        carried = next((one for one in found if short(one.term) == short(rule.term)), None)
        if carried is None:
            strange.add(rule.term)
            continue
        aim = _aim(facts, policy, rule)
        if aim.applies:
            return Finding(
                check=NAME,
                verdict="not ok",
                code="forbidden_term",
                message=f"{short(carried.term)} is forbidden {_where(rule)}.",
                evidence=(Evidence(urn=carried.origin, aspect="glossaryTerms"),),
                path=facts.path(asset_of(carried.origin)),
                to_do="Leave the column out of the job's SQL, or move the index.",
            )
        if aim.missing is not None:
            open_rules.append((rule, aim.missing))
        strange |= aim.strange
    if open_rules:
        rule, facet = open_rules[0]
        return _not_known(
            f"no_{facet}",
            f"It carries {short(rule.term)}, and its {facet} is not known.",
            f"Set the {facet} of the index.",
        )
    if (stranger := misspelt(NAME, policy, strange)) is not None:
        return stranger
    unseen = facts.unseen
    if unseen or not facts.sources:
        return _not_known(
            "source_unseen" if unseen else "no_source",
            "The terms of everything that feeds it are not known.",
            "Ingest what feeds it, with its glossary terms.",
        )
    possible = possibly_reached(facts)
    for rule in policy.forbidden:
        aim = _aim(facts, policy, rule)
        if short(rule.term) in map(short, possible) and (aim.applies or aim.missing or aim.strange):
            return _not_known(
                "columns",
                f"Which columns of {', '.join(map(facts.name, facts.vague_sources))} feed it is not known, and they "
                f"have {short(rule.term)}.",
                "Declare the jobs with their SQL.",
            )
    if facts.is_cut:
        return _not_known(
            "walk_cut",
            f"Assets more than {facts.hops} steps upstream were not looked at.",
            "Check an index that is nearer to them.",
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="allowed",
        message=f"{len({one.term for one in found})} terms, none of them forbidden here.",
    )


def _aim(facts: Facts, policy: Policy, rule: Forbidden) -> _Aim:
    own = strings(facts.aspect(facts.root.urn, "domains").get("domains"))
    domains = [*own, *(higher for domain in own for higher in sorted(policy.domains.get(domain, ())))]
    held: dict[_Facet, list[str]] = {
        "domain": [*domains, *map(short, domains)],
        "region": [str(value) for value in facts.property(facts.root.urn, "region")],
        "purpose": [str(value) for value in facts.property(facts.root.urn, "purpose")],
    }
    wanted: dict[_Facet, str | None] = {"domain": rule.domain, "region": rule.region, "purpose": rule.purpose}
    unmet = {
        facet: value for facet, value in wanted.items() if value is not None and value not in held[facet]
    }
    strange = {
        name
        for facet, value in unmet.items()
        if held[facet] and (name := _name(facet, value)) in policy.unknown
    }
    if any(held[facet] and _name(facet, value) not in strange for facet, value in unmet.items()):
        return _Aim(applies=False)
    missing = next((facet for facet in unmet if not held[facet]), None)
    return _Aim(applies=not unmet, missing=missing, strange=frozenset(strange))


def _name(facet: _Facet, value: str) -> str:
    return domain_urn(value) if facet == "domain" else facet_name(facet, value)


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
