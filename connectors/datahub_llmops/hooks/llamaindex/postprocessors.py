"""What LlamaIndex's postprocessors leave of what a retriever found: these are the chunks that the caller is given.

They are wrapped, because LlamaIndex has no span for those that are asynchronous.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from datahub_llmops.hooks import blocks, chunk_sources, patching, runtime, store_identity
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.llamaindex import retrievals
from datahub_llmops.hooks.llamaindex.spans import current_span
from datahub_llmops.hooks.parts import Answer, Retrieval


def hook_postprocessors(base: type) -> None:
    """Wrap every class of postprocessors, now and later."""
    for kind in patching.list_subclasses(base):
        _wrap(kind)
    patching.on_new_subclass(base, _wrap)


@guarded("llamaindex.wrap_postprocessor")
def _wrap(kind: type) -> None:
    for name in ("postprocess_nodes", "apostprocess_nodes"):
        patching.wrap(kind, name, _watch)


def _watch(function: Any) -> Any:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(self: Any, *args: Any, **kwargs: Any) -> Any:
            retrieval = _find_retrieval(args, kwargs)
            result = await function.__get__(self, type(self))(*args, **kwargs)
            if retrieval is not None:
                _take(retrieval, self, result)
            return result

        return later

    @functools.wraps(function)
    def now(self: Any, *args: Any, **kwargs: Any) -> Any:
        retrieval = _find_retrieval(args, kwargs)
        result = function.__get__(self, type(self))(*args, **kwargs)
        if retrieval is not None:
            _take(retrieval, self, result)
        return result

    return now


@guarded("llamaindex.postprocess")
def _find_retrieval(args: Any, kwargs: Any) -> Retrieval | None:
    """Return the retrieval of this answer that found exactly the given nodes."""
    nodes = args[0] if args else kwargs.get("nodes")
    span = current_span()
    answer = span.answer if span is not None else blocks.answers.find()
    if not runtime.enabled or not isinstance(answer, Answer) or not isinstance(nodes, list):
        return None
    given = [one.node.node_id for one in nodes]
    for part in reversed(answer.parts):
        if type(part) is Retrieval and part.within is None and part.ended is not None:
            found = [chunk[0] for chunk in chunk_sources.read_chunks(part.chunks)]
            if found == given:
                return part
    return None


@guarded("llamaindex.postprocessed")
def _take(retrieval: Retrieval, postprocessor: Any, nodes: Any) -> None:
    retrievals.take_nodes(retrieval, nodes)
    retrieval.facts = {**retrieval.facts, "reranker": store_identity.class_name(postprocessor)}
