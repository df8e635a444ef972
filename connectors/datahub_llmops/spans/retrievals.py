"""Retrievals: by which retriever, of which index, and which chunks they found."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from datahub_llmops.answer_store.recorded import Chunk, Raw, Retrieval
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans import chunks, indexes, models, stamps
from datahub_llmops.spans.drafts import Draft, Search
from datahub_llmops.spans.quick import quick
from datahub_llmops.spans.span import Attributes, Span
from datahub_llmops.spans.status import milliseconds, status_of

MAX_NAME: Final = 200
_METHODS: Final = (".retrieve", ".aretrieve")
_INNER_METHODS: Final = ("._retrieve", "._aretrieve")
_PREFIXES: Final = ("vector_db_retrieve ", "retrieval ")
_SUFFIXES: Final = (".task", ".workflow")
_KINDS: Final = frozenset({"retriever", "retrieval", "retrieve", "vector_db_retrieve"})
"""Names of spans that are only the word for their kind."""


def retriever_of(span: Span) -> Raw:
    """Return the raw identity of a retriever from its span, the same object for the same retriever."""
    entity = span.attributes.get("traceloop.entity.name")
    name = entity if isinstance(entity, str) and entity else span.name
    known = _retriever(name)
    # OpenTelemetry's LangChain does not name retrievers, but only this one has a store.
    return _VECTOR_STORE_RETRIEVER if not known and indexes.told(span.attributes)[1] is not None else known


_VECTOR_STORE_RETRIEVER: Final[Raw] = {"class": "VectorStoreRetriever"}


@functools.lru_cache(10_000)
def _retriever(name: str) -> Raw:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    if not name or name.lower() in _KINDS:
        return {}
    for method in (*_METHODS, *_INNER_METHODS):
        if name.endswith(method):
            return {"class": name[: -len(method)][:MAX_NAME]}
    return {"name": name[:MAX_NAME]}


@functools.lru_cache(100)
def direct(platform: str) -> Raw:
    """Return the raw identity of a search without a retriever around it."""
    return {"class": platform, "direct": True}


def is_inner(span: Span, outer: Search) -> bool:
    """Return whether a retriever's span is the inner half of the one around it, as LlamaIndex's ``_retrieve`` is.

    OpenLLMetry names both by the class.
    """
    if outer.inner is not None or span.parent != outer.span.id:
        return False
    if span.name.endswith(_INNER_METHODS):
        return _retriever(span.name) == outer.retriever
    return span.name == outer.span.name and span.name.endswith(_SUFFIXES)


def build(draft: Draft, search: Search, service: str | None, numbers: dict[int, int]) -> Retrieval:
    """Build a retrieval. ``numbers`` gives each index of the answer a number, by the identity of its object."""
    span = search.span
    status, _ = status_of(span)
    found, cut = chunks_of(
        span.attributes,
        _attributes(search.inner),
        _attributes(search.reranked),
        [one.attributes for one in search.clients],
        search.composite,
        indexes.told(span.attributes)[1],
    )
    index = None if search.composite else told(draft, search, service).index_of(span.attributes)
    return Retrieval(
        retriever=_described(search),
        index=index,
        index_number=None if index is None else numbers.setdefault(id(index), len(numbers)),
        embedding=_embedding(search),
        chunks=found,
        milliseconds=milliseconds(span),
        status=status,
        composite=search.composite,
        within=None if search.within is None else search.within.number,
        chunks_cut=cut,
    )


def _attributes(span: Span | None) -> Attributes | None:
    return None if span is None else span.attributes


def build_alike(
    retrieval: Retrieval,
    took: int | None,
    chunks: tuple[tuple[Chunk, ...], int],
    index: Raw | None,
    numbers: dict[int, int],
) -> Retrieval:
    """Build a retrieval whose spans are of the same classes as those of ``retrieval``."""
    return _make_retrieval(
        retriever=retrieval.retriever,
        index=index,
        index_number=None if index is None else numbers.setdefault(id(index), len(numbers)),
        embedding=retrieval.embedding,
        chunks=chunks[0],
        milliseconds=took,
        status=retrieval.status,
        composite=retrieval.composite,
        within=retrieval.within,
        chunks_cut=chunks[1],
    )


_make_retrieval: Final = quick(Retrieval)


def _described(search: Search) -> Raw:
    span = search.reranked
    if span is None:
        return search.retriever
    model = names.first(span.attributes, names.RERANKER_MODEL)
    return _reranked(
        search.retriever.get("class"),
        search.retriever.get("name"),
        span.name.rpartition(".")[0] or span.name,
        None if model is None else str(model)[:MAX_NAME],
    )


@functools.lru_cache(1_000)
def _reranked(class_name: str | None, name: str | None, reranker: str, model: str | None) -> Raw:
    found = {"class": class_name, "name": name, "reranker": reranker[:MAX_NAME], "reranker_model": model}
    return {key: value for key, value in found.items() if value}


def _embedding(search: Search) -> Raw | None:
    span = search.embedding
    if span is not None:
        return models.read_embedding(span.attributes)
    asked = search.span.attributes.get("gen_ai.request.model")
    return models.embedding_raw(None, asked) if isinstance(asked, str) else None


def chunks_of(
    search: Attributes,
    inner: Attributes | None,
    reranked: Attributes | None,
    clients: Sequence[Attributes],
    composite: bool,
    store_class: str | None,
) -> tuple[tuple[Chunk, ...], int]:
    """Return the chunks that a search found, by the attributes of its spans that vary, and how many are left out."""
    found, cut = _read_chunks(search, inner, reranked, clients, composite)
    if found and found[0].source is not None:
        found = tuple(without_database(found, store_class))
    return found, cut


def _read_chunks(
    search: Attributes,
    inner: Attributes | None,
    reranked: Attributes | None,
    clients: Sequence[Attributes],
    composite: bool,
) -> tuple[tuple[Chunk, ...], int]:
    if reranked is not None:
        left = chunks.read_reranked(reranked)
        if left[0]:
            return left
    found = chunks.read_chunks(search)
    if not found[0] and inner is not None:
        found = chunks.read_chunks(inner)
    if composite or len(clients) != 1 or any(chunk.id for chunk in found[0]):
        return found
    results = chunks.read_results(clients[0])
    return results if not found[0] or _same(found[0], results[0]) else found


def without_database(found: Sequence[Chunk], store_class: str | None) -> Sequence[Chunk]:
    """Return chunks without sources that are the address of the database itself.

    LangChain's package for LanceDB overwrites the source of every document that it finds with it:
    https://github.com/lancedb/langchain-lancedb (``metadata["source"] = self._uri``).
    """
    first = found[0].source if found else None
    if first is None or store_class not in _OVERWRITES or first.get("key") != "source":
        return found
    same = all(chunk.source == first for chunk in found)
    is_file = PurePosixPath(str(first.get("value"))).suffix not in _FOLDERS
    return found if is_file or not same else tuple([replace(chunk, source=None) for chunk in found])


_OVERWRITES: Final = frozenset({"LanceDB"})
_FOLDERS: Final = frozenset({"", ".lancedb", ".lance", ".db"})
"""Suffixes of databases, which are folders."""


def _same(found: Sequence[Chunk], results: Sequence[Chunk]) -> bool:
    """Return whether a store's results are the documents that its retriever returned, in the same order."""
    return len(found) == len(results) and all(
        one.source is other.source for one, other in zip(found, results, strict=True)
    )


