"""The table of spans as the Collector's `clickhouseexporter` makes it: its columns in all versions since 0.70.

Older versions have ``Duration`` with a sign, no scope, and other words in ``StatusCode``; newer ones may have
attributes as ``JSON`` in place of ``Map(String, String)``. What else a table has is left alone.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/clickhouseexporter
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.assets import span_names
from datahub_llmops.errors import UnreachableError
from datahub_llmops.spans import attributes as names

NEEDED: Final = (
    "Timestamp",
    "TraceId",
    "SpanId",
    "ParentSpanId",
    "SpanName",
    "ServiceName",
    "SpanAttributes",
    "ResourceAttributes",
    "Duration",
    "StatusCode",
)
OPTIONAL: Final = (
    "TraceState",
    "ScopeName",
    "SpanAttributesKeys",
    "Events.Name",
    "Events.Attributes",
)
FAILED: Final = ("Error", "STATUS_CODE_ERROR")
"""Words of ``StatusCode`` for a span that failed, in the order of the versions from new to old."""
UNENDED: Final = 2**62
"""Nanoseconds. An end that is not set makes a ``Duration`` below zero, or beyond this."""


def quoted(name: str) -> str:
    """Quote an identifier.

    >>> quoted("Events.Name"), quoted("a`b")
    ('`Events.Name`', '`a\\\\`b`')
    """
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def text(value: str) -> str:
    """Write a constant of ours, or a name of an attribute, as a literal.

    >>> text("it's")
    "'it\\\\'s'"
    """
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def texts(values: Iterable[str]) -> str:
    """Write a list of literals, as ``IN`` takes it; never empty, because ``IN ()`` is none."""
    return ", ".join(map(text, values)) or "''"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """SQL expressions of one table for what a span is, under one name whatever the version of the table."""

    columns: Mapping[str, str]
    """The exporter's name -> the type of the table's column."""
    named: Mapping[str, str]
    """The exporter's name -> the table's, where they differ."""
    has_parts: bool = False
    """Whether names and values of attributes can be read apart: a view of the table may not allow it."""

    @classmethod
    def of(cls, described: Sequence[Sequence[Any]], named: Mapping[str, str], shown: str) -> Table:
        """Find the columns among those that ``DESCRIBE TABLE`` lists.

        Raises:
            UnreachableError: the table lacks one, so that it is none of the exporter's. ``shown`` names it.
        """
        types = {str(row[0]): str(row[1]) for row in described}
        columns = {
            one: types[named.get(one, one)] for one in (*NEEDED, *OPTIONAL) if named.get(one, one) in types
        }
        missing = [one for one in NEEDED if one not in columns]
        if missing:
            raise UnreachableError(
                f"{shown} is not a table of the collector's clickhouseexporter: it has no column {', '.join(missing)}. "
                "Set `table`, or map the exporter's names of columns to those of the table with `columns`, for example "
                "{SpanName: name}."
            )
        attributes = named.get("SpanAttributes", "SpanAttributes")
        has_parts = {f"{attributes}.keys", f"{attributes}.values"} <= types.keys()
        return cls(columns=columns, named=dict(named), has_parts=has_parts)

    def column(self, name: str) -> str:
        """The quoted name of a column of the exporter."""
        return quoted(self.named.get(name, name))

    def _has(self, name: str) -> bool:
        return name in self.columns

    @property
    def is_json(self) -> bool:
        """Whether attributes are of the type ``JSON``."""
        return not self.columns["SpanAttributes"].startswith("Map(")

    @property
    def nanoseconds(self) -> str:
        """The start, in nanoseconds since the epoch."""
        column = self.column("Timestamp")
        exact = (
            column if self.columns["Timestamp"].startswith("DateTime64(9") else f"toDateTime64({column}, 9)"
        )
        return f"toUnixTimestamp64Nano({exact})"

    @property
    def within(self) -> str:
        """The condition for a start between the values ``lo`` and ``hi``, by which partitions are left out."""
        column = self.column("Timestamp")
        return (
            f"{column} >= fromUnixTimestamp64Nano({{lo:Int64}}, 'UTC') AND "
            f"{column} < fromUnixTimestamp64Nano({{hi:Int64}}, 'UTC')"
        )

    @property
    def duration(self) -> str:
        """The duration in nanoseconds; -1 if the span has not ended."""
        column = f"toInt64({self.column('Duration')})"
        return f"if({column} < 0 OR {column} > {UNENDED}, -1, {column})"

    @property
    def trace_state(self) -> str:
        return self.column("TraceState") if self._has("TraceState") else "''"

    @property
    def scope(self) -> str:
        return self.column("ScopeName") if self._has("ScopeName") else "''"

    @property
    def keys(self) -> str:
        """The names of a span's attributes."""
        column = self.column("SpanAttributes")
        if not self.is_json:
            # Names alone take a fifth of the time of names and values.
            return f"{column}.keys" if self.has_parts else f"mapKeys({column})"
        return (
            self.column("SpanAttributesKeys")
            if self._has("SpanAttributesKeys")
            else f"JSONAllPaths({column})"
        )

    def pairs(self, wanted: Sequence[str]) -> str:
        """Columns ``ks`` and ``vs``: names and values of attributes as texts, at least those that are ``wanted``."""
        column = self.column("SpanAttributes")
        if not self.is_json:
            values = f"{column}.values" if self.has_parts else f"mapValues({column})"
            return f"{self.keys} AS ks, {values} AS vs"
        values = ", ".join(self._of_json(column, name) for name in wanted) or "''"
        return (
            f"[{values}] AS all_values, arrayFilter((k, v) -> v != '', [{texts(wanted)}], all_values) AS ks, "
            "arrayFilter(v -> v != '', all_values) AS vs"
        )

    def attribute(self, name: str) -> str:
        """One attribute of the span, empty if it is not there."""
        column = self.column("SpanAttributes")
        return self._of_json(column, name) if self.is_json else f"{column}[{text(name)}]"

    def resource(self, name: str) -> str:
        """One attribute of the process, empty if it is not there."""
        column = self.column("ResourceAttributes")
        if self.columns["ResourceAttributes"].startswith("Map("):
            return f"{column}[{text(name)}]"
        return self._of_json(column, name)

    @staticmethod
    def _of_json(column: str, name: str) -> str:
        value = f"{column}.{quoted(name)}"
        if not name.startswith(span_names.PREFIX):
            return f"ifNull(toString({value}), '')"
        # Only ours are lists that are read.
        return f"ifNull(if(startsWith(dynamicType({value}), 'Array'), toJSONString({value}), toString({value})), '')"

    @property
    def has_events(self) -> bool:
        return self._has("Events.Name") and self._has("Events.Attributes")

    @property
    def event_names(self) -> str:
        return self.column("Events.Name")

    def event_attribute(self, name: str) -> str:
        """One attribute of each event, empty where it is not there: a lambda's body over ``a``."""
        if "Map(" in self.columns["Events.Attributes"]:
            return f"a[{text(name)}]"
        path = ", ".join(map(text, name.split(".")))
        return f"trim(BOTH '\"' FROM JSONExtractRaw(toJSONString(a), {path}))"

    def events(self, attribute: str) -> str:
        """The values of one attribute of all events, as an array."""
        return f"arrayMap(a -> {self.event_attribute(attribute)}, {self.column('Events.Attributes')})"

    @property
    def failed(self) -> str:
        return f"{self.column('StatusCode')} IN ({texts(FAILED)})"

    def error(self, told: Iterable[str]) -> str:
        """The type of the error, ``error`` if the span does not tell it, and empty if it did not fail.

        ``told`` are expressions for the attributes that may tell it.
        """
        found = [f"[{one}]" for one in told]
        if self.has_events:
            found += map(self.events, names.ERROR_TYPE)
        found.append("['error']")
        return f"if({self.failed}, arrayFirst(x -> x != '', arrayConcat({', '.join(found)})), '')"


_IDENTIFIER: Final = re.compile(r"[^\0-\x1f]{1,200}")


def check_names(given: Mapping[str, str]) -> str | None:
    """Return what is wrong with the option ``columns``, or ``None``."""
    unknown = sorted(given.keys() - {*NEEDED, *OPTIONAL})
    if unknown:
        return (
            f"{', '.join(unknown)} is not a column of the exporter: it has {', '.join((*NEEDED, *OPTIONAL))}"
        )
    bad = sorted(one for one, name in given.items() if not _IDENTIFIER.fullmatch(name))
    return f"the name for {bad[0]} cannot be the name of a column" if bad else None
