"""Whether every row of the sources has its chunks in the index, and every chunk a row.

Evidence, best first: the different keys of rows that chunks name (``uniqueCount`` of the key's field in the profile of
the index) and the rows of the tables that a job embeds completely (``rowCount`` of their profiles); the number of
chunks with the declared chunks per row; what the last run of the job says that it saw. There are numbers only: which
rows are missing is not in the catalog, and a missing row beside a chunk without a row leaves them equal. So a verdict
that is ok says by what, and is given only of tables that are known not to have changed since the run.

A count is of a time. It is not compared if what was counted may have changed since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from datahub_llmops.governance.changes import is_of_all_rows, last_change
from datahub_llmops.governance.embedded import (
    Embedded,
    broken_run,
    last_change_of_index,
    last_write,
    read_embedded,
)
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import CLOCK_TOLERANCE, Policy
from datahub_llmops.governance.runs import History
from datahub_llmops.governance.times import shown_time, time_of
from datahub_llmops.net.json_values import objects, text, whole, written_whole

NAME: Final = "coverage"
_APART: Final = timedelta(days=1)
"""How far the counts of an index and of its tables may be apart, if it is not known when the index was written."""
_SOURCE_KEY: Final = "dh_source_key"
"""The payload field that the hooks stamp with the key of a chunk's row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What the index holds: its chunks, and where they name rows, how many rows and how many chunks name none."""

    chunks: int
    rows: int | None = None
    without_row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """What the index should hold: every row of ``tables``."""

    rows: int
    tables: tuple[str, ...]


def check(facts: Facts, policy: Policy) -> Finding:
    """Compare the rows that should be in the index with those that are."""
    held = _held(facts)
    if isinstance(held, Finding):
        return held
    due = _due(facts)
    found = _by_last_run(facts, held, due) if isinstance(due, Finding) else _compare(facts, held, due)
    tables = () if isinstance(due, Finding) else due.tables
    if found.verdict == "not known":
        return found
    return _doubt(facts, policy, found, tables) or found


def _doubt(facts: Facts, policy: Policy, found: Finding, tables: tuple[str, ...]) -> Finding | None:
    """Return why numbers that could be compared show nothing: some are of another day, or more has happened since."""
    root, written = facts.root.urn, last_write(facts)
    if written is not None and written > facts.now + CLOCK_TOLERANCE:
        return _not_known(
            "clock",
            f"It was written in the future, at {shown_time(written)}.",
            "Set the clocks of the store and of this host.",
        )
    counted = {urn: _counted_at(facts, urn) for urn in (root, *tables)}
    if undated := [urn for urn, at in counted.items() if at is None or at > facts.now + CLOCK_TOLERANCE]:
        return _old(facts, undated[0], None, found)
    times = {urn: at for urn, at in counted.items() if at is not None}
    changed = last_change_of_index(facts)
    if changed is not None and times[root] < changed:
        return _old(facts, root, changed, found)
    embedded = read_embedded(facts)
    for table in tables:
        begun = _begun(embedded, [table] if table in embedded else facts.sources)
        if (since := _outdated(facts, table, times[table], begun)) is not None:
            return _old(facts, table, since, found)
    broken = broken_run(facts)
    if broken is not None and (found.verdict == "ok" or broken[1].state == "running"):
        return _not_known(
            f"run_{broken[1].state}",
            f"{found.message} But the last run of {facts.name(broken[0])} failed, found nothing, or has not ended.",
            "Let the job run to its end, then the source of the index.",
            (*found.evidence, broken[1].evidence),
        )
    return _moved(facts, policy, found, embedded, times)


def _moved(
    facts: Facts,
    policy: Policy,
    found: Finding,
    embedded: Mapping[str, Embedded | None],
    times: Mapping[str, datetime],
) -> Finding | None:
    """Rows may have come and gone after the run. Then numbers that differ are not a fault, and equal ones prove
    nothing."""
    begun = _begun(embedded, facts.sources)
    if begun is None:
        if found.verdict == "ok":
            return _not_known(
                "never_written",
                f"{found.message} But when it was last written is not known.",
                "Attach the hooks to the job that fills it, or use a store that tells.",
                found.evidence,
            )
        if max(times.values()) - min(times.values()) <= _APART:
            return None
        return _old(facts, min(times, key=lambda urn: times[urn]), max(times.values()), found)
    changes = {urn: last_change(facts, policy, urn, begun) for urn in facts.sources}
    if moved := [urn for urn, change in changes.items() if change is not None and change.at > begun]:
        return _not_known(
            "changed_since",
            f"{found.message} But {facts.name(moved[0])} changed after the last run.",
            "Run its job again, then the sources of the tables and of the index.",
            found.evidence,
        )
    if found.verdict == "ok" and (silent := [urn for urn, one in changes.items() if one is None]):
        return _not_known(
            "source_silent",
            f"{found.message} But whether {facts.name(silent[0])} changed after the last run is not known, and other "
            "rows may have replaced these.",
            "Run DataHub's source of these tables with operations, or name their change columns.",
            found.evidence,
        )
    return None


