"""LlamaIndex's open spans and events as parts of answers.

A span that is nothing but a place in the tree is known by the entry of its parent; an event that says something of
one gives it an entry of its own.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
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
    held,
    keep,
    prompt_of,
    said,
    system_prompt,
)
from datahub_llmops.hooks.retriever_cache import Described, attributes, kept
from datahub_llmops.hooks.token_usage import part, tokens
from datahub_llmops.hooks.vendor_attributes import attribute


class Span:
    """An open span: its answer, what it is of it, and what those inside need to know."""

    __slots__ = ("answer", "calling", "key", "part", "prompt", "retrieval", "root", "started")

    def __init__(self, key: str, answer: Answer | Skipped, above: Span | None, *, root: bool) -> None:
        self.key = key
        self.answer = answer
        self.root = root
        self.started = time.time()
        self.retrieval: Retrieval | None = above.retrieval if above is not None else None
        self.prompt: Prompt | None = above.prompt if above is not None else None
        self.calling: bool = above is not None and above.calling
        """Whether a model is being called, here or above."""
        self.part: Any = None


spans: Final[dict[str, Span]] = {}
open_calls: Final[dict[str, ModelCall]] = {}
"""Model calls by the span they began in. The span of a stream exits before the call ends."""


def sweep() -> None:
    """Give up what never ends."""
    for under_way in (spans, open_calls):
        if under_way:
            runtime.sweep(under_way, _begun)


def _begun(key: object, held: Any) -> float | None:
    """When a span or call began; of a span that is known by its parent's entry, when its answer ended."""
    shared = type(held) is Span and held.key != key
    begun = getattr(held.answer, "ended", None) if shared else held.started
    return begun if isinstance(begun, float) else None


# Spans

NAME: Final = -37  # The id is Class.method-uuid.
_RETRIEVES: Final = (".retrieve", ".aretrieve")
_TOOLS: Final = (".call", ".acall", ".__call__")
PARTS: Final = (*_RETRIEVES, *_TOOLS)
_WRITES_ONLY: Final = ("IngestionPipeline",)


@guarded("llamaindex.span_enter")
def root_entered(id_: str, bound: Any, instance: Any) -> None:
    """A span without a known parent has begun: with it, an answer."""
    if len(spans) >= runtime.MAX_OPEN:
        sweep()
    name = id_.rpartition("-")[0] if id_.count("-") < 5 else id_[:NAME]
    if _makes_no_answer(name):
        # An ingestion pipeline makes no answer; its writes are seen at the store.
        spans[id_] = Span(id_, _NO_ANSWER, None, root=True)
        return
    late = _stream_of(name)
    if late is not None:
        span = spans[id_] = Span(id_, late, None, root=False)
        span.prompt = prompt_of(late, None)
        return
    answer = runtime.enter("llama-index")
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
    """What a span is of its answer besides a place in the tree, judged by its method and its object."""
    answer = span.answer
    if not isinstance(answer, Answer):
        return
    if id_.endswith(_RETRIEVES, 0, NAME):
        if held(instance, "_retrieve") is None:
            return
        span = own(id_, span)
        _retrieval(span, answer, instance)
    elif held(instance, "call") is not None and held(instance, "metadata") is not None:
        span = own(id_, span)
        tool = getattr(instance.metadata, "name", None)
        span.part = ToolCall(answer, id_, None, tool if isinstance(tool, str) else "tool")
        keep(answer, span.part)


def own(id_: str, span: Span) -> Span:
    """The span's own entry in place of that of its parent."""
    if span.key != id_:
        span = spans[id_] = Span(id_, span.answer, span, root=False)
    return span


def _stream_of(name: str) -> Answer | None:
    """The answer that a model's stream belongs to, where it is consumed after the query has returned."""
    waiting = streaming.get()
    if waiting is None or name.rpartition(".")[2] not in _STREAMS:
        return None
    return waiting if isinstance(waiting, Answer) and not _called(waiting) else None


def _called(answer: Answer) -> bool:
    return any(type(one) is ModelCall for one in answer.parts)


_STREAMS: Final = frozenset(
    {"stream", "astream", "stream_chat", "astream_chat", "stream_complete", "astream_complete"}
)
streaming: Final[ContextVar[Answer | Skipped | None]] = ContextVar("datahub_llmops_stream", default=None)
"""The answer of this context whose stream is not consumed yet; the stand-in where there are several."""


def _awaits_stream(answer: Answer, result: Any) -> None:
    if type(result).__name__ in ("StreamingResponse", "AsyncStreamingResponse") and not _called(answer):
        before = streaming.get()
        alone = before is None or (isinstance(before, Answer) and _called(before))
        streaming.set(answer if alone else _NO_ANSWER)


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
    own = attributes(retriever)
    found = _description(retriever, own)
    retrieval.retriever = found.named
    retrieval.facts = found.facts
    if found.store is not None:
        retrieval.index = _index(found)
    given = own.get("metadata")
    if isinstance(given, dict) and isinstance(given.get("datahub_urn"), str):
        retrieval.index = {**(retrieval.index or {}), "urn": given["datahub_urn"]}
    retrieval.embedding = store_identity.embedding(own.get("_embed_model"))
    keep(answer, retrieval)
    span.retrieval = span.part = retrieval


