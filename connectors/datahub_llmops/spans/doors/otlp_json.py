"""Spans out of OTLP in JSON: what the collector's file and S3 exporters write, one ``TracesData`` a line.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#json-protobuf-encoding
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern
from typing import Any, Final, TypeAlias

from datahub_llmops.spans.attributes import (
    DOCUMENTS_OUTPUT,
    ERROR_TYPE,
    EVENTS,
    Reducer,
    Selection,
    first,
    is_wanted,
)
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.rows import MAX_NAME, Row, hexadecimal, weight_of

_FAILED: Final = (2, "STATUS_CODE_ERROR")
_Rule: TypeAlias = tuple[str, Reducer, bool]
"""Name, reducer, and whether the value is looked at before it is reduced."""
_MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError)


class JsonDecoder:
    """Reads parsed lines of one run."""

    def __init__(self, selection: Selection, counts: ReadCounts) -> None:
        self._selection = selection
        self._counts = counts
        self._rules: dict[str, _Rule | None] = {}

    def decode(self, data: dict[str, Any]) -> list[Row]:
        """Return the spans of a parsed line. What is no span is counted as unusable."""
        rows: list[Row] = []
        pick = self.pick
        traces: dict[str, str] = {}
        for resource_spans in _objects(data.get("resourceSpans")):
            resource = pick(_object(resource_spans.get("resource")).get("attributes"))
            for scope_spans in _objects(resource_spans.get("scopeSpans")):
                scope = intern(str(_object(scope_spans.get("scope")).get("name") or "")[:MAX_NAME])
                for span in _objects(scope_spans.get("spans")):
                    try:
                        attributes = pick(span.get("attributes"))
                        events = span.get("events")
                        if events:
                            self._events(events, attributes)
                        status = span.get("status")
                        state = span.get("traceState")
                        # Spans of one trace share its id, which makes the spool smaller.
                        trace = span["traceId"]
                        row = (
                            traces.get(trace) or traces.setdefault(trace, hexadecimal(trace)),
                            hexadecimal(span["spanId"]),
                            hexadecimal(span.get("parentSpanId")),
                            intern(str(span.get("name") or "")[:MAX_NAME]),
                            int(span["startTimeUnixNano"]) / 1e9,
                            int(span.get("endTimeUnixNano") or 0) / 1e9,
                            self._error(status, attributes, events) if status else None,
                            attributes,
                            resource,
                            scope,
                            weight_of(state) if state else 1.0,
                        )
                    except _MALFORMED:
                        self._counts.spans_unusable += 1
                        continue
                    if row[0] and row[1] and row[4] > 0:
                        rows.append(row)
                    else:
                        self._counts.spans_unusable += 1
        return rows

    def pick(self, pairs: Any) -> dict[str, Any]:
        """Return what is kept of a list of ``{"key", "value"}``."""
        kept: dict[str, Any] = {}
        if not pairs:
            return kept
        rules = self._rules
        for pair in pairs:
            try:
                try:
                    rule = rules[pair["key"]]
                except KeyError:
                    rule = self._rule(pair["key"])
                if rule is None:
                    continue
                name, reduce, is_output = rule
                value = pair["value"].get("stringValue")
                if value is None:
                    value = _value(pair["value"])
                if is_output and not is_wanted(name, value):
                    continue
                found = reduce(value)
            except _MALFORMED:
                self._selection.dropped += 1
                continue
            if found is not None:
                kept[name] = found
            elif value is not None:
                self._selection.dropped += 1
        return kept

    def _rule(self, name: str) -> _Rule | None:
        rules = self._selection.rules
        reduce = rules[name] if name in rules else self._selection.rule(name)
        rule = None if reduce is None else (intern(name), reduce, name in DOCUMENTS_OUTPUT)
        if len(self._rules) < 50_000 and len(name) <= MAX_NAME:
            self._rules[name] = rule
        return rule

    def _events(self, events: Any, kept: dict[str, Any]) -> None:
        for event in _objects(events):
            name = event.get("name")
            if name in EVENTS:
                pairs = _objects(event.get("attributes"))
                self._selection.event(
                    str(name), {str(one["key"]): _value(one["value"]) for one in pairs}, kept
                )

    def _error(self, status: Any, attributes: dict[str, Any], events: Any) -> str | None:
        if status.get("code") not in _FAILED:
            return None
        found = first(attributes, ERROR_TYPE)
        if found is None:
            for event in _objects(events):
                found = first(self.pick(event.get("attributes")), ERROR_TYPE)
                if found is not None:
                    break
        return str(found) if found is not None else "error"


def _value(value: dict[str, Any]) -> Any:
    for kind, one in value.items():
        if kind == "intValue":
            return int(one)
        if kind == "doubleValue":
            return float(one)  # ``"NaN"`` and ``"Infinity"`` are texts.
        if kind == "arrayValue":
            return [_value(each) for each in one.get("values") or ()]
        if kind == "kvlistValue":
            return {str(each["key"]): _value(each["value"]) for each in one.get("values") or ()}
        return None if kind == "bytesValue" else one
    return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(values: Any) -> Iterable[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else ()
