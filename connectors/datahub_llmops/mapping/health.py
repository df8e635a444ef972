"""Findings of checks as a custom assertion with its runs, and as an incident that resolves itself.

A server shows an assertion's runs over time, and an incident as long as it is open. *Not known* is a run that ended in
an error for lack of data, which is neither green nor red.
https://docs.datahub.com/docs/generated/metamodel/entities/assertion,
https://docs.datahub.com/docs/incidents/incidents
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from datahub.metadata.schema_classes import (
    AssertionInfoClass,
    AssertionNoteClass,
    AssertionResultClass,
    AssertionResultErrorClass,
    AssertionRunEventClass,
    AssertionSourceClass,
    AuditStampClass,
    CustomAssertionInfoClass,
    IncidentAssigneeClass,
    IncidentInfoClass,
    IncidentSourceClass,
    IncidentStatusClass,
    StatusClass,
)

from datahub_llmops import urns
from datahub_llmops.governance.finding import HEALTH, CheckReport, Finding, Verdict
from datahub_llmops.mapping.proposals import Proposal, propose

_RESULTS: Final[Mapping[Verdict, str]] = {"ok": "SUCCESS", "not ok": "FAILURE", "not known": "ERROR"}
_USER: Final = "urn:li:corpuser:"


def assertion_proposal(asset: str, finding: Finding, present: Mapping[str, Any]) -> Proposal:
    """Describe the assertion of a check. ``present`` is its aspect in the catalog, whose note belongs to people."""
    note = present.get("note")
    return propose(
        urns.check_assertion(asset, finding.check),
        AssertionInfoClass(
            type="CUSTOM",
            customAssertion=CustomAssertionInfoClass(type=HEALTH, entity=asset, nativeType=finding.check),
            source=AssertionSourceClass(type="EXTERNAL"),
            description=finding.check.capitalize(),
            note=AssertionNoteClass.from_obj(note) if note else None,
            entityUrn=asset,
        ),
    )


def run_event(asset: str, finding: Finding, *, run: str, now: datetime) -> Proposal:
    """Report one run of a check."""
    assertion = urns.check_assertion(asset, finding.check)
    native = {"code": finding.code, "message": finding.message}
    if finding.missing:
        native["missing"] = finding.missing
    return propose(
        assertion,
        AssertionRunEventClass(
            timestampMillis=_milliseconds(now),
            runId=run,
            messageId=run,
            asserteeUrn=asset,
            assertionUrn=assertion,
            status="COMPLETE",
            result=AssertionResultClass(
                type=_RESULTS[finding.verdict],
                nativeResults=native,
                error=AssertionResultErrorClass(type="INSUFFICIENT_DATA")
                if finding.verdict == "not known"
                else None,
            ),
        ),
    )


def removed(assertion: str, gone: bool) -> Proposal:
    """Remove an assertion softly, or bring it back."""
    return propose(assertion, StatusClass(removed=gone))


def incident_proposal(
    report: CheckReport, finding: Finding, present: Mapping[str, Any], now: datetime
) -> Iterator[Proposal]:
    """Raise the incident of a check that is not ok, resolve it once it is ok, and leave it if that is not known.

    ``present`` is the incident in the catalog. What people set on it stays: assignees, priority, stage. One that a
    person resolved is raised again only when the finding says something else.
    """
    state = _text(_mapping(present.get("status")).get("state"))
    if finding.verdict == "not known" or (finding.verdict == "ok" and state != "ACTIVE"):
        return
    stamp = AuditStampClass(time=_milliseconds(now), actor=urns.ACTOR)
    known = IncidentInfoClass.from_obj(dict(present)) if present else None
    if finding.verdict == "ok":
        assert known is not None
        known.status = _status(known.status, "RESOLVED", stamp, finding.message)
        yield propose(urns.check_incident(report.urn, finding.check), known)
        return
    described = _description(finding)
    unchanged = known is not None and known.description == described
    if unchanged and known is not None and (state == "ACTIVE" or not _ours(known)):
        return
    owners = [owner for owner in report.owners if owner.startswith(_USER)]
    yield propose(
        urns.check_incident(report.urn, finding.check),
        IncidentInfoClass(
            type="CUSTOM",
            customType=HEALTH,
            title=f"{report.name}: {finding.check} is not ok",
            description=described,
            entities=[report.urn],
            priority=known.priority if known else None,
            assignees=(known.assignees if known else None)
            or [IncidentAssigneeClass(actor=owner, assignedAt=stamp) for owner in owners]
            or None,
            status=known.status
            if known is not None and state == "ACTIVE"
            else _status(known.status if known else None, "ACTIVE", stamp, None),
            startedAt=_milliseconds(finding.since) if finding.since else None,
            source=IncidentSourceClass(
                type="ASSERTION_FAILURE", sourceUrn=urns.check_assertion(report.urn, finding.check)
            ),
            created=known.created if known is not None and state == "ACTIVE" else stamp,
        ),
    )


def _status(
    known: IncidentStatusClass | None, state: str, stamp: AuditStampClass, message: str | None
) -> IncidentStatusClass:
    return IncidentStatusClass(
        state=state, stage=known.stage if known else None, message=message, lastUpdated=stamp
    )


def _ours(incident: IncidentInfoClass) -> bool:
    """Whether we changed its state last, and no person did."""
    return incident.status.lastUpdated.actor == urns.ACTOR


def _description(finding: Finding) -> str:
    lines = [finding.message]
    if len(finding.path) > 1:
        lines.append("Path: " + " → ".join(f"`{urn}`" for urn in finding.path))
    if finding.to_do:
        lines.append(finding.to_do)
    return "\n\n".join(lines)


def _milliseconds(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
