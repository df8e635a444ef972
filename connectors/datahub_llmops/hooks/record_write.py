"""Hands a write or delete that a store's wrapped method has made to the recorder. Both frameworks use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datahub_llmops.hooks import runtime, store_identity
from datahub_llmops.hooks.chunk_sources import read_scalar
from datahub_llmops.hooks.wrapping import Call
from datahub_llmops.hooks.write_events import Operation, WriteEvent


def record_write(
    call: Call,
    store: Any,
    framework: str,
    operation: Operation,
    count: int,
    ids: Any,
    sources: Sequence[dict[str, Any]],
    *,
    embedding: dict[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Record one write or delete of ``count`` chunks, under the job in force if there is one."""
    event = WriteEvent(operation, framework, store_identity.identify_store(store), call.started)
    event.application, event.version = runtime.current_application()
    event.embedding = embedding
    known = map(read_scalar, ids) if isinstance(ids, (list, tuple)) else ()
    event.ids = [str(one) for one in known if one is not None]
    event.count = count or len(event.ids)
    event.sources = list(sources)
    job = runtime.current_job.get()
    if job is not None:
        job.of_write(event)
    if facts:
        event.facts.update(facts)
    if call.error is not None:
        event.error = runtime.describe_error(call.error)[1] or "interrupted"
    runtime.send(event)
