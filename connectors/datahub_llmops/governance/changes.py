"""When a source last changed, and whether it is known that it did not change since a time.

Evidence: its ``operation`` and ``lastModified``, of which the next change brings the next one; the largest value of its
change column in a profile, which says nothing about what came after the profile; and the row counts of its profiles,
which show a change, and never that there was none, since rows may have been updated in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.policy import CLOCK_TOLERANCE, Policy
from datahub_llmops.governance.times import shown_time, time_of
from datahub_llmops.net.json_values import mapping, moment, objects, plain, text, whole

_DATE: Final = re.compile(r"[0-9-]{8,10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a source, or the last one before which it is known to be unchanged.

    ``rows`` is by how many rows profiles differ, if they tell.
    """

    urn: str
    at: datetime
    aspect: str
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What one piece of evidence says: the source changed between ``first`` and ``last``."""

    aspect: str
    first: datetime
    last: datetime
    seen: datetime | None
    """Up to when nothing changed after ``last``; ``None`` for ever, since a later change would have been told."""
    rows: int | None = None


def last_change(facts: Facts, policy: Policy, urn: str, since: datetime) -> Change | None:
    """Return the last known change of a source. ``None`` if it is not known whether it changed after ``since``."""
    hidden = _touched_after(facts, urn, since)
    told = [*_stated(facts, urn, hidden), *_by_columns(facts, policy, urn), *_counted(facts, urn, since)]
    latest = facts.now + CLOCK_TOLERANCE
    past = [one for one in told if one.last <= latest]
    if changed := [one for one in past if one.first > since]:
        return _change(urn, max(changed, key=_order))
    known = [
        one
        for one in past
        if one.last <= since and (one.seen is None or one.seen >= max(since, hidden or since))
    ]
    # A time in the future, or one that may be after ``since``, contradicts all others.
    if not known or any(one.last > since for one in told):
        return None
    return _change(urn, max(known, key=_order))


def why_not_known(facts: Facts, policy: Policy, urn: str, since: datetime) -> tuple[str, str] | None:
    """Return what keeps a source that tells something from telling whether it changed after ``since``, and what to do.

    ``None`` if it tells nothing.
    """
    name, latest = facts.name(urn), facts.now + CLOCK_TOLERANCE
    told = [*_stated(facts, urn, None), *_by_columns(facts, policy, urn)]
    if ahead := [one for one in told if one.first > latest]:
        return (
            f"{name} changed in the future, at {shown_time(ahead[0].first)}.",
            "Set the clocks of this host and of what reports the time.",
        )
    if facts.operations.get(urn, ()) is None:
        return (
            f"There are too many operations on {name} to find the last one.",
            "Name a column of it that has the time of each row's last change.",
        )
    if _touched_after(facts, urn, since) is not None:
        return (
            f"The last operation on {name} affected no row; whether one before it did is not known.",
            "Name a column of it that has the time of each row's last change.",
        )
    if any(one.first <= since < one.last for one in told):
        return (
            f"{name} changed on the day of the last run, and its change column has no time of day.",
            "Name a change column with a time.",
        )
    return None


def change_columns(facts: Facts, policy: Policy, source: str) -> list[str]:
    """List the change columns of a source: the policy's word, else that of the jobs that read it."""
    if source in policy.change_columns:
        return [policy.change_columns[source]]
    readers = [job.urn for job in facts.jobs if source in facts.sources_of(job.urn)]
    return sorted({column for job in readers if (column := declared_column(facts, job)) is not None})


def declared_column(facts: Facts, job: str) -> str | None:
    """Return the change column that a job declares."""
    return text(facts.stated(job).get("change_column"))


def _order(one: _Told) -> tuple[datetime, str]:
    return one.last, one.aspect


def _change(urn: str, told: _Told) -> Change:
    return Change(urn=urn, at=told.first, aspect=told.aspect, rows=told.rows)


def _stated(facts: Facts, urn: str, hidden: datetime | None) -> Iterator[_Told]:
    operation = facts.last_operation(urn)
    updated = None if hidden else time_of(operation.get("lastUpdatedTimestamp"))
    modified = time_of(mapping(facts.aspect(urn, "datasetProperties").get("lastModified")).get("time"))
    for at, aspect in ((updated, "operation"), (modified, "datasetProperties")):
        if at is not None:
            yield _Told(aspect=aspect, first=at, last=at, seen=hidden and at)


def _touched_after(facts: Facts, urn: str, since: datetime) -> datetime | None:
    """Return the time of the last operation, if it affected no row. What those before it did is not in the catalog.

    The time of the check, if there were too many operations to read.
    """
    if facts.operations.get(urn, ()) is None:
        return facts.now
    operation = facts.last_operation(urn)
    updated = time_of(operation.get("lastUpdatedTimestamp"))
    touched = whole(operation.get("numAffectedRows")) == 0 and updated is not None and updated > since
    return updated if touched else None


def _by_columns(facts: Facts, policy: Policy, urn: str) -> Iterator[_Told]:
    """Read the largest values of the change columns. Those of a part of the table show a change only."""
    profile = facts.newest.get(urn, {}).get("datasetProfile", {})
    taken = time_of(profile.get("timestampMillis"))
    wanted = change_columns(facts, policy, urn)
    for one in objects(profile.get("fieldProfiles")):
        largest = plain(one.get("max"))
        at = moment(largest)
        if one.get("fieldPath") in wanted and at is not None and largest is not None and taken is not None:
            # A date stands for all times of its day.
            last = at + timedelta(days=1) if _DATE.fullmatch(largest.strip()) else at
            seen = taken if is_of_all_rows(profile) else datetime.min.replace(tzinfo=taken.tzinfo)
            yield _Told(aspect="datasetProfile", first=at, last=last, seen=seen)


def is_of_all_rows(profile: Mapping[str, Any]) -> bool:
    """Whether a profile is none of a partition or a sample."""
    return mapping(profile.get("partitionSpec")).get("type") in (None, "FULL_TABLE")


def _counted(facts: Facts, urn: str, since: datetime) -> Iterator[_Told]:
    """Find the first profile that counts other rows than one before it, which was taken after ``since`` as well."""
    counted = [
        (at, rows)
        for profile in facts.profiles.get(urn, ())
        if is_of_all_rows(profile)
        and (at := time_of(profile.get("timestampMillis"))) is not None
        and (rows := whole(profile.get("rowCount"))) is not None
    ]
    for (before, rows), (after, more) in pairwise(counted):
        if before >= since and rows != more:
            yield _Told(aspect="datasetProfile", first=after, last=after, seen=before, rows=abs(more - rows))
            return
