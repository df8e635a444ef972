"""Rows of a loaded Milvus collection, page by page, without their vectors.

As pymilvus' ``query_iterator`` does it: ordered by primary key, each page from behind the last key on; a page may be
short before the end is reached. https://milvus.io/docs/with-iterators.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from datahub_llmops.vector_stores.milvus.client import MilvusCalls, TooLargeError
from datahub_llmops.vector_stores.milvus.protobuf import common_pb2, milvus_pb2

Row: TypeAlias = dict[str, Any]

ROWS_A_PAGE: Final = 1_000
_BOUNDED: Final = common_pb2.ConsistencyLevel.Value("Bounded")
"""A few seconds behind the last write at most, and nothing to wait for."""


class Rows:
    """Rows of one collection of one database; ``key`` is its primary key and whether that is text."""

    def __init__(
        self, calls: MilvusCalls, database: str, collection: str, *, key: tuple[str, bool], item: str
    ) -> None:
        self._calls = calls
        self._database = database
        self._collection = collection
        self._key, self._is_text = key
        self._item = item

    def count(self) -> int | None:
        """How many rows there are, without those that were deleted.

        Raises as ``MilvusCalls.ask``.
        """
        answer = self._query("", ["count(*)"], {})
        counts = [data.scalars.long_data.data for data in answer.fields_data]
        return int(counts[0][0]) if counts and counts[0] else None

    def pages(self, columns: Sequence[str], limit: int) -> Iterator[list[Row]]:
        """Up to ``limit`` rows in pages, ``columns`` of each; dynamic fields stand beside the columns.

        Raises as ``MilvusCalls.ask``.
        """
        last: object = None
        given, most = 0, ROWS_A_PAGE
        while given < limit:
            size = min(most, limit - given)
            expression = "" if last is None else f"{self._key} > {self._literal(last)}"
            # Without the last two a server may stop at any rows that match, not at the smallest keys.
            options = {
                "limit": size,
                "batch_size": size,
                "iterator": "True",
                "reduce_stop_for_best": "True",
            }
            try:
                answer = self._query(expression, [self._key, *columns], options)
            except TooLargeError:
                if size == 1:
                    raise
                most = size // 2
                continue
            keys, page = _rows(answer, self._key)
            if not keys:
                return
            last = keys[:size][-1]
            yield page[:size]
            given += len(page[:size])

    def _literal(self, key: object) -> str:
        return json.dumps(key, ensure_ascii=False) if self._is_text else str(key)

    def _query(self, expression: str, columns: Sequence[str], options: Mapping[str, object]) -> Any:
        request = milvus_pb2.QueryRequest(
            db_name=self._database,
            collection_name=self._collection,
            expr=expression,
            output_fields=columns,
            consistency_level=_BOUNDED,
            query_params=[
                common_pb2.KeyValuePair(key=key, value=str(value)) for key, value in options.items()
            ],
        )
        return self._calls.ask("Query", request, self._item)


def _rows(answer: Any, key: str) -> tuple[list[Any], list[Row]]:
    """The primary keys of a page, and its rows as payload."""
    columns = {data.field_name: list(_values(data)) for data in answer.fields_data}
    hidden = {data.field_name for data in answer.fields_data if data.is_dynamic}
    keys = columns.get(key, [])
    rows: list[Row] = [{} for _ in keys]
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=False):
            if name not in hidden:
                row[name] = value
            elif isinstance(value, Mapping):
                row.update({inner: found for inner, found in value.items() if inner not in columns})
    return keys, rows


def _values(data: Any) -> Iterator[Any]:
    """One value a row, ``None`` where the row has none."""
    kind = data.scalars.WhichOneof("data")
    found = iter(getattr(data.scalars, kind).data if kind else ())
    if not data.valid_data:
        yield from (_plain(kind, value) for value in found)
        return
    held = list(found)
    if len(held) == len(data.valid_data):
        yield from (
            _plain(kind, value) if valid else None for value, valid in zip(held, data.valid_data, strict=True)
        )
        return
    # Some servers leave out the values of rows that have none.
    packed = iter(held)
    yield from (_plain(kind, next(packed, None)) if valid else None for valid in data.valid_data)


def _plain(kind: str | None, value: Any) -> Any:
    if kind == "json_data":
        return _decoded(value)
    if kind == "array_data":
        inner = value.WhichOneof("data") if value is not None else None
        return list(getattr(value, inner).data) if inner else []
    return value


def _decoded(written: bytes | None) -> object:
    try:
        return json.loads(written) if written else None
    except (ValueError, RecursionError):
        return None
