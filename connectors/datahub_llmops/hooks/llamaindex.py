"""LlamaIndex: a span handler, which gets the live objects, and an event handler on the root dispatcher.

https://docs.llamaindex.ai/en/stable/module_guides/observability/instrumentation/. Handlers there run inline and their
exceptions vanish without a log, so ours are guarded. Imported by the import hook only.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from llama_index.core import instrumentation
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from typing_extensions import override

from datahub_llmops.hooks import (
    extractors,
    patching,
    provenance,
    runtime,
    stamping,
    stores,
    templates,
    writing,
)
from datahub_llmops.hooks.answers import (
    Answer,
    ModelCall,
    Prompt,
    Retrieval,
    Skipped,
    ToolCall,
    held,
    keep,
    said,
)
from datahub_llmops.hooks.guard import guarded


class Span:
    """An open span: its answer, and what it is besides a place in the tree."""

    __slots__ = ("answer", "calling", "inside_call", "part", "prompt", "retrieval", "root", "started")

    def __init__(self, answer: Answer | Skipped, parent: Span | None) -> None:
        self.answer = answer
        self.root = parent is None
        self.started = time.time()
        self.retrieval: Retrieval | None = parent.retrieval if parent is not None else None
        self.prompt: Prompt | None = parent.prompt if parent is not None else None
        self.calling = False
        self.inside_call: bool = parent is not None and (parent.calling or parent.inside_call)
        self.part: Any = None


_spans: dict[str, Span] = {}
_open_calls: dict[str, ModelCall] = {}
"""Model calls by the span they began in. The span of a stream exits before the call ends."""
_on = False


def started(_key: Any, held: Any) -> float | None:
    """When an open span or call began."""
    begun = held.started
    return begun if isinstance(begun, float) else None


_RETRIEVES: Final = ("retrieve", "aretrieve")
_WRITES_ONLY: Final = ("IngestionPipeline",)
_TOOLS: Final = ("call", "acall", "__call__")


@guarded("llamaindex.span_enter")
def enter(id_: str, bound: Any, instance: Any, parent_id: str | None) -> None:
    """A span has begun."""
    parent = _spans.get(parent_id) if parent_id is not None else None
    if parent is None:
        if len(_spans) >= runtime.MAX_OPEN:
            runtime.sweep(_spans, started)
        name = id_.rpartition("-")[0] if id_.count("-") < 5 else id_[:-37]
        if name.startswith(_WRITES_ONLY) or _embeds_only(name):
            # An ingestion pipeline makes no answer; its writes are seen at the store.
            _spans[id_] = Span(_NO_ANSWER, None)
            return
        late = _stream_of(name)
        if late is not None:
            span = Span(late, None)
            span.root = False
            span.prompt = late.prompts[-1] if late.prompts else None
            _spans[id_] = span
            return
        span = Span(runtime.enter("llama-index"), None)
        answer = span.answer
        if isinstance(answer, Answer):
            if answer.root is None:
                answer.root = name
            if answer.query is None:
                answer.query = _query(bound)
    else:
        span = Span(parent.answer, parent)
    _spans[id_] = span
    if instance is None or not isinstance(span.answer, Answer):
        return
    # The id is Class.method-uuid.
    method = id_[:-37].rpartition(".")[2]
    if method in _RETRIEVES and hasattr(instance, "_retrieve"):
        _retrieval(span, span.answer, instance)
    elif method in _TOOLS and hasattr(instance, "metadata") and hasattr(instance, "call"):
        tool = getattr(instance.metadata, "name", None)
        span.part = ToolCall(span.answer, id_, parent_id, tool if isinstance(tool, str) else "tool")
        keep(span.answer.tools, span.part)


def _stream_of(name: str) -> Answer | None:
    """The answer that a model's stream belongs to, where it is consumed after the query has returned."""
    waiting = streaming.get()
    if waiting is None or name.rpartition(".")[2] not in _STREAMS:
        return None
    return waiting if isinstance(waiting, Answer) and not waiting.models else None


