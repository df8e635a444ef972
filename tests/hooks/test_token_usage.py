"""Token counts, and what served a call, where integrations leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from typing_extensions import override

from hooks.seen import Host, stored_answers
from hooks.test_probes import run, version
from support import engines
from support.stub import Stub
from wire.spans.openai_server import OpenAiServer

OPENAI = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}
ANTHROPIC = {"input_tokens": 5, "output_tokens": 6}


class Says(BaseChatModel):
    """A model of an integration that reports tokens in a place of its own."""

    message: dict[str, Any] | None = None
    generation: dict[str, Any] | None = None
    output: dict[str, Any] | None = None

    @property
    @override
    def _llm_type(self) -> str:
        return "says"

    @override
    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        message = AIMessage("a", response_metadata=self.message or {})
        made = ChatGeneration(message=message, generation_info=self.generation)
        return ChatResult(generations=[made], llm_output=self.output)


@pytest.mark.parametrize(
    ("model", "served"),
    [
        (Says(message={"token_usage": OPENAI, "model_name": "m"}), "m"),
        (Says(message={"usage": ANTHROPIC, "model": "m"}), "m"),
        (Says(message={"usage": {"inputTokens": 5, "outputTokens": 6}}), None),
        (Says(message={"usage_metadata": {"prompt_token_count": 5, "candidates_token_count": 6}}), None),
        (Says(message={"prompt_eval_count": 5, "eval_count": 6, "model": "m"}), "m"),
        (Says(message={"token_count": {"input_tokens": 5.0, "output_tokens": 6.0}}), None),
        (
            Says(message={"amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 6}}),
            None,
        ),
        (Says(generation={"token_usage": OPENAI}), None),
        (Says(output={"token_usage": OPENAI, "model_name": "m"}), "m"),
        (Says(output={"usage": ANTHROPIC, "model": "m"}), "m"),
        (Says(output={"token_usage": {"generated_token_count": 6, "input_token_count": 5}}), None),
    ],
)
def test_tokens(host: Host, model: Says, served: str | None) -> None:
    model.invoke("q")
    [call] = host.answer().models
    assert (call.tokens_in, call.tokens_out) == (5, 6)
    assert (call.served or {}).get("name") == served


@pytest.mark.parametrize(
    "output",
    [
        None,
        {},
        {"token_usage": None},
        {"token_usage": {"prompt_tokens": "5"}},
        {"token_usage": {"prompt_tokens": -5, "completion_tokens": 10**30}},
    ],
)
def test_no_tokens(host: Host, output: Any) -> None:
    Says(output=output).invoke("q")
    [call] = host.answer().models
    assert (call.tokens_in, call.tokens_out) == (None, None)


@pytest.mark.process
@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
def test_the_packages_of_openai_say_which_configuration_served(framework: str, tmp_path: Path) -> None:
    with Stub(OpenAiServer().answer) as openai:
        run(
            *("instrumentations", "-W", "ignore", "-m", "hooks.openai_models", framework),
            *(f"{openai.url}/v1", str(tmp_path / "answers.db")),
        )
    calls = [call for answer in stored_answers(tmp_path / "answers.db") for call in answer.models]
    assert [call.fingerprint for call in calls] == ["fp_0ba0d124f1"] * 3
    assert [(call.served or {}).get("name") for call in calls] == ["gpt-4o-mini-2024-07-18"] * 3
    engines.ran("instrumentations", version("instrumentations", "opentelemetry-sdk"))


@pytest.mark.parametrize("fingerprint", [None, "", 7, "x" * 200, {"text": "planted"}])
def test_a_fingerprint_that_is_no_name_is_not_known(host: Host, fingerprint: Any) -> None:
    Says(message={"system_fingerprint": fingerprint, "model_name": "m"}).invoke("q")
    [call] = host.answer().models
    assert call.fingerprint is None


def test_a_fingerprint_in_the_output_of_the_model(host: Host) -> None:
    Says(message={"model_name": "m"}, output={"system_fingerprint": "fp_1"}).invoke("q")
    [call] = host.answer().models
    assert call.fingerprint == "fp_1"
