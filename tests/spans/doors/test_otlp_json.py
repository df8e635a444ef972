from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.otlp_json import JsonDecoder
from datahub_llmops.spans.doors.rows import as_spans
from datahub_llmops.spans.doors.span_classes import SpanClasses
from spans.doors.making import as_line, call

NAMES: Final = (
    "openinference.span.kind",
    "llm.model_name",
    "llm.token_count.prompt",
    "gen_ai.usage.cost",
    "server.port",
    "metadata",
    "error.type",
    "output.value",
    "retrieval.documents.0.document.id",
    "retrieval.documents.0.document.metadata",
    "datahub_llmops.index",
    "input.value",
    "unknown.ключ",
    "",
)
DOCUMENTS: Final = json.dumps(
    {"documents": [{"id": "a", "metadata": {"source": "kb/1.md"}, "page_content": "x"}]}
)
TEXTS: Final = (
    "LLM",
    'é\n"quoted" \\',
    "ключ",
    "NaN",
    "null",
    "5",
    "",
    "x" * 3_000,
    '{"source": "kb/2.md"}',
    DOCUMENTS,
)
VALUES: Final = (
    *[json.dumps({"stringValue": text}, ensure_ascii=bool(number % 2)) for number, text in enumerate(TEXTS)],
    *[f'{{"intValue":{one}}}' for one in ('"7"', "7", "7.0", "null", '"99999999999999999999"')],
    *[
        f'{{"doubleValue":{one}}}'
        for one in ("0.5", "0.0", "-0.0", "3", '"NaN"', '"Infinity"', '"x"', '"0.25"')
    ],
    *[f'{{"boolValue":{one}}}' for one in ("true", "false")],
    '{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"1"},{}]}}',
    '{"arrayValue":{}}',
    '{"kvlistValue":{"values":[{"key":"a","value":{"stringValue":"b"}},{"key":"c"}]}}',
    '{"bytesValue":"AA=="}',
    '{"stringValue":"both","intValue":"7"}',
    '{"unknown":[{"key":"llm.model_name"}],"stringValue":"x"}',
    "{}",
    "null",
)
TOGETHER: Final = (
    ("output.value", json.dumps({"stringValue": DOCUMENTS})),
    ("retrieval.documents.0.document.id", '{"stringValue":"a"}'),
    ("server.port", '{"doubleValue":0.0}'),
    ("server.port", '{"doubleValue":-0.0}'),
    ("llm.token_count.prompt", '{"stringValue":"both","intValue":"7"}'),
    ("retrieval.documents.0.document.metadata", '{"intValue":"7"}'),
)
"""Attributes that are read in another way where the others are there too, or were read before."""
ATTRIBUTES: Final = (
    '{"key":"NAME","value":VALUE}',
    '{"key":"NAME","value":VALUE,"more":{"key":1}}',
    '{ "unknown":[], "key" : "NAME" , "value" : VALUE }',
    '{"key":"NAME"}',
    '{"value":VALUE,"key":"NAME"}',
    '{"key":"llm\\u002eprovider","value":VALUE}',
)
ODD_VALUES: Final = (
    *[f'{{"intValue":{one}}}' for one in ('"x"', '"1.5"', "[]")],
    *[f'{{"boolValue":{one}}}' for one in ('"true"', "1", '"x"')],
    '{"stringValue":7}',
    "7",
    "[]",
)
ODD_ATTRIBUTES: Final = (
    "7",
    "null",
    '{"key":7,"value":{}}',
    '{"value":{}}',
    '{"key":"llm.provider","key":"server.port"}',
)
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "spanId": ('"00f067aa0ba902b7"', '"00F067AA0BA902B8"', '"APBnqgupArk="'),
    "parentSpanId": ('"00f067aa0ba902b7"', '"0000000000000000"', '""', "null"),
    "name": ('"ChatModel"', '"ключ"', "null"),
    "traceState": ('""', '"ot=th:8"', "null"),
    "startTimeUnixNano": ('"1796000000000000001"', "1796000000000000002", '"1796000000.0"'),
    "endTimeUnixNano": ('"1796000000000000003"', "null", "0"),
    "status": ("{}", "null", '{"code":2}', '{"code":"STATUS_CODE_ERROR"}', '{"code":1}'),
    "links": ("[7]", "null"),
}  # fmt: skip
EVENTS: Final = (
    '{"name":"exception","attributes":[{"key":"exception.type","value":VALUE}]}',
    '{"name":"db.query.result","attributes":[{"key":"db.query.result.id","value":VALUE}]}',
    '{"name":"gen_ai.evaluation.result","attributes":[{"key":"gen_ai.evaluation.name","value":VALUE}]}',
    '{"name":"other","attributes":[{"key":"llm.provider","value":VALUE}]}',
    "",
)
LINE: Final = (
    '{"resourceSpans":[{"resource":{"attributes":RESOURCE},'
    '"scopeSpans":[{"scope":{"name":"x"},"spans":[SPANS]}]}]}'
)
ODD: Final = (
    '"x"',
    '""',
    "1.796e18",
    '"1.796e18"',
    '" 1796000000000000004"',
    "7",
    "null",
    "[]",
    "{}",
    "true",
    '"0000000000000000"',
)


