"""Rows of the answer store from recorded objects and back: ``dump_*`` and ``load_*`` side by side.

``load_*`` reads what every release has written. ``dump_*`` defines what a row looks like; the hooks write the same
rows with a faster encoder of their own, which the tests compare with ``dump_*``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from datahub_llmops.answer_store import values
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
from datahub_llmops.errors import RecordError

_PartT = TypeVar("_PartT")

Intern: TypeAlias = Callable[[Kind, Raw], int]
"""Gives the number of an identity, as ``Store.intern`` does."""

TEXT_KEYS: Final = frozenset((AnswerKey.QUERY_TEXT, AnswerKey.ANSWER_TEXT))
"""Keys of the texts in an answer's body."""


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
    """Read an answer, with identities in place of their numbers.

    Raises:
        RecordError: the row cannot be understood.
    """
    _check(row.fault)
    body = row.body
    return RecordedAnswer(
        id=values.name(row.id),
        application=_application(row.application, identities),
        version=values.optional_name(body.get(AnswerKey.VERSION)),
        framework=values.optional_name(body.get(AnswerKey.FRAMEWORK)),
        framework_version=values.optional_name(body.get(AnswerKey.FRAMEWORK_VERSION)),
        root=values.optional_name(body.get(AnswerKey.ROOT)),
        host=values.optional_name(body.get(AnswerKey.HOST)),
        started=row.started,
        ended=values.moment(row.ended),
        status=values.name(row.status),
        error=values.optional_name(body.get(AnswerKey.ERROR)),
        weight=values.weight(body.get(AnswerKey.WEIGHT, 1.0)),
        retrievals=_load_all(_load_retrieval, body.get(AnswerKey.RETRIEVALS), identities),
        prompts=_load_all(_identity, body.get(AnswerKey.PROMPTS), identities),
        models=_load_all(_load_model, body.get(AnswerKey.MODELS), identities),
        tools=_load_all(_load_tool, body.get(AnswerKey.TOOLS), identities),
        parts_cut=values.count(body.get(AnswerKey.PARTS_CUT)),
        query_text=values.optional_text(body.get(AnswerKey.QUERY_TEXT)),
        answer_text=values.optional_text(body.get(AnswerKey.ANSWER_TEXT)),
    )


def _check(fault: str | None) -> None:
    if fault is not None:
        raise RecordError(fault)


def _load_all(
    load: Callable[[Any, Identities], _PartT], rows: object, identities: Identities
) -> tuple[_PartT, ...]:
    return tuple(load(one, identities) for one in values.items(rows))


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


def _load_retrieval(row: object, identities: Identities) -> Retrieval:
    one = values.fields(row)
    index = values.optional_count(one.get(RetrievalKey.INDEX))
    return Retrieval(
        retriever=_identity(one.get(RetrievalKey.RETRIEVER), identities),
        index=identities.get(index),
        index_number=index,
        embedding=identities.get(values.optional_count(one.get(RetrievalKey.EMBEDDING))),
        chunks=_load_all(_load_chunk, one.get(RetrievalKey.CHUNKS), identities),
        milliseconds=values.optional_count(one.get(RetrievalKey.MILLISECONDS)),
        status=values.optional_text(one.get(RetrievalKey.STATUS)) or "ok",
        composite=bool(one.get(RetrievalKey.COMPOSITE)),
        within=values.optional_count(one.get(RetrievalKey.WITHIN)),
        chunks_cut=values.count(one.get(RetrievalKey.CHUNKS_CUT)),
    )


def _identity(number: object, identities: Identities) -> Raw:
    found = values.optional_count(number)
    if found is None:
        raise RecordError("the number of an identity is missing")
    return identities[found]


def _dump_chunk(chunk: Chunk, intern: Intern) -> list[Any]:
    source = _number("source", chunk.source, intern)
    row = [chunk.id, chunk.score, source, chunk.key, chunk.run, dict(chunk.place) or None]
    while len(row) > 1 and row[-1] is None:
        row.pop()
    return row


