"""Spans out of OTLP in JSON: what the collector's file and S3 exporters write, one ``TracesData`` a line.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md#json-protobuf-encoding
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from sys import intern
from typing import Any, Final, NamedTuple, TypeAlias, Union

import msgspec
from msgspec import Raw

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
    keep,
    repeats_output,
    varies,
    without_repeats,
)
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.otlp_types import (
    STRICT,
    Event,
    Group,
    Pair,
    Resource,
    Scope,
    ScopeSpans,
    Status,
    TracesData,
    Value,
    attribute_type,
    plain,
    value_of,
)
from datahub_llmops.spans.doors.otlp_types import Span as JsonSpan
from datahub_llmops.spans.doors.rows import MAX_NAME, Row, hexadecimals, picker, weight_of, whole
from datahub_llmops.spans.doors.span_classes import SpanClasses

_FAILED: Final = (2, "STATUS_CODE_ERROR")
_REMEMBERED: Final = 5_000
"""Things of one kind that are remembered as they were read. A full memory begins anew."""
_SHORT: Final = 1_024
"""Characters of the longest value that is remembered."""
_MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError)
_MAX_TYPES: Final = 5_000
"""Names of attributes that have types, about a kilobyte each."""
_LARGE: Final = 1_000
"""Attributes of the largest span whose layout is remembered."""
_LONG: Final = 4_096
"""Characters of the longest combination of values that is remembered, and bytes of the longest process."""
_decode_resource: Final = msgspec.json.Decoder(Resource | None, strict=STRICT).decode


class _Rule(NamedTuple):
    """What is done with the attributes of one name."""

    name: str
    reduce: Reducer
    is_output: bool
    """Whether the value is looked at before it is reduced."""
    varies: bool
    known: dict[str | None, Any]
    """What was read of values that vary, by their texts."""


class _Layout(NamedTuple):
    """Which attributes a span has at which places. The layouts of an application are few."""

    pick: Callable[[Sequence[Any]], tuple[Any, ...]]
    """Returns the attributes that are facts, apart from those below."""
    reduced: tuple[int, ...]
    """Places of facts whose texts differ more often than what is kept of them."""
    outputs: tuple[tuple[int, _Rule], ...]
    varying: tuple[tuple[int, _Rule], ...]
    """Those that vary, apart from outputs."""
    beside_outputs: tuple[tuple[int, _Rule], ...]
    """Those of them that do not repeat the documents of an output."""


_Sorted: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
"""Facts, as attributes or by their numbers, and the attributes that vary."""


class JsonDecoder:
    """Reads lines of one run."""

    def __init__(self, selection: Selection, counts: ReadCounts, classes: SpanClasses) -> None:
        self._selection = selection
        self._counts = counts
        self._classes = classes
        self._rules: dict[str, _Rule | None] = {}
        self._types: dict[str, type[msgspec.Struct]] = {}
        """Types of attributes by their names."""
        self._layouts: dict[tuple[type, ...], _Layout] = {}
        self._processes: dict[bytes, tuple[dict[str, Any], int]] = {}
        self._facts: dict[Any, int] = {}
        """Numbers of facts by the attributes."""
        self._numbers: dict[Hashable, int] = {}
        """Numbers of classes by what spans of one class have in common."""
        self._any_names = msgspec.json.Decoder(TracesData[Pair], strict=STRICT)
        self._known_names: msgspec.json.Decoder[TracesData[Any]] | None = None
        self._learned = self._missed = 0

    def decode(self, record: bytes) -> list[Row]:
        """Return the spans of a line.

        Raises:
            ValueError: it is none of OTLP's JSON; ``decode_parsed`` reads what is nearly so.
        """
        if self._known_names is not None:
            try:
                found = self._known_names.decode(record)
            except msgspec.DecodeError:
                pass  # Most often, an attribute has a new name.
            else:
                return self._rows(found.resource_spans or (), self._sort)
        groups = self._any_names.decode(record).resource_spans or []
        self._learn(groups)
        return self._rows(groups, self._sort_each)

    def _learn(self, groups: Iterable[Group[Pair]]) -> None:
        """Make types of the names in a line. Where many lines have new names, only now and then."""
        self._missed += 1
        if self._missed <= self._learned:
            return
        names = {
            pair.key
            for group in groups
            for scope_spans in group.scope_spans or ()
            for span in scope_spans.spans or ()
            for pair in span.attributes or ()
        }
        new = [name for name in names if name not in self._types and len(name) <= MAX_NAME]
        if new and len(self._types) + len(new) <= _MAX_TYPES:
            self._types.update((name, attribute_type(name, self._rule(name) is not None)) for name in new)
            known: Any = TracesData[Union[tuple(self._types.values())]]  # type: ignore[misc]  # noqa: UP007
            self._known_names = msgspec.json.Decoder(known, strict=STRICT)
            self._learned += 1
            self._missed = 0

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
            groups.append(Group(resource=Raw(msgspec.json.encode(resource)), scope_spans=scopes))
        return self._rows(groups, self._sort_each)

    def _span(self, span: dict[str, Any]) -> JsonSpan[Pair]:
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
            start_time_unix_nano=_whole_number(span.get("startTimeUnixNano")),
            parent_span_id=span.get("parentSpanId"),
            trace_state=state if isinstance(state := span.get("traceState"), str) else None,
            name=name if isinstance(name, str) else str(name or ""),
            end_time_unix_nano=_whole_number(span.get("endTimeUnixNano")),
            attributes=self._pairs(span.get("attributes")),
            events=events,
            status=Status(code=status.get("code")) if isinstance(status, dict) else None,
        )

    def _pairs(self, values: Any) -> list[Pair]:
        found = []
        for one in values if isinstance(values, list) else ():
            try:
                found.append(
                    Pair(str.__str__(one.get("key", "")), Raw(msgspec.json.encode(one.get("value"))))
                )
            except _MALFORMED:
                self._selection.dropped += 1
        return found

    def _rows(self, groups: Iterable[Group[Any]], sort: Callable[[Sequence[Any]], _Sorted]) -> list[Row]:
        rows: list[Row] = []
        numbers = self._numbers
        # Spans of one trace share its id, which makes the spool smaller.
        shared: dict[str, str] = {}
        for group, (resource, process) in [(group, self._process(group.resource)) for group in groups]:
            for scope_spans in group.scope_spans or ():
                scope = intern(((scope_spans.scope and scope_spans.scope.name) or "")[:MAX_NAME])
                spans = scope_spans.spans or ()
                traces = hexadecimals([span.trace_id for span in spans])
                owns = hexadecimals([span.span_id for span in spans])
                parents = hexadecimals([span.parent_span_id for span in spans])
                for span, trace, own, parent in zip(
                    spans, map(shared.setdefault, traces, traces), owns, parents, strict=True
                ):
                    try:
                        started = (span.start_time_unix_nano or 0) / 1e9
                        ended = (span.end_time_unix_nano or 0) / 1e9
                        if not trace or not own or not started > 0:
                            self._counts.spans_unusable += 1
                            continue
                        facts, varying = sort(span.attributes or ())
                        if span.events:
                            varying.update(self._events(span.events))
                        status = span.status
                        error = self._error(span) if status is not None and status.code in _FAILED else None
                        key = span.name, error, scope, span.trace_state, ended > 0, facts, tuple(varying)
                        number = numbers.get(key) or self._number(key)
                        if number and process:
                            row: Row = trace, own, parent, number, started, ended, varying or None, process
                        else:
                            row = self._whole(
                                span, (trace, own, parent), (started, ended), error, resource, scope
                            )
                    except _MALFORMED:
                        self._counts.spans_unusable += 1
                        continue
                    rows.append(row)
        return rows

    def _process(self, raw: Raw) -> tuple[dict[str, Any], int]:
        """Return what is kept of a process, and its number.

        Raises:
            ValueError: it is none of OTLP's.
        """
        key = bytes(raw)
        found = self._processes.get(key)
        if found is None:
            resource = _decode_resource(key)
            attributes = self.pick((resource and resource.attributes) or ())
            found = attributes, self._classes.process(attributes)
            if len(key) <= _LONG:
                _remember(self._processes, key, found)
        return found

    def _sort(self, attributes: Sequence[Any]) -> _Sorted:
        """Return the attributes of a span that are facts, and those that vary. Each is of a type of its own."""
        types = tuple(map(type, attributes))
        layout = self._layouts.get(types)
        if layout is None:
            layout = self._layout(types, attributes)
        varying: dict[str, Any] = {}
        for place, rule in layout.outputs:
            value = attributes[place].value
            if value is not None:
                text = value.string_value
                if text is None or text.startswith(DOCUMENTS_BEGIN):
                    found = self._reduced(value, rule)
                    if found is not None:
                        varying[rule.name] = found
        for place, rule in layout.beside_outputs if varying else layout.varying:
            value = attributes[place].value
            if value is not None:
                text = value.string_value
                # Counts are numbers, and most texts were read before.
                found = value.int_value if text is None and rule.reduce is keep else rule.known.get(text)
                if found is None:
                    found = self._read(value, rule)
                if found is not None:
                    varying[rule.name] = found
        facts = layout.pick(attributes)
        for place in layout.reduced:
            number = self._fact(attributes[place])
            if number is not None:
                facts = (*facts, number)
        return facts, varying

    def _sort_each(self, attributes: Sequence[Any]) -> _Sorted:
        """Do the same for attributes of any type."""
        facts: list[int] = []
        varying: dict[str, Any] = {}
        for name, value in self.pick(attributes).items():
            rule = self._rule(name)
            if rule is not None and rule.varies:
                varying[name] = value
            else:
                facts.append(self._classes.fact(name, value))
        return tuple(facts), varying

    def _layout(self, types: tuple[type, ...], attributes: Sequence[Any]) -> _Layout:
        rules = [
            (place, rule)
            for place, rule in enumerate(self._rule(one.key) for one in attributes)
            if rule is not None
        ]
        varying = [one for one in rules if one[1].varies and not one[1].is_output]
        found = _Layout(
            pick=picker([place for place, rule in rules if not rule.varies and rule.reduce is keep]),
            reduced=tuple([place for place, rule in rules if not rule.varies and rule.reduce is not keep]),
            outputs=tuple([one for one in rules if one[1].is_output]),
            varying=tuple(varying),
            beside_outputs=tuple([one for one in varying if not repeats_output(one[1].name)]),
        )
        if len(types) <= _LARGE:
            if len(self._layouts) >= _REMEMBERED:
                self._layouts.clear()
            self._layouts[types] = found
        return found

    def _number(self, key: tuple[Any, ...]) -> int:
        """Return the number of a class by what its spans have in common, or ``0`` if there is no room for it."""
        name, error, scope, state, has_ended, facts, varying = key
        before = self._selection.dropped
        given = [fact if type(fact) is int else self._fact(fact) for fact in facts]
        numbers = [one for one in given if one is not None]
        numbers += [self._classes.presence(one) for one in varying if not is_document(one)]
        weight = weight_of(state) if state else 1.0
        number = self._classes.number((name or "")[:MAX_NAME], error, numbers, scope, weight, has_ended)
        # What is dropped counts each time.
        if number and self._selection.dropped == before and _is_small(key):
            _remember(self._numbers, key, number)
        return number

    def _fact(self, attribute: Any) -> int | None:
        """Return the number of a fact, or ``None`` if nothing of it is kept."""
        found = self._facts.get(attribute)
        if found is None:
            rule = self._rule(attribute.key)
            kept = None if rule is None or attribute.value is None else self._reduced(attribute.value, rule)
            if kept is None:
                return None
            found = self._classes.fact(attribute.key, kept)
            if _is_short(attribute.value):
                _remember(self._facts, attribute, found)
        return found

    def _read(self, given: Value, rule: _Rule) -> Any:
        """Return what is kept of an attribute that varies, or ``None``."""
        found = self._reduced(given, rule)
        if found is not None and given.string_value is not None and _is_short(given):
            _remember(rule.known, given.string_value, found)
        return found

    def _reduced(self, given: Value, rule: _Rule) -> Any:
        """Return what is kept of the value of an attribute, or ``None`` if that is nothing."""
        try:
            value = plain(given)
            found = rule.reduce(value)
        except _MALFORMED:
            self._selection.dropped += 1
            return None
        if found is None and value is not None:
            self._selection.dropped += 1
        return found

    def pick(self, attributes: Iterable[Any]) -> dict[str, Any]:
        """Return what is kept of attributes."""
        kept: dict[str, Any] = {}
        for one in attributes:
            rule = self._rule(one.key)
            if rule is None:
                continue
            try:
                given = value_of(one)
            except _MALFORMED:
                self._selection.dropped += 1
                continue
            if given is None or not is_wanted(rule.name, given.string_value):
                continue
            found = self._reduced(given, rule)
            if found is not None:
                kept[rule.name] = found
        return without_repeats(kept)

    def _rule(self, name: str) -> _Rule | None:
        if name in self._rules:
            return self._rules[name]
        rules = self._selection.rules
        reduce = rules[name] if name in rules else self._selection.rule(name)
        rule = None
        if reduce is not None:
            rule = _Rule(intern(name), reduce, name in DOCUMENTS_OUTPUT, varies(name), {})
        if len(self._rules) < 50_000 and len(name) <= MAX_NAME:
            self._rules[name] = rule
        return rule

    def _events(self, events: Iterable[Event]) -> dict[str, Any]:
        """Return what is kept of events as attributes of their span, all of which vary."""
        kept: dict[str, Any] = {}
        for event in events:
            if event.name in EVENTS:
                values = {one.key: self._plain(one) for one in event.attributes or ()}
                self._selection.event(event.name, values, kept)
        return kept

    def _plain(self, attribute: Pair) -> Any:
        try:
            value = value_of(attribute)
            return None if value is None else plain(value)
        except _MALFORMED:
            self._selection.dropped += 1
            return None

    def _error(self, span: JsonSpan[Any]) -> str:
        """Return the type of the error that a span ended with."""
        for attributes in (span.attributes, *[event.attributes for event in span.events or ()]):
            types = [one for one in attributes or () if one.key in ERROR_TYPE]
            found = first(self.pick(types), ERROR_TYPE) if types else None
            if found is not None:
                return str(found)
        return "error"

    def _whole(
        self,
        span: JsonSpan[Any],
        ids: tuple[str, str, str],
        times: tuple[float, float],
        error: str | None,
        resource: dict[str, Any],
        scope: str,
    ) -> Row:
        """Return the row of a span for which there is no class."""
        attributes = self.pick(span.attributes or ())
        attributes.update(self._events(span.events or ()))
        weight = weight_of(span.trace_state) if span.trace_state else 1.0
        return whole(ids, times, (span.name or "")[:MAX_NAME], error, attributes, resource, scope, weight)


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value


def _is_short(value: Value | None) -> bool:
    """Return whether a value is worth remembering: it is short, and equal to no other."""
    return value is None or (
        len(value.string_value or "") <= _SHORT
        # ``0.0`` and ``-0.0`` are equal.
        and value.double_value is None
        and value.array_value is None
        and value.kvlist_value is None
    )


def _is_small(key: tuple[Any, ...]) -> bool:
    """Return whether what the spans of a class have in common is worth remembering."""
    name, _, _, state, _, facts, varying = key
    values = [fact.value for fact in facts if type(fact) is not int]
    texts = [
        name or "",
        state or "",
        *varying,
        *[value.string_value or "" for value in values if value is not None],
    ]
    return all(map(_is_short, values)) and sum(map(len, texts)) + len(facts) <= _LONG


def _whole_number(value: Any) -> Any:
    """Return a number, or what is none as it is."""
    try:
        return msgspec.convert(value, int | None, strict=STRICT)
    except msgspec.ValidationError:
        return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(values: Any) -> Iterable[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else ()
