"""Calls of models: names, tokens and cost, as each instrumentation writes them."""

from __future__ import annotations

from typing import Any

import pytest

from datahub_llmops.answer_store.recorded import ModelCall
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.spans import models
from datahub_llmops.spans.attributes import Selection

from .world import span

ASKED = {"provider": "openai", "name": "gpt-5"}
SERVED = {"provider": "openai", "name": "gpt-5-2026-08-01"}


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.response.model": "gpt-5-2026-08-01",
        },
        {
            "llm.provider": "openai",
            "llm.model_name": "gpt-5-2026-08-01",
            "metadata": {"ls_provider": "openai", "ls_model_name": "gpt-5"},
        },
        {
            "gen_ai.system": "langchain",
            "langsmith.metadata.ls_provider": "openai",
            "langsmith.metadata.ls_model_name": "gpt-5",
            "gen_ai.response.model": "gpt-5-2026-08-01",
        },
        {
            "langfuse.observation.metadata.ls_provider": '"openai"',
            "langfuse.observation.metadata.ls_model_name": '"gpt-5"',
            "langfuse.observation.model.name": "gpt-5-2026-08-01",
        },
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_the_model_that_was_asked_and_the_one_that_served(attributes: dict[str, Any]) -> None:
    call = read(attributes)
    assert (call.asked, call.served) == (ASKED, SERVED)


def test_one_model_that_both_name_is_named_once() -> None:
    call = read({"gen_ai.request.model": "gpt-5", "gen_ai.response.model": "gpt-5"})
    assert (call.asked, call.served) == ({"name": "gpt-5"}, None)


def test_what_served_was_not_necessarily_asked() -> None:
    call = read({"gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-5-2026-08-01"})
    assert (call.asked, call.served) == ({"provider": "openai"}, SERVED)


def test_names_in_json_lose_their_quotation_marks() -> None:
    call = read({"mlflow.llm.model": '"gpt-5"', "mlflow.llm.provider": '"openai"'})
    assert call.asked == ASKED


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "gen_ai.usage.input_tokens": 101,
            "gen_ai.usage.output_tokens": 21,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.reasoning.output_tokens": 7,
        },
        {
            "llm.token_count.prompt": 101,
            "llm.token_count.completion": 21,
            "llm.token_count.prompt_details.cache_read": 64,
            "llm.token_count.completion_details.reasoning": 7,
            "llm.token_count.prompt_details.cache_write": 0,
        },
        {
            "langfuse.observation.usage_details": '{"input": 37, "input_cache_read": 64, "input_audio": 0, '
            '"output": 14, "output_reasoning": 7, "total": 122}'
        },
        {
            "gen_ai.usage.input_tokens": 101,
            "gen_ai.usage.output_tokens": 21,
            "langsmith.metadata.usage_metadata": '{"input_tokens": 101, "output_tokens": 21, "total_tokens": 122, '
            '"input_token_details": {"cache_read": 64}, "output_token_details": {"reasoning": 7}}',
        },
        {
            "mlflow.chat.tokenUsage": '{"input_tokens": 101, "output_tokens": 21, "total_tokens": 122, '
            '"cache_read_input_tokens": 64, "reasoning": 7}'
        },
        {
            "gen_ai.usage.prompt_tokens": "101",
            "gen_ai.usage.completion_tokens": "21",
            "gen_ai.usage.cache_read_input_tokens": "64",
            "llm.usage.reasoning_tokens": "7",
        },
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_tokens(attributes: dict[str, Any]) -> None:
    assert read(attributes).tokens == Tokens(input=101, output=21, cached=64, reasoning=7)


@pytest.mark.parametrize("value", [-1, "many", 1e300, True, [3], None])
def test_what_is_no_count_is_not_known(value: Any) -> None:
    assert read({"gen_ai.usage.input_tokens": value}).tokens == Tokens()


def test_no_tokens_at_all_are_a_count() -> None:
    assert read({"gen_ai.usage.input_tokens": 0}).tokens == Tokens(input=0)


@pytest.mark.parametrize(
    ("attributes", "cost"),
    [
        ({"llm.cost.total": 0.25}, 0.25),
        ({"gen_ai.usage.cost": "0.25"}, 0.25),
        ({"mlflow.llm.cost": '{"input_cost": 0.2, "output_cost": 0.05, "total_cost": 0.25}'}, 0.25),
        ({"langfuse.observation.cost_details": '{"input": 0.125, "output": 0.125}'}, 0.25),
        ({"llm.cost.total": -1}, None),
        ({}, None),
    ],
    ids=str,
)
def test_cost_as_billed(attributes: dict[str, Any], cost: float | None) -> None:
    assert read(attributes).cost == cost


def test_a_call_that_failed() -> None:
    call = models.read_model(span("chat", error="openai.RateLimitError"), None)
    assert (call.status, call.error) == ("error", "RateLimitError")


def test_equal_models_are_one_object() -> None:
    assert read({"gen_ai.request.model": "gpt-5"}).asked is read({"gen_ai.request.model": "gpt-5"}).asked


def read(attributes: dict[str, Any]) -> ModelCall:
    return models.read_model(span("chat")._replace(attributes=Selection().pick(attributes)), None)