def _load_chunk(row: object, identities: Identities) -> Chunk:
    name, score, source, key, run, place = (*values.items(row), None, None, None, None, None, None)[:6]
    return Chunk(
        id=values.optional_text(name),
        score=values.optional_number(score),
        source=identities.get(values.optional_count(source)),
        key=values.optional_text(key),
        run=values.optional_name(run),
        place=values.fields(place),
    )


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
                ModelKey.COST: one.cost,
                ModelKey.FINGERPRINT: one.fingerprint,
                ModelKey.STATUS: one.status if one.status != "ok" else None,
                ModelKey.ERROR: one.error,
            }
        ),
    }


def _load_model(row: object, identities: Identities) -> ModelCall:
    one = values.fields(row)
    return ModelCall(
        asked=_identity(one.get(ModelKey.ASKED), identities),
        served=identities.get(values.optional_count(one.get(ModelKey.SERVED))),
        prompt=values.optional_count(one.get(ModelKey.PROMPT)),
        milliseconds=values.optional_count(one.get(ModelKey.MILLISECONDS)),
        status=values.optional_text(one.get(ModelKey.STATUS)) or "ok",
        error=values.optional_name(one.get(ModelKey.ERROR)),
        cached=bool(one.get(ModelKey.CACHED)),
        tokens_in=values.optional_count(one.get(ModelKey.TOKENS_IN)),
        tokens_out=values.optional_count(one.get(ModelKey.TOKENS_OUT)),
        tokens_cached=values.optional_count(one.get(ModelKey.TOKENS_CACHED)),
        tokens_cache_write=values.optional_count(one.get(ModelKey.TOKENS_CACHE_WRITE)),
        tokens_reasoning=values.optional_count(one.get(ModelKey.TOKENS_REASONING)),
        cost=values.optional_number(one.get(ModelKey.COST)),
        fingerprint=values.optional_name(one.get(ModelKey.FINGERPRINT)),
    )


def _dump_tool(one: ToolCall, intern: Intern) -> list[Any]:
    return [intern("tool", {"name": one.name}), one.milliseconds, one.status]


def _load_tool(row: object, identities: Identities) -> ToolCall:
    number, milliseconds, status = (*values.items(row), None, None, None)[:3]
    return ToolCall(
        name=str(_identity(number, identities).get("name", "tool")),
        milliseconds=values.optional_count(milliseconds),
        status=values.name(status),
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
    """Read a run of writes, with identities in place of their numbers.

    Raises:
        RecordError: the row cannot be understood.
    """
    _check(row.fault)
    body = row.body
    splitter = body.get(WritesKey.SPLITTER)
    return RecordedWrites(
        run=row.run,
        application=_application(row.application, identities),
        index=_identity(row.target, identities),
        index_number=row.target,
        embedding=identities.get(values.optional_count(body.get(WritesKey.EMBEDDING))),
        started=values.moment(row.started),
        ended=values.moment(row.ended),
        framework=values.name(body.get(WritesKey.FRAMEWORK, "langchain")),
        host=values.optional_name(body.get(WritesKey.HOST)),
        job=values.optional_name(body.get(WritesKey.JOB)),
        flow=values.optional_name(body.get(WritesKey.FLOW)),
        orchestrator=values.optional_name(body.get(WritesKey.ORCHESTRATOR)),
        counts={key: values.count(one) for key, one in values.fields(body.get(WritesKey.COUNTS)).items()},
        sources=tuple(_load_sources(body, identities)),
        sources_unknown=values.count(body.get(WritesKey.SOURCES_UNKNOWN))
        + values.count(body.get(WritesKey.SOURCES_CUT)),
        splitter=None if splitter is None else values.mend(values.fields(splitter)),
        facts=values.mend({key: body[key] for key in FACTS if key in body}),
        error=values.optional_name(body.get(WritesKey.ERROR)),
    )


def _load_sources(body: Mapping[str, Any], identities: Identities) -> Iterator[tuple[Raw, int]]:
    for number, chunks in values.fields(body.get(WritesKey.SOURCES)).items():
        if not number.isdecimal() or not number.isascii():
            raise RecordError("the number of an identity is not a number")
        yield _identity(int(number[:20]), identities), values.count(chunks)


def _application(number: object, identities: Identities) -> str:
    # The identity of an application that has not run for long is pruned.
    return values.name(_identity(number, identities).get("name", "application"))


def _number(kind: Kind, raw: Raw | None, intern: Intern) -> int | None:
    return None if raw is None else intern(kind, raw)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value is not None}
