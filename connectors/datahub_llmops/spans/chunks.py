"""The chunks that a retrieval found: their ids, scores and sources, from wherever a tracer has them."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub_llmops.answer_store.digests import HMAC_PREFIX
from datahub_llmops.answer_store.recorded import Chunk, Raw
from datahub_llmops.hooks.chunk_sources import PICKED, identify_source
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.span import Attributes

MAX_ID: Final = 200
MAX_CHUNKS: Final = 200
_FIELDS: Final = ("id", "score", "metadata")


def _places(prefix: str) -> dict[str, tuple[int, int]]:
    return {
        f"{prefix}.{number}.document.{field}": (number, place)
        for number in range(names.MAX_DOCUMENTS)
        for place, field in enumerate(_FIELDS)
    }


_RETRIEVED: Final = _places("retrieval.documents")
_RERANKED: Final = _places("reranker.output_documents")
_NO_PLACE: Final[Mapping[str, int]] = {}
_ORIGIN: Final = frozenset(PICKED) - {"dh_source_key", "dh_embed_run", "page", "row"}


def read_chunks(attributes: Attributes) -> tuple[tuple[Chunk, ...], int]:
    """Return the chunks that a retriever's span names, and how many are left out beyond ``MAX_CHUNKS``."""
    for name in _LISTS:
        listed = attributes.get(name)
        if type(listed) is list:
            return _build([(one.get("id"), one.get("score"), one.get("metadata")) for one in listed])
    return _build(_flat(attributes, _RETRIEVED))


_LISTS: Final = (*names.DOCUMENTS_JSON, *names.DOCUMENTS_OUTPUT)


def read_reranked(attributes: Attributes) -> tuple[tuple[Chunk, ...], int]:
    """Return the chunks that a reranker leaves, and how many are left out beyond ``MAX_CHUNKS``."""
    return _build(_flat(attributes, _RERANKED))


def read_results(attributes: Attributes) -> tuple[tuple[Chunk, ...], int]:
    """Return the chunks in the results of a store's own span, and how many are left out beyond ``MAX_CHUNKS``."""
    ids, scores, metadata = (
        attributes.get(name) for name in (names.RESULT_IDS, names.RESULT_SCORES, names.RESULT_METADATA)
    )
    if not isinstance(ids, list):
        return (), 0
    rows = [[one, _at(scores, number), _at(metadata, number)] for number, one in enumerate(ids)]
    return _build(rows)


def _at(values: object, number: int) -> Any:
    return values[number] if isinstance(values, list) and number < len(values) else None


def _flat(attributes: Attributes, places: Mapping[str, tuple[int, int]]) -> list[list[Any]]:
    found: dict[int, list[Any]] = {}
    for name, value in attributes.items():
        place = places.get(name)
        if place is not None:
            row = found.get(place[0])
            if row is None:
                row = found[place[0]] = [None, None, None]
            row[place[1]] = value
    return [found[number] for number in sorted(found)]


def _build(rows: Sequence[Sequence[Any]]) -> tuple[tuple[Chunk, ...], int]:
    found = []
    for identity, score, metadata in rows if len(rows) <= MAX_CHUNKS else rows[:MAX_CHUNKS]:
        about = tuple(metadata.items()) if type(metadata) is dict else ()
        name = identity if type(identity) is str and 0 < len(identity) <= MAX_ID else _name(identity)
        if score is None:
            found.append(_chunk(name, about))
            continue
        own = _chunk(name, about) if about else _NOTHING
        found.append(
            Chunk(
                id=own.id or name,
                score=_score(score),
                source=own.source,
                key=own.key,
                run=own.run,
                place=own.place,
            )
        )
    return tuple(found), max(0, len(rows) - MAX_CHUNKS)


_NOTHING: Final = Chunk(id=None)


def chunk_of(metadata: Attributes) -> Chunk:
    """Return what the fields of a document's metadata tell of its chunk."""
    return _chunk(None, tuple(metadata.items()))


@functools.lru_cache(50_000)
def _chunk(name: str | None, metadata: tuple[tuple[str, Any], ...]) -> Chunk:
    """Return a chunk without a score. The same few come again and again."""
    known = dict(metadata)
    key, run = known.get("dh_source_key"), known.get("dh_embed_run")
    return Chunk(
        id=name if name is not None else _name(known.get("_id", known.get("pk"))),
        source=_source(tuple([(name, value) for name, value in metadata if name in _ORIGIN])),
        key=key if isinstance(key, str) and key.startswith(HMAC_PREFIX) else None,
        run=None if run is None else str(run)[:MAX_ID],
        place=_place(known.get("page"), known.get("row")),
    )


def _name(identity: object) -> str | None:
    if type(identity) is str:
        return identity[:MAX_ID] or None
    return str(identity) if isinstance(identity, int) and not isinstance(identity, bool) else None


def _score(score: object) -> float | None:
    if isinstance(score, str):
        try:
            score = float(score)
        except ValueError:
            return None
    return round(float(score), 6) if isinstance(score, (int, float)) and math.isfinite(score) else None


def _place(page: object, row: object) -> Mapping[str, int]:
    found = {
        name: value
        for name, value in (("page", page), ("row", row))
        if isinstance(value, int) and not isinstance(value, bool)
    }
    return found or _NO_PLACE


@functools.lru_cache(20_000)
def _source(picked: tuple[tuple[str, Any], ...]) -> Raw | None:
    if not picked:
        return None
    found = identify_source(dict(picked), _no_digest, "hmac")
    # A source that is not an address is a value from private data, and there is no key here to digest it with.
    return None if found is None or found.get("value", "").startswith(HMAC_PREFIX) else found


def _no_digest(text: str) -> str:
    return ""
