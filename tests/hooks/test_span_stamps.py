"""Lists of a span: each thing once, bounded, and gone with the span."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.answer_store.digests import digest_sources
from datahub_llmops.assets import span_names
from datahub_llmops.hooks import chunk_sources, span_stamps
from datahub_llmops.hooks.parts import Answer, ModelCall, Prompt, Retrieval


class Span:
    """Keeps what is set."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}
        self.calls = 0

    def set_attributes(self, given: dict[str, Any]) -> None:
        self.attributes.update(given)
        self.calls += 1


def an_answer() -> Answer:
    return Answer("support-bot", None, framework=None, explicit=False, weight=1.0)


def a_retrieval(answer: Answer, name: str, **members: Any) -> Retrieval:
    found = Retrieval(answer, None)
    found.index = {"platform": "qdrant", "host": "q:6333", "collection": name, **members}
    return found


def test_a_list_is_bounded_and_says_so() -> None:
    span, answer = Span(), an_answer()
    for n in range(span_names.MAX_LISTED + 5):
        span_stamps.stamp_part(span, answer, a_retrieval(answer, f"c{n}"), True)
        assert span.attributes.get(span_names.CUT) is (True if n >= span_names.MAX_LISTED else None)
    assert len(span.attributes[span_names.INDEX]) == len(span.attributes[span_names.INDEX_RAW])
    assert len(span.attributes[span_names.INDEX]) == span_names.MAX_LISTED


def test_a_span_of_very_many_answers_is_bounded() -> None:
    span = Span()
    ids = []
    for _ in range(span_names.MAX_LISTED + 5):
        answer = an_answer()
        span_stamps.stamp_answer(span, span_stamps.find_stamps(span), answer, True)
        ids.append(answer.id)
    assert span.attributes[span_names.ANSWER_IDS] == tuple(ids[: span_names.MAX_LISTED])
    assert span.attributes[span_names.ANSWER_ID] == ids[-1]
    assert span.attributes[span_names.CUT] is True


def test_what_is_there_already_is_not_set_again() -> None:
    span, answer = Span(), an_answer()
    retrieval = a_retrieval(answer, "docs")
    span_stamps.stamp_part(span, answer, retrieval, True)
    before = span.calls
    span_stamps.stamp_part(span, answer, retrieval, True)
    span_stamps.stamp_part(span, answer, a_retrieval(answer, "docs"), True)
    assert span.calls == before


def test_a_span_is_forgotten_with_its_end() -> None:
    known = len(span_stamps._stamped)
    span, answer = Span(), an_answer()
    span_stamps.stamp_answer(span, span_stamps.find_stamps(span), answer, True)
    assert len(span_stamps._stamped) == known + 1
    del span
    gc.collect()
    assert len(span_stamps._stamped) == known


def test_a_template_that_is_long_is_not_digested_on_the_thread_of_the_application() -> None:
    answer = an_answer()
    for template in (
        "x" * (span_stamps.MAX_TEMPLATE + 1),
        ("", "human", "x" * span_stamps.MAX_TEMPLATE, "text"),
    ):
        span = Span()
        call = ModelCall(answer, None)
        call.prompt = Prompt(answer, None, None, template, "system")
        span_stamps.stamp_part(span, answer, call, True)
        assert span.attributes == {}
        named = Prompt(answer, None, {"registry": "langfuse", "name": "s", "version": "3"}, template, "human")
        span_stamps.stamp_part(span, answer, named, True)
        assert [json.loads(one) for one in span.attributes[span_names.PROMPT]] == [named.identity]


SOURCES = st.sampled_from(
    ["s3://kb/a.md", "s3://kb/b.md?secret=1", "jane@example.org", "a sentence that is no address at all.", 7]
)
METADATA = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "source": SOURCES,
        "page": st.integers(0, 3),
        "dh_source_urn": st.just("urn:li:dataset:(urn:li:dataPlatform:postgres,a.b,PROD)"),
        "other": st.text(max_size=3),
    },
)


@given(
    st.lists(
        st.tuples(st.none() | st.text(max_size=3), st.none() | st.floats() | st.just([0.5]), METADATA),
        max_size=5,
    )
)
def test_the_digest_is_that_of_the_sources_which_the_store_keeps(
    given: list[tuple[str | None, object, dict[str, Any] | None]],
) -> None:
    flat: list[object] = []
    for identity, score, metadata in given:
        chunk_sources.append_chunk(flat, identity, score, None, metadata)
    stored = [
        chunk_sources.identify_source(picked, lambda text: "ab" * 16, "hmac")
        for _, _, _, picked in chunk_sources.read_chunks(flat)
    ]
    expected = digest_sources(stored)
    found = span_stamps._digest_sources(flat) if flat else None
    assert found == (None if expected is None else {span_names.SOURCES: (expected,)})


@pytest.mark.parametrize("given", ["not a urn", "urn:li:dataset:(urn:li:dataPlatform:x,y)"])
def test_a_given_urn_that_is_none_is_not_an_index(given: str) -> None:
    span, answer = Span(), an_answer()
    span_stamps.stamp_part(span, answer, a_retrieval(answer, "docs", urn=given), True)
    assert span_names.INDEX not in span.attributes
    assert json.loads(span.attributes[span_names.INDEX_RAW][0])["urn"] == given
