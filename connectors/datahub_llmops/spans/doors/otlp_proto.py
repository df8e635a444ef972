"""Spans out of OTLP in protobuf: ``ExportTraceServiceRequest`` and ``TracesData``.

The loops are plain on purpose: ten million spans of thirty attributes go through them. Most attributes are content:
only their names are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from sys import intern
from typing import Any, Final, NamedTuple, TypeAlias

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
    is_document,
    repeats_output,
    varies,
    without_repeats,
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
from datahub_llmops.spans.doors.rows import MAX_NAME, Row, picker, weight_of, whole
from datahub_llmops.spans.doors.span_classes import SpanClasses

_FAILED: Final = 2
_NO_ERROR: Final = (b"", b"\x18\x01", b"\x18\x00")
_MAX_BYTES: Final = 4 * MAX_JSON
"""No text of ``MAX_JSON`` characters is longer in UTF-8."""
_CACHED: Final = 4_096
_REMEMBERED: Final = 20_000
"""Attributes whose decoded values are cached. A full cache is emptied."""
_SHORT: Final = 1_024
"""Bytes of the longest of them."""
_BEGINS: Final = b"|".join(re.escape(one.encode()) for one in DOCUMENTS_BEGIN)
_LENGTH: Final = rb"[\x80-\xff]*[\x00-\x7f]"
_Rule: TypeAlias = tuple[str, Reducer, Callable[[bytes], object] | None, int | None, bytes]
"""Name, reducer, what says whether the value is worth decoding, whether it varies, and the encoded name.