_STREAMS: Final = frozenset(
    {"stream", "astream", "stream_chat", "astream_chat", "stream_complete", "astream_complete"}
)
streaming: Final[ContextVar[Answer | Skipped | None]] = ContextVar("datahub_llmops_stream", default=None)
"""The answer of this context whose stream is not consumed yet; the stand-in where there are several."""


def _awaits_stream(answer: Answer, result: Any) -> None:
    if type(result).__name__ in ("StreamingResponse", "AsyncStreamingResponse") and not answer.models:
        before = streaming.get()
        alone = before is None or (isinstance(before, Answer) and bool(before.models))
        streaming.set(answer if alone else _NO_ANSWER)


def _embeds_only(name: str) -> bool:
    # An embedding, a parser or a transformation run by itself is the work of an indexing job.
    kind, _, method = name.rpartition(".")
    return method in _NOT_AN_ANSWER or kind.endswith(("Embedding", "Splitter", "Parser", "Extractor"))


_NOT_AN_ANSWER: Final = frozenset(
    {
        "get_text_embedding",
        "get_text_embedding_batch",
        "aget_text_embedding",
        "aget_text_embedding_batch",
        "get_query_embedding",
        "aget_query_embedding",
        "get_agg_embedding_from_queries",
        "_get_text_embeddings",
        "_get_query_embedding",
        "get_prompts",
        "partial_format",
        "__call__",
    }
)
_NO_ANSWER: Final = Skipped()


def _retrieval(span: Span, answer: Answer, retriever: Any) -> None:
    within = span.retrieval
    retrieval = Retrieval(answer, None, None)
    if within is not None:
        within.composite = True
        retrieval.within = within
    facts, store = extractors.llamaindex_retriever(retriever)
    retrieval.retriever = {key: facts.pop(key) for key in ("class", "name") if key in facts}
    retrieval.facts = facts
    if store is not None:
        retrieval.index = extractors.identity(store)
        index_id = facts.get("index_id")
        if index_id and "collection" not in retrieval.index and "urn" not in retrieval.index:
            retrieval.index["index_id"] = index_id
    urn = getattr(retriever, "metadata", None)
    if isinstance(urn, dict) and isinstance(urn.get("datahub_urn"), str):
        retrieval.index = {**(retrieval.index or {}), "urn": urn["datahub_urn"]}
    retrieval.embedding = extractors.embedding(getattr(retriever, "_embed_model", None))
    keep(answer.retrievals, retrieval)
    span.retrieval = span.part = retrieval


def _query(bound: Any) -> str | None:
    for value in bound.arguments.values():
        text = said(value)
        if text is not None and not hasattr(value, "retrieve"):
            return text
    return None


@guarded("llamaindex.span_exit")
def leave(id_: str, result: Any) -> None:
    """A span has ended."""
    span = _spans.pop(id_, None)
    if span is None:
        return
    answer = span.answer
    if not isinstance(answer, Answer):
        return
    part = span.part
    if part is not None:
        if type(part) is Retrieval and not part.chunks and isinstance(result, list):
            part.chunks = [_chunk(one) for one in result]
        runtime.ended(part)
    if span.root:
        text = said(result)
        if text is not None:
            answer.text = text
        _awaits_stream(answer, result)
        if not answer.explicit:
            runtime.finish(answer)
        elif answer.ended is not None:
            runtime.send(answer)


@guarded("llamaindex.span_drop")
def drop(id_: str, error: BaseException | None) -> None:
    """A span has failed."""
    span = _spans.pop(id_, None)
    if span is None or not isinstance(span.answer, Answer):
        return
    status, name = runtime.failure(error)
    if span.part is not None:
        runtime.ended(span.part, status, name)
    call = _open_calls.pop(id_, None)
    if call is not None:
        runtime.ended(call, status, name)
    answer = span.answer
    if span.root:
        if not answer.explicit:
            runtime.finish(answer, status, name)
        elif answer.ended is not None:
            runtime.send(answer)


