"""What a door has to say about objects, tables and days: which is meant, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from datahub_llmops.assets.extras import pip_install
from datahub_llmops.spans.doors.door import Problem
from datahub_llmops.spans.doors.keys import date_of

CUT_OFF: Final = "its last record is cut off"
NO_FORMAT: Final = "its format is not known"


def nothing_to_read(where: str, what: str, options: str, max_days: int) -> Problem:
    """A place has none of ``what``, such as objects, or all of them are older than ``max_days``."""
    return Problem(
        kind="warning",
        title="Nothing to read",
        message=f"There are no {what} of the last {max_days} days. Check {options}, and whether spans are still "
        "written there.",
        context=where,
    )


def unreadable(name: str, reason: object) -> Problem:
    """An object cannot be opened or read."""
    return Problem(
        kind="failure",
        title="Objects that cannot be read",
        message="Their spans are missing. Give the credentials the right to read them; the next run tries again.",
        context=f"{name}: {reason}",
    )


def no_parquet(name: str) -> Problem:
    """An object is Parquet, and the package that reads it is not installed."""
    return Problem(
        kind="failure",
        title="Parquet cannot be read yet",
        message=pip_install("spans-parquet"),
        context=name,
    )


def broken(name: str, reason: str) -> Problem:
    """An object has no known format, or ends before its content does."""
    if reason == NO_FORMAT:
        return Problem(
            kind="failure",
            title="Objects in no known format",
            message="Leave them out by a pattern in `files`, such as `**/*.json`, or correct what writes them.",
            context=f"{name}: {reason}",
        )
    return Problem(
        kind="failure",
        title="Truncated objects",
        message="The part that could be read counts. Repair or remove them; the next run reads them again.",
        context=f"{name}: {reason}",
    )


def not_understood(name: str, unreadable: int, too_long: int, form: str) -> Problem:
    """Some records of an object are not spans, or too long."""
    return Problem(
        kind="failure",
        title="Records that cannot be understood",
        message="The other records of the object count. Check what writes it, or leave it out of `files`.",
        context=f"{name}: {unreadable} unreadable, {too_long} longer than 64 MiB, read as {form}",
    )


def half_written(name: str) -> Problem:
    """The last record of an object was cut off in the run before, and still is."""
    return Problem(
        kind="failure",
        title="Records that stay half-written",
        message="The object has not grown since the last run. Everything before its last record counts. Make sure that "
        "its writer continues, or cut the record off.",
        context=f"{name}: {CUT_OFF}",
    )


def from_the_future(where: str, spans: int) -> Problem:
    """Spans of an object or a table begin more than a day after the run."""
    return Problem(
        kind="failure",
        title="Spans from the future",
        message="They begin more than a day after this run, so they were left out. Correct the clock of what records "
        "them.",
        context=f"{where}: {spans} spans",
    )


def known_before(problem: Problem) -> Problem:
    """A failure of which an earlier run has said so, and that nobody can repair any more."""
    return replace(problem, kind="info")


def perhaps_in_part(failed: Sequence[str]) -> Problem:
    """Objects that may have spans of a trace that was found could not be read."""
    return Problem(
        kind="failure",
        title="Whether the trace is whole",
        message="Give the credentials the right to read these objects, or leave them out of `files`.",
        context=f"{len(failed)} objects could not be read, such as {failed[0]}",
    )


def removed(where: str, days: Collection[int]) -> Problem:
    """Days have new spans, but objects that an earlier run counted with them are gone."""
    return Problem(
        kind="failure",
        title="Days whose objects were removed",
        message="New spans belong to these days, but objects that were counted with them are gone. The totals of "
        "these days stay as they are. Keep objects for some days after their last span, or run more often.",
        context=f"{where}: {_dates(days)}",
        days=tuple(sorted(days)),
    )


def not_counted_again(name: str, reason: str, days: Collection[int]) -> Problem:
    """An object that an earlier run counted cannot be read, so its days keep their totals."""
    return Problem(
        kind="failure",
        title="Days that cannot be counted again",
        message="An object that an earlier run counted cannot be read this time. The totals of its days stay as they "
        "are; the next run tries again.",
        context=f"{name}: {reason}; {_dates(days)}",
        days=tuple(sorted(days)),
    )


def too_many_spans(day: int, traces: int, most: int, example: str | None = None) -> Problem:
    """Traces of a day have more than ``most`` spans. ``example`` is the id of one of them."""
    return Problem(
        kind="failure",
        title="Traces with too many spans",
        message=f"Only the earliest {most:,} spans of a trace count. Check what gives one id to so many spans.",
        context=f"{traces} traces of {date_of(day)}" + (f", for example {example}" if example else ""),
    )


def _dates(days: Collection[int]) -> str:
    return ", ".join(map(date_of, sorted(days)))
