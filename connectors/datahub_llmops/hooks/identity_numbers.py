"""Numbers that the store has given to descriptions: of retrievers, indexes, prompts, models, sources and names.

The same few come again and again, so the numbers are remembered, by the identity of what they were made from where that
can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.queries import Kind
from datahub_llmops.hooks import chunk_sources, prompt_identity
from datahub_llmops.hooks.identity_text import MAX_ID, plain
from datahub_llmops.hooks.parts import Prompt
from datahub_llmops.hooks.settings import Settings

CHUNK_KEYS: Final = frozenset({"dh_source_key", "dh_embed_run", "page", "row"})
"""Keys of what only one chunk has, and not its source."""
_SOURCE_KEYS: Final = ("dh_source_urn", "datahub_urn", "dh_text_fields", *chunk_sources.SOURCE_KEYS)


class IdentityNumbers:
    """The numbers that one store has given. ``digest`` is the HMAC of a text."""

    def __init__(self, digest: Callable[[str], str]) -> None:
        self._digest = digest
        self._generation = -1
        self._templates: dict[Any, tuple[object, dict[str, Any]]] = {}
        self._numbers: dict[tuple[Any, ...], tuple[object, int]] = {}
        self._sources: dict[tuple[Any, ...], int | None] = {}

    def forget_stale(self, store: Store) -> None:
        """Forget all numbers once the store has invalidated them."""
        if self._generation != store.generation:
            self._numbers.clear()
            self._sources.clear()
            self._generation = store.generation

    def of_description(self, store: Store, kind: Kind, *parts: Mapping[str, Any]) -> int:
        """Return the row number of a description, cached by the identity of its dictionaries."""
        key = (kind, *map(id, parts))
        cached = self._numbers.get(key)
        if cached is not None:
            return cached[1]
        raw: dict[str, Any] = {}
        for one in parts:
            raw.update(plain(one))
        # The cache keeps the dictionaries alive, so that no other object gets their ids.
        return self._remember(key, parts, store.intern(kind, raw))

    def of_name(self, store: Store, kind: Kind, name: str) -> int:
        """Return the number of what has a name and nothing else: an application, a tool."""
        cached = self._numbers.get((kind, name))
        if cached is not None:
            return cached[1]
        return self._remember((kind, name), None, store.intern(kind, {"name": name}))

    def _remember(self, key: tuple[Any, ...], alive: object, number: int) -> int:
        # Searches without a retriever are described by new dictionaries every time, which would fill the cache.
        if len(self._numbers) >= 500:
            self._numbers.clear()
        self._numbers[key] = (alive, number)
        return number

    def of_source(self, store: Store, picked: Mapping[str, Any], settings: Settings) -> int | None:
        """Return the number of a chunk's source. The same few sources come again and again, so they are cached."""
        mode = settings.source_keys
        source_only = CHUNK_KEYS.isdisjoint(picked)
        key: tuple[Any, ...] = (mode, *(picked.items() if source_only else map(picked.get, _SOURCE_KEYS)))
        cached = self._sources.get(key, -1)
        if cached != -1:
            return cached
        source = chunk_sources.identify_source(picked, self._digest, mode)
        number = store.intern("source", source) if source else None
        if len(self._sources) >= 5_000:
            self._sources.clear()
        self._sources[key] = number
        return number

    def of_prompt(self, store: Store, one: Prompt, settings: Settings) -> int:
        """Return the number of a version of a prompt."""
        facts = self._describe_template(one, settings.capture_text)
        if one.identity is None:
            return self.of_description(store, "prompt", facts)
        return store.intern("prompt", {**one.identity, **facts})

    def _describe_template(self, one: Prompt, capture_text: bool) -> dict[str, Any]:
        """Return the same dictionary for the same template."""
        template = one.template
        if template is None:
            return _NOTHING
        # LangChain passes the same cached object every time. The cache keeps it alive, so its id stays its own.
        by_value = isinstance(template, (str, tuple))
        key = (capture_text, one.role, template if by_value else id(template))
        cached = self._templates.get(key)
        if cached is not None:
            return cached[1]
        if len(self._templates) >= 256:
            self._templates.clear()
        facts = prompt_identity.describe_template(template, one.role, capture_text=capture_text)
        self._templates[key] = (template, facts)
        return facts

    def of_model(self, store: Store, provider: str | None, name: str | None) -> int:
        """Return the number of a model."""
        key = ("model", provider, name)
        cached = self._numbers.get(key)
        if cached is not None:
            return cached[1]
        names = {"provider": provider, "name": name}
        number = store.intern("model", {key: value[:MAX_ID] for key, value in names.items() if value})
        return self._remember(key, None, number)


_NOTHING: Final[dict[str, Any]] = {}