def _begun(embedded: Mapping[str, Embedded | None], sources: Sequence[str]) -> datetime | None:
    """Return when the earliest of the runs began that embedded these sources, if it is known of each."""
    known = [one.begun for urn in sources if (one := embedded.get(urn)) is not None and one.begun is not None]
    return min(known) if known and len(known) == len(sources) else None


def _counted_at(facts: Facts, urn: str) -> datetime | None:
    return time_of(facts.newest.get(urn, {}).get("datasetProfile", {}).get("timestampMillis"))


def _outdated(facts: Facts, table: str, counted: datetime, begun: datetime | None) -> datetime | None:
    """Return since when the count of a table may not be true any more."""
    changed = facts.written(table) if table in facts.sources else None
    if changed is not None:
        return changed[0] if changed[0] > counted else None
    return begun if begun is not None and counted < begun else None


def _old(facts: Facts, urn: str, since: datetime | None, found: Finding) -> Finding:
    what = "Its chunks were" if urn == facts.root.urn else f"The rows of {facts.name(urn)} were"
    at = _counted_at(facts, urn)
    when = "at a time that cannot be" if at is None or since is None else f"at {shown_time(at)}"
    after = f", and more may have been written since, up to {shown_time(since)}" if since else ""
    return _not_known(
        "counted_before",
        f"{what} last counted {when}{after}.",
        "Run the recipe of the store again, and DataHub's source of the tables with profiling.",
        found.evidence,
    )


def _held(facts: Facts) -> _Held | Finding:
    root = facts.root.urn
    profile = facts.newest.get(root, {}).get("datasetProfile", {})
    chunks = _rows(profile)
    if chunks is None:
        return _not_known(
            "not_counted", "Its chunks were not counted.", "Let the recipe of the store count them."
        )
    if "true" in facts.property(root, "count_is_estimate"):
        return _not_known(
            "estimated", f"It has about {chunks} chunks.", "Let the recipe of the store count them exactly."
        )
    stated = {field for job in facts.jobs if (field := text(facts.stated(job.urn).get("key_field")))}
    wanted = stated or {_SOURCE_KEY}
    keys = [
        (unique, whole(one.get("nullCount")) or 0)
        for one in objects(profile.get("fieldProfiles"))
        if (path := text(one.get("fieldPath"))) is not None
        and (path in wanted or path.rpartition(".")[2] in wanted)
        and (unique := whole(one.get("uniqueCount"))) is not None
    ]
    if len(keys) != 1:
        return _Held(chunks=chunks)
    return _Held(chunks=chunks, rows=keys[0][0], without_row=keys[0][1])


def _due(facts: Facts) -> _Due | Finding:
    root = facts.root.urn
    tables: set[str] = set()
    for job in facts.jobs:
        whole_tables = (text(facts.stated(job.urn).get("every_row_of")) or "").split()
        if not whole_tables:
            return _not_known(
                "rows_of_sql",
                f"How many rows the SQL of {job.name} gives is not known.",
                "Declare the job with SQL over one table without a filter, or attach the hooks to it.",
            )
        tables.update(whole_tables)
    if root in tables:
        return _not_known(
            "reads_itself",
            "Its job reads the index that it fills, whose rows cannot be compared with themselves.",
            "Declare the job with SQL over the table that the rows come from.",
        )
    others = [
        urn for urn in facts.feeders(root) if urn.startswith("urn:li:dataset:") and urn not in {root, *tables}
    ]
    if not tables or others:
        return _not_known(
            "no_job",
            "Which rows should be in it is not known.",
            "Declare the job that fills it, with its SQL.",
        )
    counted = {urn: _rows(facts.newest.get(urn, {}).get("datasetProfile", {})) for urn in sorted(tables)}
    unknown = [urn for urn, rows in counted.items() if rows is None]
    if unknown:
        return _not_known(
            "rows_not_counted",
            f"The rows of {', '.join(map(facts.name, unknown))} were not counted.",
            "Run DataHub's source of these tables with profiling.",
        )
    return _Due(rows=sum(rows or 0 for rows in counted.values()), tables=tuple(counted))


def _rows(profile: Mapping[str, Any]) -> int | None:
    return whole(profile.get("rowCount")) if is_of_all_rows(profile) else None


def _compare(facts: Facts, held: _Held, due: _Due) -> Finding:
    evidence = _evidence(facts, due.tables)
    if held.rows is None:
        return _by_totals(facts, held, due, evidence)
    shown = f"{held.rows:,} of {due.rows:,} rows"
    if held.rows > due.rows:
        return _wrong(
            facts,
            "orphans",
            f"{shown}: the chunks of {held.rows - due.rows:,} rows have no row.",
            due,
            evidence,
        )
    if held.rows < due.rows:
        missing = due.rows - held.rows
        if len(due.tables) > 1:
            return _not_known(
                "several_tables",
                f"{shown}; rows of several tables may have the same keys.",
                "Give each table its own index.",
                evidence,
            )
        if held.without_row and held.chunks >= due.rows:
            return _unstamped(held, shown, evidence)
        return _wrong(facts, "rows_missing", f"{shown}: {missing:,} rows have no chunks.", due, evidence)
    if held.without_row:
        return _unstamped(held, shown, evidence)
    per_row = _chunks_per_row(facts)
    if per_row is not None and held.chunks != due.rows * per_row:
        return _by_totals(facts, held, due, evidence)
    return _ok("covered_by_keys", f"{shown}, by the number of different keys.", evidence)


