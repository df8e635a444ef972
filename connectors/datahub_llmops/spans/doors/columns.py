"""Spans out of Parquet: LangSmith's bulk export and Langfuse's. Columns with texts are never read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

import pyarrow
from pyarrow import parquet

from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors import langfuse, langsmith
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.rows import Row

_BATCH: Final = 2_000
"""Rows in memory together."""


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
        for batch in table.iter_batches(batch_size=_BATCH, columns=columns, use_threads=False):
            yield [row for record in batch.to_pylist() for row in decoder.decode(record)]
    except pyarrow.ArrowInvalid:
        # Its text may quote a value.
        outcome.broken = "the Parquet file is cut off or damaged"
