"""Answers from spans."""

from __future__ import annotations

from datahub_llmops.answer_store.queries import start_of
from datahub_llmops.spans.assemble import AssembleOptions, assemble

from .world import span

OPTIONS = AssembleOptions()


def test_a_rag_chain_is_one_answer_with_its_parts() -> None:
    root = span("RunnableSequence", kind="CHAIN")
    search = span(
        "VectorStoreRetriever",
        root,
        kind="RETRIEVER",
        retrieval__documents__0__document__id="c1",
        retrieval__documents__0__document__score=0.5,
        retrieval__documents__1__document__id="c2",
    )
    call = span(
        "ChatOpenAI",
        root,
        kind="LLM",
        llm__model_name="gpt-5",
        llm__provider="openai",
        llm__token_count__prompt=12,
        llm__token_count__completion=3,
    )
    found = assemble([call, root, search], OPTIONS)
    (answer,) = found.answers
    assert (answer.application, answer.version, answer.framework) == ("support-bot", "3", "langchain")
    assert (answer.status, answer.root, answer.weight) == ("ok", "RunnableSequence", 1.0)
    assert abs(start_of(answer.id) - answer.started) < 0.002
    (retrieval,) = answer.retrievals
    assert [(chunk.id, chunk.score) for chunk in retrieval.chunks] == [("c1", 0.5), ("c2", None)]
    assert retrieval.retriever == {"name": "VectorStoreRetriever"}
    assert retrieval.index == {"service": "support-bot", "seen_by": "class"}
    (model,) = answer.models
    assert model.asked == {"provider": "openai", "name": "gpt-5"}
    assert (model.tokens_in, model.tokens_out) == (12, 3)


def test_only_the_innermost_of_several_spans_of_an_inference_is_a_call() -> None:
    root = span("RunnableSequence", kind="CHAIN")
    outer = span("ChatOpenAI", root, kind="LLM", llm__token_count__prompt=12)
    inner = span("chat gpt-5", outer, gen_ai__operation__name="chat", gen_ai__usage__input_tokens=12)
    (answer,) = assemble([root, outer, inner], OPTIONS).answers
    assert [call.tokens_in for call in answer.models] == [12]
