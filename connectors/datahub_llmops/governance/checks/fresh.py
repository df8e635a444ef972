"""Whether a source changed after the index was last written, and the run that should have followed is overdue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from datahub_llmops.catalog.aspect_facts import read_columns
from datahub_llmops.catalog.urn_text import platform
from datahub_llmops.governance.changes import (
    Change,
    change_columns,
    declared_column,
    last_change,
    why_not_known,
)
from datahub_llmops.governance.embedded import Embedded, broken_run, last_write, read_embedded
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import CLOCK_TOLERANCE, DEFAULT_GRACE, Policy
from datahub_llmops.governance.policy_names import column_name, misspelt, nearest
from datahub_llmops.governance.runs import Run
from datahub_llmops.governance.schedule import longest_wait
from datahub_llmops.governance.times import shown_time, time_of

NAME: Final = "fresh"


def check(facts: Facts, policy: Policy) -> Finding:
    """Compare the last change of each source with the last time that it was embedded."""
    if not facts.sources:
        return _not_known(
            "no_source", "Nothing is known to feed it.", "Declare the job that fills it, with its SQL."
        )
    written = last_write(facts)
    if written is None:
        return _not_known(
            "never_written",
            "When it was last written is not known.",
            "Attach the hooks to the job that fills it, or use a store that tells.",
        )
    if written > facts.now + CLOCK_TOLERANCE:
        return _not_known(
            "clock",
            f"It was written in the future, at {shown_time(written)}.",
            "Set the clocks of the store and of this host.",
        )
    for job in facts.jobs:
        schedule = facts.schedule(job.urn)
        if policy.grace is None and schedule and longest_wait(schedule) is None:
            return _not_known(
                "schedule",
                f'The schedule "{schedule}" of its job cannot be understood.',
                "Write it as a cron expression, or set the grace in the policy.",
            )
    embedded = read_embedded(facts)
    changes, unknown = _changes(facts, policy, embedded, written)
    late = [(change, one) for change, one in changes if one is not None and change.at > one.until]
    due = [(change, one, one.ended + _grace(facts, policy, change.urn)) for change, one in late]
    if overdue := [(change, one) for change, one, by in due if facts.now > by]:
        return _stale(facts, overdue)
    if (broken := broken_run(facts)) is not None:
        return _broken(facts, *broken)
    if any(one is None or one.begun is None or one.begun < change.at <= one.until for change, one in changes):
        return _unsure(facts)
    if (stranger := misspelt(NAME, policy, _named(facts, policy)) or _strange_column(facts)) is not None:
        return stranger
    if (unread := _unread(facts, policy, changes)) is not None:
        return unread
    if unknown:
        return _silent(facts, policy, unknown, embedded)
    return _fresh(facts, changes, due)


def _changes(
    facts: Facts, policy: Policy, embedded: Mapping[str, Embedded | None], written: datetime
) -> tuple[list[tuple[Change, Embedded | None]], list[str]]:
    """Return the last change of each source that tells, with when it was embedded, and the sources that do not."""
    changes: list[tuple[Change, Embedded | None]] = []
    unknown: list[str] = []
    for urn, one in embedded.items():
        change = last_change(facts, policy, urn, _since(one, written))
        if change is None:
            unknown.append(urn)
        else:
            changes.append((change, one))
    return changes, unknown


def _unread(facts: Facts, policy: Policy, changes: list[tuple[Change, Embedded | None]]) -> Finding | None:
    """Return that nobody looked at a source since it was embedded, though a change since then would be overdue now."""
    for change, one in changes:
        read = facts.read_at(change.urn)
        if one is None or read is None or change.aspect == "datasetProfile":
            continue  # A profile says itself when it was taken.
        since = one.begun or one.until
        if read < since >= change.at and facts.now > one.ended + _grace(facts, policy, change.urn):
            return _not_known(
                "not_read_since",
                f"No recipe has read {facts.name(change.urn)} since the last run ({shown_time(since)}); the last one "
                f"that did began at {shown_time(read)}.",
                "Run DataHub's source of these tables, after each run of the job.",
                (Evidence(urn=change.urn, aspect=change.aspect, at=change.at),),
            )
    return None


def _since(one: Embedded | None, written: datetime) -> datetime:
    return written if one is None else one.begun or one.until


def _fresh(
    facts: Facts,
    changes: list[tuple[Change, Embedded | None]],
    due: list[tuple[Change, Embedded, datetime]],
) -> Finding:
    known = [one for _, one in changes if one is not None]
    seen = (
        *dict.fromkeys(one.by for one in known),
        *(Evidence(urn=one.urn, aspect=one.aspect, at=one.at) for one, _ in changes),
    )
    if due:
        change, one, by = max(due, key=lambda each: (each[0].at, each[0].urn))
        return Finding(
            check=NAME,
            verdict="ok",
            code="due",
            message=f"{facts.name(change.urn)} changed {_span(change.at - one.until)} after the last "
            f"run{_word(one)}; the next one is due by {shown_time(by)}.",
            evidence=seen,
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="fresh",
        message=f"Written {shown_time(min(one.ended for one in known))}; no source changed since.",
        evidence=seen,
    )


def _broken(facts: Facts, job: str, run: Run) -> Finding:
    good = facts.history(job).good
    before = "The one before it" if good else "No earlier one is known to have"
    before += f" ended well at {shown_time(good.at)}" if good else " ended well"
    what = {
        "running": f"began at {shown_time(run.began or run.at)} and has not ended",
        "empty": f"ended at {shown_time(run.at)} and found nothing to embed",
    }.get(run.state, f"failed at {shown_time(run.at)}")
    return _not_known(
        f"run_{run.state}",
        f"The last run of {facts.name(job)} {what}, so what it left in the index is not known. {before}.",
        "Let it end, and check again."
        if run.state == "running"
        else f"See whether {facts.name(job)} can read its sources, and run it again.",
        (run.evidence,),
    )


def _unsure(facts: Facts) -> Finding:
    if len(facts.jobs) > 1:
        return _not_known(
            "several_jobs",
            f"{len(facts.jobs)} jobs fill it, and when each of them last ran is not known.",
            "Attach the hooks to the jobs, or use an orchestrator whose plugin writes their runs.",
        )
    unknown = [job.name for job in facts.jobs if (run := facts.history(job.urn).good) and run.began is None]
    if unknown:
        return _not_known(
            "run_start",
            f"When the last run of {unknown[0]} began is not known, and what changed during a run may not be embedded.",
            "Use hooks or an orchestrator's plugin that write when a run begins.",
        )
    return _not_known(
        "write_without_run",
        "A source changed before the index was last written, and no run is known that embedded the change.",
        "Attach the hooks to everything that writes the index.",
    )


def _silent(
    facts: Facts, policy: Policy, unknown: list[str], embedded: Mapping[str, Embedded | None]
) -> Finding:
    """Name the sources that do not tell, and where a change column was read too early, say when."""
    evidence = tuple(Evidence(urn=urn, aspect="operation") for urn in sorted(unknown))
    for urn in sorted(unknown):
        taken = time_of(facts.newest.get(urn, {}).get("datasetProfile", {}).get("timestampMillis"))
        one = embedded[urn]
        if taken and one and taken < (one.begun or one.until) and change_columns(facts, policy, urn):
            return _not_known(
                "profiled_before",
                f"{facts.name(urn)} was profiled at {shown_time(taken)}, before the last run "
                f"({shown_time(one.begun or one.until)}); whether it changed since is not known.",
                "Run DataHub's source of these tables after the job.",
                evidence,
            )
        since = facts.now if one is None else one.begun or one.until
        if (reason := why_not_known(facts, policy, urn, since)) is not None:
            return _not_known("source_silent", *reason, evidence)
    names = ", ".join(sorted(facts.name(urn) for urn in unknown))
    return _not_known(
        "source_silent",
        f"When {names} changed is not known.",
        "Run DataHub's source of these tables with operations or profiling, or name their change columns.",
        evidence,
    )


def _named(facts: Facts, policy: Policy) -> set[str]:
    """The change columns of the policy that may be meant for the sources, by their names in ``Policy.unknown``.

    A table that the catalog does not have may be any source of its platform that has no change column of its own.
    """
    without = {platform(urn) for urn in facts.sources if urn not in policy.change_columns}
    return {
        column_name(urn, column) if urn in facts.sources else urn
        for urn, column in policy.change_columns.items()
        if urn in facts.sources or platform(urn) in without
    }


def _strange_column(facts: Facts) -> Finding | None:
    """A change column that a job declares, and that none of its tables has."""
    for job in facts.jobs:
        column = declared_column(facts, job.urn)
        schemas = [facts.aspect(urn, "schemaMetadata") for urn in facts.sources_of(job.urn)]
        columns = {name for schema in schemas if schema for name in read_columns(schema)}
        if column is not None and schemas and all(schemas) and column not in columns:
            near = nearest(column, columns)
            return _not_known(
                "unknown_name",
                f"{job.name} names the change column {column}, which none of its tables has"
                f"{f'; did you mean {near}?' if near else '.'}",
                "Correct change_column of the job in the recipe of the store.",
                (Evidence(urn=job.urn, aspect="dataJobInfo"),),
            )
    return None


def _stale(facts: Facts, late: list[tuple[Change, Embedded]]) -> Finding:
    first, embedded = min(late, key=lambda pair: (pair[0].at, pair[0].urn))
    more = f" and {len(late) - 1} more" if len(late) > 1 else ""
    rows = f"; {first.rows} rows" if first.rows else ""
    jobs = [job for job in facts.jobs if first.urn in facts.sources_of(job.urn)]
    job = jobs[0].name if len(jobs) == 1 else None
    return Finding(
        check=NAME,
        verdict="not ok",
        code="source_changed",
        message=f"{facts.name(first.urn)}{more} changed {_span(first.at - embedded.until)} after the last embedding "
        f"run{_word(embedded)} ({shown_time(embedded.until)}){rows}.",
        since=first.at,
        evidence=(
            *dict.fromkeys(one.by for _, one in late),
            *(Evidence(urn=one.urn, aspect=one.aspect, at=one.at) for one, _ in late),
        ),
        path=facts.path(first.urn),
        to_do=f"Run {job} again." if job else "Run the job that fills it again.",
    )


def _word(embedded: Embedded) -> str:
    return "" if embedded.until == embedded.ended else " began"


def _grace(facts: Facts, policy: Policy, source: str) -> timedelta:
    """Return how long a change may wait for the jobs that read the source, whose schedules can be understood."""
    if policy.grace is not None:
        return policy.grace
    readers = [job for job in facts.jobs if source in facts.sources_of(job.urn)] or facts.jobs
    waits = (longest_wait(schedule) for job in readers if (schedule := facts.schedule(job.urn)))
    return max((wait for wait in waits if wait is not None), default=DEFAULT_GRACE)


def _not_known(code: str, message: str, missing: str, evidence: tuple[Evidence, ...] = ()) -> Finding:
    return Finding(
        check=NAME, verdict="not known", code=code, message=message, missing=missing, evidence=evidence
    )


def _span(span: timedelta) -> str:
    """Return a time span in its largest unit, for example ``3 h``."""
    seconds = round(span.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
