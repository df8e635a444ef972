"""Writes to vector stores, and reads that bypass a retriever: the concrete methods of every store class, wrapped.

Of 90 LangChain store classes 86 override ``add_texts``, so wrapping the base class sees nothing: every class that
defines a method has it wrapped, those imported later by ``__init_subclass__``. The outermost wrapped call records.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from datahub_llmops.hooks import extractors, patching, retrievers, runtime, stamping, writing
from datahub_llmops.hooks.answers import Answer, Retrieval, keep
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.writing import WriteEvent

WRITES: Final = (
    "add_texts",
    "add_documents",
    "add_embeddings",
    "aadd_texts",
    "aadd_documents",
    "aadd_embeddings",
)
DELETES: Final = ("delete", "adelete")
MAKERS: Final = (
    "from_texts",
    "from_documents",
    "from_embeddings",
    "afrom_texts",
    "afrom_documents",
    "afrom_embeddings",
)
SEARCHES: Final = (
    "similarity_search",
    "similarity_search_with_score",
    "similarity_search_by_vector",
    "similarity_search_with_score_by_vector",
    "similarity_search_with_relevance_scores",
    "max_marginal_relevance_search",
    "max_marginal_relevance_search_by_vector",
    "asimilarity_search",
    "asimilarity_search_with_score",
    "asimilarity_search_by_vector",
    "asimilarity_search_with_relevance_scores",
    "amax_marginal_relevance_search",
    "amax_marginal_relevance_search_by_vector",
)


class Frame:
    """A wrapped call that is running in this context; calls inside it are part of it."""

    __slots__ = ("kind", "recorded", "retrieval")

    def __init__(self, kind: str, retrieval: Retrieval | None = None) -> None:
        self.kind = kind
        self.recorded = False
        self.retrieval = retrieval


_frame: ContextVar[Frame | None] = ContextVar("datahub_llmops_store_call", default=None)


def frame() -> Frame | None:
    """The wrapped call that runs in this context."""
    return _frame.get()


def hook_langchain(base: type) -> None:
    """Wrap every ``VectorStore`` class there is and will be."""
    for kind in patching.every_subclass(base):
        wrap_langchain(kind)
    patching.on_new_subclass(base, wrap_langchain)


@guarded("stores.wrap")
def wrap_langchain(kind: type) -> None:
    """Wrap what ``kind`` itself defines."""
    for names, make in ((WRITES, _write), (DELETES, _delete), (MAKERS, _maker), (SEARCHES, _search)):
        for name in names:
            patching.wrap(kind, name, make)


def calls(
    before: Callable[..., Any], after: Callable[..., None], change: Callable[..., Any] | None = None
) -> Callable[[Any], Any]:
    """A wrapper maker: ``before`` gives the frame, or ``None`` to stay out; ``after`` records."""

    def make(function: Any) -> Any:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: Any, **kwargs: Any) -> Any:
                frame = before(function, args, kwargs) if runtime.enabled else None
                if frame is None:
                    return await function(*args, **kwargs)
                outer = _frame.get()
                _frame.set(frame)
                started, error, result = time.time(), None, None
                try:
                    given, named = (
                        (change(frame, function, args, kwargs) or (args, kwargs))
                        if change
                        else (args, kwargs)
                    )
                    result = await function(*given, **named)
                    return result
                except BaseException as raised:
                    error = raised
                    raise
                finally:
                    _frame.set(outer)
                    after(function, frame, outer, args, kwargs, result, error, started)

            return later

        @functools.wraps(function)
        def now(*args: Any, **kwargs: Any) -> Any:
            frame = before(function, args, kwargs) if runtime.enabled else None
            if frame is None:
                return function(*args, **kwargs)
            outer = _frame.get()
            _frame.set(frame)
            started, error, result = time.time(), None, None
            try:
                given, named = (
                    (change(frame, function, args, kwargs) or (args, kwargs)) if change else (args, kwargs)
                )
                result = function(*given, **named)
                return result
            except BaseException as raised:
                error = raised
                raise
            finally:
                _frame.set(outer)
                after(function, frame, outer, args, kwargs, result, error, started)

        return now

    return make


# Writes


@guarded("stores.before_write")
def _before_write(function: Any, args: Any, kwargs: Any) -> Frame | None:
    outer = _frame.get()
    return None if outer is not None and outer.kind in ("write", "delete") else Frame("write")


@guarded("stores.stamp")
def _stamp(frame: Frame, function: Any, args: Any, kwargs: Any) -> Any:
    job = writing.job.get()
    if job is None or not job.stamp or not args:
        return None
    return stamping.langchain(job, args[0], function.__name__.replace("aadd_", "add_"), args, kwargs)


@guarded("stores.after_write")
def _after_write(
    function: Any,
    frame: Frame,
    outer: Frame | None,
    args: Any,
    kwargs: Any,
    result: Any,
    error: Any,
    started: float,
) -> None:
    if outer is not None:
        outer.recorded = True
    if not args:
        return
    store = args[0]
    items = args[1] if len(args) > 1 else _first(kwargs, ("texts", "documents", "text_embeddings"))
    sources, count = _written(function.__name__, items, args, kwargs)
    ids = result if isinstance(result, (list, tuple)) else kwargs.get("ids")
    record(store, "langchain", "add", count, ids, sources, started, error)


def _written(name: str, items: Any, args: Any, kwargs: Any) -> tuple[list[dict[str, Any]], int]:
    """Allow-listed metadata of what was written, and how much it was where that can be known without consuming it."""
    if name.endswith("documents"):
        documents = items if isinstance(items, (list, tuple)) else ()
        return [stamping.picked(getattr(one, "metadata", None)) for one in documents], len(documents)
    metadatas = kwargs.get("metadatas")
    if metadatas is None and len(args) > 2 and isinstance(args[2], (list, tuple)):
        metadatas = args[2]
    count = len(items) if isinstance(items, (list, tuple)) else 0
    picked = (
        [stamping.picked(one) for one in metadatas]
        if isinstance(metadatas, (list, tuple))
        else [stamping.picked(None)] * count
    )
    return picked, count or len(picked)


def record(
    store: Any,
    framework: str,
    operation: writing.Operation,
    count: int,
    ids: Any,
    sources: Sequence[dict[str, Any]],
    started: float,
    error: BaseException | None,
    *,
    embedding: dict[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """One write or delete, to the recorder."""
    event = WriteEvent(operation, framework, extractors.identity(store), started)
    event.application, event.version = runtime.application()
    model = getattr(store, "embeddings", None) if framework == "langchain" else None
    if model is None and framework == "langchain":
        model = getattr(store, "embedding_function", None)
    event.embedding = embedding or extractors.embedding(model)
    event.ids = [one for one in ids if isinstance(one, str)] if isinstance(ids, (list, tuple)) else []
    event.count = count or len(event.ids)
    event.sources = list(sources)
    job = writing.job.get()
    if job is not None:
        event.run = job.run
        event.facts = dict(job.facts)
    if facts:
        event.facts.update(facts)
    if error is not None:
        event.error = runtime.failure(error)[1] or "interrupted"
    runtime.send(event)


def _first(kwargs: Mapping[str, Any], names: Sequence[str]) -> Any:
    for name in names:
        if name in kwargs:
            return kwargs[name]
    return None


# Deletes


@guarded("stores.before_delete")
def _before_delete(function: Any, args: Any, kwargs: Any) -> Frame | None:
    outer = _frame.get()
    return None if outer is not None and outer.kind in ("write", "delete") else Frame("delete")


@guarded("stores.after_delete")
def _after_delete(
    function: Any,
    frame: Frame,
    outer: Frame | None,
    args: Any,
    kwargs: Any,
    result: Any,
    error: Any,
    started: float,
) -> None:
    if args:
        ids = args[1] if len(args) > 1 else kwargs.get("ids")
        count = len(ids) if isinstance(ids, (list, tuple)) else 0
        record(args[0], "langchain", "delete", count, ids, (), started, error)


# Constructors: in some 23 of 96 classes they do not reach add_texts (PGVector, FAISS)


@guarded("stores.before_make")
def _before_make(function: Any, args: Any, kwargs: Any) -> Frame | None:
    return Frame("make")


@guarded("stores.after_make")
def _after_make(
    function: Any,
    frame: Frame,
    outer: Frame | None,
    args: Any,
    kwargs: Any,
    result: Any,
    error: Any,
    started: float,
) -> None:
    if outer is not None:
        outer.recorded = outer.recorded or frame.recorded
    if frame.recorded or result is None or error is not None:
        return
    if outer is not None and outer.kind == "make":
        outer.recorded = True
    items = args[1] if len(args) > 1 else _first(kwargs, ("texts", "documents", "text_embeddings"))
    name = function.__name__
    metadatas = kwargs.get("metadatas")
    if (
        metadatas is None
        and not name.endswith("documents")
        and len(args) > 3
        and isinstance(args[3], (list, tuple))
    ):
        metadatas = args[3]
    sources, count = _written(name, items, (), {"metadatas": metadatas})
    record(result, "langchain", "add", count, kwargs.get("ids"), sources, started, None)


# Reads


@guarded("stores.before_search")
def _before_search(function: Any, args: Any, kwargs: Any) -> Frame | None:
    outer = _frame.get()
    if outer is not None:
        # Part of a search or of a retriever: worth listening to for the scores only.
        return Frame("inner", outer.retrieval) if outer.retrieval is not None else None
    if not args:
        return None
    current = retrievers.searching.get()
    if current is not None and current.ended is None:
        if not isinstance(current.answer, Answer):
            return None
        if current.index is None or "collection" not in current.index:
            urn = (current.index or {}).get("urn")
            retrievers.at_store(current, args[0])
            if urn is not None:
                current.index = {**(current.index or {}), "urn": urn}
        return Frame("search", current)
    return Frame("search", _direct(args[0], kwargs))


def _direct(store: Any, kwargs: Mapping[str, Any]) -> Retrieval | None:
    """A search without a retriever, under the run or answer that it happens in."""
    from datahub_llmops.hooks import langchain

    handler = langchain.attached()
    if handler is None:
        return None
    answer, root, within = handler.surroundings()
    if type(answer) is not Answer:
        return None
    retrieval = Retrieval(answer, None, None)
    retrieval.root, retrieval.within = root, within
    if within is not None:
        within.composite = True
    retrieval.retriever = {"class": extractors.class_name(store), "direct": True}
    retrievers.at_store(retrieval, store)
    k = kwargs.get("k")
    if isinstance(k, int):
        retrieval.facts["k"] = k
    keys = extractors.filter_keys(kwargs.get("filter"))
    if keys:
        retrieval.facts["filter_keys"] = keys
    keep(answer.retrievals, retrieval)
    return retrieval


@guarded("stores.after_search")
def _after_search(
    function: Any,
    frame: Frame,
    outer: Frame | None,
    args: Any,
    kwargs: Any,
    result: Any,
    error: Any,
    started: float,
) -> None:
    retrieval = frame.retrieval
    if retrieval is None:
        return
    documents = _scored(retrieval, result)
    if frame.kind == "search" and retrieval.key is None:
        if error is not None:
            status, name = runtime.failure(error)
            runtime.ended(retrieval, status, name)
        else:
            retrieval.chunks = retrievers.chunks_of(documents, retrieval.scores)
            runtime.ended(retrieval)


def _scored(retrieval: Retrieval, result: Any) -> list[Any]:
    """Note the scores in a result of (document, score) pairs; the documents of it."""
    if not isinstance(result, list) or not result:
        return []
    if not isinstance(result[0], tuple):
        return [one for one in result if hasattr(one, "page_content")]
    scores = retrieval.scores if retrieval.scores is not None else {}
    documents = []
    for pair in result:
        if len(pair) > 1 and hasattr(pair[0], "page_content"):
            documents.append(pair[0])
            if hasattr(pair[1], "__float__"):
                scores[id(pair[0])] = pair[1]
    retrieval.scores = scores
    return documents


_write: Final = calls(_before_write, _after_write, _stamp)
_delete: Final = calls(_before_delete, _after_delete)
_maker: Final = calls(_before_make, _after_make)
_search: Final = calls(_before_search, _after_search)
