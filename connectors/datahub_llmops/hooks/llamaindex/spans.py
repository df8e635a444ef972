"""LlamaIndex's open spans: which answer a span belongs to, and what it is a part of.

A span that is a mere node of the tree maps to the entry of its parent, until an event gives it an entry of its own.
"""

from __future__ import annotations

import functools
import time
from typing import Any, Final

from datahub_llmops.hooks import runtime
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.llamaindex import retrievals, texts
from datahub_llmops.hooks.parts import (
    SKIPPED,
    Answer,
    ModelCall,
    Part,
    Prompt,
    Retrieval,
    Skipped,
    ToolCall,
    add_part,
    get_fast,
)


class Span:
    """An open span or a stream: its answer, its part of it, and what inner spans need to know."""

    __slots__ = ("answer", "call", "key", "part", "prompt", "retrieval", "root", "started")

    def __init__(self, key: object, answer: Answer | Skipped, above: Span | None, *, root: bool) -> None:
        self.key = key
        self.answer = answer
        self.root = root
        self.started = time.time()
        self.retrieval: Retrieval | None = above.retrieval if above is not None else None
        self.prompt: Prompt | None = above.prompt if above is not None else None
        self.call: ModelCall | None = above.call if above is not None else None
        """The model call that runs here or in an enclosing span."""
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


@functools.cache
def _active_span_id() -> Any:
    """Return LlamaIndex's variable that holds the id of the current span."""
    for name in ("llama_index_instrumentation.span", "llama_index.core.instrumentation.span"):
        try:
            module = __import__(name, fromlist=["active_span_id"])
        except ImportError:
            continue
        found = getattr(module, "active_span_id", None)
        if found is not None:
            return found
    runtime.degraded[
        "llama-index: active_span_id (streams, and what LangChain does inside LlamaIndex, count as separate answers)"
    ] = 1
    return None


def current_span() -> Span | None:
    """Return the entry of the span or stream that this code runs in."""
    variable = _active_span_id()
    span = spans.get(variable.get() or "") if variable is not None else None
    stream: Span | None = runtime.read_stream.get()
    return stream if stream is not None and not is_inside(span, stream) else span


def is_inside(span: Span | None, stream: Span) -> bool:
    """Return whether a span was begun by what makes the tokens of a stream, and not around its reader."""
    return span is not None and span.answer is stream.answer


def find_enclosing() -> tuple[Answer | Skipped, Part | None] | None:
    """Return the answer that runs in this context, and the model call or retrieval around us, for LangChain."""
    span = current_span()
    return None if span is None else (span.answer, span.call or span.retrieval)


# What a span is, by the end of its id, Class.method-uuid

NAME: Final = -37
_RETRIEVES: Final = (".retrieve", ".aretrieve")
_TOOLS: Final = (".call", ".acall", ".__call__")
PARTS: Final = (*_RETRIEVES, *_TOOLS)


@guarded("llamaindex.span_enter")
def root_entered(id_: str, bound: Any, instance: Any) -> None:
    """Begin an answer, or a part of one that LlamaIndex knows nothing of, with a span that has no known parent."""
    if len(spans) >= runtime.MAX_OPEN:
        sweep()
    name = id_.rpartition("-")[0] if id_.count("-") < 5 else id_[:NAME]
    if _makes_no_answer(name):
        # An ingestion pipeline makes no answer; its writes are recorded at the store.
        spans[id_] = Span(id_, SKIPPED, None, root=True)
        return
    answer, root, within = runtime.enter_answer("llama-index")
    span = spans[id_] = Span(id_, answer, None, root=root)
    if type(within) is Retrieval:
        span.retrieval = within
    if not isinstance(answer, Answer):
        return
    if root:
        if answer.root is None:
            answer.root = name
        if answer.query is None:
            answer.query = texts.read_question(bound.arguments)
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
        span.retrieval = span.part = retrievals.begin(answer, instance, span.retrieval)
    elif get_fast(instance, "call") is not None and get_fast(instance, "metadata") is not None:
        span = own_span(id_, span)
        tool = getattr(instance.metadata, "name", None)
        span.part = ToolCall(answer, id_, tool if isinstance(tool, str) else "tool")
        add_part(answer, span.part)


def own_span(id_: str, span: Span) -> Span:
    """Give a span an entry of its own in place of that of its parent."""
    if span.key != id_:
        span = spans[id_] = Span(id_, span.answer, span, root=False)
    return span


@functools.lru_cache(256)
def _makes_no_answer(name: str) -> bool:
    # An embedding, a parser or a transformation run by itself is the work of an indexing job.
    if name.startswith(_WRITES_ONLY):
        return True
    kind, _, method = name.rpartition(".")
    return method in _NOT_AN_ANSWER or kind.endswith(("Embedding", "Splitter", "Parser", "Extractor"))


_WRITES_ONLY: Final = ("IngestionPipeline",)
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


@guarded("llamaindex.span_exit")
def exited(span: Span, result: Any) -> None:
    """End the part of a span, and the answer if the span is its root."""
    answer = span.answer
    if not isinstance(answer, Answer):
        return
    done = span.part
    if done is not None:
        if type(done) is Retrieval and isinstance(result, list):
            retrievals.take_nodes(done, result)
        runtime.end_part(done)
    if span.root:
        text = texts.read_answer(result)
        if text is not None:
            answer.text = text
        _end_root(answer)


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
    if span.root:
        _end_root(span.answer, status, name)


_ANSWERS: Final = (".query", ".aquery", ".chat", ".achat", ".stream_chat", ".astream_chat")


def _end_root(answer: Answer, status: str = "ok", error: str | None = None) -> None:
    """End an answer. A step that is called by itself, such as a postprocessor, does not count as an answer if it has no
    parts."""
    if answer.parts or answer.explicit or (answer.root or "").endswith(_ANSWERS):
        runtime.end_root(answer, status, error)
    else:
        answer.ended = time.time()
