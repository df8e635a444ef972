"""Puts the answers of applications together from the spans of one trace.

An answer is the topmost span of one application that has to do with a language model, with everything below it. Several
tracers report one inference: the framework's, the SDK's, the gateway's. Only the innermost span of them is a call of a
model. Nothing here raises for odd spans, and nothing depends on their order.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from datahub_llmops.answer_store.recorded import Raw, RecordedAnswer, Retrieval, ToolCall
from datahub_llmops.answer_store.values import LAST_MOMENT
from datahub_llmops.assets import span_names
from datahub_llmops.hooks.names import clean_name
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans import databases, models, prompts, retrievals, tree
from datahub_llmops.spans.kinds import Kind, kind_of
from datahub_llmops.spans.span import Span
from datahub_llmops.spans.status import milliseconds, status_of

_BEGINS: Final = frozenset(
    {
        Kind.LLM,
        Kind.CHAIN,
        Kind.AGENT,
        Kind.RETRIEVER,
        Kind.RERANKER,
        Kind.GUARDRAIL,
        Kind.EVALUATOR,
        Kind.PROMPT,
    }
)
"""Kinds of spans that an answer can begin with."""
_HEX: Final = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembleOptions:
    """``application`` is the attribute that names the application, of the process or of a span."""

    application: str = "service.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """The answers of one trace by their start, and what was odd about its spans."""

    answers: tuple[RecordedAnswer, ...]
    orphans: int = 0
    """Spans whose parent is not there."""
    duplicates: int = 0
    """Spans left out because another one has the same id."""
    cycles: int = 0
    """Rings of parents, each cut above its earliest span."""
    unnamed: int = 0
    """Answers left out because nothing names their application."""
    judged: int = 0
    """Evaluations by a model, which are no answers."""
    indexing: int = 0
    """Work without a language model and without a retrieval: no answers."""


class _Draft:
    """One answer while its spans are read."""

    __slots__ = ("above", "inferences", "judge", "prompts", "retrievals", "stamps", "tools", "top")

    def __init__(self, top: int, above: _Above, *, judge: bool) -> None:
        self.top = top
        self.above = above
        self.judge = judge
        self.inferences: list[tuple[int, Raw | None]] = []
        self.prompts: list[Raw] = []
        self.retrievals: list[_Search] = []
        self.tools: list[ToolCall] = []
        self.stamps: list[Span] = []


class _Search:
    """One retrieval while its spans are read."""

    __slots__ = ("composite", "database", "embedding", "place", "within")

    def __init__(self, place: int, within: _Search | None) -> None:
        self.place = place
        self.within = within
        self.composite = False
        self.database: Raw | None = None
        self.embedding: Raw | None = None


@dataclass(slots=True)
class _Above:
    """What holds below a span. Spans that change nothing share the object of their parent."""

    drafts: tuple[tuple[object, _Draft], ...] = ()
    """By service: the answer that a span of it belongs to."""
    inference: int = -1
    """The inference around it."""
    search: _Search | None = None
    prompt: Raw | None = None
    stamps: tuple[Span, ...] = field(default=())


def assemble(spans: Sequence[Span], options: AssembleOptions) -> Assembled:
    """Assemble the answers in all spans of one trace."""
    found = tree.build(spans)
    kept, parents = found.spans, found.parents
    above: list[_Above] = [_NOTHING] * len(kept)
    inner = [False] * len(kept)
    drafts: list[_Draft] = []
    for place in found.order:
        span, parent = kept[place], parents[place]
        state = above[parent] if parent >= 0 else _NOTHING
        above[place] = _enter(place, span, state, inner, drafts)
    return _finish(found, drafts, inner, options)


_NOTHING: Final = _Above()


def _enter(place: int, span: Span, state: _Above, inner: list[bool], drafts: list[_Draft]) -> _Above:
    kind = kind_of(span)
    prompt = prompts.read_prompt(span.attributes)
    service = id(span.resource)
    draft = next((one for key, one in state.drafts if key == service), None)
    if draft is None and kind is not Kind.OTHER and state.inference >= 0:
        draft = state.drafts[-1][1]
    changed = _Above(state.drafts, state.inference, state.search, prompt or state.prompt, state.stamps)
    if draft is None and kind in _BEGINS:
        draft = _Draft(place, state, judge=kind is Kind.EVALUATOR)
        drafts.append(draft)
        changed.drafts = (*state.drafts, (service, draft))
    if draft is None:
        return changed if prompt is not None else state
    if kind is Kind.LLM:
        if state.inference >= 0:
            inner[state.inference] = True
        changed.inference = place
        draft.inferences.append((place, changed.prompt))
    elif kind is Kind.RETRIEVER:
        search = _Search(place, state.search)
        if state.search is not None:
            state.search.composite = True
        draft.retrievals.append(search)
        changed.search = search
    elif kind is Kind.TOOL:
        name = names.first(span.attributes, names.TOOL)
        draft.tools.append(
            ToolCall(
                name=str(name or span.name)[:200], milliseconds=milliseconds(span), status=status_of(span)[0]
            )
        )
    elif kind is Kind.EMBEDDING and state.search is not None:
        state.search.embedding = models.read_embedding(span)
    elif kind is Kind.DATABASE and state.search is not None:
        state.search.database = databases.read_index(span) or state.search.database
    if span_names.ANSWER_ID in span.attributes:
        draft.stamps.append(span)
    return changed


def _finish(
    found: tree.Tree, drafts: Sequence[_Draft], inner: Sequence[bool], options: AssembleOptions
) -> Assembled:
    answers = []
    unnamed = judged = indexing = 0
    for draft in drafts:
        if draft.judge:
            judged += 1
            continue
        if not draft.inferences and not draft.retrievals:
            indexing += 1
            continue
        answer = _answer(found, draft, inner, options)
        if answer is None:
            unnamed += 1
        else:
            answers.append(answer)
    return Assembled(
        answers=tuple(answers),
        orphans=found.orphans,
        duplicates=found.duplicates,
        cycles=found.cycles,
        unnamed=unnamed,
        judged=judged,
        indexing=indexing,
    )


def _answer(
    found: tree.Tree, draft: _Draft, inner: Sequence[bool], options: AssembleOptions
) -> RecordedAnswer | None:
    top = found.spans[draft.top]
    stamped: dict[str, Any] = {}
    for one in draft.stamps[:1]:
        stamped.update(one.attributes)
    application = _application(top, stamped, options)
    if application is None:
        return None
    used: list[Raw] = []
    calls = []
    for place, prompt in draft.inferences:
        if inner[place]:
            continue
        number = None
        if prompt is not None:
            if prompt not in used:
                used.append(prompt)
            number = used.index(prompt)
        calls.append(models.read_model(found.spans[place], number))
    status, error = status_of(top)
    host = stamped.get(span_names.HOST) or names.first(top.resource, names.HOST)
    return RecordedAnswer(
        id=str(stamped.get(span_names.ANSWER_ID) or _answer_id(top)),
        application=application,
        version=clean_name(names.first(top.resource, names.SERVICE_VERSION)),
        framework=framework_of(top.scope),
        framework_version=None,
        root=top.name[:200],
        host=clean_name(host),
        started=top.started,
        ended=max(top.ended, top.started),
        status="unfinished" if status == "open" else status,
        error=error,
        weight=top.weight,
        retrievals=tuple(_retrieval(found, one, draft.retrievals) for one in draft.retrievals),
        prompts=tuple(used),
        models=tuple(calls),
        tools=tuple(draft.tools),
        recorded_on=str(stamped[span_names.HOST])
        if stamped.get(span_names.RECORDED) and stamped.get(span_names.HOST)
        else None,
    )


def _retrieval(found: tree.Tree, search: _Search, searches: Sequence[_Search]) -> Retrieval:
    span = found.spans[search.place]
    chunks, cut = retrievals.read_chunks(span.attributes)
    index = None if search.composite else _index(span, search)
    return Retrieval(
        retriever=retrievals.retriever_raw(span.name),
        index=index,
        index_number=None,
        embedding=search.embedding,
        chunks=chunks,
        milliseconds=milliseconds(span),
        status=status_of(span)[0],
        composite=search.composite,
        within=searches.index(search.within) if search.within in searches else None,
        chunks_cut=cut,
    )


def _index(span: Span, search: _Search) -> Raw:
    stamped = span.attributes.get(span_names.INDEX)
    if isinstance(stamped, list) and len(stamped) == 1:
        return {"urn": stamped[0], "seen_by": "attribute"}
    source = names.first(span.attributes, names.DATA_SOURCE)
    if isinstance(source, str):
        return retrievals.data_source_raw(source)
    if search.database is not None:
        return search.database
    store = names.first(span.attributes, names.STORE_CLASS)
    service = names.first(span.resource, names.SERVICE)
    return retrievals.class_raw(
        store if isinstance(store, str) else None, service if isinstance(service, str) else None
    )


def _application(top: Span, stamped: dict[str, Any], options: AssembleOptions) -> str | None:
    for value in (
        stamped.get(span_names.APPLICATION),
        top.attributes.get(options.application),
        top.resource.get(options.application),
        names.first(top.attributes, names.APPLICATION),
    ):
        name = clean_name(value)
        if name is not None and not name.startswith("unknown_service"):
            return name
    return None


@functools.lru_cache(1_000)
def framework_of(scope: str) -> str | None:
    """Return the framework that an instrumentation is for, or ``None`` if it is for none that is known.

    >>> framework_of("openinference.instrumentation.llama_index"), framework_of("opentelemetry.instrumentation.qdrant")
    ('llama-index', None)
    """
    lower = scope.lower().replace("_", "").replace("-", "").replace(".", "")
    if "langchain" in lower or "langgraph" in lower:
        return "langchain"
    return "llama-index" if "llamaindex" in lower else None


def _answer_id(top: Span) -> str:
    """Return an id that begins with the time, as those of the hooks do, and ends with that of the span."""
    start = int(min(max(0.0, top.started), LAST_MOMENT) * 1000)
    end = top.id
    if not _HEX.fullmatch(end):
        end = hashlib.blake2b(f"{top.trace}:{top.id}".encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"{start:012x}{end}"