The fourth is ``None`` for an attribute that does not vary. For one that does, it is the number of the fact that a span
has it, or -1 if that makes no difference.
"""
_DROPPED: Final = ()
_MAX_LAYOUTS: Final = 5_000
_TRIED: Final = 4
"""Layouts of spans of one name and size that are tried before the names are looked up."""
_NOT_KEPT: Final = -1
"""Stands for an attribute that is present but not kept."""


class _Layout(NamedTuple):
    """Which attributes a span has at which places. Spans of one name have few layouts, which come again and again."""

    matches: Callable[[bytes, bytes], bool]
    """Whether an attribute has a name, which is at its beginning or at its end."""
    names: tuple[bytes, ...]
    pick: Callable[[Sequence[bytes]], tuple[bytes, ...]]
    """Returns the attributes that are facts."""
    facts: tuple[_Rule, ...]
    varying: tuple[tuple[int, Any], ...]
    """Places and rules (``_Rule``) of those that vary, apart from outputs."""
    outputs: tuple[tuple[int, Any], ...]
    beside_outputs: tuple[tuple[int, Any], ...]
    """Those that vary and do not repeat the documents of an output."""


class ProtoDecoder:
    """Reads messages of one run. Equal resources become one object."""

    def __init__(self, selection: Selection, counts: ReadCounts, classes: SpanClasses) -> None:
        self._selection = selection
        self._counts = counts
        self._classes = classes
        self._rules: dict[bytes, _Rule | tuple[()]] = {}
        """By the bytes of an attribute up to the end of its name."""
        self._known: dict[bytes, Any] = {}
        """Attributes that were read before: the number of the fact, or the value of one that varies."""
        self._numbers: dict[Hashable, int] = {}
        self._layouts: dict[tuple[bytes, int], list[_Layout]] = {}
        """Some of the last ones by the name of the span and the number of its attributes."""
        self._all_layouts: dict[tuple[bytes, ...], _Layout] = {}
        self._resources: dict[bytes, tuple[dict[str, Any], int]] = {}
        self._scopes: dict[bytes, str] = {}

    def decode(self, record: bytes) -> list[Row]:
        """Return the spans of a message.

        Raises:
            ValueError: it is not an OTLP message.
        """
        try:
            data = TracesData.FromString(record)
        except DecodeError:
            raise ValueError("it is not an OTLP message") from None
        rows: list[Row] = []
        unusable = 0
        sort, numbers = self._sort, self._numbers
        # Spans of one trace share its id, which makes the spool smaller.
        traces: dict[bytes, str] = {}
        for resource_spans in data.resource_spans:
            resource, process = self._resource(resource_spans.resource)
            for scope_spans in resource_spans.scope_spans:
                scope = self._scope(scope_spans.scope)
                for span in scope_spans.spans:
                    trace, own, start = span.trace_id, span.span_id, span.start_time_unix_nano
                    if len(trace) != 16 or len(own) != 8 or not start:
                        unusable += 1
                        continue
                    end = span.end_time_unix_nano
                    facts: list[int] = []
                    name = span.name
                    varying = sort(name, span.attributes[:], facts)
                    events = span.events and _read_events(span.events)
                    if events:
                        self._classes.sort(self._events(events), facts, varying)
                    error = None if span.status in _NO_ERROR else self._error(span, events, facts)
                    key = name, error, scope, span.trace_state, end > 0, *facts
                    number = numbers.get(key) or self._number(key, facts)
                    shown = traces.get(trace) or traces.setdefault(trace, trace.hex())
                    if number and process:
                        rows.append(
                            (
                                shown,
                                own.hex(),
                                span.parent_span_id.hex(),
                                number,
                                start / 1e9,
                                end / 1e9,
                                varying or None,
                                process,
                            )
                        )
                    else:
                        rows.append(self._whole(span, shown, error, resource, scope))
        self._counts.spans_unusable += unusable
        return rows

    def _sort(self, name: bytes, pairs: Sequence[bytes], facts: list[int]) -> dict[str, Any]:
        """Return the attributes of a span that vary, given as bytes of a ``KeyValue``, and add the others to facts."""
        layout: _Layout | None
        for layout in self._layouts.get((name, len(pairs)), ()):
            if all(map(layout.matches, pairs, layout.names)):
                break
        else:
            layout = self._layout(name, pairs)
            if layout is None:
                return self._sort_each(pairs, facts)
        known = self._known
        picked = layout.pick(pairs)
        found: list[Any] = list(map(known.get, picked))
        if None in found:
            for place, pair in enumerate(picked):
                if found[place] is None:
                    found[place] = self._read(pair, layout.facts[place])
            found = [one for one in found if one is not None]
        facts += found
        varying: dict[str, Any] = {}
        for place, rule in layout.outputs:
            pair = pairs[place]
            if rule[2](pair) is not None:
                value = self._read(pair, rule)
                if value is not None:
                    varying[rule[0]] = value
                    facts.append(rule[3])
        for place, rule in layout.beside_outputs if varying else layout.varying:
            pair = pairs[place]
            presence = rule[3]
            value = known.get(pair)
            if value is None:
                value = self._read(pair, rule)
                if value is None:
                    continue
            varying[rule[0]] = value
            if presence >= 0:
                facts.append(presence)
        return varying

    def _sort_each(self, pairs: Iterable[bytes], facts: list[int]) -> dict[str, Any]:
        """Do the same for attributes in no common layout."""
        varying: dict[str, Any] = {}
        presences: dict[str, int] = {}
        for pair in pairs:
            rule = self._rule(pair)
            if not rule or (rule[2] is not None and rule[2](pair) is None):
                continue
            found = self._read(pair, rule)
            if found is None:
                continue
            if rule[3] is None:
                facts.append(found)
            else:
                varying[rule[0]] = found
                presences[rule[0]] = rule[3]
        varying = without_repeats(varying)
        facts += [presences[name] for name in varying if presences[name] >= 0]
        return varying

    def _layout(self, name: bytes, pairs: Sequence[bytes]) -> _Layout | None:
        """Return the layout of the attributes of a span, or ``None`` if they are written in different ways."""
        first = pairs[0][:1] if pairs else b""
        names = tuple(map(_name_of, pairs))
        if b"" in names or any(pair[:1] != first for pair in pairs):
            return None
        found = self._all_layouts.get((first, *names))
        if found is None:
            rules = [(place, rule) for place, rule in enumerate(map(self._rule, pairs)) if rule]
            varying = [one for one in rules if one[1][3] is not None and one[1][2] is None]
            found = _Layout(
                matches=bytes.startswith if first == b"\n" else bytes.endswith,
                names=names,
                pick=picker([place for place, rule in rules if rule[3] is None]),
                facts=tuple([rule for _, rule in rules if rule[3] is None]),
                varying=tuple(varying),
                outputs=tuple([one for one in rules if one[1][2] is not None]),
                beside_outputs=tuple([one for one in varying if not repeats_output(one[1][0])]),
            )
            if len(self._all_layouts) >= _MAX_LAYOUTS:
                self._all_layouts.clear()
                self._layouts.clear()
            self._all_layouts[first, *names] = found
        last = self._layouts.setdefault((name, len(pairs)), [])
        last.insert(0, found)
        del last[_TRIED:]
        return found

    def _read(self, pair: bytes, rule: _Rule) -> Any:
        """Return the number of the fact, or the value of an attribute that varies, or ``None`` if nothing is kept."""
        name, _, is_wanted, presence, _ = rule
        found = self._reduced(pair, rule)
        if found is None:
            return None
        if presence is None:
            found = self._classes.fact(name, found)
        # Outputs and scores are hardly ever the same.
        if is_wanted is None and len(pair) < _SHORT and type(found) is not float:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[pair] = found
        return found

    def _reduced(self, pair: bytes, rule: _Rule) -> Any:
        """Return what is kept of the value of an attribute, or ``None`` if that is nothing."""
        value = self._value(pair, rule[4])
        found = rule[1](value)
        if found is None and value is not None:
            self._selection.dropped += 1
        return found

    def _value(self, pair: bytes, head: bytes) -> Any:
        """Return the value of an attribute. ``head`` is its name, with tag and length."""
        size = len(head)
        start, stop = (size, len(pair)) if pair.startswith(head) else (0, len(pair) - size)
        try:
            length, at = _number_at(pair, start + 1)
            if pair[start] == 18 and at + length == stop:
                # In the value, tag 10 is a text, 24 a whole number.
                number, end = _number_at(pair, at + 1)
                if pair[at] == 10 and end + number == stop:
                    return pair[end:stop].decode("utf-8", "replace")
                if pair[at] == 24 and end == stop and number < 2**63:
                    return number
        except IndexError:
            pass
        return self._parsed(pair, head)

    def _parsed(self, pair: bytes, head: bytes) -> Any:
        try:
            found = KeyValue.FromString(pair)
            # A text that ends like a name is not a name.
            if _head(found.key) != head:
                return None
            if len(found.value) <= _MAX_BYTES:
                return _value(AnyValue.FromString(found.value))
            self._selection.dropped += 1
        except DecodeError:
            pass
        return None

    def _number(self, key: tuple[Any, ...], facts: list[int]) -> int:
        name, error, scope, state, has_ended = key[:5]
        shown, weight = name.decode("utf-8", "replace")[:MAX_NAME], _weight(state)
        number = self._classes.number(shown, error, facts, scope, weight, has_ended)
        if number:
            if len(self._numbers) >= _REMEMBERED:
                self._numbers.clear()
            self._numbers[key] = number
        return number

    def _whole(self, span: Any, trace: str, error: str | None, resource: dict[str, Any], scope: str) -> Row:
        """Return the row of a span for which there is no class."""
        attributes = self.pick(span.attributes)
        attributes.update(self._events(_read_events(span.events)))
        return whole(
            (trace, span.span_id.hex(), span.parent_span_id.hex()),
            (span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9),
            span.name.decode("utf-8", "replace")[:MAX_NAME],
            error,
            attributes,
            resource,
            scope,
            _weight(span.trace_state),
        )

    def pick(self, pairs: Iterable[bytes]) -> dict[str, Any]:
        """Return what is kept of attributes, each given as the bytes of a ``KeyValue``."""
        kept = {}
        for pair in pairs:
            rule = self._rule(pair)
            if rule and (rule[2] is None or rule[2](pair) is not None):
                found = self._reduced(pair, rule)
                if found is not None:
                    kept[rule[0]] = found
        return without_repeats(kept)

    def _rule(self, pair: bytes) -> _Rule | tuple[()]:
        try:
            key = KeyValue.FromString(pair).key
        except DecodeError:
            return _DROPPED
        head = _head(key)
        known = self._rules.get(head)
        if known is not None:
            return known
        name = key.decode("utf-8", "replace")
        rules = self._selection.rules
        reduce = rules[name] if name in rules else self._selection.rule(name)
        rule: _Rule | tuple[()] = _DROPPED
        if reduce is not None:
            presence = None
            if varies(name):
                presence = -1 if is_document(name) else self._classes.presence(name)
            is_wanted = _begins(head) if name in DOCUMENTS_OUTPUT else None
            rule = intern(name), reduce, is_wanted, presence, head
        if len(self._rules) < 50_000 and len(key) <= MAX_NAME:
            self._rules[head] = rule
        return rule

    def _resource(self, raw: bytes) -> tuple[dict[str, Any], int]:
        found = self._resources.get(raw)
        if found is None:
            attributes = self.pick(Resource.FromString(raw).attributes)
            found = attributes, self._classes.process(attributes)
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

    def _events(self, events: Iterable[Any]) -> dict[str, Any]:
        """Return what is kept of events as attributes of their span."""
        kept: dict[str, Any] = {}
        for event in events:
            name = event.name.decode("utf-8", "replace")
            if name not in EVENTS:
                continue  # Most events are exceptions, or content.
            values = {}
            for one in event.attributes:
                try:
                    pair = KeyValue.FromString(one)
                    values[pair.key.decode("utf-8", "replace")] = _value(AnyValue.FromString(pair.value))
                except DecodeError:
                    continue
            self._selection.event(name, values, kept)
        return kept

    def _error(self, span: Any, events: Iterable[Any], facts: list[int]) -> str | None:
        if Status.FromString(span.status).code != _FAILED:
            return None
        found = self._error_type(span.attributes, facts)
        for event in events if found is None else ():
            of_event: list[int] = []
            pairs = event.attributes[:]
            self._sort(event.name, pairs, of_event)
            found = self._error_type(pairs, of_event)
            if found is not None:
                break
        return str(found) if found is not None else "error"

    def _error_type(self, pairs: Iterable[bytes], facts: list[int]) -> Any:
        if 0 in facts:
            return first(self.pick(pairs), ERROR_TYPE)
        return self._classes.value(facts, ERROR_TYPE)


def _read_events(events: Iterable[bytes]) -> list[Any]:
    """Return the events that can be read."""
    found = []
    for raw in events:
        try:
            found.append(Event.FromString(raw))
        except DecodeError:
            continue
    return found


def _head(key: bytes) -> bytes:
    """Return a name as it is encoded, with tag and length.

    >>> _head(b"metadata")
    b'\\n\\x08metadata'
    """
    length = len(key)
    shown = bytearray(b"\n")
    while length > 127:
        shown.append(length & 127 | 128)
        length >>= 7
    shown.append(length)
    return bytes(shown) + key


def _name_of(pair: bytes) -> bytes:
    """Return the bytes of the name of an attribute, with tag and length, or nothing if they are in an odd place.

    Tag 10 is the name, tag 18 the value. The Collector writes the value first, and most others the name.
    """
    try:
        size, at = _number_at(pair, 1)
        if pair[0] == 10:
            return pair[: at + size] if at + size <= len(pair) else b""
        name = pair[at + size :]
        size, at = _number_at(name, 1)
        return name if pair[0] == 18 and name[0] == 10 and at + size == len(name) else b""
    except IndexError:
        return b""


def _number_at(pair: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    found = shift = 0
    while (byte := pair[at]) > 127:
        found |= (byte & 127) << shift
        shift += 7
        at += 1
    return found | byte << shift, at + 1


def _begins(head: bytes) -> Callable[[bytes], object]:
    """Return what says whether an attribute whose bytes begin so is not text, or one that has documents."""
    text = rb"\n%b(?:%b)" % (_LENGTH, _BEGINS)
    return re.compile(rb"(?:%b)?\x12%b(?:%b|[^\n])" % (re.escape(head), _LENGTH, text), re.DOTALL).match


def _weight(state: bytes) -> float:
    return weight_of(state.decode("ascii", "replace")) if state else 1.0


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
