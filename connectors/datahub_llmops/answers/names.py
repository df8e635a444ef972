"""What counting needs to know of names: which assets the raw identities of an answer are.

``Resolver`` answers for what hooks recorded; readers of spans know less of an index and ask further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from datahub_llmops.answer_store.recorded import ModelCall, Raw, Retrieval
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.assets.usage import model_name

T = TypeVar("T")

MAX_KNOWN: Final = 100_000
"""Identities of one kind that are remembered. Applications have hundreds; what grows is forgotten at this number."""


class Names(Protocol):
    """The assets of raw identities. Every method returns ``None`` for what has no name, or none that fits a URN.

    Raises:
        CatalogError: the catalog cannot answer.
    """

    def searched(self, retrieval: Retrieval, retriever: str | None, application: str) -> str | None:
        """Return the URN of the index that a retrieval searched, or a key under which it is counted for the time being.

        ``retriever`` is the URN of the retriever that made it.
        """
        ...

    def prompt(self, raw: Raw, application: str, platform: str) -> str | None: ...

    def retriever(self, raw: Raw, application: str, framework: str) -> str | None: ...

    def model(self, raw: Raw | None) -> str | None: ...


class HookNames:
    """Names of what hooks recorded: they know the index."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.prompt = resolver.prompt
        self.retriever = resolver.retriever
        self.model = resolver.model

    def searched(self, retrieval: Retrieval, retriever: str | None, application: str) -> str | None:
        """Return the URN of the index, or ``None`` if its identity matches no asset or several."""
        return self._resolver.index(retrieval.index)


class KnownNames:
    """Remembers what ``Names`` said, because answers repeat the same few identities a million times."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.searched = names.searched
        self._prompts: _Known[str | None] = _Known()
        self._retrievers: _Known[str | None] = _Known()
        self._models: _Known[str | None] = _Known()
        self._spelled: _Known[str | None] = _Known()

    def prompt(self, raw: Raw, application: str, platform: str) -> str | None:
        """Return the URN of a prompt version."""
        return self._prompts.of(
            raw, (application, platform), lambda: self._names.prompt(raw, application, platform)
        )

    def retriever(self, raw: Raw, application: str, framework: str) -> str | None:
        """Return the URN of a retriever."""
        return self._retrievers.of(
            raw, (application, framework), lambda: self._names.retriever(raw, application, framework)
        )

    def spelled(self, raw: Raw | None) -> str | None:
        """Return a model as provider/model."""
        return None if raw is None else self._spelled.of(raw, (), lambda: model_name(raw))

    def usable(self, call: ModelCall) -> str | None:
        """Return the model that served as provider/model, else the one asked for; ``None`` if neither fits a URN."""
        for raw in (call.served, call.asked):
            if raw is not None and (name := self._models.of(raw, (), partial(self._usable, raw))):
                return name
        return None

    def _usable(self, raw: Raw) -> str | None:
        return model_name(raw) if self._names.model(raw) is not None else None


class _Known(dict[tuple[Any, ...], T]):
    """Results by identity: first by the object, which is quick, then by what it says."""

    def __init__(self) -> None:
        super().__init__()
        self._objects: dict[tuple[Any, ...], tuple[Raw, T]] = {}

    def of(self, raw: Raw, more: tuple[str, ...], find: Callable[[], T]) -> T:
        """Return what is known of ``raw`` together with ``more``; ``find`` is asked once."""
        quick = (id(raw), *more)
        kept = self._objects.get(quick)
        if kept is not None:
            return kept[1]
        key = (content(raw), *more)
        if key in self:
            found = self[key]
        else:
            if len(self) >= MAX_KNOWN:
                self.clear()
            found = self[key] = find()
        if len(self._objects) >= MAX_KNOWN:
            self._objects.clear()
        # The object is kept as well, so that no other one gets its id.
        self._objects[quick] = raw, found
        return found


def content(raw: Mapping[str, Any]) -> object:
    """Return what can stand for an identity in a dictionary: equal ones give the same.

    >>> content({"a": 1, "b": 2}) == content({"b": 2, "a": 1})
    True
    """
    try:
        key = frozenset(raw.items())
        hash(key)
    except TypeError:
        return repr(sorted(raw.items()))
    return key
