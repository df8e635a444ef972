"""Descriptions of retrievers, cached for as long as nothing of a retriever changes."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.parts import Metadata

_cached: Final[dict[int, RetrieverInfo]] = {}


class RetrieverInfo:
    """Class and name of a retriever, facts about it, the store behind it and the model that embeds its queries."""

    __slots__ = (
        "_elsewhere",
        "_inner",
        "_ref",
        "_values",
        "embedding",
        "facts",
        "index",
        "named",
        "raw",
        "store",
    )

    def __init__(self, facts: Metadata, store: Any) -> None:
        self.named: Metadata = {key: facts.pop(key) for key in ("class", "name") if key in facts}
        self._elsewhere: Metadata | None = None
        self.facts = facts
        self.store = store
        self.embedding: Metadata | None = None
        self.raw: Metadata | None = None
        """The identity of the store from which ``index`` was built."""
        self.index: Metadata = {}

    def named_in(self, other: str | None, framework: str) -> Metadata:
        """Return class and name, in an answer of the ``other`` framework with the retriever's own and its version."""
        if other == framework:
            return self.named
        if self._elsewhere is None:
            self._elsewhere = {**self.named, "framework": framework}
            version = runtime.framework_version(framework)
            if version is not None:
                self._elsewhere["framework_version"] = version
        return self._elsewhere

    def cache(self, retriever: Any, inner: object) -> None:
        """Use this again while the attributes are the same objects and ``inner`` is equal.

        ``inner`` is what can change while the attribute stays the same object.
        """
        key = id(retriever)
        try:
            self._ref = weakref.ref(retriever, lambda _gone: _cached.pop(key, None))
        except TypeError:
            return
        self._values = list(own_attributes(retriever).values())
        self._inner = dict(inner) if isinstance(inner, dict) else inner
        _cached[key] = self


def own_attributes(thing: object) -> Mapping[str, Any]:
    """Return the attributes of the object itself. A pydantic model takes ten times as long for one that it lacks."""
    own = getattr(thing, "__dict__", None)
    return own if isinstance(own, dict) else {}


def find_cached(retriever: Any, own: Mapping[str, Any], inner: object) -> RetrieverInfo | None:
    """Return the description of a retriever with the attributes ``own``, if it is still valid."""
    info = _cached.get(id(retriever))
    if (
        info is not None
        and info._ref() is retriever
        and len(info._values) == len(own)
        and all(map(operator.is_, info._values, own.values()))
        and info._inner == inner
    ):
        return info
    return None
