"""What our own hooks stamped on spans: see ``assets.span_names``."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from typing import Any, Final

from datahub_llmops.answer_store.recorded import Raw
from datahub_llmops.assets import span_names
from datahub_llmops.spans.indexes import of_urn
from datahub_llmops.spans.span import Attributes

MARKS: Final = frozenset({span_names.ANSWER_ID, span_names.INDEX, span_names.INDEX_RAW, span_names.PROMPT})
"""A span that the hooks stamped has one of these."""


def read_indexes(attributes: Attributes) -> tuple[Raw, ...]:
    """Return the raw identities of the indexes on a span, the same objects for the same identities.

    The URN is used where there is no raw identity.
    """
    texts = _texts(attributes.get(span_names.INDEX_RAW))
    if texts:
        return tuple(raw for text in texts if (raw := _identity(text)) is not None)
    return tuple(of_urn(urn) for urn in _texts(attributes.get(span_names.INDEX)))


def read_prompts(attributes: Attributes) -> tuple[Raw, ...]:
    """Return the identities of the prompts on a span."""
    texts = _texts(attributes.get(span_names.PROMPT))
    return tuple(raw for text in texts if (raw := _prompt(text)) is not None)


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else ()


@functools.lru_cache(10_000)
def _identity(text: str) -> Raw | None:
    found = _object(text)
    return None if not found else {**found, "seen_by": "attribute"}


@functools.lru_cache(10_000)
def _prompt(text: str) -> Raw | None:
    return _object(text) or None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(key): value for key, value in found.items() if isinstance(value, (str, int, float))}
