from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors import span_classes
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.reading import ObjectReader
from datahub_llmops.spans.doors.rows import Row, as_spans
from datahub_llmops.spans.doors.span_classes import SpanClasses
from datahub_llmops.spans.span import Span
from spans.doors.making import as_line, as_message, call
from support.paths import WIRE


def read(content: bytes) -> list[Span]:
    rows: list[Row] = []
    reader = ObjectReader(Selection(), ReadCounts(), rows.extend, lambda answer: None)
    reader.read(io.BytesIO(content))
    return as_spans(rows, reader.classes)


def without_classes(spans: Sequence[Span]) -> list[Span]:
    return [span._replace(of_class=0) for span in spans]


@pytest.mark.parametrize("form", [as_line, as_message])
def test_spans_that_differ_in_tokens_are_of_one_class_and_others_are_not(form: object) -> None:
    made = [
        call(1, attributes={"llm.token_count.prompt": 7}),
        call(2, attributes={"llm.token_count.prompt": 8}),
        call(3, attributes={"llm.token_count.prompt": 8, "llm.model_name": "another"}),
        call(5, error="openai.RateLimitError"),
    ]
    numbers = [span.of_class for span in read(form(made))]  # type: ignore[operator]
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 3
    assert 0 not in numbers


def test_a_number_a_truth_value_and_a_text_are_facts_of_their_own() -> None:
    classes = SpanClasses()
    values = [1, 1.0, True, "1", [1], ["1"]]
    assert len({classes.fact("a", one) for one in values}) == len(values)
    assert classes.fact("a", [1]) == classes.fact("a", [1])


@pytest.mark.parametrize("full", ["MAX_CLASSES", "MAX_FACTS", "MAX_PROCESSES"])
@pytest.mark.parametrize(
    "path", ["openinference-langchain/features", "openllmetry-langchain/chroma"], ids=["documents", "events"]
)
@pytest.mark.parametrize("form", ["otlp.pb.gz", "otlp.jsonl.gz"])
def test_a_span_for_which_there_is_no_class_is_the_same(
    full: str, path: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Path(WIRE, "spans", f"{path}.{form}").read_bytes()
    expected = read(content)
    assert all(span.of_class for span in expected)
    monkeypatch.setattr(span_classes, full, 0)
    found = read(content)
    assert any(not span.of_class for span in found)
    assert without_classes(found) == without_classes(expected)
