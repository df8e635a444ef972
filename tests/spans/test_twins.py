"""An inference that an SDK reports in a trace of its own counts once, if a framework reports it too."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from datahub_llmops.spans import twins
from datahub_llmops.spans.assemble import AssembleOptions, assemble
from datahub_llmops.spans.span import Span
from spans.doors.making import run
from spans.recordings import Recording, raw_lines, recordings
from spans.world import OTHER_SERVICE, SERVICE, span

SDK = "openinference.instrumentation.openai"
TWICE = [
    one
    for one in recordings()
    if one.instrumentation in ("openinference-openai", "openinference-openllmetry", "mlflow-openai")
]


@pytest.mark.parametrize("recording", TWICE, ids=lambda one: one.name)
def test_recorded_answers_count_once(recording: Recording, tmp_path: Path) -> None:
    (tmp_path / "spans.jsonl").write_text("\n".join(raw_lines(recording.name)))
    found = run(tmp_path, now=time.time())
    answers, expected = found.counted.answers, recording.expected["answers"]
    assert len(answers) == len(expected)
    told = [model["tokens_in"] or 0 for one in expected for model in one["models"]]
    assert sum(call.tokens_in or 0 for one in answers for call in one.models) == sum(told)


def framework(at: float, took: float, tokens: int | None = 10, **given: Any) -> Span:
    return inference("ChatOpenAI", "openinference.instrumentation.langchain", at, took, tokens, **given)


def sdk(at: float, took: float, tokens: int | None = 10, **given: Any) -> Span:
    return inference("ChatCompletion", SDK, at, took, tokens, **given)


def inference(
    name: str, scope: str, at: float, took: float, tokens: int | None, resource: Mapping[str, Any] = SERVICE
) -> Span:
    counts: dict[str, Any] = (
        {} if tokens is None else {"llm__token_count__prompt": tokens, "llm__token_count__completion": 5}
    )
    made = span(name, kind="LLM", scope=scope, resource=resource, **counts)
    return made._replace(started=at, ended=at + took)


def repeated(frameworks: list[Span], sdks: list[Span]) -> list[bool]:
    """Which of the inferences of an SDK a framework reports too, whatever the order in which they come."""
    found = twins.Twins()
    mixed = [*frameworks, *sdks]
    random.Random(len(mixed)).shuffle(mixed)
    numbers: dict[str, int] = {}
    for one in mixed:
        found.note(twins.of_frameworks([one]))
        alone = twins.alone([one])
        if alone is not None:
            numbers[one.id] = found.hold(alone)
    told = found.repeated()
    return [bool(told[numbers[one.id]]) for one in sdks]


def test_it_is_within_the_other_in_time_and_has_the_same_tokens() -> None:
    around = [framework(100.0, 2.0)]
    assert repeated(around, [sdk(100.1, 1.5)]) == [True]
    assert repeated(around, [sdk(100.1, 2.5)]) == [False]
    assert repeated(around, [sdk(99.9, 1.0)]) == [False]
    assert repeated(around, [sdk(100.1, 1.5, 11)]) == [False]


def test_what_is_not_known_is_equal_to_what_is_not_known_only() -> None:
    assert repeated([framework(100.0, 2.0, None)], [sdk(100.1, 1.5, None)]) == [True]
    assert repeated([framework(100.0, 2.0, None)], [sdk(100.1, 1.5, 10)]) == [False]


def test_one_of_a_framework_stands_for_one_of_an_sdk() -> None:
    assert repeated([framework(100.0, 2.0)], [sdk(100.1, 1.5), sdk(100.2, 1.5)]) == [True, False]
    both = [framework(100.0, 5.0), framework(100.05, 2.0)]
    assert repeated(both, [sdk(100.1, 1.5), sdk(100.2, 4.0)]) == [True, True]


def test_another_process_is_another_inference() -> None:
    around = [framework(100.0, 2.0, resource={**SERVICE, "host.name": "pod-1"})]
    assert repeated(around, [sdk(100.1, 1.5, resource={**SERVICE, "host.name": "pod-2"})]) == [False]
    assert repeated(around, [sdk(100.1, 1.5, resource=OTHER_SERVICE)]) == [False]


def test_a_trace_with_more_than_the_inference_is_an_answer() -> None:
    own = sdk(100.0, 1.0)
    assert twins.alone([own, span("POST", own)]) is not None
    assert twins.alone([own, span("search", own, kind="TOOL")]) is None
    assert twins.alone([own._replace(parent="f" * 16)]) is None
    assert twins.alone([framework(100.0, 1.0)]) is None


def test_services_with_one_tracer_are_left_alone() -> None:
    tracers = [(SDK, "a"), ("openinference.instrumentation.langchain", "a"), (SDK, "b"), ("http", "b")]
    assert twins.mixed_services(tracers) == {"a"}


def calls(*spans: Span) -> list[tuple[str | None, int | None]]:
    """Model and tokens of each call of the only answer."""
    [found] = assemble(spans, AssembleOptions()).answers
    return [(one.asked.get("name"), one.tokens_in) for one in found.models]


def chain_with(*inferences: Span) -> list[Span]:
    top = span("chain", kind="CHAIN")._replace(started=99.0, ended=200.0)
    return [top, *(one if one.parent else one._replace(parent=top.id) for one in inferences)]


def named(one: Span, model: str) -> Span:
    return one._replace(attributes={**one.attributes, "llm.model_name": model})


def test_a_stream_whose_framework_ends_before_its_sdk_begins_is_one_call() -> None:
    stream = named(framework(100.0, 0.2), "gpt-5")
    assert calls(*chain_with(stream, sdk(100.21, 2.0))) == [("gpt-5", 10)]
    assert len(calls(*chain_with(stream, sdk(100.21, 2.0, 11)))) == 2
    assert len(calls(*chain_with(stream, sdk(99.5, 0.1)))) == 2
    assert len(calls(*chain_with(framework(100.0, 0.2, None), sdk(100.21, 2.0, None)))) == 2
    assert len(calls(*chain_with(stream, sdk(100.21, 2.0), sdk(103.0, 2.0)))) == 2


def test_a_call_below_another_one_stands_for_that_one_alone() -> None:
    outer = named(framework(100.0, 2.0), "gpt-5")
    inner = named(sdk(100.1, 1.5), "gpt-5")._replace(parent=outer.id)
    cached = named(framework(100.0, 3.0), "gpt-5")
    assert len(calls(*chain_with(outer, inner, cached))) == 2


def test_a_call_that_names_no_model_leaves_it_to_the_one_around_it() -> None:
    outer = named(framework(100.0, 2.0), "gpt-5")
    inner = sdk(100.1, 1.5)._replace(parent=outer.id)
    assert calls(*chain_with(outer, inner)) == [("gpt-5", 10)]


def test_a_tool_has_one_tracer_for_frameworks_and_sdks() -> None:
    scope = "mlflow.tracing.provider"
    attributes = {"mlflow.spanType": '"CHAT_MODEL"'}
    around = framework(100.0, 2.0)._replace(scope=scope)
    assert twins.of_frameworks([around._replace(attributes=attributes)]) == []
    assert len(twins.of_frameworks([around._replace(attributes=attributes, name="OpenAI.stream_chat")])) == 1
    langchain = {**attributes, "metadata": {"ls_provider": "openai"}}
    assert len(twins.of_frameworks([around._replace(attributes=langchain)])) == 1
    assert twins.alone([sdk(100.0, 1.0)._replace(scope=scope, attributes=attributes)]) is not None
    assert twins.mixed_services([(scope, "a")]) == {"a"}
