"""Calls of models: which model was asked, which one served, what it used and cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from datahub_llmops.answer_store.recorded import ModelCall, Raw
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.span import Attributes, Span
from datahub_llmops.spans.status import milliseconds, status_of

MAX_NAME: Final = 200
_MOST: Final = 2**53
"""Beyond it a number is no count."""
_PROVIDERS: Final = {
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure_openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.inference": "azure",
    "aws.bedrock": "amazon_bedrock",
    "aws": "amazon_bedrock",
    "bedrock": "amazon_bedrock",
    "gcp.vertex_ai": "google_vertexai",
    "vertex_ai": "google_vertexai",
    "vertexai": "google_vertexai",
    "gcp.gemini": "google_genai",
    "gcp.gen_ai": "google_genai",
    "gemini": "google_genai",
    "google": "google_genai",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "x_ai": "xai",
    "hugging_face": "huggingface",
    "together_ai": "together",
    "ibm.watsonx.ai": "ibm",
}
"""Words of tracers for providers -> the words of LangChain, which the hooks record."""
_FRAMEWORKS: Final = frozenset(
    {"langchain", "langgraph", "llama_index", "llamaindex", "llama-index", "mlflow"}
)
"""OpenLLMetry names these as the provider where it knows of none."""


@functools.lru_cache(10_000)
def model_raw(provider: str | None, name: str | None) -> Raw:
    """Return the raw identity of a model, the same object for the same model."""
    raw = {"provider": provider, "name": name}
    return {key: value[:MAX_NAME] for key, value in raw.items() if value}


@functools.lru_cache(1_000)
def provider_name(word: str) -> str | None:
    """Return the hooks' word for a provider, or ``None`` if it is none.

    >>> provider_name("azure.ai.openai"), provider_name("OpenAI"), provider_name("langchain")
    ('azure', 'openai', None)
    """
    lower = word.strip('"').lower()
    return None if lower in _FRAMEWORKS else _PROVIDERS.get(lower, lower) or None


def read_model(span: Span, prompt: int | None) -> ModelCall:
    """Read the call of a model from the span of an inference."""
    attributes = span.attributes
    provider = _provider(attributes)
    asked = _text(names.first(attributes, names.MODEL_ASKED))
    served = _text(names.first(attributes, names.MODEL_SERVED))
    if asked is None:
        asked, served = served, None
    status, error = status_of(span)
    counts = _tokens(attributes)
    return ModelCall(
        asked=model_raw(provider, asked),
        served=model_raw(provider, served) if served is not None and served != asked else None,
        prompt=prompt,
        milliseconds=milliseconds(span),
        status=status,
        error=error,
        cached=False,
        tokens_in=counts[0],
        tokens_out=counts[1],
        tokens_cached=counts[2],
        tokens_cache_write=counts[3],
        tokens_reasoning=counts[4],
        cost=_cost(attributes),
        fingerprint=_text(names.first(attributes, names.FINGERPRINT)),
    )


def read_embedding(span: Span) -> Raw | None:
    """Read the model of an embedding as the hooks describe one: with ``model`` where a language model has ``name``."""
    attributes = span.attributes
    name = _text(names.first(attributes, names.EMBEDDING_MODEL))
    return None if name is None else _embedding_raw(_provider(attributes), name)


@functools.lru_cache(1_000)
def _embedding_raw(provider: str | None, name: str) -> Raw:
    return {"model": name, **({"provider": provider} if provider else {})}


def _provider(attributes: Attributes) -> str | None:
    for name in names.PROVIDER:
        word = attributes.get(name)
        if isinstance(word, str) and word:
            found = provider_name(word)
            if found is not None:
                return found
    return None


def _text(value: object) -> str | None:
    return value.strip('"')[:MAX_NAME] or None if isinstance(value, str) else None


_NUMBERS: Final = (
    names.TOKENS_IN,
    names.TOKENS_OUT,
    names.TOKENS_CACHED,
    names.TOKENS_CACHE_WRITE,
    names.TOKENS_REASONING,
)


def _tokens(attributes: Attributes) -> list[int | None]:
    """Return tokens in, out, cached, written to the cache and spent on reasoning."""
    found = [_count(_first_number(attributes, group)) for group in _NUMBERS]
    if found[0] is None and found[1] is None:
        for name in names.TOKENS_JSON:
            usage = attributes.get(name)
            if isinstance(usage, Mapping):
                return _usage(usage)
    return found


def _usage(usage: Mapping[str, Any]) -> list[int | None]:
    """Read tokens from an object of counts, by parts of their names."""
    found: list[int | None] = [None] * 5
    for name, value in usage.items():
        place = _place(name)
        count = _count(value)
        if place is not None and count is not None:
            found[place] = max(count, found[place] or 0)
    return found


@functools.lru_cache(1_000)
def _place(name: str) -> int | None:
    lower = name.lower()
    if "reasoning" in lower:
        return 4
    if "cache" in lower:
        return 3 if "creat" in lower or "write" in lower else 2
    if lower in ("input", "input_tokens", "prompt_tokens", "prompt"):
        return 0
    if lower in ("output", "output_tokens", "completion_tokens", "completion"):
        return 1
    return None


def _first_number(attributes: Attributes, group: Iterable[str]) -> Any:
    for name in group:
        value = attributes.get(name)
        if value is not None:
            return value
    return None


def _count(value: object) -> int | None:
    if value is None or isinstance(value, bool):
        return None
    number = _number(value)
    return int(number) if number is not None and 0 <= number <= _MOST else None


def _number(value: object) -> float | None:
    """Return a finite number. ClickHouse and some exporters write numbers as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, (int, float)) and math.isfinite(value):
        return value
    return None


def _cost(attributes: Attributes) -> float | None:
    value = _number(_first_number(attributes, names.COST))
    if value is None:
        for name in names.COST_JSON:
            parts = attributes.get(name)
            if isinstance(parts, Mapping) and parts:
                total = _number(parts.get("total", parts.get("total_cost")))
                value = sum(parts.values()) if total is None else total
                break
    return value if value is not None and value >= 0 else None
