"""Asks Langfuse for aggregates by day, so that the number of traces does not matter.

https://langfuse.com/docs/metrics/features/metrics-api
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal

from datahub_llmops.assets.observations import Window
from datahub_llmops.errors import UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.json_values import mappings, moment
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer

MOST_ROWS: Final = 1_000
"""The largest answer. There are no further pages, and days without data take a row each."""
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is counted (``view``), by which dimensions, and which measures are added up how."""

    view: Literal["observations", "traces", "scores-numeric", "scores-categorical"]
    dimensions: tuple[str, ...]
    measures: tuple[tuple[str, str], ...]
    """Measure and aggregation: ``("totalCost", "sum")`` is answered as ``sum_totalCost``."""
    present: tuple[str, ...] = ()
    """Dimensions that must have a value."""

    def written(self, start: datetime, end: datetime, granularity: str | None) -> str:
        """As the endpoint takes it. Both ends belong to the range.

        Without ``granularity`` the first measure decides which rows come first. The server asks for such an order
        where a dimension may have very many values.
        """
        by_time = {"timeDimension": {"granularity": granularity}}
        by_size = {"orderBy": [{"field": "_".join(reversed(self.measures[0])), "direction": "desc"}]}
        return json.dumps(
            {
                "view": self.view,
                "dimensions": [{"field": field} for field in self.dimensions],
                "metrics": [{"measure": name, "aggregation": how} for name, how in self.measures],
                "filters": [
                    {"column": field, "operator": "is not null", "type": "null", "value": ""}
                    for field in self.present
                ],
                **(by_time if granularity else by_size),
                "fromTimestamp": written_time(start),
                "toTimestamp": written_time(end),
                "config": {"row_limit": MOST_ROWS},
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of an answer."""

    day: date
    values: Mapping[str, Any]

    def number(self, name: str) -> float | None:
        """Return a measure; ``None`` if nothing was measured."""
        return number(self.values.get(name))


class Metrics:
    """The aggregates of one project."""

    def __init__(self, server: LangfuseServer) -> None:
        self._server = server
        self.is_legacy = Once(self._probe)
        """Whether the server keeps traces in the form of Langfuse 3, so that only the older endpoint answers."""

    def rows(self, query: Query, window: Window, full: set[date]) -> Iterator[Row]:
        """Yield the rows of each day.

        A day with more rows than one answer holds is read by the hour; if one of its hours has too many as well,
        nothing of the day is yielded, and it is added to ``full``.
        """
        start, end = midnight(window.first), midnight(window.last + _DAY)
        while start < end:
            found = self._ask(query, start, end, "day")
            if len(found) < MOST_ROWS:
                yield from (Row(day=when.date(), values=values) for when, values in found)
                return
            # Days come in order, so that all but the last one of a cut answer are whole.
            last = found[-1][0]
            if last > start:
                yield from (Row(day=when.date(), values=values) for when, values in found if when < last)
                start = last
                continue
            hours = self._read_hours(query, start)
            if hours is None:
                full.add(start.date())
            else:
                yield from (Row(day=start.date(), values=values) for values in hours)
            start += _DAY

    def totals(self, query: Query, window: Window) -> list[Mapping[str, Any]]:
        """Return the rows of a whole window at once.

        Raises:
            UnreadableError: there are more than one answer holds.
        """
        found = self._read(query.written(midnight(window.first), midnight(window.last + _DAY), None))
        if len(found) >= MOST_ROWS:
            raise UnreadableError(
                f"{self._server.name}: {window.first} to {window.last} has more than {MOST_ROWS:,} combinations of "
                f"{', '.join(query.dimensions)}, which is more than Langfuse returns."
            )
        return found

    def _read_hours(self, query: Query, day: datetime) -> list[Mapping[str, Any]] | None:
        """Return the rows of each hour of a day; ``None`` if one of them does not fit into one answer."""
        rows: list[Mapping[str, Any]] = []
        start, end = day, day + _DAY
        while start < end:
            found = self._ask(query, start, end, "hour")
            if len(found) < MOST_ROWS:
                return rows + [values for _, values in found]
            last = found[-1][0]
            if last <= start:
                return None
            rows += [values for when, values in found if when < last]
            start = last
        return rows

    def _ask(
        self, query: Query, start: datetime, end: datetime, granularity: str
    ) -> Sequence[tuple[datetime, Mapping[str, Any]]]:
        """Return the rows from ``start`` on, oldest first, and those before ``end``."""
        found: list[tuple[datetime, Mapping[str, Any]]] = []
        for values in self._read(query.written(start, end, granularity)):
            when = moment(values.get("time_dimension"))
            if when is None or (found and when < found[-1][0]):
                raise self._server.unexpected(self._path())
            found.append((when, values))
        # What happened exactly at the end belongs to the range too, as rows of the next day.
        return [(when, values) for when, values in found if start <= when < end]

    def _read(self, query: str) -> list[Mapping[str, Any]]:
        data = self._server.get(self._path(), {"query": query}).get("data")
        if not isinstance(data, list):
            raise self._server.unexpected(self._path())
        return mappings(data)

    def _path(self) -> str:
        return "/metrics" if self.is_legacy() else "/v2/metrics"

    def _probe(self) -> bool:
        """Ask for one count. Which endpoint is there depends on the version and on how the server writes traces."""
        now = datetime.now(UTC)
        query = Query(view="observations", dimensions=(), measures=(("count", "count"),))
        asked = {"query": query.written(now - _HOUR, now, "hour")}
        try:
            self._server.get("/v2/metrics", asked)
        except (VanishedError, UnreachableError) as error:
            try:
                self._server.get("/metrics", asked)
            except (VanishedError, UnreachableError):
                # A server that is down is one whatever it is asked; nothing has vanished if an endpoint has.
                raise error if isinstance(error, UnreachableError) else UnreadableError(str(error)) from None
            return True
        return False


def midnight(day: date) -> datetime:
    """Return the begin of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def written_time(when: datetime) -> str:
    """Write a time as the API takes it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def windows(window: Window) -> Iterator[Window]:
    """Split a window into months, so that an answer to each fits into memory."""
    start = window.first
    while start <= window.last:
        end = min(window.last, start + 30 * _DAY)
        yield Window(first=start, last=end)
        start = end + _DAY


def number(value: object) -> float | None:
    """Return a number, which may be written as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
