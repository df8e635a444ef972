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
_TOO_SHORT = 3
"""Words of this many letters or fewer are never taken for plurals, as ``gas`` is none."""
_HISSING = ("s", "x", "z", "ch", "sh")
_HISSING_PLURALS = ("sses", "xes", "zes", "ches", "shes")
_VOWELS = frozenset("aeiou")


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


def word_forms(word: str) -> list[str]:
    """Return a folded word with its English singular and plural, as a DataHub server finds one by the other.

    >>> word_forms("entry"), word_forms("entries"), word_forms("address"), word_forms("indexes")
    (['entries', 'entry'], ['entries', 'entry'], ['address', 'addresses'], ['index', 'indexes'])
    """
    singular = _singular(word)
    return sorted({word, singular, _plural(singular)})


def _singular(word: str) -> str:
    if len(word) > _TOO_SHORT:
        if word.endswith("ies"):
            return word[:-3] + "y"
        if word.endswith(_HISSING_PLURALS):
            return word[:-2]
        if word.endswith("s") and not word.endswith(("ss", "us", "is")):
            return word[:-1]
    return word


def _plural(word: str) -> str:
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(_HISSING) else "s")


def typed_words(text: str) -> list[str]:
    """Split a query into beginnings of words, all of which have to match."""
    return sorted({word.casefold()[:_LONGEST] for word in _WORD.findall(text)})
