"""From what the hooks saw to rows of the store, on the recorder's thread: digests, interned identities, short names.

Body of an answer: ``f`` framework, ``fv`` its version, ``o`` root, ``v`` version of the application, ``w`` weight
(1 / sample), ``x`` parts cut, ``e`` error class, ``h`` host, ``r`` retrievals, ``p`` prompts, ``m`` model calls, ``t``
tools. Numbers of identities point into the table of that name.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.hooks import keys, provenance, templates
from datahub_llmops.hooks.answers import Answer, ModelCall, Prompt, Retrieval, said
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.store import Store
from datahub_llmops.hooks.writing import WriteEvent

MAX_ID: Final = 200
MAX_TEXT_KEPT: Final = 100_000
MAX_CHUNKS: Final = 200
MAX_SOURCES: Final = 1_000
CHUNK_BYTES: Final = 8
RUN_GAP: Final = 900.0
"""Seconds without a write after which the next one begins a run of its own."""


_COUNTED: Final = {"add": "added", "update": "updated", "delete": "deleted"}
_OF_SOURCE: Final = ("dh_source_urn", "datahub_urn", "dh_text_fields", *provenance.SOURCE_KEYS)


class Encoder:
    """One per recorder and key; holds what it has digested already."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._host = socket.gethostname()
        self._templates: dict[int, tuple[object, dict[str, Any]]] = {}
        self._sources_seen: dict[tuple[Any, ...], dict[str, str]] = {}
        self._runs: dict[tuple[str, str, int], tuple[str, float]] = {}

    # Answers

    def answer(self, store: Store, answer: Answer, settings: Settings) -> None:
        """Write an answer as it is now; a late part writes it again."""
        digest = self._hex
        retrievals = list(answer.retrievals)
        prompts = list(answer.prompts)
        body: dict[str, Any] = {"f": answer.framework, "h": self._host}
        for key, value in (
            ("fv", _framework_version(answer.framework)),
            ("o", answer.root),
            ("v", answer.version),
            ("e", answer.error),
            ("x", answer.cut),
        ):
            if value:
                body[key] = value
        if answer.weight != 1.0:
            body["w"] = answer.weight
        if retrievals:
            body["r"] = [self._retrieval(store, one, retrievals, settings, digest) for one in retrievals]
        if prompts:
            body["p"] = [self._prompt(store, one, settings) for one in prompts]
        if answer.models:
            body["m"] = [self._model(store, one, prompts) for one in list(answer.models)]
        if answer.tools:
            body["t"] = [
                [
                    store.intern("tool", {"name": tool.name[:MAX_ID]}),
                    _ms(tool.started, tool.ended),
                    _status(tool),
                ]
                for tool in list(answer.tools)
            ]
        digests = self._texts(answer, body, settings)
        number = store.intern("application", {"name": answer.application})
        store.put_answer(answer.id, answer.ended or answer.started, number, answer.status, body, digests)

    def _texts(self, answer: Answer, body: dict[str, Any], settings: Settings) -> set[bytes]:
        digests: set[bytes] = set()
        query, text = said(answer.query), said(answer.text)
        if query is not None:
            body["q"] = self._hex(query)
            if settings.capture_text:
                body["qt"] = query[:MAX_TEXT_KEPT]
        if text is not None:
            digests.add(keys.digest(self._key, text))
            if settings.capture_text:
                body["at"] = text[:MAX_TEXT_KEPT]
        return digests

    def _hex(self, text: str) -> str:
        return keys.digest(self._key, text).hex()

    def _retrieval(
        self, store: Store, one: Retrieval, all_of: list[Retrieval], settings: Settings, digest: Any
    ) -> dict[str, Any]:
        retriever = _plain({**one.retriever, **one.facts})
        row: dict[str, Any] = {"ms": _ms(one.started, one.ended), "t": store.intern("retriever", retriever)}
        for key, kind, value in (("x", "index", one.index), ("e", "embedding", one.embedding)):
            if value:
                row[key] = store.intern(kind, _plain(value))  # type: ignore[arg-type]  # the two literals above
        if one.composite:
            row["n"] = 1
        if one.within is not None and one.within in all_of:
            row["p"] = all_of.index(one.within)
        if one.status != "ok" or one.ended is None:
            row["s"] = _status(one)
        chunks = [self._chunk(store, chunk, settings, digest) for chunk in one.chunks[:MAX_CHUNKS]]
        if chunks:
            row["c"] = chunks
        if len(one.chunks) > MAX_CHUNKS:
            row["cut"] = len(one.chunks) - MAX_CHUNKS
        return row

    def _chunk(
        self,
        store: Store,
        chunk: tuple[object, object, object, dict[str, Any]],
        settings: Settings,
        digest: Any,
    ) -> list[Any]:
        identity, score, text, picked = chunk
        if isinstance(identity, int):
            identity = str(identity)
        name = identity[:MAX_ID] if isinstance(identity, str) and identity else None
        if name is None and isinstance(text, str):
            name = provenance.HMAC_PREFIX + digest(text)
        row: list[Any] = [name, round(float(score), 6) if hasattr(score, "__float__") else None]
        if picked:
            row += (
                self._source(store, picked, settings),
                provenance.row_key(picked, digest, settings.source_keys),
                picked.get("dh_embed_run"),
            )
            page = {key: picked[key] for key in ("page", "row") if isinstance(picked.get(key), int)}
            if page:
                row.append(page)
        while row and row[-1] is None:
            row.pop()
        return row

    def _source(self, store: Store, picked: Mapping[str, Any], settings: Settings) -> int | None:
        """Number of the source of a chunk; the same few sources come again and again."""
        key = (settings.source_keys, *map(picked.get, _OF_SOURCE))
        origin = self._sources_seen.get(key)
        if origin is None:
            origin = provenance.source(picked, self._hex, settings.source_keys) or {}
            if len(self._sources_seen) >= 5_000:
                self._sources_seen.clear()
            self._sources_seen[key] = origin
        return store.intern("source", origin) if origin else None

    def _prompt(self, store: Store, one: Prompt, settings: Settings) -> int:
        identity: dict[str, Any] = dict(one.identity or {})
        identity.update(self._template(one, settings))
        return store.intern("prompt", identity)

    def _template(self, one: Prompt, settings: Settings) -> dict[str, Any]:
        template = one.template
        if template is None:
            return {}
        if isinstance(template, str):
            facts: dict[str, Any] = {"digest": templates.digest([(one.role, template)]), "role": one.role}
            if settings.capture_text:
                facts["messages"] = [[one.role, template[:MAX_TEXT_KEPT]]]
            return facts
        # LangChain hands over the same cached object each time: one digest a template, held so its id stays its own.
        held = self._templates.get(id(template))
        if held is not None and held[0] is template:
            return held[1]
        found = (
            templates.of_serialized(template)
            if isinstance(template, Mapping)
            else templates.of_llamaindex(template)
        )
        if found is None:
            return {}
        facts = {"digest": found[1], **templates.variables(template)}
        if settings.capture_text and found[0] is not None:
            facts["messages"] = [[role, text[:MAX_TEXT_KEPT]] for role, text in found[0]]
        if len(self._templates) >= 256:
            self._templates.clear()
        self._templates[id(template)] = (template, facts)
        return facts

    def _model(self, store: Store, one: ModelCall, prompts: list[Prompt]) -> dict[str, Any]:
        row: dict[str, Any] = {"ms": _ms(one.started, one.ended)}
        asked = {"provider": one.provider, "name": one.asked}
        row["a"] = store.intern("model", {key: value[:MAX_ID] for key, value in asked.items() if value})
        if one.served and one.served != one.asked:
            served = {"provider": one.provider, "name": one.served}
            row["s"] = store.intern("model", {key: value[:MAX_ID] for key, value in served.items() if value})
        if one.prompt is not None and one.prompt in prompts:
            row["p"] = prompts.index(one.prompt)
        if one.cached:
            row["hit"] = 1
        elif one.usage:
            row.update(one.usage)
        if one.status != "ok" or one.ended is None:
            row["st"] = _status(one)
            if one.error:
                row["er"] = one.error
        return row

    # Writes

    def write(self, store: Store, event: WriteEvent, settings: Settings) -> None:
        """Add a write to the run that it belongs to."""
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
        from datahub_llmops.hooks.writing import new_run

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


def _ms(started: float, ended: float | None) -> int | None:
    return None if ended is None else max(0, round((ended - started) * 1000))


def _status(part: Any) -> str:
    return "open" if part.ended is None and part.status == "ok" else str(part.status)


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Identities never hold more than names and numbers."""
    return {
        key: value[:MAX_ID] if isinstance(value, str) and key != "urn" else value
        for key, value in raw.items()
        if isinstance(value, (str, int, float, bool, list))
    }