def _description(retriever: Any, own: Mapping[str, Any]) -> Described:
    index_id = attribute(own.get("_index"), "index_id")
    known = kept(retriever, own, index_id)
    if known is not None:
        return known
    found = Described(*store_identity.llamaindex_retriever(retriever))
    # Filters can change inside, parts have options of their own.
    if own.get("_filters") is None and "_retrievers" not in own:
        found.keep(retriever, index_id)
    return found


def _index(found: Described) -> Metadata:
    """The same dictionary as long as nothing changes; an index that no store names has an id of LlamaIndex's."""
    raw = store_identity.identity(found.store)
    if raw is not found.place:
        found.place = found.index = raw
        index_id = found.facts.get("index_id")
        if index_id and "collection" not in raw and "urn" not in raw:
            found.index = {**raw, "index_id": index_id}
    return found.index


def _query(bound: Any) -> str | None:
    for value in bound.arguments.values():
        text = said(value)
        if text is not None and not hasattr(value, "retrieve"):
            return text
    return None


@guarded("llamaindex.span_exit")
def exited(span: Span, result: Any) -> None:
    """A root or a part has ended."""
    answer = span.answer
    if not isinstance(answer, Answer):
        return
    done = span.part
    if done is not None:
        if type(done) is Retrieval and isinstance(result, list):
            done.chunks = _chunks(result)
        runtime.ended(done)
    if span.root:
        text = said(result)
        if text is not None:
            answer.text = text
        _awaits_stream(answer, result)
        runtime.root_ended(answer)


@guarded("llamaindex.span_drop")
def dropped(id_: str, error: BaseException | None) -> None:
    """A span has failed."""
    span = spans.pop(id_, None)
    if span is None or span.key != id_ or not isinstance(span.answer, Answer):
        return
    status, name = runtime.failure(error)
    if span.part is not None:
        runtime.ended(span.part, status, name)
    call = open_calls.pop(id_, None)
    if call is not None:
        runtime.ended(call, status, name)
    answer = span.answer
    if span.root:
        runtime.root_ended(answer, status, name)


def _chunks(nodes: Sequence[Any]) -> list[object]:
    found: list[object] = []
    note = chunk_sources.note
    for one in nodes:
        node = one.node
        own = node.__dict__
        identity, begun = own.get("id_") or node.node_id, len(found)
        if not note(found, identity, one.score, None, own.get("metadata")):
            source = node.source_node
            if source is not None:
                del found[begun:]
                note(found, identity, one.score, None, source.metadata)
    return found


# Events


@guarded("llamaindex.prompt")
def _prompt(event: Any) -> None:
    span = spans.get(event.span_id)
    if span is None or not isinstance(span.answer, Answer):
        return
    answer = span.answer
    span = own(event.span_id, span)
    identity = prompt_identity.identity(held(event.template, "metadata"))
    template = prompt_identity.of_llamaindex(event.template)
    for known in reversed(answer.parts):
        if type(known) is Prompt and known.template == template and known.identity == identity:
            span.prompt = known
            return
    prompt = Prompt(answer, event.span_id, None, identity, template, "human")
    prompt.ended = prompt.started
    keep(answer, prompt)
    span.prompt = prompt


@guarded("llamaindex.model_start")
def _model_start(event: Any) -> None:
    key = event.span_id
    span = spans.get(key)
    if span is not None:
        if span.calling:
            return  # A chat that completes, an asynchronous call that calls the other: one call.
        span = own(key, span)
        span.calling = True
        answer: Answer | Skipped = span.answer
    else:
        answer = runtime.enter("llama-index")
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
    keep(answer, call)
    if len(open_calls) >= runtime.MAX_OPEN:
        sweep()
    open_calls[key] = call


def _system(answer: Answer, event: Any) -> Prompt | None:
    """Agents and chat engines render no template."""
    messages = held(event, "messages")
    first = messages[0] if messages else None
    role = getattr(first, "role", None)
    content = getattr(first, "content", None)
    if getattr(role, "value", role) != "system" or not isinstance(content, str):
        return None
    return system_prompt(answer, None, None, content)


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
        raw = held(response, "raw")
        call.usage = _usage(raw, held(response, "additional_kwargs"))
        if raw is not None:
            served = part(raw, "model") or part(raw, "model_version")
            call.served = served if isinstance(served, str) else None
        text = said(held(response, "message") or response)
        if text is not None and isinstance(call.answer, Answer):
            call.answer.text = text
    runtime.ended(call)


def _usage(raw: Any, extra: Any) -> dict[str, int] | None:
    usage = (part(raw, "usage") or part(raw, "usage_metadata")) if raw is not None else None
    if usage is None and isinstance(extra, dict):
        usage = extra
    return (tokens(usage) or None) if usage else None


EVENTS: Final[dict[str, Callable[[Any], Any]]] = {
    "LLMPredictStartEvent": _prompt,
    "LLMStructuredPredictStartEvent": _prompt,
    "LLMChatStartEvent": _model_start,
    "LLMCompletionStartEvent": _model_start,
    "LLMChatEndEvent": _model_end,
    "LLMCompletionEndEvent": _model_end,
}
"""By the class of an event; those of every token are not among them."""
