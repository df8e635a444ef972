"""Reads the rows of a loaded Milvus collection page by page, without their vectors.

It works like pymilvus' ``query_iterator``: rows come in the order of the primary key, and a page starts after the last
key of the page before. A page may be short although there are more. https://milvus.io/docs/with-iterators.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.paging import Pages
from datahub_llmops.vector_stores.milvus.client import MilvusGrpcClient, TooLargeError
from datahub_llmops.vector_stores.milvus.protobuf import common_pb2, milvus_pb2

Row: TypeAlias = dict[str, Any]

ROWS_A_PAGE: Final = 1_000
_BOUNDED: Final = common_pb2.ConsistencyLevel.Value("Bounded")
"""Reads are at most a few seconds behind the last write, and do not wait."""


class Rows:
    """The rows of one collection, which messages call ``item``. ``key`` is its primary key and whether that is text."""

    def __init__(
        self, client: MilvusGrpcClient, database: str, collection: str, *, key: tuple[str, bool], item: str
    ) -> None:
        self._client = client
        self._database = database
        self._collection = collection
        self._key, self._is_text = key
        self._item = item

    def count(self) -> int | None:
        """Return the number of rows, without deleted ones.

        Raises like ``MilvusGrpcClient.ask``.
        """
        answer = self._query("", ["count(*)"], {})
        counts = [data.scalars.long_data.data for data in answer.fields_data]
        return int(counts[0][0]) if counts and counts[0] else None

    def pages(self, columns: Sequence[str], limit: int) -> Iterator[list[Row]]:
        """Yield pages of ``columns``, up to ``limit`` rows in all. Dynamic fields are put beside the columns.

        Raises like ``MilvusGrpcClient.ask``.
        """
        last: object = None
        turned = Pages(f"{self._item}: its rows", most=limit)
        total, most = 0, ROWS_A_PAGE
        while total < limit:
            size = min(most, limit - total)
            expression = "" if last is None else f"{self._key} > {self._quote_key(last)}"
            # Without the last two options a server may return any matching rows, not those with the smallest keys.
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
            keys, page = _parse_page(answer, self._key)
            if not keys:
                return
            last = keys[:size][-1]
            turned.add(keys[:size])
            turned.turn(last)
            yield page[:size]
            total += len(page[:size])

    def find(self, keys: Sequence[object]) -> list[Any]:
        """Return those of ``keys`` that are primary keys of rows.

        Raises like ``MilvusGrpcClient.ask``, and ``UnreadableError`` if the answer holds no primary keys.
        """
        expression = f"{self._key} in [{', '.join(map(self._quote_key, keys))}]"
        answer = self._query(expression, [self._key], {"limit": len(keys)})
        for data in answer.fields_data:
            if data.field_name == self._key:
                return list(_list_values(data))
        raise UnreadableError(
            f"Milvus: {self._item}: the answer holds no primary keys. Check the server's version."
        )

    def _quote_key(self, key: object) -> str:
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
        return self._client.ask("Query", request, self._item)


def _parse_page(answer: Any, key: str) -> tuple[list[Any], list[Row]]:
    """Return the primary keys of a page, and its rows as payload."""
    columns = {data.field_name: list(_list_values(data)) for data in answer.fields_data}
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


def _list_values(data: Any) -> Iterator[Any]:
    """Yield one value for each row, ``None`` for a row without a value."""
    kind = data.scalars.WhichOneof("data")
    found = iter(getattr(data.scalars, kind).data if kind else ())
    if not data.valid_data:
        yield from (_convert(kind, value) for value in found)
        return
    values = list(found)
    if len(values) == len(data.valid_data):
        yield from (
            _convert(kind, value) if valid else None
            for value, valid in zip(values, data.valid_data, strict=True)
        )
        return
    # Some servers leave out the rows without a value.
    packed = iter(values)
    yield from (_convert(kind, next(packed, None)) if valid else None for valid in data.valid_data)


def _convert(kind: str | None, value: Any) -> Any:
    if kind == "json_data":
        return _parse_json(value)
    if kind == "array_data":
        inner = value.WhichOneof("data") if value is not None else None
        return list(getattr(value, inner).data) if inner else []
    return value


def _parse_json(written: bytes | None) -> object:
    try:
        return json.loads(written) if written else None
    except (ValueError, RecursionError):
        return None
