"""Records searches of LangChain's vector stores that bypass a retriever, and the scores of those behind one.

The outermost wrapped call of a context is the search; calls inside it, or inside a retriever, contribute scores only.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Mapping, Sequence
from types import CoroutineType
from typing import Any, Final

from datahub_llmops.hooks import runtime, store_identity, wrapping
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.langchain import retrievers
from datahub_llmops.hooks.parts import Answer, Retrieval, add_part
from datahub_llmops.hooks.wrapping import Call, Frame

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


def watch(function: Any) -> Any:
    """Wrap a search. Behind a retriever the wrapper notes scores and no more."""
    direct = wrapping.watch(_before_search, _after_search)(function)
    scored = "score" in function.__name__
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            retrieval = _find_enclosing(args)
            if retrieval is None:
                return await direct(*args, **kwargs)
            result = await function(*args, **kwargs)
            if scored:
                _note_scores(retrieval, result)
            return result

        return later

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        retrieval = _find_enclosing(args)
        if retrieval is None:
            return direct(*args, **kwargs)
        result = function(*args, **kwargs)
        if scored:
            if type(result) is CoroutineType:
                return _note_scores_later(retrieval, result)
            _note_scores(retrieval, result)
        return result

    return now


async def _note_scores_later(retrieval: Retrieval, pairs: Any) -> Any:
    """Await what a decorated search has returned. It does not look like a coroutine function."""
    result = await pairs
    _note_scores(retrieval, result)
    return result


def _find_enclosing(args: Any) -> Retrieval | None:
    """Return the retrieval that this search is a part of."""
    frame = runtime.running_call.get()
    if frame is not None and not frame.done:
        return frame.retrieval
    current = runtime.current_retrieval.get()
    if current is None or current.ended is not None or not runtime.enabled:
        return None
    index = current.index
    if index is None or ("platform" not in index and "collection" not in index):
        _note_store(current, args)
    return current


@guarded("stores.found_at")
def _note_store(retrieval: Retrieval, args: Any) -> None:
    """Take the index from the store that a retriever searches, if the retriever itself does not name it."""
    if not args or not isinstance(retrieval.answer, Answer):
        return
    urn = (retrieval.index or {}).get("urn")
    retrievers.describe_store(retrieval, args[0])
    if urn is not None:
        retrieval.index = {**(retrieval.index or {}), "urn": urn}


@guarded("stores.inside_search")
def _note_scores(retrieval: Retrieval, result: Any) -> None:
    """Note the scores of (document, score) pairs. The retriever decides later which documents are chunks."""
    if (
        isinstance(result, list)
        and result
        and isinstance(result[0], tuple)
        and type(retrieval.answer) is Answer
    ):
        scores = retrieval.scores
        if scores is None:
            scores = retrieval.scores = {}
        # The document stays alive as long as its number counts: another would get the number of a dead one.
        scores.update(zip(map(id, map(_document, result)), result, strict=True))


_document: Final = operator.itemgetter(0)


@guarded("stores.before_search")
def _before_search(function: Any, args: Any, kwargs: Any) -> Frame | None:
    if wrapping.running() is not None or not args:
        return None
    return Frame("search", _begin_direct_search(args, kwargs))


def _begin_direct_search(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Retrieval | None:
    """Begin a search without a retriever, in the run or answer around it."""
    from datahub_llmops.hooks.langchain import handler as langchain

    handler = langchain.attached()
    if handler is None:
        return None
    answer, root, within = handler.enclosing()
    if type(answer) is not Answer:
        return None
    retrieval = Retrieval(answer, None)
    retrieval.root = root
    if type(within) is Retrieval:
        within.composite = True
        retrieval.within = within
    store, *rest = args
    retrieval.retriever = {"class": store_identity.class_name(store), "direct": True}
    retrievers.describe_store(retrieval, store)
    facts = retrieval.facts = {}
    k = kwargs.get("k", rest[1] if len(rest) > 1 else None)
    if isinstance(k, int):
        facts["k"] = k
    query = kwargs.get("query", rest[0] if rest else None)
    if root and answer.query is None and isinstance(query, str):
        answer.query = query
    keys = store_identity.filter_keys(kwargs.get("filter"))
    if keys:
        facts["filter_keys"] = keys
    add_part(answer, retrieval)
    return retrieval


@guarded("stores.after_search")
def _after_search(call: Call) -> None:
    retrieval = call.frame.retrieval
    if retrieval is None:
        return
    if call.error is not None:
        status, name = runtime.describe_error(call.error)
        runtime.end_part(retrieval, status, name)
    else:
        _note_scores(retrieval, call.result)
        retrievers.note_documents(retrieval, _list_documents(call.result))
        runtime.end_part(retrieval)


def _list_documents(result: Any) -> list[Any]:
    """Return the documents of a result, which holds them alone or in pairs with their scores."""
    found = (
        [one[0] if isinstance(one, tuple) and one else one for one in result]
        if isinstance(result, list)
        else []
    )
    return [one for one in found if hasattr(one, "page_content")]
