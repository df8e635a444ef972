"""Whether a source changed after the index was last written, and the run that should have followed is overdue.

Evidence of a source's change, best first: its ``operation``, ``lastModified`` of its properties, the largest value of
its change column in a profile, the row counts of its profiles. Equal row counts do not show that nothing changed, since
rows may have been updated in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from datahub_llmops.governance.facts import Facts, time_of
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import CLOCK_TOLERANCE, DEFAULT_GRACE, Policy
from datahub_llmops.governance.schedule import longest_wait
from datahub_llmops.net.json_values import moment, objects, plain, whole

NAME: Final = "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """The last known change of a source. ``rows`` is by how many rows profiles differ, if they tell."""

    urn: str
    at: datetime
    aspect: str
    rows: int | None = None


def check(facts: Facts, policy: Policy) -> Finding:
    """Compare the last change of each source with the last time that the index was written."""
    written = facts.written(facts.root.urn)
    if not facts.sources:
        return _not_known(
            "no_source", "Nothing is known to feed it.", "Declare the job that fills it, with its SQL."
        )
    if written is None:
        return _not_known(
            "never_written",
            "When it was last written is not known.",
            "Attach the hooks to the job that fills it, or use a store that tells.",
        )
    at, aspect = written
    if at > facts.now + CLOCK_TOLERANCE:
        return _not_known(
            "clock",
            f"It was written in the future, at {_shown(at)}.",
            "Set the clocks of the store and of this host.",
        )
    schedule, grace = _grace(facts, policy)
    if grace is None:
        return _not_known(
            "schedule",
            f'The schedule "{schedule}" of its job cannot be understood.',
            "Write it as a cron expression, or set the grace in the policy.",
        )
    changes, unknown = _changes(facts, policy, at)
    mine = Evidence(urn=facts.root.urn, aspect=aspect, at=at)
    late = [change for change in changes if change.at > at]
    if late and facts.now - at > grace:
        return _stale(facts, late, at, mine)
    if len(facts.jobs) > 1 and changes:
        return _not_known(
            "several_jobs",
            f"{len(facts.jobs)} jobs fill it, and which of them ran last is not known.",
            "Give each job an index of its own, or check each job where it runs.",
        )
    if unknown:
        names = ", ".join(sorted(facts.name(urn) for urn in unknown))
        return _not_known(
            "source_silent",
            f"When {names} changed is not known.",
            "Run DataHub's source of these tables with operations or profiling, or name their change columns.",
            tuple(Evidence(urn=urn, aspect="operation") for urn in sorted(unknown)),
        )
    newest = max(changes, key=lambda change: (change.at, change.urn))
    seen = (mine, *(Evidence(urn=one.urn, aspect=one.aspect, at=one.at) for one in changes))
    if late:
        due = at + grace
        return Finding(
            check=NAME,
            verdict="ok",
            code="due",
            message=f"{facts.name(newest.urn)} changed {_span(newest.at - at)} after the last run; the next one is due "
            f"by {_shown(due)}.",
            evidence=seen,
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="fresh",
        message=f"Written {_shown(at)}; no source changed since.",
        evidence=seen,
    )


def _stale(facts: Facts, late: list[_Change], at: datetime, mine: Evidence) -> Finding:
    first = min(late, key=lambda change: (change.at, change.urn))
    more = f" and {len(late) - 1} more" if len(late) > 1 else ""
    rows = f"; {first.rows} rows" if first.rows else ""
    job = facts.jobs[0].name if len(facts.jobs) == 1 else None
    return Finding(
        check=NAME,
        verdict="not ok",
        code="source_changed",
        message=f"{facts.name(first.urn)}{more} changed {_span(first.at - at)} after the last embedding run "
        f"({_shown(at)}){rows}.",
        since=first.at,
        evidence=(mine, *(Evidence(urn=one.urn, aspect=one.aspect, at=one.at) for one in late)),
        path=facts.path(first.urn),
        to_do=f"Run {job} again." if job else "Run the job that fills it again.",
    )


def _grace(facts: Facts, policy: Policy) -> tuple[str | None, timedelta | None]:
    """Return the schedule that decides and the grace. A schedule that cannot be understood has none."""
    if policy.grace is not None:
        return None, policy.grace
    schedules = [schedule for job in facts.jobs if (schedule := facts.schedule(job.urn))]
    waits = {schedule: longest_wait(schedule) for schedule in schedules}
    for schedule, wait in waits.items():
        if wait is None:
            return schedule, None
    known = [wait for wait in waits.values() if wait is not None]
    return None, max(known, default=DEFAULT_GRACE)


def _changes(facts: Facts, policy: Policy, written: datetime) -> tuple[list[_Change], list[str]]:
    """Return the last change of each source that tells, and the sources that do not."""
    changes: list[_Change] = []
    unknown: list[str] = []
    for urn in facts.sources:
        change = _change(facts, policy, urn, written)
        if change is None or change.at > facts.now + CLOCK_TOLERANCE:
            unknown.append(urn)
        else:
            changes.append(change)
    return changes, unknown


def _change(facts: Facts, policy: Policy, urn: str, written: datetime) -> _Change | None:
    stated = facts.written(urn)
    if stated is not None:
        return _Change(urn=urn, at=stated[0], aspect=stated[1])
    profiles = facts.profiles.get(urn, ())
    column = policy.change_columns.get(urn)
    if column is not None and profiles:
        found = _largest(profiles[-1], column)
        if found is not None:
            return _Change(urn=urn, at=found, aspect="datasetProfile")
    return _counted(urn, profiles, written)


def _largest(profile: object, column: str) -> datetime | None:
    fields = objects(profile.get("fieldProfiles")) if isinstance(profile, dict) else []
    for one in fields:
        if one.get("fieldPath") == column:
            return moment(plain(one.get("max")))
    return None


def _counted(urn: str, profiles: object, written: datetime) -> _Change | None:
    """Return the first profile after the index was written that counts other rows than the one before it."""
    before: int | None = None
    for profile in objects(list(profiles) if isinstance(profiles, (list, tuple)) else []):
        at, rows = time_of(profile.get("timestampMillis")), whole(profile.get("rowCount"))
        if at is None or rows is None:
            continue
        if at > written and before is not None and rows != before:
            return _Change(urn=urn, at=at, aspect="datasetProfile", rows=abs(rows - before))
        before = rows
    return None


def _not_known(code: str, message: str, missing: str, evidence: tuple[Evidence, ...] = ()) -> Finding:
    return Finding(
        check=NAME, verdict="not known", code=code, message=message, missing=missing, evidence=evidence
    )


def _shown(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def _span(span: timedelta) -> str:
    """Return a time span in its largest unit, for example ``3 h``."""
    seconds = round(span.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
