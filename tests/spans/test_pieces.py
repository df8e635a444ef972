"""A retrieval and the inference after it are one answer, also if only the span of a server is around the two."""

from __future__ import annotations

import random
from typing import Any

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.spans.assemble import AssembleOptions, assemble
from datahub_llmops.spans.span import Span
from spans.recordings import Recording
from spans.world import OTHER_SERVICE, span

LLAMA_INDEX = "opentelemetry.instrumentation.genai.llama_index"
SDK = "opentelemetry.instrumentation.genai.openai"


def answers(*spans: Span) -> list[RecordedAnswer]:
    mixed = list(spans)
    random.Random(len(spans)).shuffle(mixed)
    return list(assemble(mixed, AssembleOptions()).answers)


def counted(*spans: Span) -> list[tuple[int, int]]:
    """Retrievals and calls of models of each answer."""
    return [(len(one.retrievals), len(one.models)) for one in answers(*spans)]


def server(**given: Any) -> Span:
    return span("POST /ask", scope="opentelemetry.instrumentation.asgi", took=100.0, **given)


def retrieval(
    parent: Span | None, *, took: float | None = 0.0001, scope: str = LLAMA_INDEX, **given: Any
) -> Span:
    return span("retrieval", parent, scope=scope, took=took, gen_ai__operation__name="retrieval", **given)


def chat(parent: Span | None, *, scope: str = SDK, **given: Any) -> Span:
    return span("chat gpt-5", parent, scope=scope, gen_ai__operation__name="chat", took=0.0001, **given)


def search(parent: Span | None) -> Span:
    """The span of a store's client, as OpenLLMetry's recorded one is."""
    [recorded] = [
        one
        for spans in Recording("openllmetry-langchain/qdrant").traces.values()
        for one in spans
        if one.name == "qdrant.query_points" and one.parent
    ][:1]
    made = span("x", parent, took=0.0001)
    return recorded._replace(
        trace=made.trace,
        id=made.id,
        parent=made.parent,
        started=made.started,
        ended=made.ended,
        resource=made.resource,
    )


def test_a_retrieval_and_the_inference_after_it_are_one_answer() -> None:
    top = server()
    first, last = retrieval(top), chat(top, error="429")
    [found] = answers(top, first, last)
    assert (len(found.retrievals), len(found.models)) == (1, 1)
    assert (found.started, found.ended) == (first.started, last.ended)
    assert (found.framework, found.status, found.error) == ("llama-index", "error", "429")


def test_several_retrievals_and_inferences_are_one_until_the_next_retrieval() -> None:
    top = server()
    spans = [retrieval(top), retrieval(top), chat(top), chat(top), retrieval(top), chat(top)]
    assert counted(top, *spans) == [(2, 2), (1, 1)]


def test_a_search_of_a_client_and_an_inference_of_an_sdk_are_one_answer() -> None:
    top = server()
    [found] = answers(top, search(top), chat(top))
    [retrieved] = found.retrievals
    assert retrieved.index is not None
    assert retrieved.index["collection"] == "docs"
    assert retrieved.index["seen_by"] == "database_span"


def test_a_search_alone_is_no_answer() -> None:
    top = server()
    assert counted(top, search(top)) == []
    assert counted(top, chat(top), search(top)) == [(0, 1)]


def test_what_is_not_below_the_same_span_stays_apart() -> None:
    assert counted(retrieval(None), chat(None)) == [(1, 0), (0, 1)]
    one, other = server(), server()
    assert counted(one, other, retrieval(one), chat(other)) == [(1, 0), (0, 1)]
    top = server()
    assert counted(top, retrieval(top), chat(top, resource=OTHER_SERVICE)) == [(1, 0), (0, 1)]


def test_an_inference_during_a_retrieval_is_another_answer() -> None:
    top = server()
    assert counted(top, retrieval(top, took=10.0), chat(top)) == [(1, 0), (0, 1)]
    assert counted(top, retrieval(top, took=None), chat(top)) == [(1, 0), (0, 1)]


def test_pieces_of_langchain_are_answers_of_their_own_as_the_hooks_count_them() -> None:
    top = server()
    of_langchain = "opentelemetry.instrumentation.langchain"
    assert counted(top, retrieval(top, scope=of_langchain), chat(top)) == [(1, 0), (0, 1)]
    assert counted(top, retrieval(top), chat(top, scope=of_langchain)) == [(1, 0), (0, 1)]


def test_what_the_hooks_stamped_on_the_server_is_the_id_of_the_whole() -> None:
    top = server(datahub_llmops__answer__id="0123456789abcdef01234567")
    [found] = answers(top, retrieval(top), chat(top))
    assert found.id == "0123456789abcdef01234567"
