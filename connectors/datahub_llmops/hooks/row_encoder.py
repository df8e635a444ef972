"""From what the hooks saw to rows of the store, on the recorder's thread: digests, interned identities, short names.

Body of an answer: ``f`` framework, ``fv`` its version, ``o`` root, ``v`` version of the application, ``w`` weight
(1 / sample), ``x`` parts cut, ``e`` error class, ``h`` host, ``r`` retrievals, ``p`` prompts, ``m`` model calls, ``t``
tools. Numbers of identities point into the table of that name.
"""

from __future__ import annotations

import json
import math
import socket
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from datahub_llmops.answer_store import digests as keys
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.queries import Kind
from datahub_llmops.hooks import chunk_sources, prompt_identity
from datahub_llmops.hooks.parts import Answer, ModelCall, Part, Prompt, Retrieval, ToolCall, said
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.write_events import WriteEvent

MAX_ID: Final = 200
MAX_TEXT_KEPT: Final = 100_000
MAX_CHUNKS: Final = 200
MAX_SOURCES: Final = 1_000
CHUNK_BYTES: Final = 8
RUN_GAP: Final = 900.0
"""Seconds without a write after which the next one begins a run of its own."""


_COUNTED: Final = {"add": "added", "update": "updated", "delete": "deleted"}
_OF_SOURCE: Final = ("dh_source_urn", "datahub_urn", "dh_text_fields", *chunk_sources.SOURCE_KEYS)
_OF_CHUNK: Final = frozenset({"dh_source_key", "dh_embed_run", "page", "row"})
_quote: Final = json.encoder.encode_basestring_ascii
_dump: Final = json.JSONEncoder(separators=(",", ":")).encode