def _chunk(one: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    node = one.node
    metadata = node.metadata
    picked = provenance.pick(metadata)
    if not picked:
        source = node.source_node
        if source is not None:
            picked = provenance.pick(source.metadata)
    return node.node_id, one.score, None, picked


# Events


@guarded("llamaindex.retrieval_end")
def _retrieval_end(event: Any) -> None:
    span = _spans.get(event.span_id)
    if span is None or span.retrieval is None:
        return
    span.retrieval.chunks = [_chunk(one) for one in event.nodes]


@guarded("llamaindex.prompt")
def _prompt(event: Any) -> None:
    span = _spans.get(event.span_id)
    if span is None or not isinstance(span.answer, Answer):
        return
    template = event.template
    metadata = getattr(template, "metadata", None)
    identity = templates.identity(metadata) if metadata else None
    for known in reversed(span.answer.prompts):
        if known.template is template:
            span.prompt = known
            return
    prompt = Prompt(span.answer, event.span_id, None, identity=identity, template=template, role="human")
    prompt.ended = prompt.started
    keep(span.answer.prompts, prompt)
    span.prompt = prompt


@guarded("llamaindex.model_start")
def _model_start(event: Any) -> None:
    span = _spans.get(event.span_id)
    if span is not None:
        if span.inside_call or span.calling:
            return  # A chat that completes, an asynchronous call that calls the other: one call.
        span.calling = True
        answer: Answer | Skipped = span.answer
    else:
        answer = runtime.enter("llama-index")
    if not isinstance(answer, Answer):
        return
    described = event.model_dict
    call = ModelCall(answer, event.span_id, None)
    call.root = span is None
    asked = described.get("model_name") or described.get("model")
    call.asked = asked if isinstance(asked, str) and asked != "unknown" else None
    call.provider = _provider(described.get("class_name"))
    call.prompt = span.prompt if span is not None else None
    if call.prompt is None:
        call.prompt = _system(answer, event)
    keep(answer.models, call)
    if len(_open_calls) >= runtime.MAX_OPEN:
        runtime.sweep(_open_calls, started)
    _open_calls[event.span_id] = call


def _system(answer: Answer, event: Any) -> Prompt | None:
    """Agents and chat engines render no template: their system message stands for it."""
    messages = getattr(event, "messages", None)
    first = messages[0] if messages else None
    role = getattr(first, "role", None)
    content = getattr(first, "content", None)
    if getattr(role, "value", role) != "system" or not isinstance(content, str):
        return None
    for prompt in answer.prompts:
        if prompt.template == content:
            return prompt
    prompt = Prompt(answer, None, None, identity=None, template=content, role="system")
    prompt.ended = prompt.started
    keep(answer.prompts, prompt)
    return prompt


def _provider(name: object) -> str | None:
    if not isinstance(name, str):
        return None
    return name.lower().removesuffix("_llm").removesuffix("llm").removesuffix("_") or None


@guarded("llamaindex.model_end")
def _model_end(event: Any) -> None:
    call = _open_calls.pop(event.span_id, None)
    if call is None:
        return
    span = _spans.get(event.span_id)
    if span is not None:
        span.calling = False
    response = event.response
    if response is not None:
        raw = held(response, "raw")
        call.usage = _usage(raw, held(response, "additional_kwargs"))
        served = _get(raw, "model") or _get(raw, "model_version")
        call.served = served if isinstance(served, str) else None
        text = said(held(response, "message") or response)
        if text is not None and isinstance(call.answer, Answer):
            call.answer.text = text
    runtime.ended(call)


def _get(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, dict) else held(thing, name)


def _usage(raw: Any, extra: Any) -> dict[str, int] | None:
    usage = None
    for name in ("usage", "usage_metadata"):
        usage = usage or _get(raw, name)
    if usage is None and isinstance(extra, dict):
        usage = extra
    if usage is None:
        return None
    found: dict[str, int] = {}
    for short, names in _TOKENS:
        for name in names:
            value = _get(usage, name)
            if isinstance(value, int):
                found[short] = value
                break
    for short, group, name in _TOKEN_DETAILS:
        value = _get(_get(usage, group), name)
        if isinstance(value, int) and value:
            found[short] = value
    return found or None


_TOKENS: Final = (
    ("in", ("prompt_tokens", "input_tokens", "prompt_token_count")),
    ("out", ("completion_tokens", "output_tokens", "candidates_token_count")),
)
_TOKEN_DETAILS: Final = (
    ("cr", "prompt_tokens_details", "cached_tokens"),
    ("rs", "completion_tokens_details", "reasoning_tokens"),
)
_EVENTS: Final[dict[str, Callable[[Any], Any]]] = {
    "RetrievalEndEvent": _retrieval_end,
    "LLMPredictStartEvent": _prompt,
    "LLMStructuredPredictStartEvent": _prompt,
    "LLMChatStartEvent": _model_start,
    "LLMCompletionStartEvent": _model_start,
    "LLMChatEndEvent": _model_end,
    "LLMCompletionEndEvent": _model_end,
}


class Events(BaseEventHandler):
    """Looks an event up by its class; those of every token are not in the table."""

    @classmethod
    @override
    def class_name(cls) -> str:
        return "DataHubLlmopsEvents"

    @override
    def handle(self, event: Any, **kwargs: Any) -> None:
        call = _EVENTS.get(type(event).__name__)
        if call is not None and _on:
            call(event)


class Spans(BaseSpanHandler):  # type: ignore[type-arg]  # the span class is a type of theirs that is not used
    """The three methods themselves: the standard way builds an object and takes a lock for every span."""

    @classmethod
    @override
    def class_name(cls) -> str:
        return "DataHubLlmopsSpans"

    @override
    def span_enter(
        self,
        id_: str,
        bound_args: Any,
        instance: Any = None,
        parent_id: Any = None,
        tags: Any = None,
        **kwargs: Any,
    ) -> None:
        if _on:
            enter(id_, bound_args, instance, parent_id)

    @override
    def span_exit(
        self, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **kwargs: Any
    ) -> None:
        if _on:
            leave(id_, result)

    @override
    def span_drop(
        self, id_: str, bound_args: Any, instance: Any = None, err: BaseException | None = None, **kwargs: Any
    ) -> None:
        if _on:
            drop(id_, err)

    @override
    def new_span(self, *args: Any, **kwargs: Any) -> None:
        return None

    @override
    def prepare_to_exit_span(self, *args: Any, **kwargs: Any) -> None:
        return None

    @override
    def prepare_to_drop_span(self, *args: Any, **kwargs: Any) -> None:
        return None


_handlers: tuple[Events, Spans] | None = None


def _dispatcher() -> Any:
    return instrumentation.get_dispatcher()  # type: ignore[attr-defined]  # re-exported without saying so


def attach() -> None:
    """Put both handlers on the root dispatcher, once."""
    global _handlers, _on
    if _handlers is None:
        _handlers = Events(), Spans()
    root = _dispatcher()
    events, spans = _handlers
    if not any(one is events for one in root.event_handlers):
        root.add_event_handler(events)
    if not any(one is spans for one in root.span_handlers):
        root.add_span_handler(spans)
    _on = True


def detach() -> None:
    """Take them off again."""
    global _on
    _on = False
    _spans.clear()
    _open_calls.clear()
    if _handlers is not None:
        root = _dispatcher()
        root.event_handlers[:] = [one for one in root.event_handlers if one is not _handlers[0]]
        root.span_handlers[:] = [one for one in root.span_handlers if one is not _handlers[1]]


def sweep() -> None:
    """Give up what never ends."""
    for under_way in (_spans, _open_calls):
        if under_way:
            runtime.sweep(under_way, started)


# Vector stores


def hook_stores(base: type) -> None:
    """Wrap every vector store class there is and will be."""
    for kind in patching.every_subclass(base):
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
def _before_write(function: Any, args: Any, kwargs: Any) -> stores.Frame | None:
    outer = stores.frame()
    return None if outer is not None and outer.kind == "write" else stores.Frame("write")


@guarded("llamaindex.stamp")
def _stamp(frame: stores.Frame, function: Any, args: Any, kwargs: Any) -> Any:
    job = writing.job.get()
    nodes = args[1] if len(args) > 1 else kwargs.get("nodes")
    if job is None or not job.stamp or not args or not isinstance(nodes, (list, tuple)):
        return None
    copies = stamping.nodes(job, args[0], nodes)
    if copies is None:
        return None
    if len(args) > 1:
        return (args[0], copies, *args[2:]), kwargs
    return args, {**kwargs, "nodes": copies}


@guarded("llamaindex.after_add")
def _after_add(
    function: Any, frame: Any, outer: Any, args: Any, kwargs: Any, result: Any, error: Any, begun: float
) -> None:
    nodes = args[1] if len(args) > 1 else kwargs.get("nodes")
    if not args or not isinstance(nodes, (list, tuple)):
        return
    sources = []
    for node in nodes:
        picked = stamping.picked(node.metadata)
        source = node.source_node
        if not picked and source is not None:
            picked = stamping.picked(source.metadata)
        sources.append(picked)
    facts, embedding = indexing_facts.get() or ({}, None)
    ids = result if isinstance(result, list) else [node.node_id for node in nodes]
    stores.record(
        args[0],
        "llama-index",
        "add",
        len(nodes),
        ids,
        sources,
        begun,
        error,
        embedding=embedding,
        facts=facts,
    )


@guarded("llamaindex.after_delete")
def _after_delete(
    function: Any, frame: Any, outer: Any, args: Any, kwargs: Any, result: Any, error: Any, begun: float
) -> None:
    if not args:
        return
    ids = args[1] if len(args) > 1 else kwargs.get("node_ids")
    chunks = ids if isinstance(ids, list) else []
    # A delete by document does not say how many nodes it took.
    stores.record(args[0], "llama-index", "delete", len(chunks) or 1, chunks, (), begun, error)


@guarded("llamaindex.before_query")
def _before_query(function: Any, args: Any, kwargs: Any) -> stores.Frame | None:
    if stores.frame() is not None or not args:
        return None
    span = _spans.get(active_span_id.get() or "") if active_span_id is not None else None
    if span is not None and (span.retrieval is not None or not isinstance(span.answer, Answer)):
        if span.retrieval is not None and span.retrieval.index is None:
            span.retrieval.index = extractors.identity(args[0])
        return None
    answer = span.answer if span is not None else runtime.enter("llama-index")
    if not isinstance(answer, Answer):
        return None
    retrieval = Retrieval(answer, None, None)
    retrieval.root = span is None
    retrieval.retriever = {"class": extractors.class_name(args[0]), "direct": True}
    retrieval.index = extractors.identity(args[0])
    query = args[1] if len(args) > 1 else kwargs.get("query")
    k = getattr(query, "similarity_top_k", None)
    if isinstance(k, int):
        retrieval.facts["k"] = k
    keep(answer.retrievals, retrieval)
    return stores.Frame("search", retrieval)


@guarded("llamaindex.after_query")
def _after_query(
    function: Any, frame: Any, outer: Any, args: Any, kwargs: Any, result: Any, error: Any, begun: float
) -> None:
    retrieval = frame.retrieval
    if error is not None:
        status, name = runtime.failure(error)
        runtime.ended(retrieval, status, name)
        return
    nodes = getattr(result, "nodes", None) or []
    scores = getattr(result, "similarities", None) or []
    ids = getattr(result, "ids", None) or [node.node_id for node in nodes]
    found = []
    for number, identity in enumerate(ids):
        picked = provenance.pick(nodes[number].metadata) if number < len(nodes) else {}
        found.append((identity, scores[number] if number < len(scores) else None, None, picked))
    retrieval.chunks = found
    runtime.ended(retrieval)


_add: Final = stores.calls(_before_write, _after_add, _stamp)
_delete: Final = stores.calls(_before_write, _after_delete)
_search: Final = stores.calls(_before_query, _after_query)


def _active_span() -> Any:
    for name in ("llama_index_instrumentation.span", "llama_index.core.instrumentation.span"):
        try:
            module = __import__(name, fromlist=["active_span_id"])
        except ImportError:
            continue
        found = getattr(module, "active_span_id", None)
        if found is not None:
            return found
    runtime.unresolved["llama-index: active_span_id (vector_store.query in a retriever may count twice)"] = 1
    return None


active_span_id: Final = _active_span()

# What only the caller of a store knows: the embedding model of an index, the steps of a pipeline


def hook_index(base: type) -> None:
    """Have ``VectorStoreIndex`` say which model embedded what it writes."""
    for name in ("_add_nodes_to_index", "_async_add_nodes_to_index"):
        if not patching.wrap(base, name, _index_writes) and not patching.wrapped(getattr(base, name, None)):
            runtime.unresolved[f"llama-index: VectorStoreIndex.{name} (embedding model of inserts)"] = 1


def hook_pipeline(base: type) -> None:
    """Have ``IngestionPipeline`` say its name, steps and model."""
    for name in ("run", "arun"):
        if not patching.wrap(base, name, _pipeline_writes) and not patching.wrapped(
            getattr(base, name, None)
        ):
            runtime.unresolved[f"llama-index: IngestionPipeline.{name}"] = 1


def _index_writes(function: Any) -> Any:
    return _told(function, _of_index)


def _pipeline_writes(function: Any) -> Any:
    return _told(function, _of_pipeline)


def _told(function: Any, describe: Callable[[Any], Any]) -> Any:
    # Bound before it is called: their span decorator tells a method from a function by that.
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(self: Any, *args: Any, **kwargs: Any) -> Any:
            before = indexing_facts.get()
            indexing_facts.set(describe(self) or before)
            try:
                return await function.__get__(self, type(self))(*args, **kwargs)
            finally:
                indexing_facts.set(before)

        return later

    @functools.wraps(function)
    def now(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = indexing_facts.get()
        indexing_facts.set(describe(self) or before)
        try:
            return function.__get__(self, type(self))(*args, **kwargs)
        finally:
            indexing_facts.set(before)

    return now


@guarded("llamaindex.of_index")
def _of_index(index: Any) -> tuple[dict[str, Any], Any]:
    before = indexing_facts.get()
    facts = dict(before[0]) if before is not None else {}
    return facts, extractors.embedding(getattr(index, "_embed_model", None))


@guarded("llamaindex.of_pipeline")
def _of_pipeline(pipeline: Any) -> tuple[dict[str, Any], Any]:
    steps = list(getattr(pipeline, "transformations", None) or ())
    facts: dict[str, Any] = {"steps": [type(step).__name__ for step in steps][:20]}
    name = getattr(pipeline, "name", None)
    if isinstance(name, str):
        facts["pipeline"] = name
    embedding = None
    for step in steps:
        size = getattr(step, "chunk_size", None)
        if isinstance(size, int):
            facts["splitter"] = {"class": extractors.class_name(step), "size": size}
            overlap = getattr(step, "chunk_overlap", None)
            if isinstance(overlap, int):
                facts["splitter"]["overlap"] = overlap
        if hasattr(step, "get_text_embedding"):
            embedding = extractors.embedding(step)
    return facts, embedding


indexing_facts: Final[Any] = writing.indexing
