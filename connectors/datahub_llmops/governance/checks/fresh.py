"""Whether a source changed after the index was last written, and the run that should have followed is overdue.

Evidence of a source's change, best first: its ``operation``, ``lastModified`` of its properties, the largest value of
its change column in a profile, the row counts of its profiles. Equal row counts do not show that nothing changed, since
rows may have been updated in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from datahub_llmops.catalog.aspect_facts import read_columns
from datahub_llmops.catalog.protocol import Node
from datahub_llmops.catalog.urn_text import platform
from datahub_llmops.governance.facts import Facts, time_of
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import CLOCK_TOLERANCE, DEFAULT_GRACE, Policy
from datahub_llmops.governance.policy_names import column_name, misspelt, nearest
from datahub_llmops.governance.runs import Run
from datahub_llmops.governance.schedule import longest_wait
from datahub_llmops.net.json_values import mapping, moment, objects, plain, text, whole

NAME: Final = "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """The last known change of a source. ``rows`` is by how many rows profiles differ, if they tell."""

    urn: str
    at: datetime
    aspect: str
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Embedded:
    """When a source was last embedded. Without a known run it is the last write of the index, by any of its jobs.

    ``exact`` is false there: what changed later is late for certain, and of what changed earlier nothing is known.
    """

    at: datetime
    by: Evidence
    grace: timedelta
    exact: bool


def check(facts: Facts, policy: Policy) -> Finding:
    """Compare the last change of each source with the last time that it was embedded."""
    written = facts.embedded()
    if not facts.sources:
        return _not_known(
            "no_source", "Nothing is known to feed it.", "Declare the job that fills it, with its SQL."
        )
    runs = {job.urn: facts.last_run(job.urn) for job in facts.jobs}
    times = [run.ended for run in runs.values() if run is not None]
    times += [written[0]] if written else []
    if not times:
        return _not_known(
            "never_written",
            "When it was last written is not known.",
            "Attach the hooks to the job that fills it, or use a store that tells.",
        )
    if max(times) > facts.now + CLOCK_TOLERANCE:
        return _not_known(
            "clock",
            f"It was written in the future, at {_shown(max(times))}.",
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
    embedded = {urn: _embedded(facts, policy, urn, runs, written) for urn in facts.sources}
    changes, unknown = _changes(
        facts, policy, {urn: one.at if one else min(times) for urn, one in embedded.items()}
    )
    late = [(change, one) for change in changes if (one := embedded[change.urn]) and change.at > one.at]
    overdue = [(change, one) for change, one in late if facts.now - one.at > one.grace]
    if overdue:
        return _stale(facts, overdue)
    if changes and any((one := embedded[change.urn]) is None or not one.exact for change in changes):
        return _not_known(
            "several_jobs",
            f"{len(facts.jobs)} jobs fill it, and when each of them last ran is not known.",
            "Attach the hooks to the jobs, or use an orchestrator whose plugin writes their runs.",
        )
    if (stranger := misspelt(NAME, policy, _named(facts, policy)) or _strange_column(facts)) is not None:
        return stranger
    if unknown:
        names = ", ".join(sorted(facts.name(urn) for urn in unknown))
        return _not_known(
            "source_silent",
            f"When {names} changed is not known.",
            "Run DataHub's source of these tables with operations or profiling, or name their change columns.",
            tuple(Evidence(urn=urn, aspect="operation") for urn in sorted(unknown)),
        )
    known = [one for change in changes if (one := embedded[change.urn]) is not None]
    seen = (
        *dict.fromkeys(one.by for one in known),
        *(Evidence(urn=one.urn, aspect=one.aspect, at=one.at) for one in changes),
    )
    if late:
        change, one = max(late, key=lambda pair: (pair[0].at, pair[0].urn))
        return Finding(
            check=NAME,
            verdict="ok",
            code="due",
            message=f"{facts.name(change.urn)} changed {_span(change.at - one.at)} after the last run; the next one is "
            f"due by {_shown(one.at + one.grace)}.",
            evidence=seen,
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="fresh",
        message=f"Written {_shown(min(one.at for one in known))}; no source changed since.",
        evidence=seen,
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


def _change_columns_of(facts: Facts, policy: Policy, source: str) -> list[str]:
    """The change columns of a source: the policy's word, else that of the jobs that read it."""
    if source in policy.change_columns:
        return [policy.change_columns[source]]
    readers = [job.urn for job in facts.jobs if source in facts.sources_of(job.urn)]
    return sorted({column for job in readers if (column := _declared_column(facts, job)) is not None})


