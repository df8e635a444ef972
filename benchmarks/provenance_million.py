"""Compares two ways to count provenance over 1,000,000 points: by the engine, and by reading the value of every row.

Qdrant's segment engine (`qdrant-edge-py`, in process: without HTTP, which only the scroll would feel) by facet and by
scroll in pages of 1,000; LanceDB by Lance's SQL and by reading the column. Both give the same counts, which is
checked. Prints medians of three runs, wall and CPU seconds; CPU is of all threads.

    python benchmarks/provenance_million.py [rows]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lance
import numpy
import pyarrow as pa
import qdrant_edge as edge

from datahub_llmops.ingestion.sampling import ValueCounter
from datahub_llmops.vector_stores.lancedb.rows import Rows

SOURCES = 1_000
DIMENSION = 4
BATCH = 10_000
Counts = Mapping[str, int]


def source(row: int) -> str:
    return f"s3://knowledge-base/articles/{row % SOURCES:05d}.md"


def qdrant(folder: Path, rows: int) -> Any:
    """Create a shard with one keyword index. Its vectors are small, because nothing reads them."""
    vectors = {"": edge.EdgeVectorParams(size=DIMENSION, distance=edge.Distance.Dot)}
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=vectors))
    shard.update(edge.UpdateOperation.create_field_index("source", edge.PayloadSchemaType.Keyword))
    vector = [1.0] * DIMENSION
    for start in range(0, rows, BATCH):
        points = [
            edge.Point(n, vector, {"source": source(n), "page": n}) for n in range(start, start + BATCH)
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))
    shard.flush()
    return shard


def facet(shard: Any) -> Counts:
    hits = shard.facet(edge.FacetRequest("source", limit=10_000, exact=True)).hits
    return {str(hit.value): int(hit.count) for hit in hits}


def scroll(shard: Any) -> Counts:
    counter = ValueCounter(["source"], 10_000)
    offset = None
    while True:
        records, offset = shard.scroll(
            edge.ScrollRequest(offset=offset, limit=1_000, with_payload=["source"], with_vector=False)
        )
        counter.add_rows(record.payload for record in records)
        if offset is None:
            return counter.result(None)[0].values


def lancedb(folder: Path, rows: int) -> Any:
    values = pa.array(numpy.ones(rows * DIMENSION, dtype="float32"))
    table = pa.table(
        {
            "vector": pa.FixedSizeListArray.from_arrays(values, DIMENSION),
            "source": [source(n) for n in range(rows)],
            "page": pa.array(range(rows)),
        }
    )
    return lance.write_dataset(table, folder / "kb.lance")


def by_sql(data: Any) -> Counts:
    (found,) = Rows(data, data.count_rows()).provenance(["source"], max_rows=1, max_values=10_000)
    return found.values


def by_reading(data: Any) -> Counts:
    counter = ValueCounter(["source"], 10_000)
    for batch in data.scanner(columns=["source"]).to_batches():
        counter.add_rows({"source": value} for value in batch.column(0).to_pylist())
    return counter.result(None)[0].values


def measured(work: Callable[[], Counts]) -> tuple[float, float, Counts]:
    """Return the median wall and CPU seconds of three runs, and the result."""
    walls, cpus, found = [], [], {}
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        found = dict(work())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus), found


def compare(name: str, engine: Callable[[], Counts], scan: Callable[[], Counts]) -> None:
    fast, fast_cpu, counted = measured(engine)
    slow, slow_cpu, scanned = measured(scan)
    assert counted == scanned
    print(
        f"{name:8} engine {fast:7.3f} s ({fast_cpu:.3f} s CPU)   full scroll {slow:7.3f} s ({slow_cpu:.3f} s CPU)   "
        f"{slow / fast:.0f} x"
    )


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{rows:,} points, {SOURCES:,} sources")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "qdrant").mkdir()
        shard = qdrant(folder / "qdrant", rows)
        compare("Qdrant", lambda: facet(shard), lambda: scroll(shard))
        shard.close()
        data = lancedb(folder, rows)
        compare("LanceDB", lambda: by_sql(data), lambda: by_reading(data))


if __name__ == "__main__":
    main()
