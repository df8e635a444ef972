"""Whether a model that the asset depends on is retired, or will be within the policy's time.

Evidence, best first: the ``deprecation`` aspect of the model in the catalog, then the lists of retirements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.governance.affected import APPLICATION
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.times import time_of
from datahub_llmops.net.json_values import text

NAME: Final = "model lives"
_CHATS: Final = frozenset({APPLICATION, "Prompt"})
"""Subtypes of what uses a model without embedding anything in an index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stated:
    """One statement on the end of a model: ``on`` is ``None`` if it is deprecated without a date."""

    model: str
    on: date | None
    replacement: str | None
    source: str
    aspect: str


def check(facts: Facts, policy: Policy) -> Finding:
    """Compare the dates on which models retire with today."""
    if not facts.models:
        return Finding(
            check=NAME,
            verdict="not known",
            code="no_model",
            message="Which model it depends on is not known.",
            missing="Declare the model on the job that fills it.",
        )
    stated = [one for urn in sorted(facts.models) for one in _statements(facts, policy, urn)]
    last = facts.now.date() + policy.retires_within
    soon = [one for one in stated if one.on is None or one.on <= last]
    if soon:
        return _ends(facts, soon, stated)
    names = ", ".join(sorted(facts.name(urn) for urn in facts.models))
    unlisted = [
        urn
        for urn in sorted(facts.models)
        if not policy.lifecycles.knows(urn) and not any(one.model == urn for one in stated)
    ]
    if unlisted:
        return Finding(
            check=NAME,
            verdict="not known",
            code="unlisted",
            message=f"No list says until when {', '.join(facts.name(urn) for urn in unlisted)} will be served.",
            missing="State it in a list of your own (own_lifecycles).",
            evidence=tuple(Evidence(urn=urn, aspect="deprecation") for urn in unlisted),
        )
    if facts.jobs_without_model:
        silent = facts.jobs_without_model
        return Finding(
            check=NAME,
            verdict="not known",
            code="job_model",
            message=f"Which model {', '.join(map(facts.name, silent))} uses is not known.",
            missing="Declare the model on the job.",
            evidence=tuple(Evidence(urn=urn, aspect="embeddingJobInfo") for urn in silent),
        )
    if unread := [urn for urn in sorted(facts.models) if policy.lifecycles.unread(urn)]:
        return Finding(
            check=NAME,
            verdict="not known",
            code="list_unread",
            message=f"A list that cannot be read may state an earlier end of {', '.join(map(facts.name, unread))}.",
            missing="Correct the option lifecycles.",
            evidence=tuple(Evidence(urn=urn, aspect="deprecation") for urn in unread),
        )
    later = f"; the first retires {min(one.on for one in stated if one.on):%Y-%m-%d}" if stated else ""
    return Finding(
        check=NAME,
        verdict="ok",
        code="lives",
        message=f"{names}: no list states an end within {policy.retires_within.days} days{later}.",
        evidence=tuple(Evidence(urn=urn, aspect="deprecation") for urn in sorted(facts.models)),
    )


def _statements(facts: Facts, policy: Policy, urn: str) -> Iterator[_Stated]:
    deprecation = facts.aspect(urn, "deprecation")
    if deprecation.get("deprecated") is True:
        ends = time_of(deprecation.get("decommissionTime"))
        yield _Stated(
            model=urn,
            on=ends.date() if ends else None,
            replacement=text(deprecation.get("replacement")),
            source="the catalog",
            aspect="deprecation",
        )
    for one in policy.lifecycles.of(urn):
        yield _Stated(
            model=urn, on=one.on, replacement=one.replacement, source=one.source, aspect="mlModelKey"
        )


def _ends(facts: Facts, soon: list[_Stated], stated: list[_Stated]) -> Finding:
    first = min(soon, key=lambda one: (one.on or date.min, one.model, one.source))
    past = first.on is None or first.on <= facts.now.date()
    name = facts.name(first.model)
    when = f" {first.on:%Y-%m-%d}" if first.on else ""
    successor = _name(facts, first.replacement) if first.replacement else None
    instead = f"; replacement {successor}" if successor else ""
    others = sorted(
        {
            f"{one.source} says {one.on:%Y-%m-%d}"
            for one in stated
            if one.model == first.model and one.on and one.on != first.on
        }
    )
    also = f" ({', '.join(others)})" if others else ""
    more = len({one.model for one in soon}) - 1
    return Finding(
        check=NAME,
        verdict="not ok",
        code="retired" if past else "retires",
        message=f"{name} {'is retired since' if past and when else 'is deprecated' if past else 'retires'}{when}"
        f"{instead} (source: {first.source}){also}." + (f" {more} more models end." if more else ""),
        since=datetime.combine(first.on, time(), UTC) if past and first.on else None,
        evidence=tuple(Evidence(urn=one.model, aspect=one.aspect) for one in soon),
        path=facts.path(first.model),
        to_do=(f"Move to {successor}" if successor else "Choose another model")
        + (" and embed everything again." if _embeds(facts, first.model) else "."),
    )


def _embeds(facts: Facts, model: str) -> bool:
    """Whether the model may have embedded something: the chat model of an application or a prompt has not."""
    users = [facts.nodes.get(edge.downstream) for edge in facts.upstream.edges if edge.upstream == model]
    return any(user is None or user.subtype not in _CHATS for user in users)


def _name(facts: Facts, model: str) -> str:
    """Return the name of a replacement, which the catalog often does not hold yet."""
    return full_name(model) if model.startswith("urn:li:") and model not in facts.nodes else facts.name(model)