def _by_totals(facts: Facts, held: _Held, due: _Due, evidence: tuple[Evidence, ...]) -> Finding:
    per_row = _chunks_per_row(facts)
    shown = f"{held.chunks:,} chunks of {due.rows:,} rows"
    if held.chunks < due.rows * (per_row or 1):
        expected = f"; {due.rows * per_row:,} are expected" if per_row else ""
        return _wrong(facts, "rows_missing", f"{shown}{expected}: rows have no chunks.", due, evidence)
    if per_row is None:
        return _not_known(
            "chunks_per_row",
            f"{shown}; how many chunks a row has is not known.",
            "Stamp chunks with the key of their row, or declare chunks_per_row.",
            evidence,
        )
    if held.chunks > due.rows * per_row:
        extra = held.chunks - due.rows * per_row
        return _wrong(
            facts,
            "too_many_chunks",
            f"{shown}; {due.rows * per_row:,} are expected: {extra:,} are duplicates or have no row.",
            due,
            evidence,
        )
    return _ok("covered_by_totals", f"{shown}, by totals only: nothing names the rows.", evidence)


def _by_last_run(facts: Facts, held: _Held, otherwise: Finding) -> Finding:
    """Compare with the chunks that the last run of the only job looked at, if it says so.

    A run that skips what is in the index already has seen all chunks of its documents.
    """
    past = facts.history(facts.jobs[0].urn) if len(facts.jobs) == 1 else History()
    run = past.good
    if run is None or past.broken is not None or "skipped" not in run.counts:
        return otherwise
    written = last_write(facts)
    if run.at > facts.now + CLOCK_TOLERANCE:
        return _not_known(
            "clock",
            f"The last run of {facts.jobs[0].name} ended in the future, at {shown_time(run.at)}.",
            "Set the clock of the host that runs it.",
        )
    if written is not None and written > run.at + CLOCK_TOLERANCE:
        return otherwise
    seen = run.counts["skipped"] + run.counts.get("added", 0)
    evidence = (
        *_evidence(facts, ()),
        Evidence(urn=run.urn, aspect="dataProcessInstanceProperties", at=run.at),
    )
    shown = f"{held.chunks:,} chunks; the last run saw {seen:,}"
    if held.chunks < seen:
        return Finding(
            check=NAME,
            verdict="not ok",
            code="chunks_missing",
            message=f"{shown}.",
            since=run.at,
            evidence=evidence,
            path=(facts.jobs[0].urn, facts.root.urn),
            to_do=f"Run {facts.jobs[0].name} again.",
        )
    if held.chunks > seen:
        return _not_known(
            "run_saw_less",
            f"{shown}: it may have looked at a part only.",
            "Stamp chunks with the key of their row, and profile the sources.",
            evidence,
        )
    return _ok("covered_by_run", f"{shown}.", evidence)


def _chunks_per_row(facts: Facts) -> int | None:
    """The declared number, if all jobs declare the same one."""
    stated = {written_whole(facts.stated(job.urn).get("chunks_per_row")) for job in facts.jobs}
    return stated.pop() if len(stated) == 1 else None


def _evidence(facts: Facts, tables: tuple[str, ...]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            urn=urn,
            aspect="datasetProfile",
            at=time_of(facts.newest.get(urn, {}).get("datasetProfile", {}).get("timestampMillis")),
        )
        for urn in (facts.root.urn, *tables)
    )


def _unstamped(held: _Held, shown: str, evidence: tuple[Evidence, ...]) -> Finding:
    return _not_known(
        "unstamped",
        f"{shown}; {held.without_row:,} of {held.chunks:,} chunks do not name their row.",
        "Embed them again with the hooks attached, so that they are stamped.",
        evidence,
    )


def _wrong(facts: Facts, code: str, message: str, due: _Due, evidence: tuple[Evidence, ...]) -> Finding:
    job = facts.jobs[0].name if len(facts.jobs) == 1 else "the jobs that fill it"
    return Finding(
        check=NAME,
        verdict="not ok",
        code=code,
        message=message,
        evidence=evidence,
        path=facts.path(due.tables[0]),
        to_do=f"Run {job} again." if code == "rows_missing" else "Delete the chunks that have no row.",
    )


def _ok(code: str, message: str, evidence: tuple[Evidence, ...]) -> Finding:
    return Finding(check=NAME, verdict="ok", code=code, message=message, evidence=evidence)


def _not_known(code: str, message: str, missing: str, evidence: tuple[Evidence, ...] = ()) -> Finding:
    return Finding(
        check=NAME, verdict="not known", code=code, message=message, missing=missing, evidence=evidence
    )
