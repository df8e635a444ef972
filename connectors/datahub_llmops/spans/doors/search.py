"""Finds one trace, or the trace of one answer, among many objects, and opens as few of them as it can."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

from datahub_llmops.answer_store.queries import start_of
from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.errors import RecordError, UnreadableError
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.ahead import ahead
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.keys import HOUR, period
from datahub_llmops.spans.doors.objects import Object, Place
from datahub_llmops.spans.doors.reading import ObjectReader
from datahub_llmops.spans.doors.rows import Row, as_spans, hexadecimal
from datahub_llmops.spans.doors.span_classes import SpanClasses
from datahub_llmops.spans.doors.spool import Spool
from datahub_llmops.spans.doors.storage_errors import StorageError
from datahub_llmops.spans.span import Span

ANSWER: Final = re.compile(r"[0-9a-f]{28}")
"""The id that the hooks give to an answer."""
_XRAY: Final = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_MOST: Final = 100_000
"""Spans of the trace that are returned."""


class _Assembled(Protocol):
    @property
    def answers(self) -> Sequence[RecordedAnswer]: ...


def search(
    places: Sequence[Place],
    wanted: str,
    at: datetime | None,
    selection: Selection,
    assemble: Callable[[Sequence[Span]], _Assembled],
    now: float,
    classes: SpanClasses,
) -> tuple[list[Span], list[str]]:
    """Return the spans of a trace, or of the trace that has the answer ``wanted``, and what could not be read.

    Ids of answers and of X-Ray contain a time. With a time, only objects around it are opened.

    Raises:
        AccessError: a place cannot be listed.
        UnreadableError: it was not found, and some objects could not be read.
    """
    around = at.timestamp() if at is not None else time_of(wanted, now)
    failed: list[str] = []
    if ANSWER.fullmatch(wanted):
        found = _of_answer(near(places, around), wanted, selection, assemble, failed, classes)
    else:
        match = _XRAY.fullmatch(wanted)
        trace = match[1] + match[2] if match else hexadecimal(wanted)
        found = _of_trace(near(places, around), trace, selection, failed, classes)
        if not found and at is None and around is not None and match is None:
            # The beginning of the id only looked like a time.
            found = _of_trace(near(places, None), trace, selection, failed, classes)
    if not found and failed:
        raise UnreadableError(
            f"{wanted} was not found, but {len(failed)} objects could not be read, such as {failed[0]}. Give the "
            "credentials the right to read them, or try again."
        )
    return found, failed


def time_of(wanted: str, now: float) -> float | None:
    """Return the time that an id begins with, in seconds since the epoch, or ``None``."""
    if ANSWER.fullmatch(wanted):
        try:
            return start_of(wanted)
        except RecordError:
            return None
    match = _XRAY.fullmatch(wanted)
    if match:
        return float(int(match[1], 16))
    trace = hexadecimal(wanted)
    try:
        seconds = int(trace[:8], 16)
    except ValueError:
        return None
    # X-Ray's ids begin with the time, even if OpenTelemetry makes them. One random id in a hundred looks like one.
    return float(seconds) if len(trace) == 32 and now - 400 * 86_400 <= seconds <= now + HOUR else None


def near(places: Sequence[Place], around: float | None) -> Iterable[tuple[Place, Object]]:
    """Yield the objects that were written within an hour of a time, or all of them without a time.

    Raises:
        AccessError: a place cannot be listed.
    """
    if around is None:
        for place in places:
            for one in place.list(lambda start, end: True):
                yield place, one
        return
    low, high = around - HOUR, around + HOUR
    for place in places:
        for one in place.list(lambda start, end: start <= high and end > low):
            late = one.modified is not None and one.modified > high + HOUR and not place.is_local
            early = one.modified is not None and one.modified < low
            # An object of a bucket is written once; a local file may hold more than its last hour.
            if period(one.name) is not None or not (early or late):
                yield place, one


def _of_trace(
    objects: Iterable[tuple[Place, Object]],
    trace: str,
    selection: Selection,
    failed: list[str],
    classes: SpanClasses,
) -> list[Span]:
    kept: list[Row] = []

    def take(rows: list[Row]) -> None:
        if len(kept) < _MOST:
            kept.extend(row for row in rows if row[0] == trace)

    _read(objects, selection, take, failed, classes)
    return as_spans(kept[:_MOST], classes)


def _of_answer(
    objects: Iterable[tuple[Place, Object]],
    answer: str,
    selection: Selection,
    assemble: Callable[[Sequence[Span]], _Assembled],
    failed: list[str],
    classes: SpanClasses,
) -> list[Span]:
    spool: Spool[Row] = Spool()
    try:
        _read(objects, selection, spool.put, failed, classes)
        for day in spool.days():
            for rows in spool.groups(day, _MOST, []):
                spans = as_spans(rows, classes)
                if any(one.id == answer for one in assemble(spans).answers):
                    return spans
    finally:
        spool.close()
    return []


def _read(
    objects: Iterable[tuple[Place, Object]],
    selection: Selection,
    take: Callable[[list[Row]], None],
    failed: list[str],
    classes: SpanClasses,
) -> None:
    reader = ObjectReader(selection, ReadCounts(), take, lambda answer: None, classes)
    for (_, one), opened in ahead(objects, lambda found: found[0].open(found[1])):
        try:
            with opened() as file:
                outcome = reader.read(file)
            broken = outcome.broken
            if broken is None and (outcome.unreadable or outcome.too_long or outcome.unfinished):
                broken = "not all of its records can be understood"
        except StorageError as error:
            broken = str(error)
        if broken is not None:
            failed.append(f"{one.name} ({broken})")
