"""Reads token counts and the model that served a call, under the names that providers and frameworks use."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from datahub_llmops.answer_store.keys import ModelKey
from datahub_llmops.hooks.parts import Answer, ModelCall, get_fast

_Names: TypeAlias = tuple[str, ...]
_TOKENS: Final[tuple[tuple[str, _Names], ...]] = (
    (ModelKey.TOKENS_IN, ("input_tokens", "prompt_tokens", "prompt_token_count")),
    (ModelKey.TOKENS_OUT, ("output_tokens", "completion_tokens", "candidates_token_count")),
)
_DETAILS: Final[tuple[tuple[str, _Names, _Names], ...]] = (
    (
        ModelKey.TOKENS_CACHED,
        ("input_token_details", "prompt_tokens_details"),
        ("cache_read", "cached_tokens"),
    ),
    (ModelKey.TOKENS_CACHE_WRITE, ("input_token_details",), ("cache_creation",)),
    (
        ModelKey.TOKENS_REASONING,
        ("output_token_details", "completion_tokens_details"),
        ("reasoning", "reasoning_tokens"),
    ),
)


def get_value(thing: object, name: str) -> Any:
    """Return a key of a dictionary or an attribute of anything else, or ``None``."""
    return thing.get(name) if isinstance(thing, dict) else get_fast(thing, name)


def read_tokens(usage: object) -> dict[str, int]:
    """Return token counts under their ``ModelKey``; the cached and reasoning ones are part of those in and out."""
    found: dict[str, int] = {}
    for short, names in _TOKENS:
        value = _first(usage, names)
        if isinstance(value, int):
            found[short] = value
    for short, groups, names in _DETAILS:
        details = _first(usage, groups)
        value = _first(details, names) if details is not None else None
        if isinstance(value, int) and value:
            found[short] = value
    return found


def _first(thing: object, names: _Names) -> Any:
    for name in names:
        value = get_value(thing, name)
        if value is not None:
            return value
    return None


def take_response(call: ModelCall, response: Any) -> None:
    """Take text, tokens and serving model from LangChain's ``LLMResult``."""
    generations = response.generations
    first = generations[0][0] if generations and generations[0] else None
    message = get_fast(first, "message")
    if message is not None:
        usage = getattr(message, "usage_metadata", None)
        if usage:
            call.cached = usage.get("total_cost") == 0 and "total_cost" in usage
            call.usage = read_tokens(usage)
        said_by = getattr(message, "response_metadata", None)
        if said_by:
            call.served = said_by.get("model_name") or said_by.get("model") or said_by.get("model_id")
    output = response.llm_output
    if output and call.usage is None and isinstance(output.get("token_usage"), dict):
        call.usage = read_tokens(output["token_usage"])
    if output and call.served is None:
        call.served = output.get("model_name")
    if first is not None and isinstance(first.text, str) and first.text and isinstance(call.answer, Answer):
        call.answer.text = first.text
