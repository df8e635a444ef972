"""Searches of LangChain's vector stores: those that bypass a retriever, and the scores of those behind one.

The outermost wrapped call of a context is the search; calls inside it, or inside a retriever, give scores only.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.hooks import runtime, store_identity, wrapping
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.langchain import retrievers
from datahub_llmops.hooks.parts import Answer, Retrieval, keep
from datahub_llmops.hooks.wrapping import Done, Frame

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
    """A wrapper of a search. Behind a retriever it takes down scores and no more."""
    bypassing = wrapping.watched(_before_search, _after_search)(function)
    scored = "score" in function.__name__
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            retrieval = _around(args)
            if retrieval is None:
                return await bypassing(*args, **kwargs)
            result = await function(*args, **kwargs)
            if scored:
                _note_scores(retrieval, result)
            return result

        return later

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        retrieval = _around(args)
        if retrieval is None:
            return bypassing(*args, **kwargs)
        result = function(*args, **kwargs)
        if scored:
            _note_scores(retrieval, result)
        return result

    return now


def _around(args: Any) -> Retrieval | None:
    """The retriever or search that this one is a part of."""
    frame = wrapping.running.get()
    if frame is not None:
        return frame.retrieval
    current = retrievers.searching.get()
    if current is None or current.ended is not None or not runtime.enabled:
        return None
    index = current.index
    if index is None or ("platform" not in index and "collection" not in index):
        _found_at(current, args)
    return current


@guarded("stores.found_at")
def _found_at(retrieval: Retrieval, args: Any) -> None:
    """The store of a retriever that does not say it."""
    if not args or not isinstance(retrieval.answer, Answer):
        return
    urn = (retrieval.index or {}).get("urn")
    retrievers.at_store(retrieval, args[0])
    if urn is not None:
        retrieval.index = {**(retrieval.index or {}), "urn": urn}


@guarded("stores.inside_search")
def _note_scores(retrieval: Retrieval, result: Any) -> None:
    """Take down the scores of (document, score) pairs: which of the documents are chunks, the retriever will say."""
    if (
        isinstance(result, list)
        and result
        and isinstance(result[0], tuple)
        and type(retrieval.answer) is Answer
    ):
        scores = retrieval.scores
        if scores is None:
            scores = retrieval.scores = {}
        for pair in result:
            if len(pair) > 1:
                scores[id(pair[0])] = pair[1]


@guarded("stores.before_search")
def _before_search(function: Any, args: Any, kwargs: Any) -> Frame | None:
    if wrapping.running.get() is not None or not args:
        return None
    return Frame("search", _direct(args[0], kwargs))


def _direct(store: Any, kwargs: Mapping[str, Any]) -> Retrieval | None:
    """A search without a retriever, under the run or answer that it happens in."""
    from datahub_llmops.hooks.langchain import handler as langchain

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
    retrieval.retriever = {"class": store_identity.class_name(store), "direct": True}
    retrievers.at_store(retrieval, store)
    facts = retrieval.facts = {}
    k = kwargs.get("k")
    if isinstance(k, int):
        facts["k"] = k
    keys = store_identity.filter_keys(kwargs.get("filter"))
    if keys:
        facts["filter_keys"] = keys
    keep(answer, retrieval)
    return retrieval


@guarded("stores.after_search")
def _after_search(call: Done) -> None:
    retrieval = call.frame.retrieval
    if retrieval is None:
        return
    if call.error is not None:
        status, name = runtime.failure(call.error)
        runtime.ended(retrieval, status, name)
    else:
        _note_scores(retrieval, call.result)
        retrieval.chunks = retrievers.chunks_of(_documents(call.result), retrieval.scores)
        runtime.ended(retrieval)


def _documents(result: Any) -> list[Any]:
    """The documents of a result, which are in pairs with their scores or alone."""
    found = (
        [one[0] if isinstance(one, tuple) and one else one for one in result]
        if isinstance(result, list)
        else []
    )
    return [one for one in found if hasattr(one, "page_content")]
