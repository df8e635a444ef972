"""Whether every row of the sources has its chunks in the index, and every chunk a row.

Evidence, best first: the different keys of rows that chunks name (``uniqueCount`` of the key's field in the profile of
the index) and the rows of the tables that a job embeds completely (``rowCount`` of their profiles); the number of
chunks with the declared chunks per row; what the last run of the job says that it saw. There are numbers only: which
rows are missing is not in the catalog, and a missing row beside a chunk without a row leaves them equal. So a verdict
that is ok says by what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.governance.facts import Facts, time_of
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import CLOCK_TOLERANCE, Policy
from datahub_llmops.net.json_values import mapping, objects, text, whole, written_whole

NAME: Final = "coverage"
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
    del policy
    held = _held(facts)
    if isinstance(held, Finding):
        return held
    due = _due(facts)
    found = _by_last_run(facts, held, due) if isinstance(due, Finding) else _compare(facts, held, due)
    moved = _moved(facts) if found.verdict == "not ok" else []
    if not moved:
        return found
    return _not_known(
        "changed_since",
        f"The numbers differ, and {facts.name(moved[0])} changed after the index was written.",
        "Run its job again, then the sources of the tables and of the index.",
    )


def _held(facts: Facts) -> _Held | Finding:
    root = facts.root.urn
    profile = facts.newest.get(root, {}).get("datasetProfile", {})
    chunks = whole(profile.get("rowCount"))
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
    """The rows of a profile, unless it is one of a partition or a sample."""
    part = mapping(profile.get("partitionSpec")).get("type")
    return whole(profile.get("rowCount")) if part in (None, "FULL_TABLE") else None


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
                "Give each table an index of its own.",
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
    run = facts.last_run(facts.jobs[0].urn) if len(facts.jobs) == 1 else None
    if run is None or "skipped" not in run.counts or run.counts.get("failed"):
        return otherwise
    if run.ended > facts.now + CLOCK_TOLERANCE:
        return _not_known(
            "clock",
            f"The last run of {facts.jobs[0].name} ended in the future, at {run.ended:%Y-%m-%d %H:%M}.",
            "Set the clock of the host that runs it.",
        )
    seen = run.counts["skipped"] + run.counts.get("added", 0)
    evidence = (
        *_evidence(facts, ()),
        Evidence(urn=run.urn, aspect="dataProcessInstanceProperties", at=run.ended),
    )
    shown = f"{held.chunks:,} chunks; the last run saw {seen:,}"
    if held.chunks < seen:
        return Finding(
            check=NAME,
            verdict="not ok",
            code="chunks_missing",
            message=f"{shown}.",
            since=run.ended,
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


def _moved(facts: Facts) -> list[str]:
    """List the sources that changed after the index was last written: their numbers are of another day."""
    written = facts.embedded()
    if written is None:
        return []
    changes = ((urn, facts.written(urn)) for urn in facts.sources)
    return [urn for urn, change in changes if change is not None and change[0] > written[0]]


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