class Encoder:
    """One per recorder and key; holds what it has digested and interned already.

    An answer becomes JSON piece by piece: building the whole of it as dictionaries first takes twice the time, for
    which the application's threads wait.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._host = socket.gethostname()
        self._generation = -1
        self._heads: dict[tuple[Any, ...], str] = {}
        self._templates: dict[Any, tuple[object, dict[str, Any]]] = {}
        self._numbers: dict[tuple[Any, ...], tuple[object, int]] = {}
        self._sources_seen: dict[tuple[Any, ...], int | None] = {}
        self._runs: dict[tuple[str, str, int], tuple[str, float]] = {}

    # Answers

    def answer(self, store: Store, answer: Answer, settings: Settings) -> None:
        """Write an answer as it is now; a late part writes it again."""
        self._renew(store)
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
        body = [self._head(answer)]
        if retrievals:
            body.append(
                _listed("r", [self._retrieval(store, one, retrievals, settings) for one in retrievals])
            )
        if prompts:
            body.append(_listed("p", [str(self._prompt(store, one, settings)) for one in prompts]))
        if models:
            body.append(_listed("m", [self._model(store, one, prompts) for one in models]))
        if tools:
            body.append(_listed("t", [self._tool(store, one) for one in tools]))
        digests = self._texts(answer, body, settings)
        number = self._named(store, "application", "name", answer.application)
        whole = f"{{{','.join(body)}}}"
        store.put_answer(answer.id, answer.ended or answer.started, number, answer.status, whole, digests)

    def _renew(self, store: Store) -> None:
        """Numbers hold as long as the store says so."""
        if self._generation != store.generation:
            self._numbers.clear()
            self._sources_seen.clear()
            self._generation = store.generation

    def _head(self, answer: Answer) -> str:
        key = (answer.framework, answer.root, answer.version, answer.error, answer.cut, answer.weight)
        head = self._heads.get(key)
        if head is None:
            body: dict[str, Any] = {"f": answer.framework, "h": self._host}
            for name, value in (
                ("fv", _framework_version(answer.framework)),
                ("o", answer.root),
                ("v", answer.version),
                ("e", answer.error),
                ("x", answer.cut),
            ):
                if value:
                    body[name] = value
            if answer.weight != 1.0:
                body["w"] = answer.weight
            if len(self._heads) >= 1_000:
                self._heads.clear()
            head = self._heads[key] = _dump(body)[1:-1]
        return head

    def _texts(self, answer: Answer, body: list[str], settings: Settings) -> tuple[bytes, ...]:
        query, text = said(answer.query), said(answer.text)
        if query is not None:
            body.append(f'"q":"{self._hex(query)}"')
            if settings.capture_text:
                body.append(f'"qt":{_quote(query[:MAX_TEXT_KEPT])}')
        if text is None:
            return ()
        if settings.capture_text:
            body.append(f'"at":{_quote(text[:MAX_TEXT_KEPT])}')
        return (keys.digest(self._key, text),)

    def _hex(self, text: str) -> str:
        return keys.digest(self._key, text).hex()

    def _described(self, store: Store, kind: Kind, *parts: Mapping[str, Any]) -> int:
        """Number of what the hooks describe by the same dictionaries as long as nothing of it changes."""
        key = (kind, *map(id, parts))
        known = self._numbers.get(key)
        if known is not None:
            return known[1]
        plain: dict[str, Any] = {}
        for one in parts:
            plain.update(_plain(one))
        # Held with the dictionaries: as long as they live, no other object has their id.
        return self._remember(key, parts, store.intern(kind, plain))

    def _named(self, store: Store, kind: Kind, key: str, name: str) -> int:
        known = self._numbers.get((kind, name))
        if known is not None:
            return known[1]
        return self._remember((kind, name), None, store.intern(kind, {key: name}))

    def _remember(self, key: tuple[Any, ...], held: object, number: int) -> int:
        if (
            len(self._numbers) >= 500
        ):  # Searches without a retriever are described by new dictionaries each time.
            self._numbers.clear()
        self._numbers[key] = (held, number)
        return number

    def _retrieval(self, store: Store, one: Retrieval, all_of: list[Retrieval], settings: Settings) -> str:
        row = f'{{"ms":{_ms(one)},"t":{self._described(store, "retriever", one.retriever, one.facts)}'
        if one.index:
            row += f',"x":{self._described(store, "index", one.index)}'
        if one.embedding:
            row += f',"e":{self._described(store, "embedding", one.embedding)}'
        if one.composite:
            row += ',"n":1'
        if one.within is not None and one.within in all_of:
            row += f',"p":{all_of.index(one.within)}'
        if one.status != "ok" or one.ended is None:
            row += f',"s":{_quote(_status(one))}'
        if one.chunks:
            found = chunk_sources.noted(one.chunks)
            chunks = [self._chunk(store, *chunk, settings) for chunk in islice(found, MAX_CHUNKS)]
            row += f",{_listed('c', chunks)}"
            cut = sum(1 for _ in found)
            if cut:
                row += f',"cut":{cut}'
        return row + "}"

    def _chunk(
        self,
        store: Store,
        identity: object,
        score: object,
        text: object,
        picked: Mapping[str, Any],
        settings: Settings,
    ) -> str:
        if isinstance(identity, str) and identity:
            row = _quote(identity[:MAX_ID])
        elif isinstance(identity, int):
            row = f'"{identity}"'
        else:
            row = f'"{chunk_sources.HMAC_PREFIX}{self._hex(text)}"' if isinstance(text, str) else "null"
        if picked:
            return f"[{row},{_score(score)},{self._origin(store, picked, settings)}]"
        return f"[{row}]" if score is None else f"[{row},{_score(score)}]"

    def _origin(self, store: Store, picked: Mapping[str, Any], settings: Settings) -> str:
        """Source of a chunk, then what is the chunk's own: key of the row, run, page."""
        source = self._source(store, picked, settings)
        said = "null" if source is None else str(source)
        if _OF_CHUNK.isdisjoint(picked):
            return said
        row: list[Any] = [
            chunk_sources.row_key(picked, self._hex, settings.source_keys),
            picked.get("dh_embed_run"),
            {key: picked[key] for key in ("page", "row") if isinstance(picked.get(key), int)} or None,
        ]
        return f"{said},{_dump(row)[1:-1]}"

    def _source(self, store: Store, picked: Mapping[str, Any], settings: Settings) -> int | None:
        """Number of the source of a chunk; the same few sources come again and again."""
        mode = settings.source_keys
        whole = _OF_CHUNK.isdisjoint(picked)
        key: tuple[Any, ...] = (mode, *(picked.items() if whole else map(picked.get, _OF_SOURCE)))
        known = self._sources_seen.get(key, -1)
        if known != -1:
            return known
        origin = chunk_sources.source(picked, self._hex, mode)
        number = store.intern("source", origin) if origin else None
        if len(self._sources_seen) >= 5_000:
            self._sources_seen.clear()
        self._sources_seen[key] = number
        return number

    def _prompt(self, store: Store, one: Prompt, settings: Settings) -> int:
        facts = self._template(one, settings.capture_text)
        if one.identity is None:
            return self._described(store, "prompt", facts)
        return store.intern("prompt", {**one.identity, **facts})

    def _template(self, one: Prompt, capture_text: bool) -> dict[str, Any]:
        """Facts of a template: the same dictionary for the same template."""
        template = one.template
        if template is None:
            return _NOTHING
        # LangChain hands over the same cached object each time; it is held so that its id stays its own.
        compared = isinstance(template, (str, tuple))
        key = (capture_text, one.role, template if compared else id(template))
        held = self._templates.get(key)
        if held is not None:
            return held[1]
        if len(self._templates) >= 256:
            self._templates.clear()
        facts = _facts(template, one.role, capture_text)
        self._templates[key] = (template, facts)
        return facts

    def _model(self, store: Store, one: ModelCall, prompts: list[Prompt]) -> str:
        row = f'{{"ms":{_ms(one)},"a":{self._model_number(store, one.provider, one.asked)}'
        if one.served and one.served != one.asked:
            row += f',"s":{self._model_number(store, one.provider, one.served)}'
        if one.prompt is not None and one.prompt in prompts:
            row += f',"p":{prompts.index(one.prompt)}'
        if one.cached:
            row += ',"hit":1'
        elif one.usage:
            for key, value in one.usage.items():
                row += f',"{key}":{value:d}'
        if one.status != "ok" or one.ended is None:
            row += f',"st":{_quote(_status(one))}'
            if one.error:
                row += f',"er":{_quote(one.error)}'
        return row + "}"

    def _model_number(self, store: Store, provider: str | None, name: str | None) -> int:
        key = ("model", provider, name)
        known = self._numbers.get(key)
        if known is not None:
            return known[1]
        said = {"provider": provider, "name": name}
        number = store.intern("model", {key: value[:MAX_ID] for key, value in said.items() if value})
        return self._remember(key, None, number)

    def _tool(self, store: Store, one: ToolCall) -> str:
        return f"[{self._named(store, 'tool', 'name', one.name[:MAX_ID])},{_ms(one)},{_quote(_status(one))}]"

    # Writes

    def write(self, store: Store, event: WriteEvent, settings: Settings) -> None:
        """Add a write to the run that it belongs to."""
        self._renew(store)
        target = store.intern("index", _plain(event.index))
        application = store.intern("application", {"name": event.application})
        name = event.run or self._run_of(event, target)
        run = store.intern("run", {"run": name})
        held = store.write_body(run)
        started, body = held if held is not None else (event.started, {})
        body.setdefault("f", event.framework)
        body.setdefault("h", self._host)
        body.update({key: value for key, value in event.facts.items() if value})
        if event.embedding:
            body["e"] = store.intern("embedding", _plain(event.embedding))
        counts: dict[str, int] = body.setdefault("n", {})
        for key, value in event.counts.items():
            counts[key] = counts.get(key, 0) + value
        if event.operation != "count":
            key = "failed" if event.error else _COUNTED[event.operation]
            counts[key] = counts.get(key, 0) + event.count
        if event.error:
            body["er"] = event.error
        elif event.operation in ("add", "update"):
            self._sources(store, event, body, settings)
            store.put_chunks(target, (self._short(one) for one in event.ids), run)
        elif event.operation == "delete":
            store.forget_chunks(target, (self._short(one) for one in event.ids))
        store.put_write(run, min(started, event.started), event.ended, application, target, body)

    def _sources(self, store: Store, event: WriteEvent, body: dict[str, Any], settings: Settings) -> None:
        found: dict[str, int] = body.setdefault("s", {})
        for picked in event.sources:
            found_as = self._source(store, picked, settings)
            if found_as is None:
                body["s0"] = body.get("s0", 0) + 1
                continue
            number = str(found_as)
            if number in found or len(found) < MAX_SOURCES:
                found[number] = found.get(number, 0) + 1
            else:
                body["sx"] = body.get("sx", 0) + 1

    def _run_of(self, event: WriteEvent, target: int) -> str:
        """Writes of one application to one index are one run until they pause."""
        from datahub_llmops.hooks.write_events import new_run

        key = (event.application, event.framework, target)
        held = self._runs.get(key)
        name = held[0] if held is not None and event.started - held[1] < RUN_GAP else new_run()
        if len(self._runs) >= 1_000:
            self._runs.clear()
        self._runs[key] = (name, event.ended)
        return name

    def _short(self, chunk: str) -> bytes:
        return chunk_key(self._key, chunk)


