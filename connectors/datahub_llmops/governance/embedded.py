"""When the sources of an index were last embedded: by the runs of the jobs that read them, else by the store's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence
from datahub_llmops.governance.policy import CLOCK_TOLERANCE
from datahub_llmops.governance.runs import Run

Moment: TypeAlias = tuple[datetime, Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What is known of when one source was embedded. What it held between ``begun`` and ``until`` may be in the index.

    A run reads its sources at some time after it begins, so what changes during a run is not known to be embedded.
    """

    begun: datetime | None
    """What the source held then is in the index; ``None`` if that is known of no time."""
    until: datetime
    """What came into the source after this is not in the index."""
    ended: datetime
    """When the run ended. The next one is due a grace after that."""
    by: Evidence


def read_embedded(facts: Facts) -> Mapping[str, Embedded | None]:
    """Map each source of the index to when it was embedded; ``None`` where nothing tells."""
    return {urn: _of_source(facts, urn) for urn in facts.sources}


def broken_run(facts: Facts) -> tuple[str, Run] | None:
    """Return a job whose last run failed or has not ended, with the run. What it left in the index is not known."""
    found = [(job.urn, run) for job in facts.jobs if (run := facts.history(job.urn).broken) is not None]
    return max(found, key=lambda one: (one[1].at, one[0]), default=None)


def last_write(facts: Facts) -> datetime | None:
    """Return the last time at which anything is known to have written the index, or may have."""
    return _last(facts, [facts.history(job.urn).last_seen for job in facts.jobs])


def last_change_of_index(facts: Facts) -> datetime | None:
    """Return ``last_write`` without the runs that found everything in the index already, if another write is known."""
    return _last(facts, [facts.history(job.urn).last_change for job in facts.jobs]) or last_write(facts)


def _last(facts: Facts, runs: Iterable[datetime | None]) -> datetime | None:
    stated = facts.written(facts.root.urn)
    return max((at for at in (stated and stated[0], *runs) if at is not None), default=None)


def _of_source(facts: Facts, source: str) -> Embedded | None:
    """By the job that read the source the longest ago, if several do."""
    several = len(facts.jobs) > 1
    readers = [job for job in facts.jobs if source in facts.sources_of(job.urn)]
    runs = [facts.history(job.urn) for job in readers]
    good = [run for one in runs if (run := one.good) is not None]
    stated = _stated(facts)
    if readers and len(good) == len(readers):
        first = min(good, key=lambda run: (run.began or run.at, run.urn))
        found = _of_run(first)
        if several or any(one.broken for one in runs) or stated is None:
            return found
        return _written_since(found, stated)
    if stated is None:
        return None
    # Without a job nothing is known of runs, and the store's word is all there is.
    unsure = several or (facts.jobs and not readers) or any(one.broken for one in runs)
    at, by = stated
    seen = [one.broken.at for one in runs if one.broken is not None]
    return Embedded(begun=None if unsure else at, until=max([at, *seen]), ended=at, by=by)


def _of_run(run: Run) -> Embedded:
    return Embedded(begun=run.began, until=run.began or run.at, ended=run.at, by=run.evidence)


def _written_since(found: Embedded, stated: Moment) -> Embedded:
    """Something that the catalog has no run of may have embedded what changed since the last run."""
    at, by = stated
    if at <= found.ended + CLOCK_TOLERANCE:
        return found
    return Embedded(begun=found.begun, until=at, ended=at, by=by)


def _stated(facts: Facts) -> Moment | None:
    stated = facts.written(facts.root.urn)
    return stated and (stated[0], Evidence(urn=facts.root.urn, aspect=stated[1], at=stated[0]))
