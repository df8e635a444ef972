"""Finds the index of a retrieval in spans, in this order, and says how it was found.

1. The hooks stamped the index on the span.
2. A rule of the recipe names it.
3. The span of the store's client names it.
4. The id probe finds the only index that has the ids of the retrieved chunks.

What none of them finds is *not known*, with the reason. Then the sources in the chunks' metadata still give edges from
tables. Nothing is guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub.configuration.common import ConfigModel
from pydantic import Field, field_validator

from datahub_llmops.answer_store.recorded import Raw, Retrieval
from datahub_llmops.answers.resolver import Resolver, is_dataset
from datahub_llmops.ingestion.id_probe import platform_of
from datahub_llmops.ingestion.recipe_file import Regex
from datahub_llmops.lineage.declared_jobs import FoundBy
from datahub_llmops.spans.pending import Group

MAX_PENDING: Final = 5_000
"""Retrievers whose index is found after all answers are read."""
_MAX_KNOWN: Final = 100_000
_SEEN_BY: Final = "seen_by"


class IndexRule(ConfigModel):
    """A rule that says which index an application's retriever searches. What it leaves out matches everything."""

    application: Regex = Field(
        default=".*",
        description="Regular expression over the whole name of the application, for example `support-.*`.",
    )
    store_class: Regex = Field(
        default=".*",
        description="Regular expression over the whole class of the store, as spans name it, for example "
        "`QdrantVectorStore`.",
    )
    retriever: Regex = Field(
        default=".*",
        description="Regular expression over the whole name or class of the retriever, for example `faq`.",
    )
    urn: str = Field(
        description="URN of the index, for example `urn:li:dataset:(urn:li:dataPlatform:qdrant,docs,PROD)`."
    )

    @field_validator("urn")
    @classmethod
    def _is_dataset(cls, value: str) -> str:
        if not is_dataset(value):
            raise ValueError(f"{value!r} is not the URN of a dataset with its environment")
        return value

    def fits(self, application: str, store_class: str, retriever: str) -> bool:
        """Whether the rule is about this retriever."""
        return all(
            re.fullmatch(pattern, text) is not None
            for pattern, text in (
                (self.application, application),
                (self.store_class, store_class),
                (self.retriever, retriever),
            )
        )


class SpanNames:
    """Names of what spans show. What hooks recorded, in sealed segments, has its index already."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        data_sources: Mapping[str, str],
        rules: Sequence[IndexRule],
    ) -> None:
        """
        Args:
            resolver: resolves raw identities.
            data_sources: ``gen_ai.data_source.id`` -> URN of the index.
            rules: the rules of the recipe.
        """
        self._resolver = resolver
        self._data_sources = data_sources
        self._rules = rules
        self._known: dict[tuple[int, str, str], tuple[Raw | None, str | Group, FoundBy | None]] = {}
        self.prompt = resolver.prompt
        self.retriever = resolver.retriever
        self.model = resolver.model
        self.pending: dict[tuple[str, str, str | None, str | None], Group] = {}
        self.ways: dict[str, dict[str, set[FoundBy]]] = {}
        """Retriever -> index -> how it was found."""
        self.found: Counter[FoundBy] = Counter()
        """Retrievals by the way that found their index."""
        self.too_many = 0
        """Retrievals beyond ``MAX_PENDING`` retrievers."""

    def searched(self, retrieval: Retrieval, retriever: str | None, application: str) -> str | None:
        """Return the URN of the index, or the key of what is found after all answers are read."""
        if retriever is None:
            return None
        times = retrieval.times
        index = self.learn(
            retrieval.index, retriever, application, _retriever_name(retrieval.retriever), times
        )
        if not isinstance(index, Group):
            return index
        part = index.part([chunk.id for chunk in retrieval.chunks if chunk.id is not None])
        part.retrievals += times
        for chunk in retrieval.chunks:
            part.add_source(chunk.source)
        return part.key

    def learn(
        self, raw: Raw | None, retriever: str, application: str, name: str, times: int = 1
    ) -> str | Group | None:
        """Return the URN of an index, or the group of those that wait, for ``times`` retrievals of one retriever.

        ``retriever`` is its URN, and ``name`` its name or class.
        """
        quick = id(raw), retriever, application
        known = self._known.get(quick)
        if known is None:
            found, way = self._learn(raw or {}, retriever, application, name)
            if found is None:
                self.too_many += times
                return None
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            # The identity is kept too, so that no other object gets its id.
            known = self._known[quick] = raw, found, way
            if way is not None and isinstance(found, str):
                self.ways.setdefault(retriever, {}).setdefault(found, set()).add(way)
        if known[2] is not None:
            self.found[known[2]] += times
        return known[1]

    def _learn(
        self, raw: Raw, retriever: str, application: str, name: str
    ) -> tuple[str | Group | None, FoundBy | None]:
        seen_by = raw.get(_SEEN_BY)
        identity = {key: value for key, value in raw.items() if key != _SEEN_BY}
        store_class = identity.get("class")
        if seen_by is None and identity:
            index = self._resolver.index(identity)
            if index is not None:
                return index, "hook"
        if seen_by == "attribute" and (index := self._resolver.index(identity)) is not None:
            return index, "span attribute"
        if (index := self._ruled(identity, application, name)) is not None:
            return index, "recipe rule"
        if seen_by == "database_span" and (index := self._resolver.index(identity)) is not None:
            return index, "database span"
        platform = identity.get("platform")
        key = application, retriever, _text(store_class), _text(platform)
        if key not in self.pending:
            if len(self.pending) >= MAX_PENDING:
                return None, None
            self.pending[key] = Group(
                key=f"pending {len(self.pending)}",
                application=application,
                retriever=retriever,
                store_class=_text(store_class),
                platform=_text(platform) or platform_of(_text(store_class)),
                why=_why(seen_by),
            )
        return self.pending[key], None

    def _ruled(self, identity: Mapping[str, Any], application: str, name: str) -> str | None:
        source = identity.get("data_source")
        if isinstance(source, str) and source in self._data_sources:
            return self._data_sources[source]
        store_class = _text(identity.get("class")) or ""
        return next((rule.urn for rule in self._rules if rule.fits(application, store_class, name)), None)


def _why(seen_by: object) -> str | None:
    if seen_by == "database_span":
        return "the span of the store's client names only a part of its index, or one of several"
    if seen_by == "data_source":
        return "its data source is in no rule of `data_source_ids`"
    return "the index on the span is not an asset" if seen_by == "attribute" else None


def _retriever_name(raw: Raw) -> str:
    return str(raw.get("name") or str(raw.get("class", "retriever")).rpartition(".")[2])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