def _declared_column(facts: Facts, job: str) -> str | None:
    return text(facts.stated(job).get("change_column"))


def _strange_column(facts: Facts) -> Finding | None:
    """A change column that a job declares, and that none of its tables has."""
    for job in facts.jobs:
        column = _declared_column(facts, job.urn)
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


def _embedded(
    facts: Facts,
    policy: Policy,
    source: str,
    runs: Mapping[str, Run | None],
    written: tuple[datetime, Evidence] | None,
) -> _Embedded | None:
    """Return when ``source`` was last embedded: by the job that read it the longest ago, if several do."""
    if len(facts.jobs) < 2:
        return written and _Embedded(
            at=written[0], by=written[1], grace=_grace(facts, policy, facts.jobs), exact=True
        )
    readers = [job for job in facts.jobs if source in facts.sources_of(job.urn)]
    ended = [run for job in readers if (run := runs[job.urn]) is not None]
    grace = _grace(facts, policy, readers or facts.jobs)
    if readers and len(ended) == len(readers):
        first = min(ended, key=lambda run: run.ended)
        return _Embedded(at=first.ended, by=first.evidence, grace=grace, exact=True)
    return written and _Embedded(at=written[0], by=written[1], grace=grace, exact=False)


def _stale(facts: Facts, late: list[tuple[_Change, _Embedded]]) -> Finding:
    first, embedded = min(late, key=lambda pair: (pair[0].at, pair[0].urn))
    more = f" and {len(late) - 1} more" if len(late) > 1 else ""
    rows = f"; {first.rows} rows" if first.rows else ""
    jobs = [job for job in facts.jobs if first.urn in facts.sources_of(job.urn)]
    job = jobs[0].name if len(jobs) == 1 else None
    return Finding(
        check=NAME,
        verdict="not ok",
        code="source_changed",
        message=f"{facts.name(first.urn)}{more} changed {_span(first.at - embedded.at)} after the last embedding run "
        f"({_shown(embedded.at)}){rows}.",
        since=first.at,
        evidence=(
            *dict.fromkeys(one.by for _, one in late),
            *(Evidence(urn=one.urn, aspect=one.aspect, at=one.at) for one, _ in late),
        ),
        path=facts.path(first.urn),
        to_do=f"Run {job} again." if job else "Run the job that fills it again.",
    )


def _grace(facts: Facts, policy: Policy, jobs: Iterable[Node]) -> timedelta:
    """Return how long a change may wait for these jobs, whose schedules can be understood."""
    if policy.grace is not None:
        return policy.grace
    waits = (longest_wait(schedule) for job in jobs if (schedule := facts.schedule(job.urn)))
    return max((wait for wait in waits if wait is not None), default=DEFAULT_GRACE)


def _changes(
    facts: Facts, policy: Policy, embedded: Mapping[str, datetime]
) -> tuple[list[_Change], list[str]]:
    """Return the last change of each source that tells, and the sources that do not."""
    changes: list[_Change] = []
    unknown: list[str] = []
    for urn in facts.sources:
        change = _change(facts, policy, urn, embedded[urn])
        if change is None or change.at > facts.now + CLOCK_TOLERANCE:
            unknown.append(urn)
        else:
            changes.append(change)
    return changes, unknown


def _change(facts: Facts, policy: Policy, urn: str, written: datetime) -> _Change | None:
    stated, touched = facts.written(urn), _touched_only(facts, urn, written)
    if stated is not None and not touched:
        return _Change(urn=urn, at=stated[0], aspect=stated[1])
    for column in _change_columns_of(facts, policy, urn):
        found = _largest(facts.newest.get(urn, {}).get("datasetProfile"), column)
        # The profile may be of before the operation, so it shows a change, but not that there was none.
        if found is not None and (found > written or not touched):
            return _Change(urn=urn, at=found, aspect="datasetProfile")
    return _counted(urn, facts.profiles.get(urn, ()), written)


def _touched_only(facts: Facts, urn: str, written: datetime) -> bool:
    """Whether the last operation after the run affected no row. What those before it did is not in the catalog."""
    operation = facts.newest.get(urn, {}).get("operation", {})
    updated = time_of(operation.get("lastUpdatedTimestamp"))
    modified = time_of(mapping(facts.aspect(urn, "datasetProperties").get("lastModified")).get("time"))
    return (
        whole(operation.get("numAffectedRows")) == 0
        and updated is not None
        and updated > written
        and (modified is None or modified <= written)
    )


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
