"""Names that the application gives, as texts that a store, a URN and a terminal can take, whatever was given."""

from __future__ import annotations

import re
from typing import Final

from datahub_llmops.assets.urn_length import is_too_long

MAX_NAME: Final = 200
"""Longest name in characters. Longer ones are cut."""
_UNUSABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DATASET: Final = re.compile(
    r"urn:li:dataset:\(urn:li:dataPlatform:[^\s,()]+,[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+,[A-Z][A-Z_]*\)"
)


def clean_name(value: object) -> str | None:
    """Return a name as a text, or ``None`` if it is none.

    Numbers are written out, since a version is often one. Control characters and halves of surrogate pairs become
    U+FFFD. Nothing of a subclass is called.

    >>> clean_name(3), clean_name(" support-bot "), clean_name("")
    ('3', 'support-bot', None)
    """
    if isinstance(value, str):
        text = str.__str__(value)
    elif isinstance(value, bool):
        return None
    elif isinstance(value, int):
        text = int.__repr__(value) if int.bit_length(value) <= 64 else ""
    elif isinstance(value, float):
        text = float.__repr__(value)
    else:
        return None
    text = text.strip()[:MAX_NAME]
    return _UNUSABLE.sub("\ufffd", text) or None


def dataset_urn(value: object) -> str | None:
    """Return the URN of a dataset, or ``None`` for anything else.

    >>> dataset_urn("urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles,PROD)") is None
    False
    >>> dataset_urn("urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles)") is None
    True
    """
    if not isinstance(value, str):
        return None
    text = str.__str__(value)
    return text if _DATASET.fullmatch(text) and not is_too_long(text) else None
