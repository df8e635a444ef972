"""What the hooks stored, as plain facts: an answer with its parts, a run of writes.

Raw identities are mappings as the hooks saw them (``platform``, ``host`` or ``path``, ``tenant``, ``database``,
``schema``, ``collection``, or ``urn``); ``instances`` turns them into URNs. ``llm-runs`` and ``explain`` read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.queries import AnswerRow, WriteRow
from datahub_llmops.assets.usage import Tokens

Raw: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk that a retrieval found. ``key`` is the row's key as the application was told to keep it."""

    id: str | None
    score: float | None = None
    source: Raw | None = None
    key: str | None = None
    run: str | None = None
    place: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """One search. ``within`` is the position of the composite retriever that made it; a composite is no read itself."""

    retriever: Raw
    index: Raw | None
    index_number: int | None
    embedding: Raw | None
    chunks: tuple[Chunk, ...]
    milliseconds: int | None
    status: str
    composite: bool = False
    within: int | None = None
    chunks_cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One call of a model. Tokens are as the provider reports them, else ``None``, as for a cache hit."""

    asked: Raw
    served: Raw | None
    prompt: int | None
    milliseconds: int | None
    status: str
    error: str | None
    cached: bool
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    tokens_cache_write: int | None = None
    tokens_reasoning: int | None = None

    @property
    def tokens(self) -> Tokens:
        """The same in the form that is added up."""
        return Tokens(
            input=self.tokens_in,
            cached=self.tokens_cached,
            cache_write=self.tokens_cache_write,
            output=self.tokens_out,
            reasoning=self.tokens_reasoning,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool."""

    name: str
    milliseconds: int | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswer:
    """One answer. Times in seconds since the epoch; ``weight`` is how many answers it stands for (sampling)."""

    id: str
    application: str
    version: str | None
    framework: str | None
    framework_version: str | None
    root: str | None
    host: str | None
    started: float
    ended: float
    status: str
    error: str | None
    weight: float
    retrievals: tuple[Retrieval, ...]
    prompts: tuple[Raw, ...]
    models: tuple[ModelCall, ...]
    tools: tuple[ToolCall, ...]
    parts_cut: int = 0
    query_text: str | None = None
    answer_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWrites:
    """What one run of a job wrote into one index; ``counts`` has added, deleted, updated, skipped, failed."""

    run: str
    application: str
    index: Raw
    index_number: int
    embedding: Raw | None
    started: float
    ended: float
    framework: str
    host: str | None
    job: str | None
    flow: str | None
    orchestrator: str | None
    counts: Mapping[str, int]
    sources: tuple[tuple[Raw, int], ...]
    sources_unknown: int
    splitter: Raw | None
    facts: Raw
    error: str | None


class Identities:
    """Identities of one store by number, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, Raw] = {}

    def __getitem__(self, number: int) -> Raw:
        found = self._known.get(number)
        if found is None:
            found = self._known[number] = self._store.identity(number)
        return found

    def maybe(self, number: int | None) -> Raw | None:
        """``None`` for ``None``."""
        return None if number is None else self[number]


def answer(row: AnswerRow, known: Identities) -> RecordedAnswer:
    """An answer with its identities in place of their numbers."""
    body = row.body
    return RecordedAnswer(
        id=row.id,
        application=str(known[row.application].get("name", "application")),
        version=body.get("v"),
        framework=body.get("f"),
        framework_version=body.get("fv"),
        root=body.get("o"),
        host=body.get("h"),
        started=row.started,
        ended=row.ended,
        status=row.status,
        error=body.get("e"),
        weight=float(body.get("w", 1.0)),
        retrievals=tuple(_retrieval(one, known) for one in body.get("r", ())),
        prompts=tuple(known[number] for number in body.get("p", ())),
        models=tuple(_model(one, known) for one in body.get("m", ())),
        tools=tuple(
            ToolCall(name=str(known[number].get("name", "tool")), milliseconds=spent, status=status)
            for number, spent, status in body.get("t", ())
        ),
        parts_cut=body.get("x", 0),
        query_text=body.get("qt"),
        answer_text=body.get("at"),
    )


def _retrieval(one: Mapping[str, Any], known: Identities) -> Retrieval:
    return Retrieval(
        retriever=known[one["t"]],
        index=known.maybe(one.get("x")),
        index_number=one.get("x"),
        embedding=known.maybe(one.get("e")),
        chunks=tuple(_chunk(chunk, known) for chunk in one.get("c", ())),
        milliseconds=one.get("ms"),
        status=one.get("s", "ok"),
        composite=bool(one.get("n")),
        within=one.get("p"),
        chunks_cut=one.get("cut", 0),
    )


def _chunk(row: list[Any], known: Identities) -> Chunk:
    name, score, source, key, run, place = (*row, None, None, None, None, None, None)[:6]
    return Chunk(id=name, score=score, source=known.maybe(source), key=key, run=run, place=place or {})


def _model(one: Mapping[str, Any], known: Identities) -> ModelCall:
    return ModelCall(
        asked=known[one["a"]],
        served=known.maybe(one.get("s")),
        prompt=one.get("p"),
        milliseconds=one.get("ms"),
        status=one.get("st", "ok"),
        error=one.get("er"),
        cached=bool(one.get("hit")),
        tokens_in=one.get("in"),
        tokens_out=one.get("out"),
        tokens_cached=one.get("cr"),
        tokens_cache_write=one.get("cw"),
        tokens_reasoning=one.get("rs"),
    )


def writes(row: WriteRow, known: Identities) -> RecordedWrites:
    """A run of writes with its identities in place of their numbers."""
    body = row.body
    return RecordedWrites(
        run=row.run,
        application=str(known[row.application].get("name", "application")),
        index=known[row.target],
        index_number=row.target,
        embedding=known.maybe(body.get("e")),
        started=row.started,
        ended=row.ended,
        framework=body.get("f", "langchain"),
        host=body.get("h"),
        job=body.get("job"),
        flow=body.get("flow"),
        orchestrator=body.get("orchestrator"),
        counts=body.get("n", {}),
        sources=tuple((known[int(number)], count) for number, count in body.get("s", {}).items()),
        sources_unknown=body.get("s0", 0) + body.get("sx", 0),
        splitter=body.get("splitter"),
        facts={key: body[key] for key in ("pipeline", "steps", "namespace", "loader") if key in body},
        error=body.get("er"),
    )
