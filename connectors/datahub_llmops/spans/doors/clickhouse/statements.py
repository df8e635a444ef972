"""What is asked of all spans of a day.

A *shape* of traces is the classes of a trace's spans in the order of their starts, with the place of the parent of
each. Traces of one shape are counted alike, so the engine adds up their numbers, and only shapes come back.

Values are bound. Names of attributes are written as literals: all but the numbers of documents are constants of
``attributes``, and the option for the application's attribute is one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from datahub_llmops.assets.usage import LATENCY_BOUNDS
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.chunks import MAX_CHUNKS, MAX_ID
from datahub_llmops.spans.doors.clickhouse.client import Statement
from datahub_llmops.spans.doors.clickhouse.documents import IDENTITY, all_documents, fields_of
from datahub_llmops.spans.doors.clickhouse.span_rows import DESCRIBED, span_rows
from datahub_llmops.spans.doors.clickhouse.table import Table, text, texts
from datahub_llmops.spans.doors.clickhouse.wanted import PREFIXES, Wanted

MAX_SPANS: Final = 128
"""Most spans of a trace that the engine handles. Larger ones come back as rows: to find parents takes the square."""
MAX_SOURCES: Final = 10_000
"""Most different sources that the documents of one class of spans have in a day."""
MAX_IDS: Final = 100_000
"""Most different ids of a class that are sampled from."""
MAX_DIGESTS: Final = 200_000
"""Most ids of documents of a form whose digests come back. More are counted by a statement of its own."""
SAMPLE: Final = 20
"""Ids of documents that come back for each class."""
MAX_NAMES: Final = 20_000
MAX_TRACERS: Final = 10_000
"""Most pairs of a tracer and a service that are told apart in a day."""
HOUR: Final = 3_600
DAY: Final = 86_400
ORPHAN: Final = 255
"""Stands for the place of a parent that is not there."""


_NAMED: Final = f"substringUTF8({IDENTITY}, 1, {MAX_ID})"

Place: TypeAlias = tuple[str, str]
"""Service and name of the spans of a class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of the traces: those whose hash leaves ``rest`` when divided by ``of``."""

    of: int = 1
    rest: int = 0

    @property
    def condition(self) -> str:
        return "1" if self.of == 1 else f"cityHash64(trace) % {self.of} = {self.rest}"

    def split(self) -> Sequence[Slice]:
        """Return four parts of this one."""
        return [Slice(of=self.of * 4, rest=self.rest + self.of * number) for number in range(4)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of a table, whose start is in seconds since the epoch."""

    table: Table
    database: str
    name: str
    start: int
    application: str
    """The attribute that names the application."""
    plain: frozenset[str]
    """Names of attributes that ``Selection`` keeps."""

    @property
    def begin(self) -> int:
        """In nanoseconds."""
        return self.start * 10**9

    @property
    def end(self) -> int:
        return (self.start + DAY) * 10**9

    def overview(self) -> Statement:
        """How many spans there are, how many have to do with an application, which of the names that are read occur,
        the tracers of the spans at the top, and how many events of evaluations a span has at most.

        A tracer is told with its service, and a line end between them.
        """
        tracer = f"concat({self.table.scope}, '\\n', {self.table.column('ServiceName')})"
        top = f"replaceAll({self.table.column('ParentSpanId')}, '0', '') = ''"
        begins = " OR ".join(f"startsWith(k, {text(one)})" for one in PREFIXES)
        ours = f"hasAny(names, [{texts(Wanted.of(self.plain, self.plain).triggers)}])"
        events = self.table.event_names if self.table.has_events else "[]"
        evaluations = f"countEqual({events}, {text(names.EVALUATION_EVENT)})"
        # Spans with the same names are looked at once.
        return self.statement(f"""
SELECT sum(spans), sumIf(spans, ours), groupUniqArrayArray({MAX_NAMES})(names),
  groupUniqArrayArray({MAX_TRACERS})(tracers), max(evaluations)
FROM (
  SELECT count() AS spans, groupUniqArrayIf({MAX_TRACERS})({tracer}, {top}) AS tracers,
    arrayFilter(k -> k IN ({texts(sorted(self.plain))}) OR {begins}, any({self.table.keys})) AS names,
    {ours} OR arrayExists(k -> {begins}, names) AS ours, max({evaluations}) AS evaluations
  {self._from} GROUP BY cityHash64({self.table.keys})
)""")

    def shapes(self, wanted: Wanted, part: Slice, *, few: bool) -> Statement:
        """The shapes of the day's traces with their sums, by place and by latency, and the traces that come back as
        rows.

        The latter have no places: theirs is 0. Size, first and last start of a span are those of one trace. ``few``
        says that most spans have nothing to do with an application. Then only traces with one that has are looked at.
        """
        over = " + ".join(f"(ms > {bound})" for bound in LATENCY_BOUNDS)
        return self.statement(f"""
SELECT toString(shape), place, {over} AS bin, count(), any(size), toString(any(low)), toString(any(high)),
  toString(any(class)), any(parent),
  toString(min(start)), toString(max(start + duration)), sum(toUInt32(round(duration / 1e6)) AS ms), sumForEach(numbers)
FROM ({self._placed(wanted, part, few=few)})
LEFT ARRAY JOIN n AS start, c AS class, places AS parent, d AS duration, v AS numbers, arrayEnumerate(n) AS place
GROUP BY shape, place, bin""")

    def members(self, wanted: Wanted, part: Slice, shapes: Iterable[int], *, few: bool) -> Statement:
        """The traces of some shapes, with the number of their spans, and the first and last start of one."""
        return self.statement(
            f"SELECT toString(t), size, toString(low), toString(high) FROM ({self._placed(wanted, part, few=few)}) "
            f"WHERE NOT odd AND shape IN ({_listed(shapes)})"
        )

    def classes(self, wanted: Wanted, at: Iterable[int], asked: Iterable[int]) -> Statement:
        """One span of each of the classes ``asked``, among those that began at one of the times ``at``."""
        where = f"{self._from} AND {self.table.nanoseconds} IN ({_listed(at)})"
        rows = span_rows(self.table, wanted, where, self.application, columns=DESCRIBED)
        return self.statement(f"""
SELECT toString(class), {", ".join(f"any({one})" for one in DESCRIBED)}
FROM ({rows}) WHERE class IN ({_listed(asked)}) GROUP BY class""")

    def inferences(self, wanted: Wanted, asked: Iterable[int]) -> Statement:
        """Class, host, start, end and numbers of all spans of some classes. The end is 0 if there is none."""
        rows = span_rows(self.table, wanted, self._from, self.application, columns=("host",))
        return self.statement(
            "SELECT toString(class), host, toString(ns), toString(if(duration < 0, 0, ns + duration)), numbers "
            f"FROM ({rows}) "
            f"WHERE class IN ({_listed(asked)})"
        )

    def of_traces(self, hashes: Iterable[int]) -> str:
        """The part of a statement that begins with ``FROM``, for the spans of some traces by their hashes."""
        return f"{self._from} AND cityHash64({self.table.column('TraceId')}) IN ({_listed(hashes)})"

    def documents(
        self, wanted: Wanted, places: Mapping[int, Place], fields: Sequence[str], excluded: Iterable[int]
    ) -> Statement:
        """Of each of these classes of spans and each form of documents, by its number: whether all have ids, some ids,
        digests of all ids unless they are too many, and their sources.

        The ids are the same ones of the same documents, as long as a class has no more than ``MAX_IDS``.
        """
        # Of a class with ``MAX_IDS`` there may be more.
        most = min(MAX_IDS - 1, MAX_DIGESTS // max(1, len(places)))
        return self.statement(f"""
SELECT toString(class), form, min(named != '') AND max(most) <= {MAX_CHUNKS},
  arraySlice(arraySort(x -> CRC32(x), groupUniqArrayIf({MAX_IDS})(named, named != '') AS ids), 1, {SAMPLE}),
  if(length(ids) > {most}, '', arrayStringConcat(arrayMap(x -> leftPad(hex(halfMD5(x)), 16, '0'), ids))),
  groupUniqArrayIf({MAX_SOURCES + 1})(found, found != '{{}}')
FROM (SELECT *, {_NAMED} AS named, {fields_of("metadata", fields)} AS found FROM (
{self._documents(wanted, places, excluded)}))
GROUP BY class, form""")

    def distinct(
        self,
        wanted: Wanted,
        assets: Mapping[tuple[int, int], Sequence[int]],
        places: Mapping[int, Place],
        more: Sequence[tuple[int, int]],
        excluded: Sequence[int],
    ) -> Statement | None:
        """How many different documents each asset has; ``None`` if there is nothing to count.

        ``assets`` maps classes and numbers of forms to the numbers of their assets. ``more`` are assets and digests of
        ids.
        """
        parts = []
        if assets:
            keys = ", ".join(f"({key}, {form})" for key, form in assets)
            numbers = ", ".join(f"[{_listed(one)}]" for one in assets.values())
            rows = self._documents(wanted, {key: places[key] for key, _ in assets}, excluded)
            parts.append(
                f"SELECT arrayJoin([{numbers}][indexOf([{keys}], (class, form))]) AS asset, "
                f"toUInt64(halfMD5({_NAMED})) AS digest FROM ({rows})"
            )
        if more:
            pairs = f"arrayZip([{_listed(one for one, _ in more)}], [{_listed(one for _, one in more)}])"
            parts.append(
                f"SELECT p.1 AS asset, toUInt64(p.2) AS digest FROM (SELECT arrayJoin({pairs}) AS p)"
            )
        if not parts:
            return None
        return self.statement(
            f"SELECT toUInt64(asset) AS number, uniqExact(digest) FROM ({' UNION ALL '.join(parts)}) GROUP BY number"
        )

    def _documents(self, wanted: Wanted, places: Mapping[int, Place], excluded: Iterable[int]) -> str:
        """The different documents of each class: few, where the same ones are found again and again.

        ``most`` is the largest number of documents of one span in this form.
        """
        services, spans = (sorted(set(one)) for one in zip(*places.values(), strict=True))
        # The table is in the order of these, so that the engine reads no other spans.
        where = (
            f"{self._from} AND {self.table.column('ServiceName')} IN ({texts(services)}) "
            f"AND {self.table.column('SpanName')} IN ({texts(spans)})"
        )
        return f"""
SELECT class, document.1 AS form, document.2 AS id, document.3 AS metadata, max(document.4) AS most
FROM (
  SELECT class, {all_documents(self.table, wanted)} AS documents
  FROM ({span_rows(self.table, wanted, where, self.application, columns=("trace", "ks", "vs", "event_attributes"))})
  WHERE ns >= {self.begin} AND ns < {self.end} AND class IN ({_listed(places)})
    AND cityHash64(trace) NOT IN ({_listed(excluded)})
) ARRAY JOIN documents AS document
GROUP BY class, form, id, metadata"""

    def _placed(self, wanted: Wanted, part: Slice, *, few: bool) -> str:
        """The day's traces, each with its shape, or ``odd`` and empty if it comes back as rows."""
        trace = self.table.column("TraceId")
        where = self._from
        if few:
            # With a plain IN, the engine reads attributes of the chosen traces only. A distributed table needs GLOBAL
            # or our setting `distributed_product_mode`, which the server took if it listed parts of columns.
            among = "IN" if self.table.has_parts else "GLOBAL IN"
            where += (
                f" AND {trace} {among} (SELECT DISTINCT {trace} {self._from} AND {self._is_ours(wanted)})"
            )
        columns = {"n": "ns", "i": "id", "p": "parent", "c": "class", "d": "duration", "v": "numbers"}
        arrays = ", ".join(
            f"groupArray({MAX_SPANS + 1})({column}) AS {name}0" for name, column in columns.items()
        )
        ordered = ", ".join(f"if(odd, [], arraySort((x, k) -> k, {name}0, n0)) AS {name}" for name in columns)
        return f"""
SELECT *, arrayMap(x -> if(x = 0, 0, if(indexOf(i, x) = 0, {ORPHAN}, toUInt8(indexOf(i, x)))), p) AS places,
  if(odd, t, cityHash64(places, c)) AS shape
FROM (
  SELECT odd, t, size, low, high, {ordered}
  FROM (
    SELECT *, size > {MAX_SPANS} OR low < {self.begin} OR high >= {self.end} OR unended OR scored
      OR length(arrayDistinct(i0)) < size AS odd
    FROM (
      SELECT cityHash64(trace) AS t, count() AS size, min(ns) AS low, max(ns) AS high, max(duration < 0) AS unended,
        max(is_scored) AS scored, {arrays}
      FROM ({span_rows(self.table, wanted, where, self.application)}) WHERE {part.condition}
      GROUP BY t HAVING high >= {self.begin} AND low < {self.end} AND arrayExists(x -> x != 0, c0)
    )
  )
)"""

    def _is_ours(self, wanted: Wanted) -> str:
        return f"hasAny({self.table.keys}, [{texts(wanted.triggers)}])"

    @property
    def _from(self) -> str:
        return f"FROM {{database:Identifier}}.{{table:Identifier}} WHERE {self.table.within}"

    def statement(self, sql: str, first: int | None = None, last: int | None = None) -> Statement:
        """A statement about the day's spans, or those that began between two times in nanoseconds, both included."""
        return Statement(
            text=sql,
            values={
                "database": self.database,
                "table": self.name,
                # A trace may have begun before the day, and end after it.
                "lo": self.begin - HOUR * 10**9 if first is None else first,
                "hi": self.end + HOUR * 10**9 if last is None else last + 1,
            },
        )


def _listed(values: Iterable[int]) -> str:
    return ", ".join(str(int(one)) for one in values) or "0"
