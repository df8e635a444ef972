"""Searches of LangChain's vector stores: those that bypass a retriever, and the scores of those behind one.

The outermost wrapped call of a context is the search; calls inside it are listened to for scores only.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.hooks import calls, extractors, retrievers, runtime
from datahub_llmops.hooks.answers import Answer, Retrieval, keep
from datahub_llmops.hooks.calls import Done, Frame
from datahub_llmops.hooks.guard import guarded

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


def watched(function: Any) -> Any:
    """A wrapper of a search."""
    outermost = calls.watched(_before_search, _after_search)(function)
    if "score" not in function.__name__:
        return outermost
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            outer = calls.frame()
            if outer is None:
                return await outermost(*args, **kwargs)
            result = await function(*args, **kwargs)
            _inside(outer, result)
            return result

        return later

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        outer = calls.frame()
        if outer is None:
            return outermost(*args, **kwargs)
        result = function(*args, **kwargs)
        _inside(outer, result)
        return result

    return now


@guarded("stores.inside_search")
def _inside(outer: Frame, result: Any) -> None:
    if outer.retrieval is not None:
        _scored(outer.retrieval, result)


@guarded("stores.before_search")
def _before_search(function: Any, args: Any, kwargs: Any) -> Frame | None:
    if calls.frame() is not None or not args:
        return None
    current = retrievers.searching.get()
    if current is None or current.ended is not None:
        return Frame("search", _direct(args[0], kwargs))
    if not isinstance(current.answer, Answer):
        return None
    if current.index is None or ("collection" not in current.index and "platform" not in current.index):
        urn = (current.index or {}).get("urn")
        retrievers.at_store(current, args[0])
        if urn is not None:
            current.index = {**(current.index or {}), "urn": urn}
    return Frame("search", current)


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
def _after_search(call: Done) -> None:
    retrieval = call.frame.retrieval
    if retrieval is None:
        return
    documents = _scored(retrieval, call.result)
    if retrieval.key is not None:
        return  # Behind a retriever: its own end says what it gave.
    if call.error is not None:
        status, name = runtime.failure(call.error)
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
