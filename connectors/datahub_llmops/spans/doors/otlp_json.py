"""Spans out of OTLP in JSON: what the collector's file and S3 exporters write, one ``TracesData`` a line.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#json-protobuf-encoding
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern
from typing import Any, Final, TypeAlias

from datahub_llmops.spans.attributes import (
    DOCUMENTS_BEGIN,
    DOCUMENTS_OUTPUT,
    ERROR_TYPE,
    EVENTS,
    Reducer,
    Selection,
    first,
    is_document,
    is_wanted,
    varies,
)
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.rows import MAX_NAME, Row, hexadecimal, weight_of, whole
from datahub_llmops.spans.doors.span_classes import SpanClasses

_FAILED: Final = (2, "STATUS_CODE_ERROR")
_REMEMBERED: Final = 5_000
"""Values of one attribute that are remembered as they were read. A full memory begins anew."""
_SHORT: Final = 1_024
"""Characters of the longest of them."""
_Rule: TypeAlias = tuple[str, Reducer, bool, int | None, dict[str, Any]]
"""Name, reducer, whether the value is looked at before it is reduced, whether it varies, and what was read before.

The fourth is ``None`` for an attribute that does not vary. For one that does, it is the number of the fact that a span
has it, or -1 if that makes no difference. What was read is, by its text, the number of a fact or a value.
"""
_MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError)


class JsonDecoder:
    """Reads parsed lines of one run."""

    def __init__(self, selection: Selection, counts: ReadCounts, classes: SpanClasses) -> None:
        self._selection = selection
        self._counts = counts
        self._classes = classes
        self._rules: dict[str, _Rule | None] = {}

    def decode(self, data: dict[str, Any]) -> list[Row]:
        """Return the spans of a parsed line. What is no span is counted as unusable."""
        rows: list[Row] = []
        sort, number_of = self._sort, self._classes.number
        traces: dict[str, str] = {}
        for resource_spans in _objects(data.get("resourceSpans")):
            resource = self.pick(_object(resource_spans.get("resource")).get("attributes"))
            process = self._classes.process(resource)
            for scope_spans in _objects(resource_spans.get("scopeSpans")):
                scope = intern(str(_object(scope_spans.get("scope")).get("name") or "")[:MAX_NAME])
                for span in _objects(scope_spans.get("spans")):
                    try:
                        facts: list[int] = []
                        varying = sort(span.get("attributes"), facts)
                        events = span.get("events")
                        if events:
                            self._classes.sort(self._events(events), facts, varying)
                        error = self._error(span, facts) if span.get("status") else None
                        state = span.get("traceState")
                        weight = weight_of(state) if state else 1.0
                        # Spans of one trace share its id, which makes the spool smaller.
                        trace = span["traceId"]
                        trace = traces.get(trace) or traces.setdefault(trace, hexadecimal(trace))
                        own, parent = hexadecimal(span["spanId"]), hexadecimal(span.get("parentSpanId"))
                        name = span.get("name")
                        if type(name) is not str or len(name) > MAX_NAME:
                            name = str(name or "")[:MAX_NAME]
                        started = int(span["startTimeUnixNano"]) / 1e9
                        ended = int(span.get("endTimeUnixNano") or 0) / 1e9
                        if not trace or not own or not started > 0:
                            self._counts.spans_unusable += 1
                            continue
                        number = number_of(name, error, facts, scope, weight, ended > 0)
                        if number and process:
                            row: Row = trace, own, parent, number, started, ended, varying or None, process
                        else:
                            attributes = self.pick(span.get("attributes"))
                            attributes.update(self._events(events))
                            ids, times = (trace, own, parent), (started, ended)
                            row = whole(ids, times, name, error, attributes, resource, scope, weight)
                    except _MALFORMED:
                        self._counts.spans_unusable += 1
                        continue
                    rows.append(row)
        return rows

    def _sort(self, pairs: Any, facts: list[int]) -> dict[str, Any]:
        """Return the attributes that vary of a list of ``{"key", "value"}``, and add the others to facts."""
        varying: dict[str, Any] = {}
        rules = self._rules
        for pair in pairs or ():
            try:
                try:
                    rule = rules[pair["key"]]
                except KeyError:
                    rule = self._rule(pair["key"])
                if rule is None:
                    continue
                name, _, is_output, presence, known = rule
                value = pair["value"].get("stringValue")
                if not is_output:
                    found = known.get(value)
                elif value is None or value.startswith(DOCUMENTS_BEGIN):
                    found = None
                else:
                    continue
                if found is None:
                    found = self._read(pair["value"], rule)
                    if found is None:
                        continue
            except _MALFORMED:
                self._selection.dropped += 1
                continue
            if presence is None:
                facts.append(found)
            else:
                varying[name] = found
                if presence >= 0:
                    facts.append(presence)
        return varying

    def _read(self, given: dict[str, Any], rule: _Rule) -> Any:
        """Return the number of the fact, or the value of an attribute that varies, or ``None`` if nothing is kept."""
        name, _, is_output, presence, known = rule
        found = self._reduced(_value(given), rule)
        if found is None:
            return None
        if presence is None:
            found = self._classes.fact(name, found)
        text = given.get("stringValue")
        if type(text) is str and not is_output and len(text) <= _SHORT:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[text] = found
        return found

    def _reduced(self, value: Any, rule: _Rule) -> Any:
        """Return what is kept of the value of an attribute, or ``None`` if that is nothing."""
        found = rule[1](value)
        if found is None and value is not None:
            self._selection.dropped += 1
        return found

    def pick(self, pairs: Any) -> dict[str, Any]:
        """Return what is kept of a list of ``{"key", "value"}``."""
        kept: dict[str, Any] = {}
        for pair in pairs or ():
            try:
                rule = self._rule(pair["key"])
                value = _value(pair["value"]) if rule is not None else None
                if rule is None or (rule[2] and not is_wanted(rule[0], value)):
                    continue
                found = self._reduced(value, rule)
            except _MALFORMED:
                self._selection.dropped += 1
                continue
            if found is not None:
                kept[rule[0]] = found
        return kept

    def _rule(self, name: str) -> _Rule | None:
        if name in self._rules:
            return self._rules[name]
        rules = self._selection.rules
        reduce = rules[name] if name in rules else self._selection.rule(name)
        rule: _Rule | None = None
        if reduce is not None:
            presence = None
            if varies(name):
                presence = -1 if is_document(name) else self._classes.presence(name)
            rule = intern(name), reduce, name in DOCUMENTS_OUTPUT, presence, {}
        if len(self._rules) < 50_000 and len(name) <= MAX_NAME:
            self._rules[name] = rule
        return rule

    def _events(self, events: Any) -> dict[str, Any]:
        """Return what is kept of events as attributes of their span."""
        kept: dict[str, Any] = {}
        for event in _objects(events):
            name = event.get("name")
            if name in EVENTS:
                pairs = _objects(event.get("attributes"))
                self._selection.event(
                    str(name), {str(one["key"]): _value(one["value"]) for one in pairs}, kept
                )
        return kept

    def _error(self, span: dict[str, Any], facts: list[int]) -> str | None:
        if span["status"].get("code") not in _FAILED:
            return None
        found = self._error_type(span.get("attributes"), facts)
        for event in _objects(span.get("events")) if found is None else ():
            of_event: list[int] = []
            self._sort(event.get("attributes"), of_event)
            found = self._error_type(event.get("attributes"), of_event)
            if found is not None:
                break
        return str(found) if found is not None else "error"

    def _error_type(self, pairs: Any, facts: list[int]) -> Any:
        return (
            self._classes.value(facts, ERROR_TYPE) if 0 not in facts else first(self.pick(pairs), ERROR_TYPE)
        )


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
