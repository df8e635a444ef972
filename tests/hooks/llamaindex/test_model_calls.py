"""Tokens and the model that served, wherever LlamaIndex's integrations put what the provider reports."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.llms.callbacks import llm_chat_callback
from pydantic import BaseModel
from typing_extensions import override

from hooks.llamaindex.test_handlers import Model
from hooks.seen import Host


class Usage(BaseModel):
    """As an SDK's object."""

    input_tokens: int = 10
    output_tokens: int = 7
    cache_read_input_tokens: int = 20


class Reports(Model):
    """Says what a provider's integration puts into its response."""

    raw: Any = None
    extra: dict[str, Any] | None = None
    said: dict[str, Any] | None = None

    @llm_chat_callback()
    @override
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        message = ChatMessage(role=MessageRole.ASSISTANT, content="a", additional_kwargs=self.said or {})
        return ChatResponse(message=message, raw=self.raw, additional_kwargs=self.extra or {})


COUNTS = {"prompt_tokens": 30, "completion_tokens": 7}


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param({"raw": {"usage": COUNTS}}, id="OpenAI"),
        pytest.param({"raw": {"usage": Usage()}}, id="Anthropic"),
        pytest.param({"raw": {"usage": {"inputTokens": 30, "outputTokens": 7}}}, id="Bedrock"),
        pytest.param(
            {"raw": {"usage_metadata": {"prompt_token_count": 30, "candidates_token_count": 7}}}, id="Gemini"
        ),
        pytest.param(
            {
                "raw": {
                    "usage_metadata": {
                        "prompt_token_count": 30,
                        "cached_content_token_count": 20,
                        "candidates_token_count": 3,
                        "thoughts_token_count": 4,
                    }
                }
            },
            id="Gemini that thinks",
        ),
        pytest.param({"raw": {"prompt_eval_count": 30, "eval_count": 7}}, id="Ollama"),
        pytest.param(
            {"raw": {"meta": {"billed_units": {"input_tokens": 30, "output_tokens": 7}}}}, id="Cohere"
        ),
        pytest.param({"extra": COUNTS}, id="in the response"),
        pytest.param({"said": COUNTS}, id="in the message"),
        pytest.param({"raw": object(), "extra": COUNTS}, id="beside an object"),
    ],
)
def test_tokens(host: Host, reports: dict[str, Any]) -> None:
    Reports(**reports).chat([ChatMessage(content="q")])
    [call] = host.answer().models
    assert (call.tokens_in, call.tokens_out) == (30, 7)


@pytest.mark.parametrize("raw", [None, {}, [], "text", object(), {"usage": None}, {"usage": "30"}])
def test_what_is_not_reported_is_not_known(host: Host, raw: Any) -> None:
    Reports(raw=raw).chat([ChatMessage(content="q")])
    [call] = host.answer().models
    assert (call.tokens_in, call.tokens_out, call.status) == (None, None, "ok")
