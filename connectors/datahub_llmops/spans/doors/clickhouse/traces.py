"""Whole traces as rows: those that the engine does not add up, and the one that somebody asks for.

What a document says, and what a run's metadata says beyond the members that are read, does not leave the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.clickhouse.decoding import decoded, weight_of
from datahub_llmops.spans.doors.clickhouse.documents import (
    fields_of,
    output_documents,
)
from datahub_llmops.spans.doors.clickhouse.table import Table, text, texts
from datahub_llmops.spans.doors.clickhouse.wanted import Wanted
from datahub_llmops.spans.span import Attributes, Span

MAX_SPANS: Final = 100_000
"""Most spans that are read of one trace: the earliest, because parents begin before their children."""
_OF_EVENTS: Final = (
    names.RESULT_IDS,
    "db.search.result.id",
    names.RESULT_SCORES,
    "db.query.result.distance",
    "db.search.result.score",
    "db.search.result.distance",
    names.RESULT_METADATA,
    *names.EVALUATION_NAME,
    *names.EVALUATION_SCORE,
    *names.EVALUATION_LABEL,
    *names.ERROR_TYPE,
)
_LONG: Final = (*names.TOKENS_JSON, *names.COST_JSON, *names.PROMPTS_LINKED)


def select_spans(table: Table, wanted: Wanted, selection: Selection, application: str, where: str) -> str:
    """Write the statement for spans in full, by trace. ``where`` begins with ``FROM``."""
    kept = texts(wanted.everything)
    resource = ", ".join(table.resource(one) for one in _resource_names(application))
    events, event_names = "[]", "[]"
    if table.has_events:
        metadata = fields_of(table.event_attribute(names.RESULT_METADATA), sorted(selection.fields))
        reduced = f"arrayMap(a -> {metadata}, {table.column('Events.Attributes')})"
        labels = {
            one: f"arrayMap(x -> if(lengthUTF8(x) > {names.MAX_LABEL}, '', x), {table.events(one)})"
            for one in names.EVALUATION_LABEL
        }
        found = ", ".join(
            reduced if one == names.RESULT_METADATA else labels.get(one) or table.events(one)
            for one in _OF_EVENTS
        )
        events = f"if(hasAny({table.event_names}, [{texts(sorted(names.EVENTS))}]), [{found}], [])"
        event_names = table.event_names
    return f"""
SELECT trace, span, parent, name, ns, duration, error, resource, scope, state,
  arrayFilter(k -> k IN ({kept}), ks) AS names,
  arrayMap((v, k) -> {_reduced(selection, wanted.labels)}, arrayFilter((v, k) -> k IN ({kept}), vs, ks), names),
  event_names, events
FROM (
  SELECT {table.column("TraceId")} AS trace, {table.column("SpanId")} AS span, {table.column("ParentSpanId")} AS parent,
    {table.column("SpanName")} AS name, {table.nanoseconds} AS ns, {table.duration} AS duration,
    {table.error(map(table.attribute, names.ERROR_TYPE))} AS error, [{resource}] AS resource, {table.scope} AS scope,
    {table.trace_state} AS state, {table.pairs(wanted.everything)}, {event_names} AS event_names, {events} AS events
  {where} ORDER BY trace, ns LIMIT {MAX_SPANS} BY trace
)"""


def _resource_names(application: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names.SERVICE, *names.SERVICE_VERSION, application, *names.HOST)))


def _reduced(selection: Selection, labels: Sequence[str]) -> str:
    """What is sent of the value ``v`` of the attribute ``k``. ``labels`` are those of evaluations."""
    fields = sorted(selection.fields)

    def listed(array: str, metadata: str) -> str:
        identity = "if(JSONHas(x, 'id'), JSONExtractRaw(x, 'id'), 'null')"
        one = f"concat('{{\"id\":', {identity}, ',\"metadata\":', {fields_of(metadata, fields)}, '}}')"
        return f"concat('[', arrayStringConcat(arrayMap(x -> {one}, {array}), ','), ']')"

    begins = " OR ".join(f"startsWith(v, {text(one)})" for one in names.DOCUMENTS_BEGIN)
    output = f"concat('{{\"id\":', toJSONString(d.1), ',\"metadata\":', {fields_of('d.2', fields)}, "
    output += '\',"page_content":""}\')'
    outputs = f"concat('[', arrayStringConcat(arrayMap(d -> {output}, {output_documents('v')}), ','), ']')"
    documents = listed(
        "JSONExtractArrayRaw(v)", "if(JSONHas(x, 'metadata'), JSONExtractRaw(x, 'metadata'), x)"
    )
    return (
        f"multiIf(k IN ({texts(names.DOCUMENTS_OUTPUT)}), "
        f"if(({begins}) AND notEmpty({output_documents('v')}), {outputs}, ''), "
        f"k IN ({texts(names.DOCUMENTS_JSON)}), {documents}, "
        f"k IN ({texts(names.METADATA)}), {fields_of('v', names.METADATA_KEYS)}, "
        f"k IN ({texts(labels)}) AND lengthUTF8(v) > {names.MAX_LABEL}, '', "
        f"endsWith(k, '.document.metadata'), {fields_of('v', fields)}, "
        f"lengthUTF8(v) > {names.MAX_TEXT} AND k NOT IN ({texts(_LONG)}), '', toString(v))"
    )


def read_traces(
    rows: Iterable[Sequence[Any]], selection: Selection, application: str
) -> Iterator[list[Span]]:
    """Yield the spans of each trace. Those of one process share the object of its attributes."""
    for _, of_one in groupby(rows, key=itemgetter(0)):
        resources: dict[str, Attributes] = {}
        yield [_span(row, selection, application, resources) for row in of_one]


def _span(
    row: Sequence[Any], selection: Selection, application: str, resources: dict[str, Attributes]
) -> Span:
    (
        trace,
        identity,
        parent,
        name,
        start,
        duration,
        error,
        resource,
        scope,
        state,
        keys,
        values,
        events,
        details,
    ) = row[:14]
    kept = selection.pick(decoded(dict(zip(keys, values, strict=True))))
    for place, event in enumerate(events):
        if event in names.EVENTS:
            found = {
                key: one[place] for key, one in zip(_OF_EVENTS, details, strict=False) if one[place] != ""
            }
            selection.event(event, found, kept)
    described: Mapping[str, str] = dict(zip(_resource_names(application), resource, strict=True))
    shared = resources.get(repr(described))
    if shared is None:
        shared = resources[repr(described)] = selection.pick(decoded(described))
    started = int(start) / 1e9
    return Span(
        trace=trace,
        id=identity,
        parent="" if parent.count("0") == len(parent) else parent,
        name=name,
        started=started,
        ended=0.0 if int(duration) < 0 else (int(start) + int(duration)) / 1e9,
        error=error or None,
        attributes=kept,
        resource=shared,
        scope=scope,
        weight=weight_of(state),
    )