class Told(NamedTuple):
    """What spans tell of the index of a search, apart from its documents."""

    known: Raw | None
    store_class: str | None
    otherwise: Raw
    """What is known of the index if its documents tell nothing more."""

    def index_of(self, search: Attributes) -> Raw:
        """Return the identity of the index by the attributes of the search that vary: the documents are among them."""
        if self.known is not None:
            return self.known
        return indexes.of_documents(search, self.store_class) or self.otherwise


def told(draft: Draft, search: Search, service: str | None) -> Told:
    """Return what spans tell of the index of a search."""
    urn, name, source = indexes.told(search.span.attributes)
    hint = indexes.platform_of(name)
    known: Raw | None = None
    if urn is not None:
        known = indexes.of_urn(urn)
    else:
        named: Raw | None = None
        if search.clients:
            clients = [
                raw
                for one in search.clients
                if (raw := indexes.of_database(one.attributes, name)) is not None
            ]
            named = indexes.choose(filter(indexes.names_index, clients), hint, alone=True)
            hint = hint or (named["platform"] if named else _only_platform(clients))
        known = _stamped(draft, search, hint)
        if known is None:
            known = named if source is None else indexes.of_data_source(source, name)
    otherwise = (
        indexes.of_platform(hint) if name is None and hint is not None else indexes.of_class(name, service)
    )
    return Told(known, name, otherwise)


def _only_platform(clients: Sequence[Raw]) -> str | None:
    found = {raw["platform"] for raw in clients}
    return found.pop() if len(found) == 1 else None


def _stamped(draft: Draft, search: Search, hint: str | None) -> Raw | None:
    """Return the index that the hooks stamped, on this retrieval or on a span around it."""
    if search.stamped:
        return indexes.choose(search.stamped, hint, alone=True)
    found = draft.indexes
    if draft.around is not None:
        found = [*found, *stamps.read_indexes(draft.around.attributes)]
    if not found:
        return None
    # The span of a request has the indexes of all retrievals that the hooks saw, which may be others than the tracer's.
    return indexes.choose(found, hint, alone=sum(not one.composite for one in draft.searches) == 1)
