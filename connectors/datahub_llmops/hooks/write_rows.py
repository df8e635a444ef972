"""Adds write events to the rows of their runs, on the recorder's thread."""

from __future__ import annotations

import socket
from typing import Any, Final

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.keys import WritesKey
from datahub_llmops.hooks.identity_numbers import IdentityNumbers
from datahub_llmops.hooks.identity_text import plain
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.write_events import WriteEvent, new_run

MAX_SOURCES: Final = 1_000
RUN_GAP: Final = 900.0
"""Seconds without a write after which the next one begins a run of its own."""
_COUNTS: Final = {"add": "added", "update": "updated", "delete": "deleted"}


class WriteRows:
    """Writes events with one HMAC key. ``numbers`` are those of the store."""

    def __init__(self, secret: bytes, numbers: IdentityNumbers) -> None:
        self._secret = secret
        self._numbers = numbers
        self._host = socket.gethostname()
        self._runs: dict[tuple[str, str, int], tuple[str, float]] = {}

    def write_event(self, store: Store, event: WriteEvent, settings: Settings) -> None:
        """Add a write event to the row of its run."""
        self._numbers.forget_stale(store)
        target = store.intern("index", plain(event.index))
        application = store.intern("application", {"name": event.application})
        run = store.intern("run", {"run": event.run or self._find_run(event, target)})
        started, body = store.write_body(run) or (event.started, {})
        body.setdefault(WritesKey.FRAMEWORK, event.framework)
        body.setdefault(WritesKey.HOST, self._host)
        body.update({key: value for key, value in event.facts.items() if value})
        if event.embedding:
            body[WritesKey.EMBEDDING] = store.intern("embedding", plain(event.embedding))
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
            source = self._numbers.of_source(store, picked, settings)
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
