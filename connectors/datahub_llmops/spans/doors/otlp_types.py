"""The part of OTLP's JSON that is read, as types.

The decoder skips what is not declared, and makes no object of it.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#json-protobuf-encoding
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Values(Struct, gc=False):
    """A list of values."""

    values: list[Value] | None = None


class Pairs(Struct, gc=False):
    """A mapping."""

    values: list[Pair] | None = None


class Value(Struct, gc=False, rename="camel"):
    """One value. Whole numbers are texts in most exporters, and so are numbers such as ``NaN``."""

    string_value: str | None = None
    int_value: str | int | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None
    array_value: Values | None = None
    kvlist_value: Pairs | None = None


class Pair(Struct, gc=False):
    """One attribute."""

    key: str = ""
    value: Value | None = None


class Event(Struct, gc=False):
    """One event of a span."""

    name: str | None = None
    attributes: list[Pair] | None = None


class Status(Struct, gc=False):
    """How a span ended."""

    code: int | str | None = None


class Span(Struct, gc=False, rename="camel"):
    """One span."""

    trace_id: str | None = None
    span_id: str | None = None
    start_time_unix_nano: str | int | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    end_time_unix_nano: str | int | None = None
    attributes: list[Pair] | None = None
    events: list[Event] | None = None
    status: Status | None = None


class Scope(Struct, gc=False):
    """What recorded spans."""

    name: str | None = None


class ScopeSpans(Struct, gc=False):
    """Spans of one scope."""

    scope: Scope | None = None
    spans: list[Span] | None = None


class Resource(Struct, gc=False):
    """One process."""

    attributes: list[Pair] | None = None


class Group(Struct, gc=False, rename="camel"):
    """Spans of one process."""

    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None


class TracesData(Struct, gc=False, rename="camel"):
    """One line."""

    resource_spans: list[Group] | None = None


def plain(value: Value) -> Any:
    """Return a value as Python has it, or ``None`` for bytes and for nothing.

    Raises:
        ValueError: a number is not valid.
    """
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return int(value.int_value)
    if value.double_value is not None:
        return float(value.double_value)
    if value.bool_value is not None:
        return value.bool_value
    if value.array_value is not None:
        return [plain(one) for one in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return {
            one.key: None if one.value is None else plain(one.value)
            for one in value.kvlist_value.values or ()
        }
    return None
