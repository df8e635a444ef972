"""Spans out of OTLP in protobuf: ``ExportTraceServiceRequest`` and ``TracesData``.

The loops are plain on purpose: ten million spans of thirty attributes go through them. Most attributes are content, of
which only the name is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern
from typing import Any, Final, TypeAlias

from google.protobuf.message import DecodeError

from datahub_llmops.spans.attributes import (
    DOCUMENTS_BEGIN,
    DOCUMENTS_OUTPUT,
    ERROR_TYPE,
    EVENTS,
    MAX_JSON,
    Reducer,
    Selection,
    first,
    is_wanted,
)
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.otlp_schema import (
    AnyValue,
    Event,
    KeyValue,
    Resource,
    Scope,
    Status,
    TracesData,
)
from datahub_llmops.spans.doors.rows import MAX_NAME, Row, weight_of

_FAILED: Final = 2
_NO_ERROR: Final = (b"", b"\x18\x01", b"\x18\x00")
_MAX_BYTES: Final = 4 * MAX_JSON
"""No text of ``MAX_JSON`` characters is longer in UTF-8."""
_CACHED: Final = 4_096
_SHORT: Final = 64
"""Bytes below which an attribute is looked up as a whole: longer ones are rarely the same."""
_BEGINS: Final = tuple(one.encode() for one in DOCUMENTS_BEGIN)
_EVENTS: Final = tuple(one.encode() for one in EVENTS)
_Rule: TypeAlias = tuple[str, Reducer, tuple[bytes, ...] | None]
"""Name, reducer, and how a value has to begin to be worth decoding."""


class ProtoDecoder:
    """Reads messages of one run. Equal resources become one object."""

    def __init__(self, selection: Selection, counts: ReadCounts) -> None:
        self._selection = selection
        self._counts = counts
        self._rules: dict[bytes, _Rule | None] = {}
        self._known: dict[bytes, tuple[()] | tuple[str, Any]] = {}
        """Short attributes as they were read before; those that are not kept are empty."""
        self._names: dict[bytes, str] = {}
        self._resources: dict[bytes, dict[str, Any]] = {}
        self._scopes: dict[bytes, str] = {}

    def decode(self, record: bytes) -> list[Row]:
        """Return the spans of a message.

        Raises:
            ValueError: it is no message of OTLP.
        """
        try:
            data = TracesData.FromString(record)
        except DecodeError:
            raise ValueError("it is no OTLP message") from None
        rows: list[Row] = []
        unusable = 0
        pick, names = self.pick, self._names
        # Spans of one trace share its id, which makes the spool smaller.
        traces: dict[bytes, str] = {}
        for resource_spans in data.resource_spans:
            resource = self._resource(resource_spans.resource)
            for scope_spans in resource_spans.scope_spans:
                scope = self._scope(scope_spans.scope)
                for span in scope_spans.spans:
                    name = span.name
                    trace, own, start = span.trace_id, span.span_id, span.start_time_unix_nano
                    if len(trace) != 16 or len(own) != 8 or not start:
                        unusable += 1
                        continue
                    attributes = pick(span.attributes)
                    events = span.events
                    if events:
                        self._events(events, attributes)
                    status = span.status
                    state = span.trace_state
                    rows.append(
                        (
                            traces.get(trace) or traces.setdefault(trace, trace.hex()),
                            own.hex(),
                            span.parent_span_id.hex(),
                            names.get(name) or self._name(name),
                            start / 1e9,
                            span.end_time_unix_nano / 1e9,
                            None if status in _NO_ERROR else self._error(status, attributes, events),
                            attributes,
                            resource,
                            scope,
                            weight_of(state.decode("ascii", "replace")) if state else 1.0,
                        )
                    )
        self._counts.spans_unusable += unusable
        return rows

    def pick(self, pairs: Iterable[bytes]) -> dict[str, Any]:
        """Return what is kept of attributes, each the bytes of a ``KeyValue``."""
        kept: dict[str, Any] = {}
        rules, known = self._rules, self._known
        for pair in pairs:
            # Kinds, models, prompts and small numbers are the same again and again.
            if len(pair) < _SHORT:
                found = known.get(pair)
                if found is not None:
                    if found:
                        kept[found[0]] = found[1]
                    continue
            try:
                # Tag 10 is the key, whose length takes one byte below 128.
                end = pair[1] + 2
                if end > 129 or pair[0] != 10:
                    self._pick_slowly(pair, kept)
                    continue
                key = pair[2:end]
                try:
                    rule = rules[key]
                except KeyError:
                    rule = self._rule(key)
                if rule is None:
                    self._remember(pair, ())
                    continue
                # Tag 18 is the value. Its length takes one byte below 128, two below 16,384, three below 2 MiB.
                at = end + 2
                if pair[end + 1] > 127:
                    at = end + 3 if pair[end + 2] < 128 else end + 4
                kind = pair[at]
                if pair[end] != 18 or pair[at - 1] > 127:
                    self._pick_slowly(pair, kept)
                    continue
                name, reduce, begins = rule
                value: Any
                # In the value, tag 10 is a text, 24 a whole number.
                if kind == 10:
                    text = at + 2
                    if pair[at + 1] > 127:
                        text = at + 3 if pair[at + 2] < 128 else at + 4
                    if begins is not None and not pair.startswith(begins, text):
                        continue
                    value = pair[text:].decode("utf-8", "replace")
                elif kind == 24 and len(pair) - at < 5:
                    value = pair[at + 1] & 127
                    if len(pair) - at > 2:
                        value |= (pair[at + 2] & 127) << 7
                        if len(pair) - at > 3:
                            value |= pair[at + 3] << 14
                else:
                    self._pick_slowly(pair, kept)
                    continue
            except IndexError:
                self._pick_slowly(pair, kept)
                continue
            reduced = reduce(value)
            if reduced is not None:
                kept[name] = reduced
                self._remember(pair, (name, reduced))
            else:
                self._selection.dropped += 1
        return kept

    def _remember(self, pair: bytes, found: tuple[()] | tuple[str, Any]) -> None:
        if len(pair) < _SHORT and len(self._known) < _CACHED:
            self._known[pair] = found

    def _pick_slowly(self, pair: bytes, kept: dict[str, Any]) -> None:
        try:
            parsed = KeyValue.FromString(pair)
            rule = self._rule(parsed.key)
            if rule is None:
                return
            name, reduce, _ = rule
            if len(parsed.value) > _MAX_BYTES:
                self._selection.dropped += 1
                return
            value = _value(AnyValue.FromString(parsed.value))
        except DecodeError:
            return
        if not is_wanted(name, value):
            return
        found = reduce(value)
        if found is not None:
            kept[name] = found
        elif value is not None:
            self._selection.dropped += 1

    def _rule(self, key: bytes) -> _Rule | None:
        name = key.decode("utf-8", "replace")
        rules = self._selection.rules
        reduce = rules[name] if name in rules else self._selection.rule(name)
        rule = (
            None if reduce is None else (intern(name), reduce, _BEGINS if name in DOCUMENTS_OUTPUT else None)
        )
        if len(self._rules) < 50_000 and len(key) <= MAX_NAME:
            self._rules[key] = rule
        return rule

    def _name(self, raw: bytes) -> str:
        name = raw.decode("utf-8", "replace")[:MAX_NAME]
        if len(self._names) < _CACHED and len(raw) <= MAX_NAME:
            self._names[raw] = name
        return name

    def _resource(self, raw: bytes) -> dict[str, Any]:
        found = self._resources.get(raw)
        if found is None:
            found = self.pick(Resource.FromString(raw).attributes)
            if len(self._resources) < _CACHED and len(raw) < _CACHED:
                self._resources[raw] = found
        return found

    def _scope(self, raw: bytes) -> str:
        found = self._scopes.get(raw)
        if found is None:
            found = intern(Scope.FromString(raw).name.decode("utf-8", "replace")[:MAX_NAME])
            if len(self._scopes) < _CACHED and len(raw) < _CACHED:
                self._scopes[raw] = found
        return found

    def _events(self, events: Iterable[bytes], kept: dict[str, Any]) -> None:
        for raw in events:
            # Most events are exceptions, or content.
            if not any(name in raw for name in _EVENTS):
                continue
            try:
                event = Event.FromString(raw)
                name = event.name.decode("utf-8", "replace")
                if name in EVENTS:
                    pairs = [KeyValue.FromString(one) for one in event.attributes]
                    values = {
                        one.key.decode("utf-8", "replace"): _value(AnyValue.FromString(one.value))
                        for one in pairs
                    }
                    self._selection.event(name, values, kept)
            except DecodeError:
                continue

    def _error(self, status: bytes, attributes: dict[str, Any], events: Iterable[bytes]) -> str | None:
        if Status.FromString(status).code != _FAILED:
            return None
        found = first(attributes, ERROR_TYPE)
        if found is None:
            for event in events:
                found = first(self.pick(Event.FromString(event).attributes), ERROR_TYPE)
                if found is not None:
                    break
        return str(found) if found is not None else "error"


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value.decode("utf-8", "replace")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {
            one.key.decode("utf-8", "replace"): _value(AnyValue.FromString(one.value))
            for one in value.kvlist_value.values
        }
    return None if kind is None else getattr(value, kind)
