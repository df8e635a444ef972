"""The part of OTLP's JSON that is read, as types.

The decoder skips what is not declared, and makes no object of it. So each name of an attribute has a type of its own
(``attribute_type``), which declares a value only if the value is read. Attributes of other names are ``Pair``.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#json-protobuf-encoding
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

STRICT: Final = False
"""Whether numbers have to be numbers. Most exporters write those of 64 bits as texts."""
_NULL: Final = Raw(b"null")
A = TypeVar("A")


class Values(Struct, gc=False, frozen=True):
    """A list of values."""

    values: tuple[Value, ...] | None = None


class Member(Struct, gc=False, frozen=True):
    """A value in a mapping."""

    key: str = ""
    value: Value | None = None


class Members(Struct, gc=False, frozen=True):
    """A mapping."""

    values: tuple[Member, ...] | None = None


class Value(Struct, gc=False, frozen=True, rename="camel"):
    """One value. ``NaN`` and the infinite numbers are texts."""

    string_value: str | None = None
    int_value: int | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None
    array_value: Values | None = None
    kvlist_value: Members | None = None


class Pair(Struct, gc=False):
    """One attribute, whose value is not decoded yet: see ``value_of``."""

    key: str = ""
    value: Raw = _NULL


def attribute_type(name: str, has_value: bool) -> type[Struct]:
    """Return the type of attributes of this name. Its instances have ``key``, and a ``value`` if that is read."""
    return msgspec.defstruct(
        "Attribute",
        [("value", Value | None, None)] if has_value else [],
        namespace={"key": name} if has_value else {"key": name, "value": None},
        tag_field="key",
        tag=name,
        frozen=True,
        gc=False,
    )


class Event(Struct, gc=False):
    """One event of a span."""

    name: str | None = None
    attributes: list[Pair] | None = None


class Status(Struct, gc=False):
    """How a span ended."""

    code: int | str | None = None


class Span(Struct, Generic[A], gc=False, rename="camel"):
    """One span."""

    trace_id: str | None = None
    span_id: str | None = None
    start_time_unix_nano: int | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    end_time_unix_nano: int | None = None
    attributes: list[A] | None = None
    events: list[Event] | None = None
    status: Status | None = None


class Scope(Struct, gc=False):
    """What recorded spans."""

    name: str | None = None


class ScopeSpans(Struct, Generic[A], gc=False):
    """Spans of one scope."""

    scope: Scope | None = None
    spans: list[Span[A]] | None = None


class Resource(Struct, gc=False):
    """One process."""

    attributes: list[Pair] | None = None


class Group(Struct, Generic[A], gc=False, rename="camel"):
    """Spans of one process."""

    resource: Raw = _NULL
    """See ``Resource``."""
    scope_spans: list[ScopeSpans[A]] | None = None


class TracesData(Struct, Generic[A], gc=False, rename="camel"):
    """One line."""

    resource_spans: list[Group[A]] | None = None


_decode: Final = msgspec.json.Decoder(Value | None, strict=STRICT).decode


def value_of(attribute: Any) -> Value | None:
    """Return the value of an attribute.

    Raises:
        ValueError: it is none.
    """
    value: Value | Raw | None = attribute.value
    return _decode(value) if isinstance(value, Raw) else value


def plain(value: Value) -> Any:
    """Return a value as Python has it, or ``None`` for bytes and for nothing.

    Raises:
        ValueError: a number is not valid.
    """
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return value.int_value
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
