"""The door to spans in ClickHouse."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from datahub_llmops.answer_store.queries import start_of
from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.assets import span_names
from datahub_llmops.errors import AccessError, ConnectorError, RecordError, UnreadableError
from datahub_llmops.ingestion.applications.rollup import DAY, Rollup
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors import problems
from datahub_llmops.spans.doors.clickhouse.client import ClickHouse, Statement
from datahub_llmops.spans.doors.clickhouse.day_answers import Assemble, DayAnswers
from datahub_llmops.spans.doors.clickhouse.options import ClickHouseOptions
from datahub_llmops.spans.doors.clickhouse.statements import HOUR, Day
from datahub_llmops.spans.doors.clickhouse.table import Table
from datahub_llmops.spans.doors.clickhouse.traces import MAX_SPANS, read_traces, select_spans
from datahub_llmops.spans.doors.clickhouse.wanted import Wanted
from datahub_llmops.spans.doors.door import Counting, Days, Problem, ReadCounts, Tell
from datahub_llmops.spans.doors.keys import date_of
from datahub_llmops.spans.doors.progress import Progress
from datahub_llmops.spans.span import Span

_ANSWER: Final = re.compile(r"[0-9a-f]{12}([0-9a-f]{16})")
_LOOKUP: Final = "_trace_id_ts"
"""What the exporter appends to the name of its table that finds the time of a trace."""


class ClickHouseDoor:
    """Spans that the Collector's `clickhouseexporter` wrote. The engine adds them up: see ``doors.door.Door``.

    Raises:
        UnreachableError: the address cannot be used.
    """

    def __init__(
        self,
        options: ClickHouseOptions,
        *,
        selection: Selection,
        assemble: Assemble,
        tell: Tell,
        application: str = "service.name",
        counts: ReadCounts | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        self._client = ClickHouse(options)
        self._selection = selection
        self._plain = frozenset(name for name, rule in selection.rules.items() if rule is not None)
        self._assemble = assemble
        self._tell = tell
        self._application = application
        self.counts = counts or ReadCounts()
        self._progress = Progress(self.counts)
        self._now = now
        self._table: Table | None = None
        self._seen: dict[int, int] = {}
        """Day -> number of spans that its traces may have, as they are now."""
        self._position: dict[int, int] = {}
        """The same, of the days that are counted."""

    def days(self, position: Mapping[str, Any]) -> Days:
        """Return the days whose spans are more than they were at ``position``.

        The spans of an hour before and after a day belong to it, because a trace may go on past midnight. A day that
        has lost spans is left as it was counted: what was deleted is not undone.

        Raises:
            AccessError: the server, the login, the rights or the table are wrong.
        """
        known = _known(position)
        today = int(self._now()) // DAY * DAY
        first, until = today - self._options.max_days * DAY, today + 2 * DAY
        by_hour = {int(hour): int(spans) for hour, spans in self._ask(self._hours(first - HOUR))}
        self._say_hours(by_hour, first, until, position.get("in_future"))
        self._seen, self._position = {}, {}
        for start in sorted({hour // DAY * DAY for hour in by_hour}):
            if not first <= start < until:
                continue
            spans = sum(by_hour.get(start + hour * HOUR, 0) for hour in range(-1, 25))
            before = known.get(start, 0)
            if spans > before:
                self._seen[start] = spans
            else:
                self._position[start] = before
                if spans < before:
                    self._lost(start)
        return tuple(self._seen)

    def count(self, days: Sequence[int], counting: Counting) -> Rollup:
        """Return the totals of whole days. A day that cannot be read is left out, and told as a failure.

        Raises:
            ConnectorError: the server does not let us in any more.
        """
        read: dict[int, DayAnswers] = {}
        found = counting.roll_up(self._answers(days, read))
        for start, day in read.items():
            totals = [total for (_, at, _), total in found.usage.items() if at == start]
            try:
                day.count_chunks(totals)
            except AccessError:
                raise
            except ConnectorError as error:
                for total in totals:
                    if total.chunk_sets is not None:
                        total.count_chunks(None)
                self._say(
                    "warning",
                    "Different chunks were not counted",
                    "The rest of the day is counted.",
                    start,
                    error,
                )
            self._position[start] = self._seen.get(start, 0)
        return found

    def position(self, *, again: bool = False) -> dict[str, Any]:
        """Return how far was read: the number of spans of each day that is counted.

        With ``again``, a day of this run has one less, so that the next run finds more.
        """
        in_future = self.counts.spans_in_future
        return {
            "attributes": names.VERSION,
            "days": {
                str(start): spans - 1 if again and start in self._seen else spans
                for start, spans in sorted(self._position.items())
            },
            **({"in_future": in_future} if in_future else {}),
        }

    def trace(self, trace_id: str, at: datetime | None) -> list[Span]:
        """Return all spans of a trace, or of the trace that has the answer of this id; empty if there is none.

        Without a time, the exporter's table of the times of traces gives it, if it is there and may be read.

        Raises:
            AccessError: the server, the login, the rights or the table are wrong.
        """
        identity = trace_id.strip().lower().replace("-", "")
        around = None if at is None else at.timestamp()
        answer = _ANSWER.fullmatch(identity)
        if answer:
            found = self._trace_of(identity, answer[1])
            if found is None:
                return []
            identity, around = found
        low, high = self._interval(identity, around)
        table = self._described()
        where = self._where(f"{table.column('TraceId')} = {{trace:String}}")
        values: dict[str, str | int] = {"lo": low, "hi": high, "trace": identity}
        day = self._day(0)
        present = self._ask(self._statement(f"SELECT DISTINCT arrayJoin({table.keys}) {where}", values))
        wanted = Wanted.of(self._wanted_of(row[0] for row in present), self._plain)
        sql = select_spans(table, wanted, self._selection, day.application, where)
        traces = list(read_traces(self._ask(self._statement(sql, values)), self._selection, day.application))
        return [span for spans in traces for span in spans]

    def check(self) -> None:
        """Find out whether the table can be read.

        Raises:
            ConnectorError: it cannot; the message says what to do.
        """
        self._described()
        self._ask(self._statement(f"SELECT 1 {self._where('1')} LIMIT 1", {"lo": 0, "hi": 2**62}))

    def close(self) -> None:
        """Close the idle connections. May be called twice."""
        self._client.close()

    def _answers(self, days: Sequence[int], read: dict[int, DayAnswers]) -> Iterator[RecordedAnswer]:
        for number, start in enumerate(sorted(days)):
            self._progress.at("days counted", number, len(days))
            day = DayAnswers(
                day=self._day(start),
                ask=self._ask,
                selection=self._selection,
                assemble=self._assemble,
                counts=self.counts,
                fields=sorted(self._selection.fields),
            )
            try:
                answers = day.read()
            except AccessError:
                raise
            except ConnectorError as error:
                self.counts.days_left += 1
                self._say(
                    "failure",
                    "A day of spans could not be read",
                    "Its totals stay as they are, and the next run reads it again.",
                    start,
                    error,
                )
                continue
            read[start] = day
            if day.cut:
                self._tell(problems.too_many_spans(start, day.cut, MAX_SPANS))
            yield from answers

    def _ask(self, statement: Statement) -> Sequence[Sequence[Any]]:
        rows = self._client.rows(statement)
        self.counts.statements += 1
        self._progress.tick()
        return rows

    def _described(self) -> Table:
        if self._table is None:
            named = self._options
            rows = self._ask(
                Statement(
                    text="DESCRIBE TABLE {database:Identifier}.{table:Identifier}",
                    values={"database": named.database, "table": named.table},
                )
            )
            shown = f"{self._client.name}: {named.database}.{named.table}"
            self._table = Table.of(rows, named.columns, shown)
        return self._table

    def _day(self, start: int) -> Day:
        return Day(
            table=self._described(),
            database=self._options.database,
            name=self._options.table,
            start=start,
            application=self._application,
            plain=self._plain,
        )

    def _where(self, condition: str) -> str:
        return f"FROM {{database:Identifier}}.{{table:Identifier}} WHERE {self._described().within} AND {condition}"

    def _statement(self, sql: str, values: Mapping[str, str | int], suffix: str = "") -> Statement:
        place = {"database": self._options.database, "table": self._options.table + suffix}
        return Statement(text=sql, values={**place, **values})

    def _hours(self, first: int) -> Statement:
        hour = f"intDiv({self._described().nanoseconds}, {HOUR * 10**9}) * {HOUR}"
        return self._statement(
            f"SELECT {hour} AS hour, count() {self._where('1')} GROUP BY hour",
            {"lo": first * 10**9, "hi": 2**62},
        )

    def _wanted_of(self, present: Iterator[str]) -> Iterator[str]:
        return (name for name in present if name in self._plain or self._selection.rule(name) is not None)

    def _interval(self, trace: str, around: float | None) -> tuple[int, int]:
        """Return the nanoseconds between which the spans of a trace began."""
        if around is not None:
            return int((around - HOUR) * 1e9), int((around + HOUR) * 1e9)
        sql = (
            "SELECT toUnixTimestamp64Nano(toDateTime64(min(Start), 9)), "
            "toUnixTimestamp64Nano(toDateTime64(max(End), 9)), count() "
            "FROM {database:Identifier}.{table:Identifier} WHERE TraceId = {trace:String}"
        )
        try:
            ((low, high, rows),) = self._ask(self._statement(sql, {"trace": trace}, _LOOKUP))
        except (AccessError, UnreadableError, ValueError):
            # Without that table the whole one is searched: its index of trace ids helps.
            return 0, 2**62
        return (int(low) - 10**9, int(high) + 2 * 10**9) if int(rows) else (0, 2**62)

    def _trace_of(self, answer: str, span: str) -> tuple[str, float] | None:
        """Return trace and start of an answer, whose id begins with its start and mostly ends with a span's id."""
        try:
            start = start_of(answer)
        except RecordError:
            return None
        table = self._described()
        condition = (
            f"({table.column('SpanId')} = {{span:String}} "
            f"OR {table.attribute(span_names.ANSWER_ID)} = {{answer:String}})"
        )
        rows = self._ask(
            self._statement(
                f"SELECT {table.column('TraceId')} {self._where(condition)} LIMIT 1",
                {
                    "lo": int((start - HOUR) * 1e9),
                    "hi": int((start + HOUR) * 1e9),
                    "span": span,
                    "answer": answer,
                },
            )
        )
        return (str(rows[0][0]), start) if rows else None

    def _say_hours(self, by_hour: Mapping[int, int], first: int, until: int, known: Any) -> None:
        """Say whether there is nothing to read, and how much began after ``until``."""
        named = f"{self._client.name}: {self._options.database}.{self._options.table}"
        if not any(hour >= first for hour in by_hour):
            options = "`database` and `table`"
            self._tell(problems.nothing_to_read(named, "spans", options, self._options.max_days))
        spans = self.counts.spans_in_future = sum(by_hour[hour] for hour in by_hour if hour >= until)
        if spans:
            found = problems.from_the_future(named, spans)
            is_known = isinstance(known, int) and spans <= known
            self._tell(problems.known_before(found) if is_known else found)

    def _lost(self, start: int) -> None:
        self._say(
            "warning",
            "A day of spans has fewer than before",
            "Its totals stay as they were counted, because spans are deleted after a time.",
            start,
        )

    def _say(
        self, kind: str, title: str, message: str, start: int, error: ConnectorError | None = None
    ) -> None:
        context = date_of(start) if error is None else f"{date_of(start)}: {error}"
        days = (start,) if kind == "failure" else ()
        self._tell(
            Problem(
                kind="failure" if kind == "failure" else "warning",
                title=title,
                message=message,
                context=context,
                days=days,
            )
        )


def _known(position: Mapping[str, Any]) -> dict[int, int]:
    """Read a position. One of another version of the table of attributes is none."""
    days = position.get("days")
    if position.get("attributes") != names.VERSION or not isinstance(days, Mapping):
        return {}
    return {
        int(start): spans
        for start, spans in days.items()
        if str(start).isdecimal() and isinstance(spans, int)
    }
