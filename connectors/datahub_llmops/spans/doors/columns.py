"""Spans out of Parquet: LangSmith's bulk export and Langfuse's.

Of the columns with texts only that of outputs is read, and of it only what retrievers returned: it has the ids and the
sources of documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

import pyarrow
from pyarrow import compute, parquet

from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors import langfuse, langsmith
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.rows import Row

_BATCH: Final = 2_000
"""Rows in memory together, unless they are large."""
_BATCH_BYTES: Final = 2**24
"""What rows in memory together take on average."""


class _Outcome(Protocol):
    format: str
    others: int
    broken: str | None


def read(file: Any, selection: Selection, counts: ReadCounts, outcome: _Outcome) -> Iterator[list[Row]]:
    """Yield the spans of a Parquet file, batch by batch. ``outcome`` records its format, and why it ended too early.

    Raises:
        StorageError: it cannot be read.
    """
    decoder: Any
    try:
        table = parquet.ParquetFile(file)
        names = set(table.schema_arrow.names)
        if {"id", "trace_id", "run_type", "start_time"} <= names:
            decoder, wanted = langsmith.LangSmithDecoder(selection, counts), list(langsmith.COLUMNS)
        elif {"id", "trace_id", "parent_observation_id", "start_time"} <= names:
            decoder, wanted = langfuse.LangfuseDecoder(selection, counts), list(langfuse.COLUMNS)
        else:
            outcome.others += table.metadata.num_rows
            return
        columns = [name for name in wanted if name in names]
        size = _rows_at_once(table.metadata, columns)
        for batch in table.iter_batches(batch_size=size, columns=columns, use_threads=False):
            records = _without_texts(batch, *decoder.output).to_pylist()
            yield [row for record in records for row in decoder.decode(record)]
    except pyarrow.ArrowInvalid:
        # Its text may quote a value.
        outcome.broken = "the Parquet file is cut off or damaged"


def _rows_at_once(metadata: Any, columns: Iterable[str]) -> int:
    """Return how many rows are read together, by the row group whose rows are largest."""
    wanted = frozenset(columns)
    rows = _BATCH
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        parts = map(group.column, range(group.num_columns))
        size = sum(
            one.total_uncompressed_size for one in parts if one.path_in_schema.partition(".")[0] in wanted
        )
        rows = min(rows, max(1, _BATCH_BYTES * group.num_rows // max(1, size)))
    return rows


def _without_texts(batch: Any, kind: str, retriever: str, output: str) -> Any:
    """Return a batch with the outputs of retrievers only, before any of them becomes an object."""
    place = batch.schema.get_field_index(output)
    if place < 0:
        return batch
    texts, kinds = batch.column(place), batch.schema.get_field_index(kind)
    if kinds < 0 or not pyarrow.types.is_string(texts.type):
        return batch.remove_column(place)
    of_retrievers = compute.equal(batch.column(kinds).cast(pyarrow.string()), retriever)
    kept = compute.if_else(of_retrievers, texts, pyarrow.scalar(None, texts.type))
    return batch.set_column(place, output, kept)
