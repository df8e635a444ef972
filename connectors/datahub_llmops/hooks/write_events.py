"""A write to an index, as the application's thread hands it to the recorder, and the job that it belongs to."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from datahub_llmops.answer_store.keys import WritesKey

Operation: TypeAlias = Literal["add", "update", "delete", "count"]


class Job:
    """The job that writes belong to while ``lineage.index``, ``lineage.pipeline`` or ``lineage.job`` runs."""

    __slots__ = ("_process", "facts", "fields", "key_field", "last", "run", "source", "stamp")

    def __init__(
        self,
        *,
        facts: dict[str, Any],
        stamp: bool = False,
        source: Any = None,
        key_field: str | None = None,
        fields: Sequence[str] = (),
    ) -> None:
        self.run = new_run()
        self.facts = facts
        self.stamp = stamp
        self.source = source
        self.key_field = key_field
        self.fields = tuple(fields)
        self.last: WriteEvent | None = None
        """The last write that it made."""
        self._process = os.getpid()

    def of_write(self, event: WriteEvent) -> None:
        """Say on a write that it is of this job. A process that was forked inside of it does not say how it stands."""
        event.run, event.facts = self.run, dict(self.facts)
        if os.getpid() == self._process:
            self.last = event
        else:
            event.facts.pop(WritesKey.STATE, None)


class WriteEvent:
    """One call that wrote to an index or deleted from it. The recorder digests its strings."""

    __slots__ = (
        "application",
        "count",
        "counts",
        "embedding",
        "ended",
        "error",
        "facts",
        "framework",
        "ids",
        "index",
        "operation",
        "run",
        "sources",
        "started",
        "version",
    )

    def __init__(self, operation: Operation, framework: str, index: dict[str, Any], started: float) -> None:
        self.operation = operation
        self.framework = framework
        self.index = index
        self.started = started
        self.ended = time.time()
        self.application = ""
        self.version: str | None = None
        self.embedding: dict[str, Any] | None = None
        self.count = 0
        self.counts: dict[str, int] = {}
        self.ids: list[str] = []
        self.sources: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {}
        self.run: str | None = None
        self.error: str | None = None


def new_run() -> str:
    """Return a new run id. Ids sort by time, as those of answers do."""
    return f"{int(time.time() * 1000):012x}{os.urandom(8).hex()}"
