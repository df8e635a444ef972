"""Splits texts, and what people type, into the words by which assets are found."""

from __future__ import annotations

import re

NOT_SEARCHED = frozenset(
    {"schemaField", "query", "dataPlatform", "dataPlatformInstance", "structuredProperty"}
)
"""Entity types that a search by words leaves out."""

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LONGEST = 64


def words(text: str) -> set[str]:
    """Folded words of a text, parts of ``camelCase`` beside the whole.

    >>> sorted(words("shop.CustomerOrders, größer"))
    ['customer', 'customerorders', 'grösser', 'orders', 'shop']
    """
    found = set()
    for word in _WORD.findall(text):
        found.add(word.casefold()[:_LONGEST])
        found.update(part.casefold()[:_LONGEST] for part in _HUMP.split(word))
    return found


def typed_words(text: str) -> list[str]:
    """What a person typed, as beginnings of words: each must be found."""
    return sorted({word.casefold()[:_LONGEST] for word in _WORD.findall(text)})
