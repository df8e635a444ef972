"""Answers that the hooks saw too: their ids, applications and prompts, and where they are recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.spans.assemble import AssembleOptions, assemble
from datahub_llmops.spans.span import Span

from .world import span

FIRST, SECOND = "01a22a8d45f54080b99d8e979d50", "01a22a8d45f64080b99d8e979d51"
STAMPS: dict[str, Any] = {
    "datahub_llmops.answer.id": FIRST,
    "datahub_llmops.application": "helpdesk",
    "datahub_llmops.application.version": "7",
    "datahub_llmops.host": "pod-1",
    "datahub_llmops.recorded": True,
}


def test_an_answer_that_the_hooks_stamped_is_the_one_they_recorded() -> None:
    (answer,) = answers(stamped(span("RunnableSequence", kind="CHAIN"), STAMPS), kind="LLM")
    assert (answer.id, answer.application, answer.version) == (FIRST, "helpdesk", "7")
    assert (answer.host, answer.recorded_on) == ("pod-1", "pod-1")


def test_hooks_that_only_stamp_have_not_recorded_it() -> None:
    only = {**STAMPS, "datahub_llmops.recorded": False}
    (answer,) = answers(stamped(span("RunnableSequence", kind="CHAIN"), only), kind="LLM")
    assert (answer.id, answer.host, answer.recorded_on) == (FIRST, "pod-1", None)


def test_the_span_around_an_answer_is_the_one_in_force() -> None:
    request = stamped(span("GET /help"), STAMPS)
    (answer,) = assembled(request, span("chat", request, kind="LLM"))
    assert (answer.id, answer.application, answer.recorded_on) == (FIRST, "helpdesk", "pod-1")


def test_a_span_around_several_answers_has_their_ids_in_order() -> None:
    several = {**STAMPS, "datahub_llmops.answer.id": SECOND, "datahub_llmops.answer.ids": [SECOND, FIRST]}
    request = stamped(span("GET /help"), several)
    first = span("chat", request, kind="LLM")
    second = span("chat", request, kind="LLM")
    assert [one.id for one in assembled(second, request, first)] == [FIRST, SECOND]
    third = span("chat", request, kind="LLM")
    found = assembled(second, request, first, third)
    assert not {FIRST, SECOND} & {one.id for one in found}
    assert {one.recorded_on for one in found} == {"pod-1"}


def test_two_answers_never_have_one_id() -> None:
    found = assembled(*(stamped(span("chat", kind="LLM"), STAMPS) for _ in range(2)))
    assert len({one.id for one in found}) == 2


def test_ids_that_are_none_are_passed_over() -> None:
    for wrong in ("", "../etc", 7, "z" * 28):
        (answer,) = assembled(stamped(span("chat", kind="LLM"), {"datahub_llmops.answer.id": wrong}))
        assert len(answer.id) == 28
        assert answer.id != wrong


def test_ids_of_tools_become_ids_of_answers() -> None:
    long = "7f9c24e8-3b1a-4c52-9d8e-000000000001"
    (one,) = assembled(span("chat", kind="LLM")._replace(id=long))
    (other,) = assembled(span("chat", kind="LLM")._replace(id=long, trace="1" * 32, started=1.0))
    assert len(one.id) == len(other.id) == 28
    assert one.id[12:] != other.id[12:]


def test_a_stamped_prompt_is_that_of_the_only_inference() -> None:
    prompt = {"name": "support", "registry": "langfuse", "version": "3"}
    given = {**STAMPS, "datahub_llmops.prompt": [json.dumps(prompt)]}
    root = stamped(span("RunnableSequence", kind="CHAIN"), given)
    call = span("chat", root, kind="LLM")
    (answer,) = assembled(root, call)
    assert (answer.prompts, [one.prompt for one in answer.models]) == ((prompt,), [0])
    (answer,) = assembled(root, call, span("chat", root, kind="LLM"))
    assert (answer.prompts, [one.prompt for one in answer.models]) == ((prompt,), [None, None])


@pytest.mark.parametrize("late", [0.0, 3_600.0])
def test_the_prompt_that_was_rendered_last_is_that_of_the_inference_beside_it(late: float) -> None:
    root = span("RunnableSequence", kind="CHAIN")
    root = root._replace(started=root.started + late)  # Its clock, and that of another process, may differ.
    first = span("ChatPromptTemplate", root, kind="PROMPT", prompt_name="ask", prompt_version="1")
    asked = span("ChatOpenAI", root, kind="LLM")
    second = span("ChatPromptTemplate", root, kind="PROMPT", prompt_name="sum up", prompt_version="2")
    around = span("RunnableWithFallbacks", root, kind="CHAIN")
    summed = span("ChatOpenAI", around, kind="LLM")
    unnamed = span("ChatPromptTemplate", root, kind="PROMPT")
    last = span("ChatOpenAI", root, kind="LLM")
    (answer,) = assembled(last, unnamed, summed, around, second, asked, first, root)
    assert [one["name"] for one in answer.prompts] == ["ask", "sum up"]
    assert [one.prompt for one in answer.models] == [0, 1, None]


def test_a_prompt_in_the_context_is_that_of_everything_below() -> None:
    named = {"gen_ai.prompt.name": "support", "gen_ai.prompt.version": "3"}
    request = stamped(span("GET /help"), named)
    (answer,) = assembled(request, span("chat", request, kind="LLM"))
    assert (answer.prompts[0]["name"], answer.models[0].prompt) == ("support", 0)


def test_the_tracer_tells_the_framework() -> None:
    chain = span("RetrieverQueryEngine.query", kind="CHAIN", scope="mlflow.tracing.provider")
    for scope, name, framework in (
        ("openinference.instrumentation.langchain", "RunnableSequence", "langchain"),
        ("opentelemetry.instrumentation.llamaindex", "RetrieverQueryEngine.workflow", "llama-index"),
        ("mlflow.tracing.provider", "RetrieverQueryEngine.query", "llama-index"),
        ("mlflow.tracing.provider", "RunnableSequence", None),
    ):
        (answer,) = answers(chain._replace(scope=scope, name=name), kind="LLM", scope="openai")
        assert answer.framework == framework


def stamped(one: Span, attributes: dict[str, Any]) -> Span:
    return one._replace(attributes={**one.attributes, **attributes})


def answers(root: Span, **call: Any) -> tuple[RecordedAnswer, ...]:
    return assembled(root, span("chat", root, **call))


def assembled(*spans: Span) -> tuple[RecordedAnswer, ...]:
    return assemble(spans, AssembleOptions()).answers
