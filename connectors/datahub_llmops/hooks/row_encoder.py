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
from datahub_llmops.answer_store.keys import AnswerKey, ModelKey, RetrievalKey, WritesKey
from datahub_llmops.answer_store.queries import Kind
from datahub_llmops.hooks import chunk_sources, prompt_identity, runtime
from datahub_llmops.hooks.parts import Answer, ModelCall, Part, Prompt, Retrieval, ToolCall, text_of
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.write_events import WriteEvent, new_run

MAX_ID: Final = 200
MAX_TEXT: Final = 100_000
MAX_CHUNKS: Final = 200
MAX_SOURCES: Final = 1_000
RUN_GAP: Final = 900.0
"""Seconds without a write after which the next one begins a run of its own."""

_COUNTS: Final = {"add": "added", "update": "updated", "delete": "deleted"}
_SOURCE_KEYS: Final = ("dh_source_urn", "datahub_urn", "dh_text_fields", *chunk_sources.SOURCE_KEYS)
_CHUNK_KEYS: Final = frozenset({"dh_source_key", "dh_embed_run", "page", "row"})
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
_MODEL_STATUS: Final = _member(ModelKey.STATUS)
_MODEL_ERROR: Final = _member(ModelKey.ERROR)


class Encoder:
    """Writes answers and write events with one HMAC key, and remembers the identities that the store has numbered."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._host = socket.gethostname()
        self._generation = -1
        self._templates: dict[Any, tuple[object, dict[str, Any]]] = {}
        self._numbers: dict[tuple[Any, ...], tuple[object, int]] = {}
        self._sources: dict[tuple[Any, ...], int | None] = {}
        self._runs: dict[tuple[str, str, int], tuple[str, float]] = {}

    # Answers

    def write_answer(self, store: Store, answer: Answer, settings: Settings) -> None:
        """Write an answer in its present state. A late part writes it again."""
        self._forget_stale_numbers(store)
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
            rows = [str(self._intern_prompt(store, one, settings)) for one in prompts]
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
            self._intern_name(store, "application", answer.application),
            answer.status,
            f"{{{''.join(body)}}}",
            text_digests,
        )

    def _forget_stale_numbers(self, store: Store) -> None:
        """Forget all numbers once the store has invalidated them."""
        if self._generation != store.generation:
            self._numbers.clear()
            self._sources.clear()
            self._generation = store.generation

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

    def _hex_digest(self, text: str) -> str:
        return digests.digest(self._secret, text).hex()

    def _intern_description(self, store: Store, kind: Kind, *parts: Mapping[str, Any]) -> int:
        """Return the row number of a description, cached by the identity of its dictionaries."""
        key = (kind, *map(id, parts))
        cached = self._numbers.get(key)
        if cached is not None:
            return cached[1]
        raw: dict[str, Any] = {}
        for one in parts:
            raw.update(_plain(one))
        # The cache keeps the dictionaries alive, so that no other object gets their ids.
        return self._remember(key, parts, store.intern(kind, raw))

    def _intern_name(self, store: Store, kind: Kind, name: str) -> int:
        cached = self._numbers.get((kind, name))
        if cached is not None:
            return cached[1]
        return self._remember((kind, name), None, store.intern(kind, {"name": name}))

    def _remember(self, key: tuple[Any, ...], alive: object, number: int) -> int:
        # Searches without a retriever are described by new dictionaries every time, which would fill the cache.
        if len(self._numbers) >= 500:
            self._numbers.clear()
        self._numbers[key] = (alive, number)
        return number

    def _encode_retrieval(
        self, store: Store, one: Retrieval, retrievals: list[Retrieval], settings: Settings
    ) -> str:
        retriever = self._intern_description(store, "retriever", one.retriever, one.facts)
        row = f"{_RETRIEVAL}{_milliseconds(one)}{_RETRIEVER}{retriever}"
        if one.index:
            row += f"{_INDEX}{self._intern_description(store, 'index', one.index)}"
        if one.embedding:
            row += f"{_EMBEDDING}{self._intern_description(store, 'embedding', one.embedding)}"
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
            row = (
                f'"{chunk_sources.HMAC_PREFIX}{self._hex_digest(text)}"' if isinstance(text, str) else "null"
            )
        if picked:
            return f"[{row},{_score(score)},{self._encode_origin(store, picked, settings)}]"
        return f"[{row}]" if score is None else f"[{row},{_score(score)}]"

    def _encode_origin(self, store: Store, picked: Mapping[str, Any], settings: Settings) -> str:
        """Encode the source of a chunk, then what only this chunk has: row key, run, page."""
        source = self._intern_source(store, picked, settings)
        number = "null" if source is None else str(source)
        if _CHUNK_KEYS.isdisjoint(picked):
            return number
        row: list[Any] = [
            chunk_sources.row_key(picked, self._hex_digest, settings.source_keys),
            None if (run := picked.get("dh_embed_run")) is None else str(run)[:MAX_ID],
            {key: picked[key] for key in ("page", "row") if isinstance(picked.get(key), int)} or None,
        ]
        return f"{number},{_dump(row)[1:-1]}"

    def _intern_source(self, store: Store, picked: Mapping[str, Any], settings: Settings) -> int | None:
        """Return the number of a chunk's source. The same few sources come again and again, so they are cached."""
        mode = settings.source_keys
        source_only = _CHUNK_KEYS.isdisjoint(picked)
        key: tuple[Any, ...] = (mode, *(picked.items() if source_only else map(picked.get, _SOURCE_KEYS)))
        cached = self._sources.get(key, -1)
        if cached != -1:
            return cached
        source = chunk_sources.identify_source(picked, self._hex_digest, mode)
        number = store.intern("source", source) if source else None
        if len(self._sources) >= 5_000:
            self._sources.clear()
        self._sources[key] = number
        return number

    def _intern_prompt(self, store: Store, one: Prompt, settings: Settings) -> int:
        facts = self._describe_template(one, settings.capture_text)
        if one.identity is None:
            return self._intern_description(store, "prompt", facts)
        return store.intern("prompt", {**one.identity, **facts})

    def _describe_template(self, one: Prompt, capture_text: bool) -> dict[str, Any]:
        """Return the same dictionary for the same template."""
        template = one.template
        if template is None:
            return _NOTHING
        # LangChain passes the same cached object every time. The cache keeps it alive, so its id stays its own.
        by_value = isinstance(template, (str, tuple))
        key = (capture_text, one.role, template if by_value else id(template))
        cached = self._templates.get(key)
        if cached is not None:
            return cached[1]
        if len(self._templates) >= 256:
            self._templates.clear()
        facts = _describe_template(template, one.role, capture_text)
        self._templates[key] = (template, facts)
        return facts

    def _encode_model(self, store: Store, one: ModelCall, prompts: list[Prompt]) -> str:
        row = f"{_MODEL}{_milliseconds(one)}{_ASKED}{self._intern_model(store, one.provider, one.asked)}"
        if one.served and one.served != one.asked:
            row += f"{_SERVED}{self._intern_model(store, one.provider, one.served)}"
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

    def _intern_model(self, store: Store, provider: str | None, name: str | None) -> int:
        key = ("model", provider, name)
        cached = self._numbers.get(key)
        if cached is not None:
            return cached[1]
        names = {"provider": provider, "name": name}
        number = store.intern("model", {key: value[:MAX_ID] for key, value in names.items() if value})
        return self._remember(key, None, number)

    def _encode_tool(self, store: Store, one: ToolCall) -> str:
        number = self._intern_name(store, "tool", one.name[:MAX_ID])
        return f"[{number},{_milliseconds(one)},{_quote(_status(one))}]"

    # Writes

    def write_event(self, store: Store, event: WriteEvent, settings: Settings) -> None:
        """Add a write event to the row of its run."""
        self._forget_stale_numbers(store)
        target = store.intern("index", _plain(event.index))
        application = store.intern("application", {"name": event.application})
        run = store.intern("run", {"run": event.run or self._find_run(event, target)})
        started, body = store.write_body(run) or (event.started, {})
        body.setdefault(WritesKey.FRAMEWORK, event.framework)
        body.setdefault(WritesKey.HOST, self._host)
        body.update({key: value for key, value in event.facts.items() if value})
        if event.embedding:
            body[WritesKey.EMBEDDING] = store.intern("embedding", _plain(event.embedding))
        counts: dict[str, int] = body.setdefault(WritesKey.COUNTS, {})
        for key, value in event.counts.items():
            counts[key] = counts.get(key, 0) + value
        if event.operation != "count":
            key = "failed" if event.error else _COUNTS[event.operation]
            counts[key] = counts.get(key, 0) + event.count
        chunk_keys = (digests.chunk_key(self._secret, one) for one in event.ids)
        if event.error:
            body[WritesKey.ERROR] = event.error
        elif event.operation in ("add", "update"):
            self._count_sources(store, event, body, settings)
            store.put_chunks(target, chunk_keys, run)
        elif event.operation == "delete":
            store.forget_chunks(target, chunk_keys)
        store.put_write(run, min(started, event.started), event.ended, application, target, body)

    def _count_sources(
        self, store: Store, event: WriteEvent, body: dict[str, Any], settings: Settings
    ) -> None:
        sources: dict[str, int] = body.setdefault(WritesKey.SOURCES, {})
        for picked in event.sources:
            source = self._intern_source(store, picked, settings)
            number = str(source)
            if source is None:
                body[WritesKey.SOURCES_UNKNOWN] = body.get(WritesKey.SOURCES_UNKNOWN, 0) + 1
            elif number in sources or len(sources) < MAX_SOURCES:
                sources[number] = sources.get(number, 0) + 1
            else:
                body[WritesKey.SOURCES_CUT] = body.get(WritesKey.SOURCES_CUT, 0) + 1

    def _find_run(self, event: WriteEvent, target: int) -> str:
        """Return the run of an event without a job: an application's writes to one index until they pause."""
        key = (event.application, event.framework, target)
        run, ended = self._runs.get(key, ("", 0.0))
        if not run or event.started - ended >= RUN_GAP:
            run = new_run()
        if len(self._runs) >= 1_000:
            self._runs.clear()
        self._runs[key] = (run, event.ended)
        return run


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


_NOTHING: Final[dict[str, Any]] = {}


def _describe_template(template: object, role: str, capture_text: bool) -> dict[str, Any]:
    """Return the digest of a template, its variables, and its messages where texts are captured."""
    facts: dict[str, Any] = {}
    messages: list[tuple[str, str]] | None
    if isinstance(template, str):
        messages = [(role, template)]
        facts = {"digest": prompt_identity.digest(messages), "role": role}
    elif isinstance(template, tuple):
        messages = list(zip(template[1::2], template[2::2], strict=True))
        facts["digest"] = prompt_identity.digest(messages)
        if template[0]:
            facts["variables"] = template[0]
    elif isinstance(template, Mapping):
        messages, facts["digest"] = prompt_identity.read_serialized(template)
        facts.update(prompt_identity.read_variables(template))
    else:
        return facts
    if capture_text and messages is not None:
        facts["messages"] = [[role, text[:MAX_TEXT]] for role, text in messages]
    return facts


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


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the names and numbers of an identity, and cut long names."""
    return {
        key: value[:MAX_ID] if isinstance(value, str) and key != "urn" else value
        for key, value in raw.items()
        if isinstance(value, (str, int, float, bool, list))
    }