def attributes(draw: st.DrawFn, odd: bool) -> str:
    found = [
        draw(st.sampled_from(ATTRIBUTES)).replace("NAME", name).replace("VALUE", value)
        for name, value in draw(
            st.lists(
                st.sampled_from(TOGETHER)
                | st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES + ODD_VALUES * odd)),
                max_size=6,
            )
        )
    ]
    if odd and draw(st.booleans()):
        found.append(draw(st.sampled_from(ODD_ATTRIBUTES)))
    return f"[{','.join(found)}]"


@st.composite
def lines(draw: st.DrawFn) -> list[bytes]:
    """Lines as exporters write them, and in one case of four something that is not so.

    Spans share attributes, so that much of what they have in common was read before.
    """
    odd = not draw(st.integers(0, 3))
    shared = [attributes(draw, odd) for _ in range(draw(st.integers(1, 4)))]
    found = []
    for _ in range(draw(st.integers(1, 3))):
        spans = []
        for _ in range(draw(st.integers(1, 6))):
            fields = {name: draw(st.sampled_from(texts)) for name, texts in FIELDS.items()}
            fields["traceId"] = '"5b8efff798038103d269b633813fc60c"'
            fields["attributes"] = draw(st.sampled_from(shared))
            event, value = draw(st.sampled_from(EVENTS)), draw(st.sampled_from(VALUES + ODD_VALUES * odd))
            fields["events"] = f"[{event.replace('VALUE', value)}]"
            if odd and draw(st.booleans()):
                fields[draw(st.sampled_from(sorted(fields)))] = draw(st.sampled_from(ODD))
            left_out = draw(st.sets(st.sampled_from(sorted({*fields} - {"attributes"})), max_size=1))
            shown = [f'"{key}":{one}' for key, one in fields.items() if key not in left_out]
            spans.append(f"{{{','.join(shown)}}}")
        group = LINE.replace("RESOURCE", draw(st.sampled_from(shared))).replace("SPANS", ",".join(spans))
        found.append(group.encode())
    return found


class Reader:
    """Reads lines as a run does, or each as if nothing of it were of a known form."""

    def __init__(self) -> None:
        self.selection, self.counts, self.classes = Selection(), ReadCounts(), SpanClasses()
        self.decoder = JsonDecoder(self.selection, self.counts, self.classes)

    def read(self, line: bytes, *, parsed: bool = False) -> Any:
        unusable = self.counts.spans_unusable
        if not parsed:
            try:
                rows = self.decoder.decode(line)
            except ValueError:
                parsed = True
        if parsed:
            rows = self.decoder.decode_parsed(orjson.loads(line))
        # The number of the class says nothing by itself. ``NaN`` is not equal to itself.
        spans = [
            (*span[:7], sorted(map(repr, span[7].items())), sorted(map(repr, span[8].items())), *span[9:11])
            for span in as_spans(rows, self.classes)
        ]
        return spans, self.counts.spans_unusable - unusable


