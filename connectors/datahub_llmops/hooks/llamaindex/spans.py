"""Turns LlamaIndex's spans and events into parts of answers.

A span that is a mere node of the tree maps to the entry of its parent, until an event gives it an entry of its own.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from datahub_llmops.hooks import chunk_sources, prompt_identity, runtime, store_identity
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.parts import (
    Answer,
    Metadata,
    ModelCall,
    Prompt,
    Retrieval,
    Skipped,
    ToolCall,
    add_part,
    add_system_prompt,
    find_prompt,
    get_fast,
    text_of,
)
from datahub_llmops.hooks.retriever_cache import RetrieverInfo, find_cached, own_attributes
from datahub_llmops.hooks.token_usage import get_value, read_tokens
from datahub_llmops.hooks.vendor_attributes import find_attribute


class Span:
    """An open span: its answer, its part of it, and what inner spans need to know."""

    __slots__ = ("answer", "calling", "key", "part", "prompt", "retrieval", "root", "started")

    def __init__(self, key: str, answer: Answer | Skipped, above: Span | None, *, root: bool) -> None:
        self.key = key
        self.answer = answer
        self.root = root
        self.started = time.time()
        self.retrieval: Retrieval | None = above.retrieval if above is not None else None
        self.prompt: Prompt | None = above.prompt if above is not None else None
        self.calling: bool = above is not None and above.calling
        """Whether a model is being called, here or in an enclosing span."""
        self.part: Any = None


spans: Final[dict[str, Span]] = {}
open_calls: Final[dict[str, ModelCall]] = {}
"""Model calls by the span that they began in. The span of a stream exits before the call ends."""


def sweep() -> None:
    """Give up spans and calls that never end."""
    for entries in (spans, open_calls):
        if entries:
            runtime.sweep(entries, _start_of)


def _start_of(key: object, entry: Any) -> float | None:
    """Return when a span or call began; for a span without an entry of its own, when its answer ended."""
    shared = type(entry) is Span and entry.key != key
    start = getattr(entry.answer, "ended", None) if shared else entry.started
    return start if isinstance(start, float) else None


# Spans

NAME: Final = -37  # The id is Class.method-uuid.
_RETRIEVES: Final = (".retrieve", ".aretrieve")
_TOOLS: Final = (".call", ".acall", ".__call__")
PARTS: Final = (*_RETRIEVES, *_TOOLS)
_WRITES_ONLY: Final = ("IngestionPipeline",)


@guarded("llamaindex.span_enter")
def root_entered(id_: str, bound: Any, instance: Any) -> None:
    """Begin an answer with a span that has no known parent."""
    if len(spans) >= runtime.MAX_OPEN:
        sweep()
    name = id_.rpartition("-")[0] if id_.count("-") < 5 else id_[:NAME]
    if _makes_no_answer(name):
        # An ingestion pipeline makes no answer; its writes are recorded at the store.
        spans[id_] = Span(id_, _NO_ANSWER, None, root=True)
        return
    late = _stream_of(name)
    if late is not None:
        span = spans[id_] = Span(id_, late, None, root=False)
        span.prompt = find_prompt(late, None)
        return
    answer = runtime.enter_answer("llama-index")
    span = spans[id_] = Span(id_, answer, None, root=True)
    if isinstance(answer, Answer):
        if answer.root is None:
            answer.root = name
        if answer.query is None:
            answer.query = _query(bound)
        if instance is not None and id_.endswith(PARTS, 0, NAME):
            part_entered(id_, instance, span)


@guarded("llamaindex.part_enter")
def part_entered(id_: str, instance: Any, span: Span) -> None:
    """Begin the part of the answer that a span stands for, if its method and object show one."""
    answer = span.answer
    if not isinstance(answer, Answer):
        return
    if id_.endswith(_RETRIEVES, 0, NAME):
        if get_fast(instance, "_retrieve") is None:
            return
        span = own_span(id_, span)
        _retrieval(span, answer, instance)
    elif get_fast(instance, "call") is not None and get_fast(instance, "metadata") is not None:
        span = own_span(id_, span)
        tool = getattr(instance.metadata, "name", None)
        span.part = ToolCall(answer, id_, None, tool if isinstance(tool, str) else "tool")
        add_part(answer, span.part)


def own_span(id_: str, span: Span) -> Span:
    """Give a span an entry of its own in place of that of its parent."""
    if span.key != id_:
        span = spans[id_] = Span(id_, span.answer, span, root=False)
    return span


def _stream_of(name: str) -> Answer | None:
    """Return the answer that a model's stream belongs to if it is consumed after the query has returned."""
    waiting = runtime.waiting_stream.get()
    if waiting is None or name.rpartition(".")[2] not in _STREAMS:
        return None
    return waiting if isinstance(waiting, Answer) and not _has_model_call(waiting) else None


