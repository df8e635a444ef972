"""Describes LangChain's retrievers. Each passes itself to its start event, which carries no object.

The object travels in a context variable of ours, so other handlers see nothing of it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from types import CoroutineType
from typing import Any, Final

from datahub_llmops.hooks import chunk_sources, patching, runtime, store_identity
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.parts import Metadata, Retrieval
from datahub_llmops.hooks.retriever_cache import RetrieverInfo, find_cached, own_attributes

_PLAIN: Final = (str, int, float, bool, type(None))
_NOTHING: Final[Mapping[str, Any]] = {}


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
        retrieval.retriever = (
            info.named if framework == "langchain" else info.named_in(framework, "langchain")
        )
        retrieval.facts = info.facts
        store = info.store
        if store is not None:
            retrieval.index = store_identity.identify_store(store)
            if info.embedding is None:
                model = store_identity.find_embedding_model(store)
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


def note_documents(retrieval: Retrieval, documents: object) -> None:
    """Note the documents that a retrieval returns, and forget what was kept to find their scores.

    Anything but a list is left alone: reading an iterator here would take it from the application.
    """
    scores, retrieval.scores = retrieval.scores, None
    if isinstance(documents, (list, tuple)):
        retrieval.chunks = _list_chunks(documents, scores)


def _list_chunks(documents: Sequence[Any], scores: Mapping[int, Sequence[Any]] | None) -> list[object]:
    """Return the documents found, as the flat list of ``chunk_sources.append_chunk``."""
    found: list[object] = []
    append = chunk_sources.append_chunk
    for document in documents:
        own = getattr(document, "__dict__", _NOTHING)
        if "page_content" not in own:
            continue
        metadata = own.get("metadata")
        score = None
        if scores is not None:
            scored = scores.get(id(document), ())
            if len(scored) > 1:
                score = scored[1]
        if score is None and metadata:
            score = metadata.get("relevance_score")
        identity = own.get("id")
        if type(identity) is str:
            append(found, identity, score, None, metadata)
            continue
        if identity is None and metadata:
            # Qdrant's and Milvus' packages put the id here.
            identity = metadata.get("_id", metadata.get("pk"))
        identity = chunk_sources.read_scalar(identity)
        # The text identifies a chunk that has no id.
        append(found, identity, score, own["page_content"] if identity is None else None, metadata)
    return found


def hook_retrievers(base: Any) -> None:
    """Have every retriever pass itself to its start event, and end what it has begun."""
    for name in ("invoke", "ainvoke"):
        if not patching.wrap(base, name, _frame):
            runtime.degraded[f"langchain: BaseRetriever.{name} (retrievers by class name only)"] = 1
    for kind in patching.list_subclasses(base):
        _hook_retriever(kind)
    patching.on_new_subclass(base, _hook_retriever)


def _hook_retriever(kind: type) -> None:
    # EnsembleRetriever overrides both and does not call those of its base.
    for name in ("invoke", "ainvoke"):
        patching.wrap(kind, name, _frame)


class RetrieverCall:
    """The call of a retriever, and the retrieval that its start event has begun.

    ``retriever`` is there until the event has taken it, or the call is over: contexts that have a copy of the variable
    keep no retriever alive, and find none that has ended.
    """

    __slots__ = ("_before", "_retrieval", "retriever")

    def __init__(self, retriever: Any) -> None:
        self.retriever = retriever
        self._retrieval: Retrieval | None = None
        self._before: Retrieval | None = None

    def begin(self, retrieval: Retrieval, before: Retrieval | None) -> None:
        """Take the retrieval that has begun, inside of the one ``before`` it if there is one."""
        self.retriever, self._retrieval, self._before = None, retrieval, before
        runtime.current_retrieval.set(retrieval)

    def leave(self) -> None:
        """End what the call has begun. A retriever that is cancelled or interrupted sends no event at its end."""
        retrieval = self._retrieval
        if retrieval is None:
            self.retriever = None
            return
        if retrieval.ended is None:
            _interrupt(retrieval)
        # One that has ended takes nothing more; only an enclosing one has to be there again.
        if self._before is not None and runtime.current_retrieval.get() is retrieval:
            runtime.current_retrieval.set(self._before)


def _frame(function: Any) -> Any:
    """Wrap the call of a retriever: its start event finds the object, and nothing it has begun outlives it."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def ainvoke(self: Any, *args: Any, **kwargs: Any) -> Any:
            call = RetrieverCall(self)
            runtime.passed_retriever.set(call)
            try:
                return await function(self, *args, **kwargs)
            finally:
                call.leave()

        return ainvoke

    @functools.wraps(function)
    def invoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = RetrieverCall(self)
        runtime.passed_retriever.set(call)
        try:
            result = function(self, *args, **kwargs)
        finally:
            call.leave()
        return _await_in_frame(self, result) if type(result) is CoroutineType else result

    return invoke


async def _await_in_frame(retriever: Any, result: Any) -> Any:
    """Await what a decorated ``ainvoke`` has returned. It does not look like a coroutine function."""
    call = RetrieverCall(retriever)
    runtime.passed_retriever.set(call)
    try:
        return await result
    finally:
        call.leave()


@guarded("langchain.leave_retriever")
def _interrupt(retrieval: Retrieval) -> None:
    from datahub_llmops.hooks.langchain import events

    key: Any = retrieval.key
    events.runs.pop(key, None)
    runtime.end_part(retrieval, "interrupted")
