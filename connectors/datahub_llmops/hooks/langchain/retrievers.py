"""LangChain's retrievers: each hands itself over to the event of its start, which carries no object, and is described.

Nothing is added to what others see: the object travels in a context variable of ours.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Final

from datahub_llmops.hooks import chunk_sources, patching, runtime, store_identity
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.parts import Metadata, Retrieval
from datahub_llmops.hooks.retriever_cache import Described, attributes, kept

handed_over: ContextVar[Any] = ContextVar("datahub_llmops_retriever", default=None)
"""The retriever object on its way from ``_get_ls_params`` to ``on_retriever_start``, and nowhere else."""
searching: ContextVar[Retrieval | None] = ContextVar("datahub_llmops_retrieval", default=None)
"""The retrieval that runs in this context; searches of a store inside it belong to it."""


_PLAIN: Final = (str, int, float, bool, type(None))


def _description(retriever: Any) -> Described:
    own = attributes(retriever)
    options = own.get("search_kwargs")
    known = kept(retriever, own, options)
    if known is not None:
        return known
    found = Described(*store_identity.langchain_retriever(retriever))
    # Only where all of it can be compared: a filter can change inside, parts and rerankers have options of their own.
    plain = options is None or (
        isinstance(options, dict) and all(type(value) in _PLAIN for value in options.values())
    )
    if plain and "retrievers" not in own and "base_compressor" not in own:
        found.keep(retriever, options)
    return found


def describe(retrieval: Retrieval, retriever: Any, metadata: Metadata, name: str | None) -> None:
    """Facts of the live retriever: its class and options, its index, the model that embeds the queries.

    ``metadata`` is that of the run; without the retriever it has the names of classes.
    """
    if retriever is not None:
        found = _description(retriever)
        retrieval.retriever = found.named
        retrieval.facts = found.facts
        if found.store is not None:
            retrieval.index = store_identity.identity(found.store)
            if found.embedding is None:
                found.embedding = store_identity.embedding(store_identity.model_of(found.store))
            retrieval.embedding = found.embedding
    else:
        shown = name or metadata.get("ls_retriever_name")
        retrieval.retriever = {"name": shown} if isinstance(shown, str) else {}
        provider = metadata.get("ls_vector_store_provider")
        if isinstance(provider, str):
            retrieval.index = {"class": provider}
    urn = metadata.get("datahub_urn")
    if isinstance(urn, str):
        retrieval.index = {**(retrieval.index or {}), "urn": urn}


def at_store(retrieval: Retrieval, store: Any) -> None:
    """Index and embedding model of a retrieval, from the store object."""
    retrieval.index = store_identity.identity(store)
    retrieval.embedding = store_identity.embedding(store_identity.model_of(store))


def chunks_of(documents: Sequence[Any], scores: dict[int, float] | None) -> list[object]:
    """The documents found, as ``provenance.note`` notes them."""
    found: list[object] = []
    note = chunk_sources.note
    for document in documents:
        own = document.__dict__
        metadata = own.get("metadata")
        score = scores.get(id(document)) if scores else None
        if score is None and metadata:
            score = metadata.get("relevance_score")
        identity = own.get("id")
        if identity is None and metadata:
            # Where Qdrant's and Milvus' packages put it.
            identity = metadata.get("_id", metadata.get("pk"))
        # The text is the name of a chunk that has no id.
        text = own.get("page_content") if identity is None else None
        note(found, identity, score, text, metadata)
    return found


def hook_retrievers(base: Any) -> None:
    """Have every retriever hand itself over to the event of its start. Nothing is added to what others see."""
    if not patching.wrap(base, "_get_ls_params", _handing_over) and not patching.wrapped(
        getattr(base, "_get_ls_params", None)
    ):
        runtime.unresolved["langchain: BaseRetriever._get_ls_params (retrievers by class name only)"] = 1
    for kind in patching.every_subclass(base):
        if kind is not base:
            _hook_retriever(kind)
    patching.on_new_subclass(base, _hook_retriever)


@guarded("langchain.hook_retriever")
def _hook_retriever(kind: type) -> None:
    # EnsembleRetriever has an invoke of its own, which asks nobody for parameters.
    patching.wrap(kind, "invoke", _invoking)
    patching.wrap(kind, "ainvoke", _ainvoking)


def _handing_over(function: Any) -> Any:
    @functools.wraps(function)
    def _get_ls_params(self: Any, **kwargs: Any) -> Any:
        handed_over.set(self)
        return function(self, **kwargs)

    return _get_ls_params


def _invoking(function: Any) -> Any:
    @functools.wraps(function)
    def invoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        handed_over.set(self)
        try:
            return function(self, *args, **kwargs)
        finally:
            handed_over.set(None)

    return invoke


def _ainvoking(function: Any) -> Any:
    @functools.wraps(function)
    async def ainvoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        handed_over.set(self)
        try:
            return await function(self, *args, **kwargs)
        finally:
            handed_over.set(None)

    return ainvoke