def _has_model_call(answer: Answer) -> bool:
    return any(type(one) is ModelCall for one in answer.parts)


_STREAMS: Final = frozenset(
    {"stream", "astream", "stream_chat", "astream_chat", "stream_complete", "astream_complete"}
)


def _wait_for_stream(answer: Answer, result: Any) -> None:
    if type(result).__name__ in ("StreamingResponse", "AsyncStreamingResponse") and not _has_model_call(
        answer
    ):
        before = runtime.waiting_stream.get()
        alone = before is None or (isinstance(before, Answer) and _has_model_call(before))
        runtime.waiting_stream.set(answer if alone else _NO_ANSWER)


@functools.lru_cache(256)
def _makes_no_answer(name: str) -> bool:
    # An embedding, a parser or a transformation run by itself is the work of an indexing job.
    if name.startswith(_WRITES_ONLY):
        return True
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
    own = own_attributes(retriever)
    found = _find_info(retriever, own)
    retrieval.retriever = found.named
    retrieval.facts = found.facts
    if found.store is not None:
        retrieval.index = _index(found)
    given = own.get("metadata")
    if isinstance(given, dict) and isinstance(given.get("datahub_urn"), str):
        retrieval.index = {**(retrieval.index or {}), "urn": given["datahub_urn"]}
    retrieval.embedding = store_identity.identify_embedding(own.get("_embed_model"))
    add_part(answer, retrieval)
    span.retrieval = span.part = retrieval


def _find_info(retriever: Any, own: Mapping[str, Any]) -> RetrieverInfo:
    index_id = find_attribute(own.get("_index"), "index_id")
    known = find_cached(retriever, own, index_id)
    if known is not None:
        return known
    found = RetrieverInfo(*store_identity.describe_llamaindex_retriever(retriever))
    # Filters can change inside, and parts have options of their own.
    if own.get("_filters") is None and "_retrievers" not in own:
        found.cache(retriever, index_id)
    return found


def _index(found: RetrieverInfo) -> Metadata:
    """Return the same dictionary while nothing changes. An index without a named store has LlamaIndex's own id."""
    raw = store_identity.identify_store(found.store)
    if raw is not found.raw:
        found.raw = found.index = raw
        index_id = found.facts.get("index_id")
        if index_id and "collection" not in raw and "urn" not in raw:
            found.index = {**raw, "index_id": index_id}
    return found.index


def _query(bound: Any) -> str | None:
    for value in bound.arguments.values():
        text = text_of(value)
        if text is not None and not hasattr(value, "retrieve"):
            return text
    return None


@guarded("llamaindex.span_exit")
def exited(span: Span, result: Any) -> None:
    """End the part of a span, and the answer if the span is its root."""
    answer = span.answer
    if not isinstance(answer, Answer):
        return
    done = span.part
    if done is not None:
        if type(done) is Retrieval and isinstance(result, list):
            done.chunks = _list_chunks(result)
        runtime.end_part(done)
    if span.root:
        text = text_of(result)
        if text is not None:
            answer.text = text
        _wait_for_stream(answer, result)
        runtime.end_root(answer)


@guarded("llamaindex.span_drop")
def dropped(id_: str, error: BaseException | None) -> None:
    """End a span that has failed."""
    span = spans.pop(id_, None)
    if span is None or span.key != id_ or not isinstance(span.answer, Answer):
        return
    status, name = runtime.describe_error(error)
    if span.part is not None:
        runtime.end_part(span.part, status, name)
    call = open_calls.pop(id_, None)
    if call is not None:
        runtime.end_part(call, status, name)
    answer = span.answer
    if span.root:
        runtime.end_root(answer, status, name)


