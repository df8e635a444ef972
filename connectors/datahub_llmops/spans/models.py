"""Calls of models: which model was asked, which one served, what it used, and what it cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub_llmops.answer_store.recorded import ModelCall, Raw
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.facts import Facts
from datahub_llmops.spans.quick import quick
from datahub_llmops.spans.span import Attributes, Span
from datahub_llmops.spans.status import milliseconds, status_of

MAX_NAME: Final = 200
_MOST: Final = 2**53
"""A larger number is not a count."""
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


@functools.lru_cache(1_000)
def embedding_raw(provider: str | None, name: str) -> Raw:
    """Return the raw identity of an embedding model. The hooks call its name ``model``."""
    return {"model": name, "provider": provider} if provider else {"model": name}


@functools.lru_cache(1_000)
def provider_name(word: str) -> str | None:
    """Return the hooks' word for a provider, or ``None`` if the word is not a provider's.

    >>> provider_name("azure.ai.openai"), provider_name("OpenAI"), provider_name("langchain")
    ('azure', 'openai', None)
    """
    lower = word.strip('"').lower()
    return None if lower in _FRAMEWORKS else _PROVIDERS.get(lower, lower[:MAX_NAME]) or None


_USAGE_NAMES: Final = (
    names.TOKENS_IN,
    names.TOKENS_OUT,
    names.TOKENS_CACHED,
    names.TOKENS_CACHE_WRITE,
    names.TOKENS_REASONING,
    names.TOKENS_JSON,
    names.COST,
    names.COST_JSON,
)
_USAGE: Final = Facts(*_USAGE_NAMES)
_FACTS: Final = Facts(
    names.MODEL_IN_METADATA,
    tuple(name for name in names.MODEL_ASKED if name not in names.MODEL_IN_METADATA),
    names.MODEL_SERVED,
    names.PROVIDER_OF_LANGCHAIN,
    tuple(name for name in names.PROVIDER if name not in names.PROVIDER_OF_LANGCHAIN),
    *_USAGE_NAMES,
    names.FINGERPRINT,
)


def read_model(span: Span, prompt: int | None) -> ModelCall:
    """Read the call of a model from the span of an inference. ``prompt`` is the place of its prompt in the answer."""
    found = _FACTS.read(span.attributes)
    try:
        asked, served = _names(found[0], found[1], found[2], found[3], found[4], span.name.partition(".")[0])
    except TypeError:  # A list, which names nothing.
        asked, served = _NOTHING, None
    status, error = status_of(span)
    counts = _tokens(found[5:11])
    return ModelCall(
        asked=asked,
        served=served,
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
        cost=None if found[11] is None and found[12] is None else _cost(found[11], found[12]),
        fingerprint=None if found[13] is None else _text(found[13]),
    )


_NOTHING: Final[Raw] = {}
_make_call: Final = quick(ModelCall)


def read_alike(call: ModelCall, own: Attributes, took: int | None) -> ModelCall:
    """Read the call of a model from the attributes that vary, of a span of the same class as that of ``call``."""
    *found, billed, parts = _USAGE.read(own)
    counts = _tokens(found)
    return _make_call(
        asked=call.asked,
        served=call.served,
        prompt=call.prompt,
        milliseconds=took,
        status=call.status,
        error=call.error,
        cached=False,
        tokens_in=counts[0],
        tokens_out=counts[1],
        tokens_cached=counts[2],
        tokens_cache_write=counts[3],
        tokens_reasoning=counts[4],
        cost=None if billed is None and parts is None else _cost(billed, parts),
        fingerprint=call.fingerprint,
    )


@functools.lru_cache(10_000)
def _names(
    told: object, asked: object, served: object, of_langchain: object, word: object, class_name: str
) -> tuple[Raw, Raw | None]:
    """Return the raw identities of the model that was asked, and of the one that served if it is another."""
    if told is not None:
        # OpenInference writes the model that served instead of the one that was asked.
        asked, served = told, served or asked
    provider = _provider(of_langchain, word, class_name)
    first, second = model_raw(provider, _text(asked)), _text(served)
    return first, None if second in (None, first.get("name")) else model_raw(provider, second)


@functools.lru_cache(10_000)
def model_raw(provider: str | None, name: str | None) -> Raw:
    """Return the raw identity of a model, the same object for the same model."""
    raw = {"provider": provider, "name": name}
    return {key: value for key, value in raw.items() if value}


_EMBEDDING_FACTS: Final = Facts(names.EMBEDDING_MODEL, names.PROVIDER)


def read_embedding(attributes: Attributes) -> Raw | None:
    """Read the model of an embedding, or ``None`` if the span names none."""
    model, word = _EMBEDDING_FACTS.read(attributes)
    name = _text(model)
    if name is None or name == "unknown":
        return None
    return embedding_raw(provider_name(word) if isinstance(word, str) else None, name)


def _provider(of_langchain: object, word: object, class_name: str) -> str | None:
    if isinstance(of_langchain, str):
        return _text(of_langchain)  # Unchanged, as the hooks take it.
    own = _CLASSES.get(class_name)
    if own is not None:
        return own
    return provider_name(word) if isinstance(word, str) else None


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return (value.strip('"') if value[:1] == '"' else value)[:MAX_NAME] or None


def _tokens(found: Sequence[Any]) -> list[int | None]:
    """Return tokens in, out, cached, written to the cache and spent on reasoning, by the first facts of ``_USAGE``."""
    counts: list[int | None] = [
        value if type(value) is int and 0 <= value <= _MOST else None if value is None else _count(value)
        for value in found[:5]
    ]
    if found[5] is not None and isinstance(found[5], Mapping):
        told = _usage(found[5])
        counts = [one if count is None else count for count, one in zip(counts, told, strict=True)]
    # A zero for a part says no more than a missing value, and the hooks leave it out.
    return [counts[0], counts[1], counts[2] or None, counts[3] or None, counts[4] or None]


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
    number = finite(value)
    return int(number) if number is not None and 0 <= number <= _MOST else None


def finite(value: object) -> float | None:
    """Return a finite number, also one that is written as text."""
    if isinstance(value, str):
        try:
            value = float(value.strip('"'))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None


_NAMES: Final = Facts(names.MODEL_ASKED, names.MODEL_SERVED)


def names_model(attributes: Attributes) -> bool:
    """Return whether a span names the model that was asked or that served."""
    metadata = attributes.get(names.METADATA[0])
    return any(_NAMES.read(attributes)) or (isinstance(metadata, Mapping) and "ls_model_name" in metadata)


def tokens_of(attributes: Attributes) -> tuple[int | None, int | None]:
    """Return the tokens in and out that a span reports."""
    counts = _tokens(_USAGE.read(attributes))
    return counts[0], counts[1]


def may_be_same(one: Attributes, other: Attributes) -> bool:
    """Return whether two spans can be of one inference: the tokens that both report are equal."""
    return all(
        mine is None or theirs is None or mine == theirs
        for mine, theirs in zip(tokens_of(one), tokens_of(other), strict=True)
    )


def _cost(billed: object, parts: object) -> float | None:
    """Return what a gateway or a tracer has computed, in US dollars."""
    value = finite(billed)
    if value is None and isinstance(parts, Mapping) and parts:
        value = finite(parts.get("total", parts.get("total_cost")))
        if value is None:
            value = sum(parts.values())
    return value if value is not None and value >= 0 else None
