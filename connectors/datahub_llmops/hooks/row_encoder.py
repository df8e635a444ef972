"""Writes what the hooks saw as rows of the answer store, on the recorder's thread.

The rows are those that ``answer_store.format`` dumps, and the tests compare both. An answer becomes JSON piece by piece
here, because building it as dictionaries first takes twice the time, during which the application's threads wait for
the interpreter.
"""

from __future__ import annotations

import functools
import json
import math
import socket
from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from numbers import Real
from typing import Any, Final

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.keys import AnswerKey, ModelKey, RetrievalKey
from datahub_llmops.hooks import chunk_sources, runtime
from datahub_llmops.hooks.identity_numbers import CHUNK_KEYS, IdentityNumbers
from datahub_llmops.hooks.identity_text import MAX_ID
from datahub_llmops.hooks.parts import Answer, ModelCall, Part, Prompt, Retrieval, ToolCall, text_of
from datahub_llmops.hooks.prompt_identity import MAX_TEXT
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.write_events import WriteEvent
from datahub_llmops.hooks.write_rows import WriteRows

MAX_CHUNKS: Final = 200
_quote: Final = json.encoder.encode_basestring_ascii
_dump: Final = json.JSONEncoder(separators=(",", ":")).encode


def _member(key: str) -> str:
    return f',"{key}":'


# The text before each value. The first member of an object has no comma.
_RETRIEVALS: Final = _member(AnswerKey.RETRIEVALS)
_PROMPTS: Final = _member(AnswerKey.PROMPTS)
_MODELS: Final = _member(AnswerKey.MODELS)
_TOOLS: Final = _member(AnswerKey.TOOLS)
_QUERY_DIGEST: Final = _member(AnswerKey.QUERY_DIGEST)
_QUERY_TEXT: Final = _member(AnswerKey.QUERY_TEXT)
_ANSWER_TEXT: Final = _member(AnswerKey.ANSWER_TEXT)
_RETRIEVAL: Final = "{" + _member(RetrievalKey.MILLISECONDS)[1:]
_RETRIEVER: Final = _member(RetrievalKey.RETRIEVER)
_INDEX: Final = _member(RetrievalKey.INDEX)
_EMBEDDING: Final = _member(RetrievalKey.EMBEDDING)
_COMPOSITE: Final = _member(RetrievalKey.COMPOSITE) + "1"
_WITHIN: Final = _member(RetrievalKey.WITHIN)
_RETRIEVAL_STATUS: Final = _member(RetrievalKey.STATUS)
_CHUNKS: Final = _member(RetrievalKey.CHUNKS)
_CHUNKS_CUT: Final = _member(RetrievalKey.CHUNKS_CUT)
_MODEL: Final = "{" + _member(ModelKey.MILLISECONDS)[1:]
_ASKED: Final = _member(ModelKey.ASKED)
_SERVED: Final = _member(ModelKey.SERVED)
_PROMPT: Final = _member(ModelKey.PROMPT)
_CACHED: Final = _member(ModelKey.CACHED) + "1"
_FINGERPRINT: Final = _member(ModelKey.FINGERPRINT)
_MODEL_STATUS: Final = _member(ModelKey.STATUS)
_MODEL_ERROR: Final = _member(ModelKey.ERROR)