def line_of(*listed: str) -> bytes:
    """Return a line with a span for each list of attributes."""
    fields = (
        '{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"00f067aa0ba902b7","startTimeUnixNano":"1"'
    )
    spans = ",".join([f'{fields},"attributes":[{one}]}}' for one in listed])
    return LINE.replace("RESOURCE", "[]").replace("SPANS", spans).encode()


@settings(deadline=None)
@given(lines())
@example(
    [
        line_of(
            '{"key":"server.port","value":{"doubleValue":0.0}}',
            '{"key":"server.port","value":{"doubleValue":-0.0}}',
            '{"key":"output.value","value":{"arrayValue":{"values":[]}}}',
            '{"key":"llm.token_count.prompt","value":{"stringValue":"both","intValue":"7"}}',
            '{"key":"retrieval.documents.0.document.metadata","value":{"intValue":"7"}}',
        )
    ]
)
def test_a_line_says_the_same_whether_its_names_and_values_are_known_or_not(listed: list[bytes]) -> None:
    reader, apart = Reader(), Reader()
    expected = [apart.read(line, parsed=True) for line in listed]
    # The first time names are new, the second time they have types, and the third time what was read is remembered.
    for _ in range(3):
        assert [reader.read(line) for line in listed] == expected


def test_spans_of_a_class_have_the_same_name_state_end_facts_and_names_of_what_varies() -> None:
    plain = {"name": "x", "spanId": "00f067aa0ba902b7", "traceId": "5b8efff798038103d269b633813fc60c"}
    plain |= {"startTimeUnixNano": "1796000000000000001", "endTimeUnixNano": "1796000000000000002"}
    kind = {"key": "openinference.span.kind", "value": {"stringValue": "LLM"}}
    tokens = {"key": "llm.token_count.prompt", "value": {"intValue": "7"}}
    spans = [
        {**plain, "attributes": [kind, tokens]},
        {**plain, "attributes": [kind]},
        {**plain, "attributes": [{**kind, "value": {"stringValue": "CHAIN"}}]},
        {**plain, "attributes": [kind], "name": "y"},
        {**plain, "attributes": [kind], "traceState": "ot=th:8"},
        {**plain, "attributes": [kind], "endTimeUnixNano": "0"},
        {**plain, "attributes": [kind], "status": {"code": 2}},
    ]
    alike = {**plain, "attributes": [{"key": "input.value"}, kind, {**tokens, "value": {"intValue": "8"}}]}
    line = orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [*spans, alike]}]}]})
    reader = Reader()
    for _ in range(3):
        numbers = [row[3] for row in reader.decoder.decode(line)]
        assert sorted({*numbers}) == sorted(numbers[:-1])
        assert numbers[0] == numbers[-1] != 0


@pytest.mark.parametrize("name", ["input.value", "llm.provider"])
def test_a_text_that_was_cut_within_a_character_costs_nothing_but_itself(name: str) -> None:
    attributes = {"openinference.span.kind": "LLM", name: "CUT"}
    whole, cut = (
        as_line([replace(call(1), attributes=attributes)]).replace(b"CUT", text)
        for text in (b"text", b"\xd0")
    )
    reader = Reader()
    first, second = reader.decoder.decode(cut), reader.decoder.decode(whole)
    assert reader.decoder.decode(cut) == first
    (span,) = as_spans(first, reader.classes)
    assert span.attributes == {"openinference.span.kind": "LLM"}
    assert as_spans(second, reader.classes)[0].attributes.get("llm.provider") == (
        "text" if name == "llm.provider" else None
    )
