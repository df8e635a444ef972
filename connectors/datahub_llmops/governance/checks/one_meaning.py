"""Whether what meets in one field, or in the index, means one thing.

Terms that exclude each other are those of a node that the policy names, or of a set that it lists. A deprecated dataset
beside its replacement says the same thing twice, in two versions.
"""

from __future__ import annotations

from typing import Final

from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.policy_names import misspelt, short
from datahub_llmops.governance.terms import (
    Reached,
    exclude_each_other,
    possibly_reached,
    reached,
    without_node,
)
from datahub_llmops.net.json_values import text

NAME: Final = "one meaning"


def check(facts: Facts, policy: Policy) -> Finding:
    """Look for terms that exclude each other, and for a dataset beside its replacement."""
    twice = _both_versions(facts)
    if twice is not None:
        return twice
    found = reached(facts)
    pairs = exclude_each_other(policy, (one.term for one in found))
    if pairs:
        return _conflict(facts, found, pairs)
    exclusive = policy.exclusive_nodes.union(*policy.exclusive_terms)
    if (stranger := misspelt(NAME, policy, exclusive)) is not None:
        return stranger
    unseen = facts.unseen
    if unseen or not facts.sources:
        return Finding(
            check=NAME,
            verdict="not known",
            code="source_unseen" if unseen else "no_source",
            message=f"The terms of {', '.join(facts.name(urn) for urn in unseen)} are not known."
            if unseen
            else "Nothing is known to feed it.",
            missing="Ingest what feeds it, with its glossary terms.",
            evidence=tuple(Evidence(urn=urn, aspect="glossaryTerms") for urn in unseen),
        )
    if (doubt := _doubt(facts, policy, {one.term for one in found})) is not None:
        return doubt
    return Finding(
        check=NAME,
        verdict="ok",
        code="one_meaning",
        message=f"{len({one.term for one in found})} terms, none of which exclude each other."
        if policy.exclusive_nodes or policy.exclusive_terms
        else "The policy names no terms that exclude each other.",
    )


def _doubt(facts: Facts, policy: Policy, found: set[str]) -> Finding | None:
    """Return what keeps terms that do not exclude each other from being all that there are."""
    if not (policy.exclusive_nodes or policy.exclusive_terms):
        return None
    possible = found | possibly_reached(facts)
    if exclude_each_other(policy, possible):
        names = ", ".join(map(facts.name, facts.vague_sources))
        return _not_known(
            "columns",
            f"Which columns of {names} feed it is not known, and they have terms that exclude each other.",
            "Declare the jobs with their SQL.",
        )
    if len(possible) > 1 and (strange := without_node(policy, possible)):
        return _not_known(
            "term_unseen",
            f"The catalog does not hold {short(strange[0])}, which may be under an exclusive node.",
            "Ingest the glossary.",
        )
    if facts.is_cut:
        return _not_known(
            "walk_cut",
            f"Assets more than {facts.hops} steps upstream were not looked at.",
            "Check an index that is nearer to them.",
        )
    return None


def _not_known(code: str, message: str, missing: str) -> Finding:
    return Finding(check=NAME, verdict="not known", code=code, message=message, missing=missing)


def _conflict(facts: Facts, found: list[Reached], pairs: list[tuple[str, str]]) -> Finding:
    one, other = pairs[0]
    first = next(each for each in found if each.term == one)
    second = next(each for each in found if each.term == other)
    more = f" {len(pairs) - 1} more pairs meet." if len(pairs) > 1 else ""
    return Finding(
        check=NAME,
        verdict="not ok",
        code="conflicting_terms",
        message=f"{short(one)} and {short(other)} meet, though they exclude each other.{more}",
        evidence=tuple(Evidence(urn=each.origin, aspect="glossaryTerms") for each in (first, second)),
        path=facts.path(asset_of(second.origin)),
        to_do="Feed them into separate indexes, or correct a term.",
    )


def _both_versions(facts: Facts) -> Finding | None:
    for urn in facts.sources:
        deprecation = facts.aspect(urn, "deprecation")
        successor = text(deprecation.get("replacement"))
        if deprecation.get("deprecated") is True and successor and successor in facts.sources:
            return Finding(
                check=NAME,
                verdict="not ok",
                code="both_versions",
                message=f"{facts.name(urn)} is deprecated and feeds it beside its replacement {facts.name(successor)}.",
                evidence=(Evidence(urn=urn, aspect="deprecation"),),
                path=facts.path(urn),
                to_do=f"Read {facts.name(successor)} only.",
            )
    return None
