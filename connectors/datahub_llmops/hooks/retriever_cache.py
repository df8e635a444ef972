"""Descriptions of retrievers, cached for as long as nothing of a retriever changes."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.parts import Metadata

_cached: Final[dict[int, RetrieverInfo]] = {}


class RetrieverInfo:
    """Class and name of a retriever, facts about it, the store behind it and the model that embeds its queries."""

    __slots__ = (
        "_elsewhere",
        "_ids",
        "_inner",
        "_kept",
        "_ref",
        "_store",
        "embedding",
        "facts",
        "index",
        "named",
        "raw",
    )

    def __init__(self, facts: Metadata, store: Any) -> None:
        self.named: Metadata = {key: facts.pop(key) for key in ("class", "name") if key in facts}
        self._elsewhere: Metadata | None = None
        self.facts = facts
        self._store = store
        self.embedding: Metadata | None = None
        self.raw: Metadata | None = None
        """The identity of the store from which ``index`` was built."""
        self.index: Metadata = {}

    @property
    def store(self) -> Any:
        """The store behind the retriever."""
        store = self._store
        return store() if type(store) is weakref.ref else store

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

        def forget(_gone: object) -> None:
            _cached.pop(key, None)

        try:
            self._ref = weakref.ref(retriever, forget)
        except TypeError:
            return
        values = list(own_attributes(retriever).values())
        self._ids = list(map(id, values))
        # A store may hold its retriever. What is kept here would keep both alive.
        self._kept = [_weakly(value, forget) for value in values]
        if any(value is self._store for value in values):
            self._store = _weakly(self._store, forget)
        self._inner = dict(inner) if isinstance(inner, dict) else inner
        _cached[key] = self


def _weakly(value: Any, forget: Callable[[object], None]) -> Any:
    """Return a weak reference that calls ``forget``, or the value itself if it is a text, a number or a dictionary."""
    try:
        return weakref.ref(value, forget)
    except TypeError:
        return value


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
        and info._ids == list(map(id, own.values()))
        and info._inner == inner
    ):
        return info
    return None
