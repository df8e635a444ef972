"""Rows of the answer store from recorded objects and back: ``dump_*`` and ``load_*`` side by side.

``load_*`` reads what every release has written. ``dump_*`` defines what a row looks like; the hooks write the same
rows with a faster encoder of their own, which the tests compare with ``dump_*``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from datahub_llmops.answer_store.keys import FACTS, AnswerKey, ModelKey, RetrievalKey, WritesKey
from datahub_llmops.answer_store.queries import AnswerRow, Kind, WriteRow
from datahub_llmops.answer_store.recorded import (
    Chunk,
    Identities,
    ModelCall,
    Raw,
    RecordedAnswer,
    RecordedWrites,
    Retrieval,
    ToolCall,
)

Intern: TypeAlias = Callable[[Kind, Raw], int]
"""Gives the number of an identity, as ``Store.intern`` does."""


def dump_answer(answer: RecordedAnswer, intern: Intern, *, query_digest: str | None = None) -> AnswerRow:
    """Build the row of an answer. The digest of the query is written only; nothing reads it from the body."""
    body = _present(
        {
            AnswerKey.FRAMEWORK_VERSION: answer.framework_version,
            AnswerKey.ROOT: answer.root,
            AnswerKey.VERSION: answer.version,
            AnswerKey.ERROR: answer.error,
            AnswerKey.PARTS_CUT: answer.parts_cut or None,
            AnswerKey.WEIGHT: answer.weight if answer.weight != 1.0 else None,
            AnswerKey.RETRIEVALS: [_dump_retrieval(one, intern) for one in answer.retrievals] or None,
            AnswerKey.PROMPTS: [intern("prompt", raw) for raw in answer.prompts] or None,
            AnswerKey.MODELS: [_dump_model(one, intern) for one in answer.models] or None,
            AnswerKey.TOOLS: [_dump_tool(one, intern) for one in answer.tools] or None,
            AnswerKey.QUERY_DIGEST: query_digest,
            AnswerKey.QUERY_TEXT: answer.query_text,
            AnswerKey.ANSWER_TEXT: answer.answer_text,
        }
    )
    body = {AnswerKey.FRAMEWORK: answer.framework, AnswerKey.HOST: answer.host, **body}
    application = intern("application", {"name": answer.application})
    return AnswerRow(0, answer.id, answer.ended, application, answer.status, body)


def load_answer(row: AnswerRow, identities: Identities) -> RecordedAnswer:
    """Read an answer, with identities in place of their numbers."""
    body = row.body
    return RecordedAnswer(
        id=row.id,
        application=_application(row.application, identities),
        version=body.get(AnswerKey.VERSION),
        framework=body.get(AnswerKey.FRAMEWORK),
        framework_version=body.get(AnswerKey.FRAMEWORK_VERSION),
        root=body.get(AnswerKey.ROOT),
        host=body.get(AnswerKey.HOST),
        started=row.started,
        ended=row.ended,
        status=row.status,
        error=body.get(AnswerKey.ERROR),
        weight=float(body.get(AnswerKey.WEIGHT, 1.0)),
        retrievals=tuple(_load_retrieval(one, identities) for one in body.get(AnswerKey.RETRIEVALS, ())),
        prompts=tuple(identities[number] for number in body.get(AnswerKey.PROMPTS, ())),
        models=tuple(_load_model(one, identities) for one in body.get(AnswerKey.MODELS, ())),
        tools=tuple(_load_tool(one, identities) for one in body.get(AnswerKey.TOOLS, ())),
        parts_cut=body.get(AnswerKey.PARTS_CUT, 0),
        query_text=body.get(AnswerKey.QUERY_TEXT),
        answer_text=body.get(AnswerKey.ANSWER_TEXT),
    )


def _dump_retrieval(one: Retrieval, intern: Intern) -> dict[str, Any]:
    return {
        RetrievalKey.MILLISECONDS: one.milliseconds,
        RetrievalKey.RETRIEVER: intern("retriever", one.retriever),
        **_present(
            {
                RetrievalKey.INDEX: _number("index", one.index, intern),
                RetrievalKey.EMBEDDING: _number("embedding", one.embedding, intern),
                RetrievalKey.COMPOSITE: 1 if one.composite else None,
                RetrievalKey.WITHIN: one.within,
                RetrievalKey.STATUS: one.status if one.status != "ok" else None,
                RetrievalKey.CHUNKS: [_dump_chunk(chunk, intern) for chunk in one.chunks] or None,
                RetrievalKey.CHUNKS_CUT: one.chunks_cut or None,
            }
        ),
    }


def _load_retrieval(one: Mapping[str, Any], identities: Identities) -> Retrieval:
    index = one.get(RetrievalKey.INDEX)
    return Retrieval(
        retriever=identities[one[RetrievalKey.RETRIEVER]],
        index=identities.get(index),
        index_number=index,
        embedding=identities.get(one.get(RetrievalKey.EMBEDDING)),
        chunks=tuple(_load_chunk(chunk, identities) for chunk in one.get(RetrievalKey.CHUNKS, ())),
        milliseconds=one.get(RetrievalKey.MILLISECONDS),
        status=one.get(RetrievalKey.STATUS, "ok"),
        composite=bool(one.get(RetrievalKey.COMPOSITE)),
        within=one.get(RetrievalKey.WITHIN),
        chunks_cut=one.get(RetrievalKey.CHUNKS_CUT, 0),
    )


def _dump_chunk(chunk: Chunk, intern: Intern) -> list[Any]:
    source = _number("source", chunk.source, intern)
    row = [chunk.id, chunk.score, source, chunk.key, chunk.run, dict(chunk.place) or None]
    while len(row) > 1 and row[-1] is None:
        row.pop()
    return row


def _load_chunk(row: Sequence[Any], identities: Identities) -> Chunk:
    name, score, source, key, run, place = (*row, None, None, None, None, None, None)[:6]
    return Chunk(id=name, score=score, source=identities.get(source), key=key, run=run, place=place or {})


def _dump_model(one: ModelCall, intern: Intern) -> dict[str, Any]:
    return {
        ModelKey.MILLISECONDS: one.milliseconds,
        ModelKey.ASKED: intern("model", one.asked),
        **_present(
            {
                ModelKey.SERVED: _number("model", one.served, intern),
                ModelKey.PROMPT: one.prompt,
                ModelKey.CACHED: 1 if one.cached else None,
                ModelKey.TOKENS_IN: one.tokens_in,
                ModelKey.TOKENS_OUT: one.tokens_out,
                ModelKey.TOKENS_CACHED: one.tokens_cached,
                ModelKey.TOKENS_CACHE_WRITE: one.tokens_cache_write,
                ModelKey.TOKENS_REASONING: one.tokens_reasoning,
                ModelKey.STATUS: one.status if one.status != "ok" else None,
                ModelKey.ERROR: one.error,
            }
        ),
    }


def _load_model(one: Mapping[str, Any], identities: Identities) -> ModelCall:
    return ModelCall(
        asked=identities[one[ModelKey.ASKED]],
        served=identities.get(one.get(ModelKey.SERVED)),
        prompt=one.get(ModelKey.PROMPT),
        milliseconds=one.get(ModelKey.MILLISECONDS),
        status=one.get(ModelKey.STATUS, "ok"),
        error=one.get(ModelKey.ERROR),
        cached=bool(one.get(ModelKey.CACHED)),
        tokens_in=one.get(ModelKey.TOKENS_IN),
        tokens_out=one.get(ModelKey.TOKENS_OUT),
        tokens_cached=one.get(ModelKey.TOKENS_CACHED),
        tokens_cache_write=one.get(ModelKey.TOKENS_CACHE_WRITE),
        tokens_reasoning=one.get(ModelKey.TOKENS_REASONING),
    )


def _dump_tool(one: ToolCall, intern: Intern) -> list[Any]:
    return [intern("tool", {"name": one.name}), one.milliseconds, one.status]


def _load_tool(row: Sequence[Any], identities: Identities) -> ToolCall:
    number, milliseconds, status = row
    return ToolCall(
        name=str(identities[number].get("name", "tool")), milliseconds=milliseconds, status=status
    )


def dump_writes(writes: RecordedWrites, intern: Intern) -> WriteRow:
    """Build the row of a run of writes. Sources beyond the bound are counted as unknown."""
    body = _present(
        {
            WritesKey.HOST: writes.host,
            WritesKey.JOB: writes.job,
            WritesKey.FLOW: writes.flow,
            WritesKey.ORCHESTRATOR: writes.orchestrator,
            **writes.facts,
            WritesKey.SPLITTER: writes.splitter,
            WritesKey.EMBEDDING: _number("embedding", writes.embedding, intern),
            WritesKey.SOURCES: {str(intern("source", raw)): count for raw, count in writes.sources} or None,
            WritesKey.SOURCES_UNKNOWN: writes.sources_unknown or None,
            WritesKey.ERROR: writes.error,
        }
    )
    body = {WritesKey.FRAMEWORK: writes.framework, WritesKey.COUNTS: dict(writes.counts), **body}
    application = intern("application", {"name": writes.application})
    target = intern("index", writes.index)
    return WriteRow(0, writes.run, writes.started, writes.ended, application, target, body)


def load_writes(row: WriteRow, identities: Identities) -> RecordedWrites:
    """Read a run of writes, with identities in place of their numbers."""
    body = row.body
    sources = body.get(WritesKey.SOURCES, {})
    return RecordedWrites(
        run=row.run,
        application=_application(row.application, identities),
        index=identities[row.target],
        index_number=row.target,
        embedding=identities.get(body.get(WritesKey.EMBEDDING)),
        started=row.started,
        ended=row.ended,
        framework=body.get(WritesKey.FRAMEWORK, "langchain"),
        host=body.get(WritesKey.HOST),
        job=body.get(WritesKey.JOB),
        flow=body.get(WritesKey.FLOW),
        orchestrator=body.get(WritesKey.ORCHESTRATOR),
        counts=body.get(WritesKey.COUNTS, {}),
        sources=tuple((identities[int(number)], count) for number, count in sources.items()),
        sources_unknown=body.get(WritesKey.SOURCES_UNKNOWN, 0) + body.get(WritesKey.SOURCES_CUT, 0),
        splitter=body.get(WritesKey.SPLITTER),
        facts={key: body[key] for key in FACTS if key in body},
        error=body.get(WritesKey.ERROR),
    )


def _application(number: int, identities: Identities) -> str:
    # The identity of an application that has not run for long is pruned.
    return str(identities[number].get("name", "application"))


def _number(kind: Kind, raw: Raw | None, intern: Intern) -> int | None:
    return None if raw is None else intern(kind, raw)


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
