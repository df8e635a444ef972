"""Reads token counts and what served a call, under the names that providers and frameworks use."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from datahub_llmops.answer_store.keys import ModelKey
from datahub_llmops.hooks.chunk_sources import read_scalar
from datahub_llmops.hooks.parts import Answer, ModelCall, get_fast

MAX_FINGERPRINT: Final = 128
"""Characters of a fingerprint; providers use about 20. Anything longer is something else, and is left out."""
_Names: TypeAlias = tuple[str, ...]
_TOKENS: Final[tuple[tuple[str, _Names], ...]] = (
    (
        ModelKey.TOKENS_IN,
        (
            "input_tokens",
            "prompt_tokens",
            "prompt_token_count",
            "input_token_count",
            "inputTokens",
            "inputTokenCount",
            "prompt_eval_count",
        ),
    ),
    (
        ModelKey.TOKENS_OUT,
        (
            "output_tokens",
            "completion_tokens",
            "candidates_token_count",
            "output_token_count",
            "generated_token_count",
            "outputTokens",
            "outputTokenCount",
            "eval_count",
        ),
    ),
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

_FLAT: Final[tuple[tuple[str, str, _Names, _Names], ...]] = (
    (
        ModelKey.TOKENS_CACHED,
        ModelKey.TOKENS_IN,
        ("cache_read_input_tokens", "cacheReadInputTokens", "cached_content_token_count"),
        ("input_tokens", "inputTokens"),
    ),
    (
        ModelKey.TOKENS_CACHE_WRITE,
        ModelKey.TOKENS_IN,
        ("cache_creation_input_tokens", "cacheWriteInputTokens"),
        ("input_tokens", "inputTokens"),
    ),
    (
        ModelKey.TOKENS_REASONING,
        ModelKey.TOKENS_OUT,
        ("thoughts_token_count",),
        ("candidates_token_count",),
    ),
)
"""A part that some providers report beside the tokens in or out, what it is a part of, its names, and the names of the
whole under which they (Anthropic, Bedrock, Gemini) leave the part out."""
_FLAT_NAMES: Final = frozenset(name for _, _, names, _ in _FLAT for name in names)


def get_value(thing: object, name: str) -> Any:
    """Return a key of a dictionary or an attribute of anything else, or ``None``."""
    return thing.get(name) if isinstance(thing, dict) else get_fast(thing, name)


def read_tokens(usage: object) -> dict[str, int]:
    """Return token counts under their ``ModelKey``; the cached and reasoning ones are part of those in and out."""
    found: dict[str, int] = {}
    for short, names in _TOKENS:
        value = _first(usage, names)
        count = value if type(value) is int and 0 <= value <= _MOST_TOKENS else _count(value)
        if count is not None:
            found[short] = count
    for short, groups, names in _DETAILS:
        details = _first(usage, groups)
        value = _count(_first(details, names)) if details is not None else None
        if value:
            found[short] = value
    own = usage if isinstance(usage, dict) else getattr(usage, "__dict__", ())
    if not _FLAT_NAMES.isdisjoint(own):
        _read_flat(usage, found)
    return found


def _read_flat(usage: object, found: dict[str, int]) -> None:
    """Read parts that are given beside the whole, and make the whole include them.

    >>> read_tokens({"input_tokens": 3, "cache_read_input_tokens": 7, "output_tokens": 1})
    {'in': 10, 'out': 1, 'cr': 7}
    """
    for short, whole, names, exclusive in _FLAT:
        part = _count(_first(usage, names))
        if part and short not in found:
            found[short] = part
            if whole in found and _first(usage, exclusive) is not None:
                found[whole] += part


_MOST_TOKENS: Final = 2**53
"""Beyond it a number is not a count, and a sum of several would not fit into the store's 64 bits."""


def _count(value: object) -> int | None:
    """
    >>> _count(5), _count(3.0), _count("5"), _count(-5), _count(10**30)
    (5, 3, None, None, None)
    """
    number = None if isinstance(value, str) else read_scalar(value)
    return number if isinstance(number, int) and 0 <= number <= _MOST_TOKENS else None


_PLACES: Final = (
    "token_usage",
    "usage",
    "usage_metadata",
    "token_count",
    "tokenUsage",
    "billed_units",
    "amazon-bedrock-invocationMetrics",
)
"""Where integrations put the counts in the metadata of a message, of a generation, and of the whole response."""


def find_tokens(*reports: object) -> dict[str, int] | None:
    """Return the token counts of the first of several reports of a provider that has any.

    >>> find_tokens(None, {"model": "m"}, {"token_usage": {"prompt_tokens": 5, "completion_tokens": 6}})
    {'in': 5, 'out': 6}
    """
    for report in reports:
        if report:
            for place in (*_PLACES, None):
                usage = report if place is None else get_value(report, place)
                found = read_tokens(usage) if usage is not None else {}
                if found:
                    return found
    return None


def _first(thing: object, names: _Names) -> Any:
    for name in names:
        value = get_value(thing, name)
        if value is not None:
            return value
    return None


def read_fingerprint(report: object) -> str | None:
    """Return ``system_fingerprint`` of a provider's response, or ``None`` if it has none that is a name.

    >>> read_fingerprint({"system_fingerprint": "fp_44709d6fcb"}), read_fingerprint({"system_fingerprint": ""})
    ('fp_44709d6fcb', None)
    """
    found = get_value(report, "system_fingerprint")
    return found if type(found) is str and 0 < len(found) <= MAX_FINGERPRINT else None


def take_response(call: ModelCall, response: Any) -> None:
    """Take text, tokens, serving model and its fingerprint from LangChain's ``LLMResult``."""
    generations = response.generations
    first = generations[0][0] if generations and generations[0] else None
    message = get_fast(first, "message")
    output = response.llm_output
    said_by = getattr(message, "response_metadata", None)
    usage = getattr(message, "usage_metadata", None)
    if usage:
        call.cached = usage.get("total_cost") == 0 and "total_cost" in usage
        call.usage = read_tokens(usage)
    else:
        info = None if first is None else first.generation_info
        call.usage = find_tokens(said_by, info, output) if said_by or info or output else None
    for report in (said_by, output):
        if report:
            if call.served is None:
                served = report.get("model_name") or report.get("model") or report.get("model_id")
                call.served = served if isinstance(served, str) else None
            if call.fingerprint is None:
                call.fingerprint = read_fingerprint(report)
    text = None if first is None else first.text
    if isinstance(text, str) and text and isinstance(call.answer, Answer):
        call.answer.text = text
