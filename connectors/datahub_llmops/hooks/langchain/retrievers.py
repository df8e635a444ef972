"""Describes LangChain's retrievers. Each passes itself to its start event, which carries no object.

The object travels in a context variable of ours, so other handlers see nothing of it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

from datahub_llmops.hooks import chunk_sources, patching, runtime, store_identity
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.parts import Metadata, Retrieval
from datahub_llmops.hooks.retriever_cache import RetrieverInfo, find_cached, own_attributes

_PLAIN: Final = (str, int, float, bool, type(None))


def _find_info(retriever: Any) -> RetrieverInfo:
    own = own_attributes(retriever)
    options = own.get("search_kwargs")
    cached = find_cached(retriever, own, options)
    if cached is not None:
        return cached
    info = RetrieverInfo(*store_identity.describe_langchain_retriever(retriever))
    # Cache only what can be compared: a filter can change inside, and parts and rerankers have options of their own.
    plain = options is None or (
        isinstance(options, dict) and all(type(value) in _PLAIN for value in options.values())
    )
    if plain and "retrievers" not in own and "base_compressor" not in own:
        info.cache(retriever, options)
    return info


def describe(retrieval: Retrieval, retriever: Any, metadata: Metadata, name: str | None) -> None:
    """Describe a retrieval by its live retriever: class and options, index, and the model that embeds queries.

    Without the retriever, the ``metadata`` of the run has the names of classes.
    """
    if retriever is not None:
        info = _find_info(retriever)
        framework = getattr(retrieval.answer, "framework", None)
        retrieval.retriever = info.named_in(framework, "langchain")
        retrieval.facts = info.facts
        if info.store is not None:
            retrieval.index = store_identity.identify_store(info.store)
            if info.embedding is None:
                model = store_identity.find_embedding_model(info.store)
                info.embedding = store_identity.identify_embedding(model)
            retrieval.embedding = info.embedding
    else:
        shown = name or metadata.get("ls_retriever_name")
        retrieval.retriever = {"name": shown} if isinstance(shown, str) else {}
        provider = metadata.get("ls_vector_store_provider")
        if isinstance(provider, str):
            retrieval.index = {"class": provider}
    urn = metadata.get("datahub_urn")
    if isinstance(urn, str):
        retrieval.index = {**(retrieval.index or {}), "urn": urn}


def describe_store(retrieval: Retrieval, store: Any) -> None:
    """Take index and embedding model of a retrieval from the store object."""
    retrieval.index = store_identity.identify_store(store)
    retrieval.embedding = store_identity.identify_embedding(store_identity.find_embedding_model(store))


def list_chunks(documents: Sequence[Any], scores: dict[int, float] | None) -> list[object]:
    """Return the documents found, as the flat list of ``chunk_sources.append_chunk``."""
    found: list[object] = []
    append = chunk_sources.append_chunk
    for document in documents:
        own = document.__dict__
        metadata = own.get("metadata")
        score = scores.get(id(document)) if scores else None
        if score is None and metadata:
            score = metadata.get("relevance_score")
        identity = own.get("id")
        if identity is None and metadata:
            # Qdrant's and Milvus' packages put the id here.
            identity = metadata.get("_id", metadata.get("pk"))
        # The text identifies a chunk that has no id.
        text = own.get("page_content") if identity is None else None
        append(found, identity, score, text, metadata)
    return found


def hook_retrievers(base: Any) -> None:
    """Have every retriever pass itself to its start event."""
    if not patching.wrap(base, "_get_ls_params", _passing_on) and not patching.is_wrapped(
        getattr(base, "_get_ls_params", None)
    ):
        runtime.degraded["langchain: BaseRetriever._get_ls_params (retrievers by class name only)"] = 1
    for kind in patching.list_subclasses(base):
        if kind is not base:
            _hook_retriever(kind)
    patching.on_new_subclass(base, _hook_retriever)


@guarded("langchain.hook_retriever")
def _hook_retriever(kind: type) -> None:
    # EnsembleRetriever overrides invoke and never calls _get_ls_params.
    patching.wrap(kind, "invoke", _passing_on_in_invoke)
    patching.wrap(kind, "ainvoke", _passing_on_in_ainvoke)


def _passing_on(function: Any) -> Any:
    @functools.wraps(function)
    def _get_ls_params(self: Any, **kwargs: Any) -> Any:
        runtime.passed_retriever.set(self)
        return function(self, **kwargs)

    return _get_ls_params


def _passing_on_in_invoke(function: Any) -> Any:
    @functools.wraps(function)
    def invoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        runtime.passed_retriever.set(self)
        try:
            return function(self, *args, **kwargs)
        finally:
            runtime.passed_retriever.set(None)

    return invoke


def _passing_on_in_ainvoke(function: Any) -> Any:
    @functools.wraps(function)
    async def ainvoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        runtime.passed_retriever.set(self)
        try:
            return await function(self, *args, **kwargs)
        finally:
            runtime.passed_retriever.set(None)

    return ainvoke
