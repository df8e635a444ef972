"""Retrievals: by which retriever, of which index, and which chunks it found."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.answer_store.recorded import Chunk, Raw
from datahub_llmops.hooks.chunk_sources import HMAC_PREFIX, PICKED, identify_source
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.span import Attributes

MAX_ID: Final = 200
MAX_CHUNKS: Final = 200
_METHODS: Final = (".retrieve", ".aretrieve", "._retrieve", "._aretrieve")
_PLACES: Final[dict[str, tuple[int, int]]] = {
    f"{prefix}.{number}.document.{field}": (number, place)
    for prefix in ("retrieval.documents", "reranker.output_documents")
    for number in range(names.MAX_DOCUMENTS)
    for place, field in enumerate(("id", "score", "metadata"))
}
_CHUNK_ONLY: Final = frozenset({"dh_source_key", "dh_embed_run", "page", "row", "_id", "pk"})


@functools.lru_cache(10_000)
def retriever_raw(name: str) -> Raw:
    """Return the raw identity of a retriever from the name of its span."""
    for method in _METHODS:
        if name.endswith(method):
            return {"class": name[: -len(method)]}
    return {"name": name.removesuffix(".task").removeprefix("retrieval ")[:MAX_ID]}


def read_chunks(attributes: Attributes) -> tuple[tuple[Chunk, ...], int]:
    """Return the chunks that a span names, and how many are left out beyond the bound."""
    found: dict[int, list[Any]] = {}
    for name, value in attributes.items():
        place = _PLACES.get(name)
        if place is not None:
            row = found.get(place[0])
            if row is None:
                row = found[place[0]] = [None, None, None]
            row[place[1]] = value
    if found:
        rows = [found[number] for number in sorted(found)]
    else:
        listed = attributes.get(names.DOCUMENTS_JSON[0])
        if not isinstance(listed, list):
            return (), 0
        rows = [[one.get("id"), one.get("score"), one.get("metadata")] for one in listed]
    return tuple(_chunk(*row) for row in rows[:MAX_CHUNKS]), max(0, len(rows) - MAX_CHUNKS)


def _chunk(identity: object, score: object, metadata: object) -> Chunk:
    known: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    if identity is None and known:
        identity = known.get("_id", known.get("pk"))
    if not isinstance(identity, str):
        identity = None if identity is None or isinstance(identity, bool) else str(identity)
    if isinstance(score, str):
        try:
            score = float(score)
        except ValueError:
            score = None
    number = round(float(score), 6) if isinstance(score, (int, float)) and math.isfinite(score) else None
    if not known:
        return Chunk(id=identity[:MAX_ID] if identity else None, score=number)
    key, run = known.get("dh_source_key"), known.get("dh_embed_run")
    return Chunk(
        id=identity[:MAX_ID] if identity else None,
        score=number,
        source=_source(known),
        key=key if isinstance(key, str) and key.startswith(HMAC_PREFIX) else None,
        run=str(run)[:MAX_ID] if run is not None else None,
        place={name: known[name] for name in ("page", "row") if isinstance(known.get(name), int)},
    )


def _source(metadata: Mapping[str, Any]) -> Raw | None:
    return _source_of(
        tuple((key, metadata[key]) for key in PICKED if key in metadata and key not in _CHUNK_ONLY)
    )


@functools.lru_cache(20_000)
def _source_of(picked: tuple[tuple[str, Any], ...]) -> Raw | None:
    found = identify_source(dict(picked), lambda _: "", "hmac")
    # What is no address is a value of somebody's data, and there is no key to digest it with.
    return None if found is None or found.get("value", "").startswith(HMAC_PREFIX) else found


@functools.lru_cache(10_000)
def class_raw(store: str | None, service: str | None) -> Raw:
    """Return what is known of an index that no span names: the class of its store, and the service that asked it."""
    found = {"class": store, "service": service, "seen_by": "class"}
    return {key: value for key, value in found.items() if value}


@functools.lru_cache(10_000)
def data_source_raw(identity: str) -> Raw:
    """Return the raw identity of an index that has a name of the application's own."""
    return {"data_source": identity, "seen_by": "data_source"}
