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
    """Return the folded words of a text, including the parts of ``camelCase`` words.

    >>> sorted(words("shop.CustomerOrders, größer"))
    ['customer', 'customerorders', 'grösser', 'orders', 'shop']
    """
    found = set()
    for word in _WORD.findall(text):
        found.add(word.casefold()[:_LONGEST])
        found.update(part.casefold()[:_LONGEST] for part in _HUMP.split(word))
    return found


def typed_words(text: str) -> list[str]:
    """Split a query into beginnings of words, all of which have to match."""
    return sorted({word.casefold()[:_LONGEST] for word in _WORD.findall(text)})