class Encoder:
    """Writes answers and write events with one HMAC key, and remembers the identities that the store has numbered."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._host = socket.gethostname()
        self._hex_digest = functools.partial(_hex_digest, secret)
        self._numbers = IdentityNumbers(self._hex_digest)
        self._writes = WriteRows(secret, self._numbers)

    def write_event(self, store: Store, event: WriteEvent, settings: Settings) -> None:
        """Add a write event to the row of its run."""
        self._writes.write_event(store, event, settings)

    def write_answer(self, store: Store, answer: Answer, settings: Settings) -> None:
        """Write an answer in its present state. A late part writes it again."""
        self._numbers.forget_stale(store)
        retrievals: list[Retrieval] = []
        prompts: list[Prompt] = []
        models: list[ModelCall] = []
        tools: list[ToolCall] = []
        kinds: dict[type, list[Any]] = {
            Retrieval: retrievals,
            Prompt: prompts,
            ModelCall: models,
            ToolCall: tools,
        }
        for part in list(answer.parts):
            kinds[type(part)].append(part)
        body = [
            _encode_head(
                answer.framework,
                self._host,
                answer.root,
                answer.version,
                answer.error,
                answer.cut,
                answer.weight,
            )
        ]
        if retrievals:
            rows = [self._encode_retrieval(store, one, retrievals, settings) for one in retrievals]
            body.append(f"{_RETRIEVALS}[{','.join(rows)}]")
        if prompts:
            rows = [str(self._numbers.of_prompt(store, one, settings)) for one in prompts]
            body.append(f"{_PROMPTS}[{','.join(rows)}]")
        if models:
            rows = [self._encode_model(store, one, prompts) for one in models]
            body.append(f"{_MODELS}[{','.join(rows)}]")
        if tools:
            rows = [self._encode_tool(store, one) for one in tools]
            body.append(f"{_TOOLS}[{','.join(rows)}]")
        text_digests = self._add_texts(answer, body, settings)
        store.put_answer(
            answer.id,
            answer.ended or answer.started,
            self._numbers.of_name(store, "application", answer.application),
            answer.status,
            f"{{{''.join(body)}}}",
            text_digests,
        )

    def _add_texts(self, answer: Answer, body: list[str], settings: Settings) -> tuple[bytes, ...]:
        query, text = text_of(answer.query), text_of(answer.text)
        if query is not None:
            body.append(f'{_QUERY_DIGEST}"{self._hex_digest(query)}"')
            if settings.capture_text:
                body.append(_QUERY_TEXT + _quote(query[:MAX_TEXT]))
        if text is None:
            return ()
        if settings.capture_text:
            body.append(_ANSWER_TEXT + _quote(text[:MAX_TEXT]))
        return (digests.digest(self._secret, text),)

    def _encode_retrieval(
        self, store: Store, one: Retrieval, retrievals: list[Retrieval], settings: Settings
    ) -> str:
        retriever = self._numbers.of_description(store, "retriever", one.retriever, one.facts)
        row = f"{_RETRIEVAL}{_milliseconds(one)}{_RETRIEVER}{retriever}"
        if one.index:
            row += f"{_INDEX}{self._numbers.of_description(store, 'index', one.index)}"
        if one.embedding:
            row += f"{_EMBEDDING}{self._numbers.of_description(store, 'embedding', one.embedding)}"
        if one.composite:
            row += _COMPOSITE
        if one.within is not None and one.within in retrievals:
            row += f"{_WITHIN}{retrievals.index(one.within)}"
        if one.status != "ok" or one.ended is None:
            row += _RETRIEVAL_STATUS + _quote(_status(one))
        if one.chunks:
            chunks = chunk_sources.read_chunks(one.chunks)
            rows = [self._encode_chunk(store, *chunk, settings) for chunk in islice(chunks, MAX_CHUNKS)]
            row += f"{_CHUNKS}[{','.join(rows)}]"
            cut = sum(1 for _ in chunks)
            if cut:
                row += f"{_CHUNKS_CUT}{cut}"
        return row + "}"

    def _encode_chunk(
        self,
        store: Store,
        chunk_id: object,
        score: object,
        text: object,
        picked: Mapping[str, Any],
        settings: Settings,
    ) -> str:
        if type(chunk_id) is not str:
            known = chunk_sources.read_scalar(chunk_id)
            chunk_id = None if known is None else str(known)
        if chunk_id:
            row = _quote(str(chunk_id)[:MAX_ID])
        else:
            row = f'"{digests.HMAC_PREFIX}{self._hex_digest(text)}"' if isinstance(text, str) else "null"
        if picked:
            return f"[{row},{_score(score)},{self._encode_origin(store, picked, settings)}]"
        return f"[{row}]" if score is None else f"[{row},{_score(score)}]"

    def _encode_origin(self, store: Store, picked: Mapping[str, Any], settings: Settings) -> str:
        """Encode the source of a chunk, then what only this chunk has: row key, run, page."""
        source = self._numbers.of_source(store, picked, settings)
        number = "null" if source is None else str(source)
        if CHUNK_KEYS.isdisjoint(picked):
            return number
        row: list[Any] = [
            chunk_sources.row_key(picked, self._hex_digest, settings.source_keys),
            None if (run := picked.get("dh_embed_run")) is None else str(run)[:MAX_ID],
            {key: picked[key] for key in ("page", "row") if isinstance(picked.get(key), int)} or None,
        ]
        return f"{number},{_dump(row)[1:-1]}"

    def _encode_model(self, store: Store, one: ModelCall, prompts: list[Prompt]) -> str:
        row = f"{_MODEL}{_milliseconds(one)}{_ASKED}{self._numbers.of_model(store, one.provider, one.asked)}"
        if one.served and one.served != one.asked:
            row += f"{_SERVED}{self._numbers.of_model(store, one.provider, one.served)}"
        if one.fingerprint is not None:
            row += _FINGERPRINT + _quote(one.fingerprint)
        if one.prompt is not None and one.prompt in prompts:
            row += f"{_PROMPT}{prompts.index(one.prompt)}"
        if one.cached:
            row += _CACHED
        elif one.usage:
            for key, value in one.usage.items():
                row += f',"{key}":{value:d}'
        if one.status != "ok" or one.ended is None:
            row += _MODEL_STATUS + _quote(_status(one))
            if one.error:
                row += _MODEL_ERROR + _quote(one.error)
        return row + "}"

    def _encode_tool(self, store: Store, one: ToolCall) -> str:
        number = self._numbers.of_name(store, "tool", one.name[:MAX_ID])
        return f"[{number},{_milliseconds(one)},{_quote(_status(one))}]"


def _hex_digest(secret: bytes, text: str) -> str:
    return digests.digest(secret, text).hex()


@functools.lru_cache(1_000)
def _encode_head(
    framework: str | None,
    host: str,
    root: str | None,
    version: str | None,
    error: str | None,
    cut: int,
    weight: float,
) -> str:
    """Encode the members that most answers of an application have in common."""
    head: dict[str, Any] = {AnswerKey.FRAMEWORK: framework, AnswerKey.HOST: host}
    for key, value in (
        (AnswerKey.FRAMEWORK_VERSION, runtime.framework_version(framework)),
        (AnswerKey.ROOT, root),
        (AnswerKey.VERSION, version),
        (AnswerKey.ERROR, error),
        (AnswerKey.PARTS_CUT, cut),
        (AnswerKey.WEIGHT, weight if weight != 1.0 else None),
    ):
        if value:
            head[key] = value
    return _dump(head)[1:-1]


def _score(score: object) -> str:
    # Only of real numbers (NumPy's are registered as such): ``__float__`` of anything else may do anything.
    if not isinstance(score, (int, float, Real, Decimal)):
        return "null"
    try:
        value = round(float(score), 6)
    except (ValueError, OverflowError):
        return "null"
    return repr(value) if math.isfinite(value) else "null"


def _milliseconds(part: Part) -> str:
    return "null" if part.ended is None else str(max(0, round((part.ended - part.started) * 1000)))


def _status(part: Any) -> str:
    return "open" if part.ended is None and part.status == "ok" else str(part.status)
