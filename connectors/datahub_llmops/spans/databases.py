"""Which collection a database's span is about, in the form that the hooks record."""

from __future__ import annotations

import functools
from typing import Final

from datahub_llmops.answer_store.recorded import Raw
from datahub_llmops.assets import platforms
from datahub_llmops.hooks.addresses import parse_address
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.span import Span

_ALIASES: Final = {"postgresql": "postgres", "chromadb": "chroma", "pgvector": "postgres"}


def read_index(span: Span) -> Raw | None:
    """Return the raw identity of the collection that was searched, or ``None`` if the span names none."""
    attributes = span.attributes
    system = names.first(attributes, names.DB_SYSTEM)
    collection = names.first(attributes, names.DB_COLLECTION)
    if not isinstance(system, str) or not isinstance(collection, str):
        return None
    namespace = names.first(attributes, names.DB_NAMESPACE)
    server = names.first(attributes, names.SERVER)
    port = names.first(attributes, names.PORT)
    return _index_raw(
        system,
        collection,
        namespace if isinstance(namespace, str) else None,
        f"{server}:{port}" if server and port else server if isinstance(server, str) else None,
    )


@functools.lru_cache(10_000)
def _index_raw(system: str, collection: str, namespace: str | None, host: str | None) -> Raw:
    platform = _ALIASES.get(system.lower(), system.lower())
    found = {
        "platform": platform,
        "host": parse_address(host) if host else None,
        "database": namespace if "database" in platforms.find(platform).raw_keys else None,
        "collection": collection,
        "seen_by": "database_span",
    }
    return {key: value for key, value in found.items() if value}
