"""Which column of a table holds the ids that frameworks report, and how ids become values of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.ingestion.chunk_ids import parse_integer, parse_text, parse_uuid

_OF_FRAMEWORKS: Final = (
    ({"collection_id", "cmetadata", "document"}, ("id", "custom_id")),
    ({"langchain_id", "langchain_metadata", "content"}, ("langchain_id",)),
    ({"node_id", "metadata_", "text"}, ("node_id",)),
)
"""Columns that identify a framework's table, and those with its ids. LangChain's ``id`` was once ``custom_id``."""

_INTEGERS: Final = frozenset({"smallint", "integer", "bigint"})
_TEXTS: Final = frozenset({"text", "character varying"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyColumn:
    """The column of ids, how an id is parsed as its value, and the type with which both are compared."""

    name: str
    parse: Callable[[str], str | int | None]
    cast: str | None
    """``None`` compares the column's text, for a type that no index is used for."""
    filtered: bool
    """Whether row-level security decides which rows the user sees."""


def find_key(rows: Sequence[Sequence[Any]]) -> KeyColumn | None:
    """Find the column among the rows of ``queries.COLUMNS``: a framework's own, the primary key, or ``id``.

    >>> key = find_key([("id", "bigint", True, False), ("node_id", "text", False, False)])
    >>> (key.name, key.cast, key.parse("7"), key.parse("x"))
    ('id', 'int8', 7, None)
    """
    kinds = {name: kind for name, kind, _, _ in rows}
    own = [
        name for marks, names in _OF_FRAMEWORKS if marks <= kinds.keys() for name in names if name in kinds
    ]
    primary = [name for name, _, in_key, _ in rows if in_key]
    chosen = own or (primary if len(primary) == 1 else [name for name in kinds if name == "id"])
    if not chosen:
        return None
    kind = kinds[chosen[0]]
    filtered = any(row[3] for row in rows)
    if kind == "uuid":
        return KeyColumn(name=chosen[0], parse=parse_uuid, cast="uuid", filtered=filtered)
    if kind in _INTEGERS:
        return KeyColumn(name=chosen[0], parse=parse_integer, cast="int8", filtered=filtered)
    cast = "text" if kind in _TEXTS else None
    return KeyColumn(name=chosen[0], parse=parse_text, cast=cast, filtered=filtered)
