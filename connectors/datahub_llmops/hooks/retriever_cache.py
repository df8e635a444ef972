"""Retrievers that have been described once: as long as nothing of one has changed, nothing is read of it anew."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.hooks.parts import Metadata

_known: Final[dict[int, Described]] = {}


class Described:
    """Class and name of a retriever, facts of it, the store behind it and the model that embeds its queries."""

    __slots__ = ("_inner", "_ref", "_values", "embedding", "facts", "index", "named", "place", "store")

    def __init__(self, facts: Metadata, store: Any) -> None:
        self.named: Metadata = {key: facts.pop(key) for key in ("class", "name") if key in facts}
        self.facts = facts
        self.store = store
        self.embedding: Metadata | None = None
        self.place: Metadata | None = None
        self.index: Metadata = {}

    def keep(self, retriever: Any, inner: object) -> None:
        """Use this again while the attributes are the same objects and ``inner`` is the same.

        ``inner`` is what can change without an attribute being another object.
        """
        key = id(retriever)
        try:
            self._ref = weakref.ref(retriever, lambda _gone: _known.pop(key, None))
        except TypeError:
            return
        self._values = list(attributes(retriever).values())
        self._inner = dict(inner) if isinstance(inner, dict) else inner
        _known[key] = self


def attributes(thing: object) -> Mapping[str, Any]:
    """Attributes of the object itself. Asking a pydantic model for one that it lacks costs ten times as much."""
    found = getattr(thing, "__dict__", None)
    return found if isinstance(found, dict) else {}


def kept(retriever: Any, own: Mapping[str, Any], inner: object) -> Described | None:
    """What is known of a retriever with the attributes ``own``, where it still holds."""
    known = _known.get(id(retriever))
    if (
        known is not None
        and known._ref() is retriever
        and len(known._values) == len(own)
        and all(map(operator.is_, known._values, own.values()))
        and known._inner == inner
    ):
        return known
    return None
