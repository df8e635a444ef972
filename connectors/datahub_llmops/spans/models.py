"""Calls of models: which model was asked, which one served, what it used, and what it cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
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
    "gcp.vertex_ai": "google_vertexai",
    "vertex_ai": "google_vertexai",
    "vertexai": "google_vertexai",
    "gcp.gemini": "google_genai",
    "gcp.gen_ai": "google_genai",
    "gemini": "google_genai",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "x_ai": "xai",
    "hugging_face": "huggingface",
    "together_ai": "together",
    "ibm.watsonx.ai": "ibm",
}
"""Words of tracers -> LangChain's word for the same provider, which the hooks record."""
_FRAMEWORKS: Final = frozenset(
    {"langchain", "langgraph", "llama_index", "llamaindex", "llama-index", "unknown"}
)
"""What OpenLLMetry and LangSmith write where they know of no provider."""
_CLASSES: Final = {"OpenAILike": "openailike"}
"""Classes of LlamaIndex for any server with OpenAI's interface. Tracers call it OpenAI, the hooks by its class."""


@functools.lru_cache(10_000)
def model_raw(provider: str | None, name: str | None) -> Raw:
    """Return the raw identity of a model, the same object for the same model."""
    raw = {"provider": provider, "name": name}
    return {key: value for key, value in raw.items() if value}


@functools.lru_cache(1_000)
def embedding_raw(provider: str | None, name: str) -> Raw:
    """Return the raw identity of an embedding model. The hooks call its name ``model``."""
    return {"model": name, "provider": provider} if provider else {"model": name}


@functools.lru_cache(1_000)
def provider_name(word: str) -> str | None:
    """Return the hooks' word for a provider, or ``None`` if it is none.

    >>> provider_name("azure.ai.openai"), provider_name("OpenAI"), provider_name("langchain")
    ('azure', 'openai', None)
    """
    lower = word.strip('"').lower()
    return None if lower in _FRAMEWORKS else _PROVIDERS.get(lower, lower[:MAX_NAME]) or None


def read_model(span: Span, prompt: int | None) -> ModelCall:
    """Read the call of a model from the span of an inference. ``prompt`` is the place of its prompt in the answer."""
    attributes = span.attributes
    asked = served = None
    metadata = attributes.get("metadata")
    for key in _ASKED:
        asked = _text(attributes.get(key))
        if asked is not None:
            break
    for key in _SERVED:
        served = _text(attributes.get(key))
        if served is not None:
            break
    told = _text(names.first(attributes, names.MODEL_IN_METADATA))
    if told is None and isinstance(metadata, Mapping):
        told = _text(metadata.get("ls_model_name"))
    if told is not None and told != asked:
        # OpenInference writes the model that served in place of the one that was asked.
        asked, served = told, served or asked
    if asked is None:
        asked, served = served, None
    provider = _provider(span, metadata)
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


_ASKED: Final = names.MODEL_ASKED
_SERVED: Final = names.MODEL_SERVED


def read_embedding(attributes: Attributes) -> Raw | None:
    """Read the model of an embedding, or ``None`` if the span names none."""
    name = _text(names.first(attributes, names.EMBEDDING_MODEL))
    if name is None or name == "unknown":
        return None
    word = names.first(attributes, names.PROVIDER)
    return embedding_raw(provider_name(word) if isinstance(word, str) else None, name)


def _provider(span: Span, metadata: object) -> str | None:
    if isinstance(metadata, Mapping):
        word = metadata.get("ls_provider")
        if isinstance(word, str) and word:
            return _raw_provider(word)
    attributes = span.attributes
    for key in _OF_LANGCHAIN:
        word = attributes.get(key)
        if isinstance(word, str) and word:
            return _raw_provider(word)
    own = _CLASSES.get(span.name.partition(".")[0])
    if own is not None:
        return own
    for key in names.PROVIDER:
        word = attributes.get(key)
        if isinstance(word, str) and word:
            found = provider_name(word)
            if found is not None:
                return found
    return None


_OF_LANGCHAIN: Final = tuple(key for key in names.PROVIDER if key.endswith("ls_provider"))


