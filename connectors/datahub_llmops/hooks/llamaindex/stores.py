"""Records writes, deletes and direct queries of LlamaIndex's vector stores, and what only their callers know."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

from datahub_llmops.answer_store.keys import WritesKey
from datahub_llmops.hooks import (
    chunk_sources,
    patching,
    runtime,
    stamping,
    store_identity,
    wrapping,
)
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.llamaindex.spans import current_span
from datahub_llmops.hooks.parts import Answer, Retrieval, add_part, get_fast
from datahub_llmops.hooks.record_write import record_write
from datahub_llmops.hooks.wrapping import Call, Frame

# Vector stores


def hook_stores(base: type) -> None:
    """Wrap every vector store class, now and later."""
    for kind in patching.list_subclasses(base):
        _wrap(kind)
    patching.on_new_subclass(base, _wrap)


@guarded("llamaindex.wrap")
def _wrap(kind: type) -> None:
    for names, make in (
        (("add", "async_add"), _add),
        (("delete", "adelete", "delete_nodes", "adelete_nodes"), _delete),
        (("query", "aquery"), _search),
    ):
        for name in names:
            patching.wrap(kind, name, make)


@guarded("llamaindex.before_write")
def _before_write(function: Any, args: Any, kwargs: Any) -> Frame | None:
    outer = runtime.running_call.get()
    return None if outer is not None and outer.kind == "write" else Frame("write")


@guarded("llamaindex.stamp")
def _stamp(function: Any, args: Any, kwargs: Any) -> Any:
    job = runtime.current_job.get()
    nodes = args[1] if len(args) > 1 else kwargs.get("nodes")
    if job is None or not job.stamp or not args or not isinstance(nodes, (list, tuple)):
        return None
    copies = stamping.stamp_nodes(job, args[0], nodes)
    if copies is None:
        return None
    if len(args) > 1:
        return (args[0], copies, *args[2:]), kwargs
    return args, {**kwargs, "nodes": copies}


@guarded("llamaindex.after_add")
def _after_add(call: Call) -> None:
    nodes = call.argument(1, "nodes")
    if not call.args or not isinstance(nodes, (list, tuple)):
        return
    sources = []
    for node in nodes:
        picked = stamping.pick_metadata(node.metadata)
        source = node.source_node
        if not picked and source is not None:
            picked = stamping.pick_metadata(source.metadata)
        sources.append(picked)
    facts, embedding = runtime.indexing_facts.get() or ({}, None)
    ids = call.result if isinstance(call.result, list) else [node.node_id for node in nodes]
    record_write(
        call, call.args[0], "llama-index", "add", len(nodes), ids, sources, embedding=embedding, facts=facts
    )


@guarded("llamaindex.after_delete")
def _after_delete(call: Call) -> None:
    if not call.args:
        return
    ids = call.argument(1, "node_ids")
    chunks = ids if isinstance(ids, list) else []
    # A delete by document does not report how many nodes it removed.
    record_write(call, call.args[0], "llama-index", "delete", len(chunks) or 1, chunks, ())


@guarded("llamaindex.before_query")
def _before_query(function: Any, args: Any, kwargs: Any) -> Frame | None:
    if runtime.running_call.get() is not None or not args:
        return None
    span, root = current_span(), False
    within: Any = None
    if span is not None:
        answer, within = span.answer, span.retrieval
    else:
        answer, root, within = runtime.enter_answer("llama-index")
    if type(within) is Retrieval and within.index is None:
        within.index = store_identity.identify_store(args[0])
    if type(within) is Retrieval or not isinstance(answer, Answer):
        return None
    retrieval = Retrieval(answer, None)
    retrieval.root = root
    retrieval.retriever = {"class": store_identity.class_name(args[0]), "direct": True}
    retrieval.index = store_identity.identify_store(args[0])
    query = args[1] if len(args) > 1 else kwargs.get("query")
    k = getattr(query, "similarity_top_k", None)
    if isinstance(k, int):
        retrieval.facts = {"k": k}
    add_part(answer, retrieval)
    return Frame("search", retrieval)


@guarded("llamaindex.after_query")
def _after_query(call: Call) -> None:
    retrieval = call.frame.retrieval
    if retrieval is None:
        return
    if call.error is not None:
        status, name = runtime.describe_error(call.error)
        runtime.end_part(retrieval, status, name)
        return
    nodes = get_fast(call.result, "nodes") or []
    scores = get_fast(call.result, "similarities") or []
    ids = get_fast(call.result, "ids") or [node.node_id for node in nodes]
    found: list[object] = []
    for number, identity in enumerate(ids):
        metadata = nodes[number].metadata if number < len(nodes) else None
        chunk_sources.append_chunk(
            found, identity, scores[number] if number < len(scores) else None, None, metadata
        )
    retrieval.chunks = found
    runtime.end_part(retrieval)


_add: Final = wrapping.watch(_before_write, _after_add, _stamp)
_delete: Final = wrapping.watch(_before_write, _after_delete)
_search: Final = wrapping.watch(_before_query, _after_query)


# Facts that only the caller of a store knows: the embedding model of an index, the steps of a pipeline


def hook_index(base: type) -> None:
    """Have ``VectorStoreIndex`` tell which model embeds what it writes."""
    for name in ("_add_nodes_to_index", "_async_add_nodes_to_index"):
        if not patching.wrap(base, name, _index_writes) and not patching.is_wrapped(
            getattr(base, name, None)
        ):
            runtime.degraded[f"llama-index: VectorStoreIndex.{name} (embedding model of inserts)"] = 1


def hook_pipeline(base: type) -> None:
    """Have ``IngestionPipeline`` tell its name, steps and model."""
    for name in ("run", "arun"):
        if not patching.wrap(base, name, _pipeline_writes) and not patching.is_wrapped(
            getattr(base, name, None)
        ):
            runtime.degraded[f"llama-index: IngestionPipeline.{name}"] = 1


def hook_indexes(base: type) -> None:
    """Know every index that is written: some ask a model for summaries or triplets, which is not an answer."""
    for kind in patching.list_subclasses(base):
        _wrap_index(kind)
    patching.on_new_subclass(base, _wrap_index)


@guarded("llamaindex.wrap_index")
def _wrap_index(kind: type) -> None:
    for name in ("_build_index_from_nodes", "_insert", "_insert_nodes", "_ainsert"):
        patching.wrap(kind, name, _index_writes)


def _index_writes(function: Any) -> Any:
    return _with_facts(function, _describe_index)


def _pipeline_writes(function: Any) -> Any:
    return _with_facts(function, _describe_pipeline)


def _with_facts(function: Any, describe: Callable[[Any], Any]) -> Any:
    # Bind the function before calling it: their span decorator recognises a method by that.
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(self: Any, *args: Any, **kwargs: Any) -> Any:
            before = runtime.indexing_facts.get()
            runtime.indexing_facts.set(describe(self) or before)
            try:
                return await function.__get__(self, type(self))(*args, **kwargs)
            finally:
                runtime.indexing_facts.set(before)

        return later

    @functools.wraps(function)
    def now(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = runtime.indexing_facts.get()
        runtime.indexing_facts.set(describe(self) or before)
        try:
            return function.__get__(self, type(self))(*args, **kwargs)
        finally:
            runtime.indexing_facts.set(before)

    return now


@guarded("llamaindex.of_index")
def _describe_index(index: Any) -> tuple[dict[str, Any], Any]:
    before = runtime.indexing_facts.get()
    facts = dict(before[0]) if before is not None else {}
    return facts, store_identity.identify_embedding(getattr(index, "_embed_model", None))


@guarded("llamaindex.of_pipeline")
def _describe_pipeline(pipeline: Any) -> tuple[dict[str, Any], Any]:
    steps = list(getattr(pipeline, "transformations", None) or ())
    facts: dict[str, Any] = {WritesKey.STEPS: [type(step).__name__ for step in steps][:20]}
    name = getattr(pipeline, "name", None)
    if isinstance(name, str):
        facts[WritesKey.PIPELINE] = name
    embedding = None
    for step in steps:
        size = getattr(step, "chunk_size", None)
        if isinstance(size, int):
            facts[WritesKey.SPLITTER] = {"class": store_identity.class_name(step), "size": size}
            overlap = getattr(step, "chunk_overlap", None)
            if isinstance(overlap, int):
                facts[WritesKey.SPLITTER]["overlap"] = overlap
        if hasattr(step, "get_text_embedding"):
            embedding = store_identity.identify_embedding(step)
    return facts, embedding
