"""Whether the asset and everything upstream may be used: not deprecated, no open incident, no failing assertion.

https://docs.datahub.com/docs/generated/metamodel/entities/dataset
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from datahub_llmops.catalog.urn_text import asset_of, full_name
from datahub_llmops.governance.checks.one_vector_space import MISMATCH
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import HEALTH, Evidence, Finding
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.times import time_of
from datahub_llmops.net.json_values import mapping, text

NAME: Final = "trusted sources"
_RESULTS: Final = frozenset({"SUCCESS", "FAILURE"})
_MISSING: Final = "Ingest it, so that its deprecation, incidents and assertions can be seen."


def check(facts: Facts, policy: Policy) -> Finding:
    """Look at the deprecation, the incidents and the newest run of each assertion of it and everything upstream."""
    del policy
    upstream = [
        node for node in facts.upstream.nodes if node.urn != facts.root.urn and node.type != "mlModel"
    ]
    problems = [problem for node in (facts.root, *upstream) for problem in _problems(facts, node.urn)]
    problems += _deprecated_columns(facts)
    if problems:
        worst = min(problems, key=lambda one: (len(one.path) > 1, one.code, one.path))
        more = f" {len(problems) - 1} more found." if len(problems) > 1 else ""
        return Finding(
            check=NAME,
            verdict="not ok",
            code=worst.code,
            message=worst.message + more,
            since=worst.since,
            evidence=tuple(evidence for one in problems for evidence in one.evidence),
            path=worst.path,
            to_do=worst.to_do,
        )
    errors = [(node, owner) for node in (facts.root, *upstream) for owner in _without_result(facts, node.urn)]
    if errors:
        return Finding(
            check=NAME,
            verdict="not known",
            code="assertion_error",
            message=f"The last run of an assertion on {errors[0][0].name} ended with an error, or there was none.",
            missing="Repair the assertion, and run it again.",
            evidence=tuple(Evidence(urn=owner, aspect="assertionRunEvent") for _, owner in errors),
        )
    unseen = facts.unseen
    if unseen or not facts.sources:
        shown = ", ".join(facts.name(urn) for urn in unseen)
        return Finding(
            check=NAME,
            verdict="not known",
            code="source_unseen" if unseen else "no_source",
            message=f"No recipe has described {shown}." if unseen else "Nothing is known to feed it.",
            missing=_MISSING if unseen else "Declare the job that fills it, with its SQL.",
            evidence=tuple(Evidence(urn=urn, aspect="status") for urn in unseen),
        )
    if facts.is_cut:
        return Finding(
            check=NAME,
            verdict="not known",
            code="walk_cut",
            message=f"Assets more than {facts.hops} steps upstream were not looked at.",
            missing="Check an index that is nearer to them.",
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="trusted",
        message=f"{len(upstream)} asset{'s' if len(upstream) > 1 else ''} upstream, none deprecated, with an open "
        "incident or a failing assertion.",
        evidence=tuple(Evidence(urn=urn, aspect="status") for urn in facts.sources),
    )


def _without_result(facts: Facts, urn: str) -> list[str]:
    """The assertions of others that have no run, or whose newest one could not tell: an earlier failure is not gone."""
    return [
        owner
        for owner, aspects in facts.quality.get(urn, {}).items()
        if "assertionInfo" in aspects
        and mapping(mapping(aspects.get("assertionRunEvent")).get("result")).get("type") not in _RESULTS
        and mapping(mapping(aspects.get("assertionInfo")).get("customAssertion")).get("type") != HEALTH
    ]


def _deprecated_columns(facts: Facts) -> Iterator[Finding]:
    """The columns that feed the asset and are deprecated by themselves."""
    for column in sorted({one for columns in facts.feeding_columns.values() for one in columns}):
        if facts.columns.get(column, {}).get("deprecation", {}).get("deprecated") is True:
            table = asset_of(column)
            yield _problem(
                facts,
                table,
                "column_deprecated",
                f"The column {full_name(column)} of {facts.name(table)} is deprecated.",
                "deprecation",
                holder=column,
                since=None,
                to_do="Leave the column out of the job's SQL, or read another one.",
            )


def _problems(facts: Facts, urn: str) -> Iterator[Finding]:
    deprecation = facts.aspect(urn, "deprecation")
    what = "source"
    if urn == facts.root.urn:
        what = "index" if facts.is_index else "asset"
    if deprecation.get("deprecated") is True:
        since = time_of(deprecation.get("decommissionTime"))
        # The time until which it may be used: one that lies ahead is not a failure that began.
        successor = text(deprecation.get("replacement"))
        instead = f", successor {facts.name(successor)}" if successor else ""
        when = f" since {since:%Y-%m-%d}" if since is not None and since <= facts.now else ""
        yield _problem(
            facts,
            urn,
            "deprecated",
            f"{facts.name(urn)} is deprecated{when}{instead}.",
            "deprecation",
            since=since if since is not None and since <= facts.now else None,
            to_do=f"Read {facts.name(successor)} instead." if successor else f"Read another {what}.",
        )
    for owner, aspects in facts.quality.get(urn, {}).items():
        incident = mapping(aspects.get("incidentInfo"))
        asserted = mapping(mapping(aspects.get("assertionInfo")).get("customAssertion"))
        if HEALTH in (incident.get("customType"), asserted.get("type")):
            continue  # What an earlier run of these checks found is not evidence.
        if urn == facts.root.urn and incident.get("customType") == MISMATCH:
            continue  # The check "one vector space" tells it.
        status = mapping(incident.get("status"))
        if status.get("state") == "ACTIVE":
            yield _problem(
                facts,
                urn,
                "incident",
                f"{facts.name(urn)} has an open incident.",
                "incidentInfo",
                holder=owner,
                since=time_of(incident.get("startedAt"))
                or time_of(mapping(incident.get("created")).get("time")),
                to_do=f"Resolve the incident, or read another {what}.",
            )
        run = mapping(aspects.get("assertionRunEvent"))
        if mapping(run.get("result")).get("type") == "FAILURE":
            yield _problem(
                facts,
                urn,
                "assertion",
                f"An assertion on {facts.name(urn)} fails.",
                "assertionRunEvent",
                holder=owner,
                since=time_of(run.get("timestampMillis")),
                to_do="Repair what the assertion checks.",
            )


def _problem(
    facts: Facts,
    urn: str,
    code: str,
    message: str,
    aspect: str,
    *,
    holder: str | None = None,
    since: datetime | None,
    to_do: str,
) -> Finding:
    return Finding(
        check=NAME,
        verdict="not ok",
        code=code,
        message=message,
        since=since,
        evidence=(Evidence(urn=holder or urn, aspect=aspect, at=since),),
        path=facts.path(urn),
        to_do=to_do,
    )
