"""Spans out of OTLP in JSON: what the collector's file and S3 exporters write, one ``TracesData`` a line.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#json-protobuf-encoding
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import intern
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

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
    repeats_output,
    varies,
    without_repeats,
)
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.otlp_types import (
    Event,
    Group,
    Pair,
    Resource,
    Scope,
    ScopeSpans,
    Status,
    TracesData,
    Value,
    plain,
)
from datahub_llmops.spans.doors.otlp_types import Span as JsonSpan
from datahub_llmops.spans.doors.rows import MAX_NAME, Row, hexadecimal, weight_of, whole
from datahub_llmops.spans.doors.span_classes import SpanClasses

_FAILED: Final = (2, "STATUS_CODE_ERROR")
_REMEMBERED: Final = 5_000
"""Values of one attribute that are remembered as they were read. A full memory begins anew."""
_SHORT: Final = 1_024
"""Characters of the longest of them."""
_Rule: TypeAlias = tuple[str, Reducer, bool, int | None, dict[str | None, Any]]
"""Name, reducer, whether the value is looked at before it is reduced, whether it varies, and what was read before.

The fourth is ``None`` for an attribute that does not vary. For one that does, it is the number of the fact that a span
has it, or -1 if that makes no difference. What was read is, by its text, the number of a fact or a value.
"""
_MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError)
_MAX_LAYOUTS: Final = 5_000
_MAX_NAMES: Final = 10_000
"""Characters of the names in the largest layout that is remembered."""


class _Layout(NamedTuple):
    """Which attributes a span has at which places, with their rules. The layouts of an application are few."""

    facts: tuple[tuple[int, Any], ...]
    outputs: tuple[tuple[int, Any], ...]
    varying: tuple[tuple[int, Any], ...]
    """Those that vary, apart from outputs."""
    beside_outputs: tuple[tuple[int, Any], ...]
    """Those of them that do not repeat the documents of an output."""


class JsonDecoder:
    """Reads lines of one run."""

    def __init__(self, selection: Selection, counts: ReadCounts, classes: SpanClasses) -> None:
        self._selection = selection
        self._counts = counts
        self._classes = classes
        self._rules: dict[str, _Rule | None] = {}
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        self._typed = msgspec.json.Decoder(TracesData)

    def decode(self, record: bytes) -> list[Row]:
        """Return the spans of a line.

        Raises:
            ValueError: it is none of OTLP's JSON; ``decode_parsed`` reads what is nearly so.
        """
        return self._rows(self._typed.decode(record).resource_spans)

    def decode_parsed(self, data: dict[str, Any]) -> list[Row]:
        """Return the spans of a parsed line. What is no span counts as unusable, what is no attribute is left out."""
        groups = []
        for group in _objects(data.get("resourceSpans")):
            scopes = []
            for scope in _objects(group.get("scopeSpans")):
                spans = [self._span(one) for one in _objects(scope.get("spans"))]
                name = _object(scope.get("scope")).get("name")
                scopes.append(ScopeSpans(scope=Scope(name=str(name or "")), spans=spans))
            resource = Resource(attributes=self._pairs(_object(group.get("resource")).get("attributes")))
            groups.append(Group(resource=resource, scope_spans=scopes))
        return self._rows(groups)

    def _span(self, span: dict[str, Any]) -> JsonSpan:
        """Return a span, whose ids and times may be anything."""
        status = span.get("status")
        name = span.get("name")
        events = [
            Event(name=str(one.get("name")), attributes=self._pairs(one.get("attributes")))
            for one in _objects(span.get("events"))
        ]
        return JsonSpan(
            trace_id=span.get("traceId"),
            span_id=span.get("spanId"),
            start_time_unix_nano=span.get("startTimeUnixNano"),
            parent_span_id=span.get("parentSpanId"),
            trace_state=state if isinstance(state := span.get("traceState"), str) else None,
            name=name if isinstance(name, str) else str(name or ""),
            end_time_unix_nano=span.get("endTimeUnixNano"),
            attributes=self._pairs(span.get("attributes")),
            events=events,
            status=Status(code=status.get("code")) if isinstance(status, dict) else None,
        )

    def _pairs(self, values: Any) -> list[Pair]:
        found = []
        for one in values if isinstance(values, list) else ():
            try:
                found.append(msgspec.convert(one, Pair))
            except (msgspec.ValidationError, RecursionError):
                self._selection.dropped += 1
        return found

    def _rows(self, groups: Iterable[Group] | None) -> list[Row]:
        rows: list[Row] = []
        sort, number_of = self._sort, self._classes.number
        traces: dict[str, str] = {}
        for group in groups or ():
            resource = self.pick((group.resource and group.resource.attributes) or ())
            process = self._classes.process(resource)
            for scope_spans in group.scope_spans or ():
                scope = intern(((scope_spans.scope and scope_spans.scope.name) or "")[:MAX_NAME])
                for span in scope_spans.spans or ():
                    try:
                        facts: list[int] = []
                        varying = sort(span.attributes or (), facts)
                        if span.events:
                            self._classes.sort(self._events(span.events), facts, varying)
                        error = self._error(span, facts) if span.status is not None else None
                        weight = weight_of(span.trace_state) if span.trace_state else 1.0
                        # Spans of one trace share its id, which makes the spool smaller.
                        trace: Any = span.trace_id
                        trace = traces.get(trace) or traces.setdefault(trace, hexadecimal(trace))
                        own, parent = hexadecimal(span.span_id), hexadecimal(span.parent_span_id)
                        name = span.name or ""
                        if len(name) > MAX_NAME:
                            name = name[:MAX_NAME]
                        started = int(span.start_time_unix_nano or 0) / 1e9
                        ended = int(span.end_time_unix_nano or 0) / 1e9
                        if not trace or not own or not started > 0:
                            self._counts.spans_unusable += 1
                            continue
                        number = number_of(name, error, facts, scope, weight, ended > 0)
                        if number and process:
                            row: Row = trace, own, parent, number, started, ended, varying or None, process
                        else:
                            attributes = self.pick(span.attributes or ())
                            attributes.update(self._events(span.events or ()))
                            ids, times = (trace, own, parent), (started, ended)
                            row = whole(ids, times, name, error, attributes, resource, scope, weight)
                    except _MALFORMED:
                        self._counts.spans_unusable += 1
                        continue
                    rows.append(row)
        return rows

    def _sort(self, pairs: Sequence[Pair], facts: list[int]) -> dict[str, Any]:
        """Return the attributes that vary, and add the others to facts."""
        names = tuple([pair.key for pair in pairs])
        layout = self._layouts.get(names)
        if layout is None:
            layout = self._layout(names)
        for place, rule in layout.facts:
            value = pairs[place].value
            if value is not None:
                found = rule[4].get(value.string_value) or self._read(value, rule)
                if found is not None:
                    facts.append(found)
        varying: dict[str, Any] = {}
        for place, rule in layout.outputs:
            value = pairs[place].value
            if value is not None:
                text = value.string_value
                if text is None or text.startswith(DOCUMENTS_BEGIN):
                    found = self._read(value, rule)
                    if found is not None:
                        varying[rule[0]] = found
                        facts.append(rule[3])
        for place, rule in layout.beside_outputs if varying else layout.varying:
            value = pairs[place].value
            if value is not None:
                found = rule[4].get(value.string_value)
                if found is None:
                    found = self._read(value, rule)
                if found is not None:
                    varying[rule[0]] = found
                    presence = rule[3]
                    if presence >= 0:
                        facts.append(presence)
        return varying

    def _layout(self, names: tuple[str, ...]) -> _Layout:
        rules = [(place, rule) for place, rule in enumerate(map(self._rule, names)) if rule is not None]
        varying = [one for one in rules if one[1][3] is not None and not one[1][2]]
        found = _Layout(
            facts=tuple([one for one in rules if one[1][3] is None]),
            outputs=tuple([one for one in rules if one[1][2]]),
            varying=tuple(varying),
            beside_outputs=tuple([one for one in varying if not repeats_output(one[1][0])]),
        )
        if sum(map(len, names)) <= _MAX_NAMES:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            self._layouts[names] = found
        return found

    def _read(self, given: Value, rule: _Rule) -> Any:
        """Return the number of the fact, or the value of an attribute that varies, or ``None`` if nothing is kept."""
        name, _, is_output, presence, known = rule
        found = self._reduced(given, rule)
        if found is None:
            return None
        if presence is None:
            found = self._classes.fact(name, found)
        text = given.string_value
        if text is not None and not is_output and len(text) <= _SHORT:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[text] = found
        return found

    def _reduced(self, given: Value, rule: _Rule) -> Any:
        """Return what is kept of the value of an attribute, or ``None`` if that is nothing."""
        try:
            value = plain(given)
            found = rule[1](value)
        except _MALFORMED:
            self._selection.dropped += 1
            return None
        if found is None and value is not None:
            self._selection.dropped += 1
        return found

    def pick(self, pairs: Iterable[Pair]) -> dict[str, Any]:
        """Return what is kept of attributes."""
        kept: dict[str, Any] = {}
        for pair in pairs:
            rule, given = self._rule(pair.key), pair.value
            if rule is None or given is None or not is_wanted(rule[0], given.string_value):
                continue
            found = self._reduced(given, rule)
            if found is not None:
                kept[rule[0]] = found
        return without_repeats(kept)

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

    def _events(self, events: Iterable[Event]) -> dict[str, Any]:
        """Return what is kept of events as attributes of their span."""
        kept: dict[str, Any] = {}
        for event in events:
            if event.name in EVENTS:
                values = {
                    one.key: plain(one.value) for one in event.attributes or () if one.value is not None
                }
                self._selection.event(event.name, values, kept)
        return kept

    def _error(self, span: JsonSpan, facts: list[int]) -> str | None:
        if span.status is None or span.status.code not in _FAILED:
            return None
        found = self._error_type(span.attributes or (), facts)
        for event in (span.events or ()) if found is None else ():
            of_event: list[int] = []
            self._sort(event.attributes or (), of_event)
            found = self._error_type(event.attributes or (), of_event)
            if found is not None:
                break
        return str(found) if found is not None else "error"

    def _error_type(self, pairs: Iterable[Pair], facts: list[int]) -> Any:
        return (
            self._classes.value(facts, ERROR_TYPE) if 0 not in facts else first(self.pick(pairs), ERROR_TYPE)
        )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(values: Any) -> Iterable[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else ()
