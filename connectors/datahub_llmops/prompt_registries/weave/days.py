"""Reads rows in the order of time, day by day, up to a bound for each day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from datahub_llmops.assets.observations import Window
from datahub_llmops.net.paging import Client, Pages

PAGE: Final = 1_000
MOST: Final = 20_000
"""The most rows of one day that are read."""


class Row(Protocol):
    """A row with its id and its time."""

    @property
    def id(self) -> str: ...
    @property
    def at(self) -> datetime: ...


RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day(Generic[RowT]):
    """The rows of one day in UTC. ``whole`` says whether these are all."""

    day: date
    rows: list[RowT]
    whole: bool


def by_day(
    client: Client, path: str, window: Window, page: Callable[[datetime, int], list[RowT]]
) -> Iterator[Day[RowT]]:
    """Yield the days of ``window`` that have rows.

    ``page`` returns rows from a time on, oldest first, after skipping a number of them. The end is found here: Weave
    compares times with a number in one direction only, wherever it keeps them as text.

    Raises:
        UnreadableError: the rows have no end.
    """
    start, end = midnight(window.first), midnight(window.last + timedelta(days=1))
    while start < end:
        cut = None
        for day in _from(Pages.of(client, path), start, end, page):
            yield day
            cut = None if day.whole else day.day
        if cut is None:
            return
        start = midnight(cut + timedelta(days=1))


def _from(
    pages: Pages, start: datetime, end: datetime, page: Callable[[datetime, int], list[RowT]]
) -> Iterator[Day[RowT]]:
    """Yield days until the first one that is cut."""
    rows: list[RowT] = []
    offset = 0
    while found := page(start, offset):
        pages.add(row.id for row in found)
        for row in found:
            if row.at < start:
                continue
            if rows and row.at.date() != rows[0].at.date():
                yield Day(day=rows[0].at.date(), rows=rows, whole=True)
                rows = []
            if row.at >= end:
                return
            if len(rows) == MOST:
                yield Day(day=rows[0].at.date(), rows=rows, whole=False)
                return
            rows.append(row)
        offset += len(found)
        pages.turn(offset)
    if rows:
        yield Day(day=rows[0].at.date(), rows=rows, whole=True)


def since(field: str, start: datetime) -> dict[str, Any]:
    """The query for rows whose ``field`` is a time from ``start`` on. Weave takes seconds since 1970."""
    bound = {"$gte": [{"$getField": field}, {"$literal": int(start.timestamp())}]}
    return {"query": {"$expr": bound}, "sort_by": [{"field": field, "direction": "asc"}]}


def midnight(day: date) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)