@functools.lru_cache(1_000)
def _raw_provider(word: str) -> str:
    return word.strip('"')[:MAX_NAME]  # LangChain's own word, which the hooks take as it is.


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return (value.strip('"') if value[:1] == '"' else value)[:MAX_NAME] or None


def _tokens(attributes: Attributes) -> list[int | None]:
    """Return tokens in, out, cached, written to the cache and spent on reasoning."""
    found: list[int | None] = []
    for group in _COUNTS:
        count = None
        for key in group:
            value = attributes.get(key)
            if value is not None:
                count = value if type(value) is int and 0 <= value <= _MOST else _count(value)
                break
        found.append(count)
    for key in _COUNTS_JSON:
        usage = attributes.get(key)
        if isinstance(usage, Mapping):
            told = _usage(usage)
            found = [one if count is None else count for count, one in zip(found, told, strict=True)]
    for part in _PARTS:
        # Nought of a part says no more than nothing, and the hooks leave it out.
        found[part] = found[part] or None
    return found


_COUNTS: Final = (
    names.TOKENS_IN,
    names.TOKENS_OUT,
    names.TOKENS_CACHED,
    names.TOKENS_CACHE_WRITE,
    names.TOKENS_REASONING,
)
_COUNTS_JSON: Final = names.TOKENS_JSON
_PARTS: Final = (2, 3, 4)


def _usage(usage: Mapping[str, Any]) -> list[int | None]:
    """Read tokens from an object of counts, by parts of their names.

    Langfuse takes the parts out of ``input`` and ``output``; ``total`` shows it.

    >>> _usage({"input": 37, "input_cache_read": 64, "output": 14, "output_reasoning": 7, "total": 122})
    [101, 21, 64, None, 7]
    >>> _usage({"input_tokens": 101, "cache_read_input_tokens": 64, "output_tokens": 21, "total_tokens": 122})
    [101, 21, 64, None, None]
    """
    found: list[int | None] = [None] * 5
    sums = [0, 0]
    for name, value in usage.items():
        count = _count(value)
        if count is None:
            continue
        place = _place(name)
        if place is not None:
            found[place] = max(count, found[place] or 0)
        if name.startswith("input"):
            sums[0] += count
        elif name.startswith("output"):
            sums[1] += count
    if usage.get("total") == sum(sums):
        found[:2] = [None if one is None else whole for one, whole in zip(found, sums, strict=False)]
    return found


@functools.lru_cache(1_000)
def _place(name: str) -> int | None:
    """
    >>> _place("input_tokens"), _place("cache_read_input_tokens"), _place("output_reasoning"), _place("total")
    (0, 2, 4, None)
    """
    lower = name.lower()
    if "reasoning" in lower:
        return 4
    if "cache" in lower:
        return 3 if "creat" in lower or "write" in lower else 2
    if lower in ("input", "input_tokens", "prompt_tokens", "prompt"):
        return 0
    return 1 if lower in ("output", "output_tokens", "completion_tokens", "completion") else None


def _count(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 <= number <= _MOST else None


def _number(value: object) -> float | None:
    """Return a finite number, also one that is written as text."""
    if isinstance(value, str):
        try:
            value = float(value.strip('"'))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None


def may_be_same(one: Attributes, other: Attributes) -> bool:
    """Return whether two spans can be of one inference: the tokens that both report are equal."""
    return all(
        mine is None or theirs is None or mine == theirs
        for mine, theirs in zip(_tokens(one)[:2], _tokens(other)[:2], strict=True)
    )


def _cost(attributes: Attributes) -> float | None:
    """Return what a gateway or a tracer has computed, in US dollars."""
    for key in names.COST:
        value = _number(attributes.get(key))
        if value is not None:
            return value if value >= 0 else None
    for key in names.COST_JSON:
        parts = attributes.get(key)
        if isinstance(parts, Mapping) and parts:
            total = _number(parts.get("total", parts.get("total_cost")))
            value = sum(parts.values()) if total is None else total
            return value if value >= 0 else None
    return None
