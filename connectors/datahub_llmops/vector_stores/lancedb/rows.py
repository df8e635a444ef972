"""Reads the rows of one version of a LanceDB table: counts values by Lance's SQL, and reads JSON text.

https://lance.org/guide/read_and_write/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from datahub_llmops.assets.collections import PayloadField, ProvenanceCount
from datahub_llmops.ingestion.chunk_ids import parse_integer
from datahub_llmops.ingestion.sampling import ValueCounter, infer
from datahub_llmops.net.json_values import mapping
from datahub_llmops.vector_stores.lancedb.facts import countable

JSON_COLUMN: Final = "metadata"
"""Column in which LangChain's package for LanceDB writes a document's metadata as JSON text."""

ID_COLUMNS: Final = ("id", "node_id")
"""Columns of ids, in this order of preference. LangChain's and LlamaIndex's packages call it ``id``."""

_SAMPLE: Final = 100
_ROWS_A_BATCH: Final = 4_096


class Rows:
    """The rows of ``data``, a ``lance.LanceDataset`` with ``total`` rows."""

    def __init__(self, data: Any, total: int) -> None:
        self._data = data
        self._total = total
        self._sampled = list(self._read_json(_SAMPLE))

    def json_fields(self) -> tuple[PayloadField, ...]:
        """Infer fields from the JSON of the first rows; none if there is no such column or it holds no JSON."""
        found = infer(({JSON_COLUMN: row} for row in self._sampled if row), complete=self._total <= _SAMPLE)
        return tuple(field for field in found if field.path != JSON_COLUMN)

    def provenance(
        self, paths: Sequence[str], *, max_rows: int, max_values: int
    ) -> tuple[ProvenanceCount, ...]:
        """Count in the order of ``paths``: columns by Lance over all rows, JSON text by a bounded scan."""
        found: dict[str, ProvenanceCount] = {}
        inside: list[str] = []
        for path in paths:
            values = countable(self._data.schema, path)
            if values is None:
                inside.append(path)
            elif count := self._count_values(path, values, max_values):
                found[path] = count
        inside = [path for path in inside if path.startswith(f"{JSON_COLUMN}.")]
        if inside:
            counter = ValueCounter(inside, max_values)
            counter.add_rows({JSON_COLUMN: row} for row in self._read_json(max_rows))
            found |= {item.field: item for item in counter.result(self._total)}
        return tuple(found[path] for path in paths if path in found)

    def _count_values(self, path: str, values: str, most: int) -> ProvenanceCount | None:
        source = f"(SELECT {values} AS v FROM dataset) WHERE v IS NOT NULL"
        counts = self._query_pairs(
            f"SELECT v, count(*) AS n FROM {source} GROUP BY v ORDER BY n DESC, v LIMIT {most + 1}"
        )
        values_kept = dict(counts[:most])
        if not values_kept:
            return None
        carrying = sum(values_kept.values())
        if len(counts) > most:
            carrying = self._query_pairs(f"SELECT 'all' AS v, count(*) AS n FROM {source}")[0][1]
        return ProvenanceCount(
            field=path,
            values=values_kept,
            rows_scanned=self._total,
            rows_total=self._total,
            values_dropped=carrying - sum(values_kept.values()),
        )

    def _query_pairs(self, sql: str) -> list[tuple[str, int]]:
        """Return the rows of a query with two columns, which Lance returns in batches."""
        batches = self._data.sql(sql).build().to_batch_records()
        rows = [
            zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True) for batch in batches
        ]
        return [(str(value), int(number)) for batch in rows for value, number in batch]

    def _read_json(self, limit: int) -> Iterator[Mapping[str, Any]]:
        """Yield the objects in the column, empty ones for other content; nothing if the column is not text."""
        schema = self._data.schema
        number = schema.get_field_index(JSON_COLUMN)
        if number < 0 or not (
            pa.types.is_string(schema.field(number).type)
            or pa.types.is_large_string(schema.field(number).type)
        ):
            return
        scanner = self._data.scanner(columns=[JSON_COLUMN], limit=limit, batch_size=_ROWS_A_BATCH)
        for batch in scanner.to_batches():
            for written in batch.column(0).to_pylist():
                yield _parse_object(written)


def find_keys(opened: Any, wanted: Iterable[str]) -> list[str] | None:
    """Return those of ``wanted`` that are ids in the opened table, or ``None`` if it has no column of ids."""
    column = next((name for name in ID_COLUMNS if name in opened.schema.names), None)
    if column is None:
        return None
    kind = opened.schema.field(column).type
    literals: list[str]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        literals = ["'" + one.replace("'", "''") + "'" for one in wanted]
    elif pa.types.is_integer(kind):
        literals = [one for one in wanted if parse_integer(one) is not None]
    else:
        return None
    if not literals:
        return []
    sql = f"SELECT DISTINCT {column} AS v FROM dataset WHERE {column} IN ({', '.join(literals)})"
    batches = opened.to_lance().sql(sql).build().to_batch_records()
    return [str(value) for batch in batches for value in batch.column(0).to_pylist()]


def _parse_object(written: str | None) -> Mapping[str, Any]:
    try:
        return mapping(json.loads(written)) if written else {}
    except (ValueError, RecursionError):
        return {}