_MODULES: Final = {"langchain": "langchain_core", "llama-index": "llama_index.core"}


def _framework_version(framework: str | None) -> str | None:
    # Imported by the application; importing it here would cost it a second.
    version = getattr(sys.modules.get(_MODULES.get(framework or "", "")), "__version__", None)
    return version if isinstance(version, str) else None


def chunk_key(key: bytes, chunk: str) -> bytes:
    """How the store knows a chunk of an index."""
    return keys.digest(key, chunk)[:CHUNK_BYTES]


_NOTHING: Final[dict[str, Any]] = {}


def _facts(template: object, role: str, capture_text: bool) -> dict[str, Any]:
    """Digest of a template, its variables, and its messages where texts are kept."""
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
        messages, facts["digest"] = prompt_identity.of_serialized(template)
        facts.update(prompt_identity.variables(template))
    else:
        return facts
    if capture_text and messages is not None:
        facts["messages"] = [[role, text[:MAX_TEXT_KEPT]] for role, text in messages]
    return facts


def _listed(name: str, rows: list[str]) -> str:
    return f'"{name}":[{",".join(rows)}]'


def _score(score: object) -> str:
    if score is None or not hasattr(score, "__float__"):
        return "null"
    value = round(float(score), 6)
    return repr(value) if math.isfinite(value) else "null"


def _ms(part: Part) -> str:
    return "null" if part.ended is None else str(max(0, round((part.ended - part.started) * 1000)))


def _status(part: Any) -> str:
    return "open" if part.ended is None and part.status == "ok" else str(part.status)


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Identities never hold more than names and numbers."""
    return {
        key: value[:MAX_ID] if isinstance(value, str) and key != "urn" else value
        for key, value in raw.items()
        if isinstance(value, (str, int, float, bool, list))
    }