def _list_chunks(nodes: Sequence[Any]) -> list[object]:
    found: list[object] = []
    append = chunk_sources.append_chunk
    for one in nodes:
        node = one.node
        own = node.__dict__
        identity, begun = own.get("id_") or node.node_id, len(found)
        if not append(found, identity, one.score, None, own.get("metadata")):
            source = node.source_node
            if source is not None:
                del found[begun:]
                append(found, identity, one.score, None, source.metadata)
    return found


# Events


@guarded("llamaindex.prompt")
def _prompt(event: Any) -> None:
    span = spans.get(event.span_id)
    if span is None or not isinstance(span.answer, Answer):
        return
    answer = span.answer
    span = own_span(event.span_id, span)
    identity = prompt_identity.identify_prompt(get_fast(event.template, "metadata"))
    template = prompt_identity.read_llamaindex(event.template)
    for known in reversed(answer.parts):
        if type(known) is Prompt and known.template == template and known.identity == identity:
            span.prompt = known
            return
    prompt = Prompt(answer, event.span_id, None, identity, template, "human")
    prompt.ended = prompt.started
    add_part(answer, prompt)
    span.prompt = prompt


@guarded("llamaindex.model_start")
def _model_start(event: Any) -> None:
    key = event.span_id
    span = spans.get(key)
    if span is not None:
        if span.calling:
            return  # A chat that completes, or an asynchronous call that makes a synchronous one, is one call.
        span = own_span(key, span)
        span.calling = True
        answer: Answer | Skipped = span.answer
    else:
        answer = runtime.enter_answer("llama-index")
    if not isinstance(answer, Answer):
        return
    described = event.model_dict
    call = ModelCall(answer, key, None)
    call.root = span is None
    asked = described.get("model_name") or described.get("model")
    call.asked = asked if isinstance(asked, str) and asked != "unknown" else None
    call.provider = _provider(described.get("class_name"))
    call.prompt = span.prompt if span is not None else None
    if call.prompt is None:
        call.prompt = _system(answer, event)
    add_part(answer, call)
    if len(open_calls) >= runtime.MAX_OPEN:
        sweep()
    open_calls[key] = call


def _system(answer: Answer, event: Any) -> Prompt | None:
    """Return the system message as a prompt: agents and chat engines render no template."""
    messages = get_fast(event, "messages")
    first = messages[0] if messages else None
    role = getattr(first, "role", None)
    content = getattr(first, "content", None)
    if getattr(role, "value", role) != "system" or not isinstance(content, str):
        return None
    return add_system_prompt(answer, None, None, content)


@functools.lru_cache(256)
def _provider(name: object) -> str | None:
    if not isinstance(name, str):
        return None
    return name.lower().removesuffix("_llm").removesuffix("llm").removesuffix("_") or None


@guarded("llamaindex.model_end")
def _model_end(event: Any) -> None:
    call = open_calls.pop(event.span_id, None)
    if call is None:
        return
    span = spans.get(event.span_id)
    if span is not None:
        span.calling = False
    response = event.response
    if response is not None:
        raw = get_fast(response, "raw")
        call.usage = _usage(raw, get_fast(response, "additional_kwargs"))
        if raw is not None:
            served = get_value(raw, "model") or get_value(raw, "model_version")
            call.served = served if isinstance(served, str) else None
        text = text_of(get_fast(response, "message") or response)
        if text is not None and isinstance(call.answer, Answer):
            call.answer.text = text
    runtime.end_part(call)


def _usage(raw: Any, extra: Any) -> dict[str, int] | None:
    usage = (get_value(raw, "usage") or get_value(raw, "usage_metadata")) if raw is not None else None
    if usage is None and isinstance(extra, dict):
        usage = extra
    return (read_tokens(usage) or None) if usage else None


EVENTS: Final[dict[str, Callable[[Any], Any]]] = {
    "LLMPredictStartEvent": _prompt,
    "LLMStructuredPredictStartEvent": _prompt,
    "LLMChatStartEvent": _model_start,
    "LLMCompletionStartEvent": _model_start,
    "LLMChatEndEvent": _model_end,
    "LLMCompletionEndEvent": _model_end,
}
"""By the class of the event. Events that occur once a token are left out."""
