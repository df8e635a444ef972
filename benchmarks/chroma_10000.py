"""Measures memory and events of `llm-chroma` over 10,000 collections with the real reader, pipeline and local sink.

Each load runs in its own process, so that peaks do not mix. With `--way path`, Chroma itself lays out the store
(one collection), and SQL copies it; the reader sees no difference. With `--way url`, a stand-in repeats the answers
of a real server under other names, because a real server needs 2.5 MB for every collection that it counts.

    python benchmarks/chroma_10000.py [--rows 3] [--way path|url|both]
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOADS = (1_000, 10_000)


def write_store(folder: Path, collections: int, rows: int) -> None:
    """Write one collection with Chroma's own client, then copy its rows in SQLite under other names."""
    program = (
        "import chromadb, sys\n"
        "client = chromadb.PersistentClient(sys.argv[1])\n"
        "made = client.create_collection('c-00000', configuration={'hnsw': {'space': 'cosine'}})\n"
        "n = int(sys.argv[2])\n"
        "made.add(ids=[str(i) for i in range(n)], embeddings=[[1.0, 2.0, float(i)] for i in range(n)],\n"
        "  documents=['text'] * n, metadatas=[{'source': f's3://kb/{i}', 'page': i, 'lang': 'en'} for i in range(n)])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder), str(rows)], check=True)
    file = sqlite3.connect(folder / "chroma.sqlite3")
    with file:
        (first,) = file.execute("SELECT id FROM collections").fetchone()
        metadata_segment = file.execute("SELECT id FROM segments WHERE scope = 'METADATA'").fetchone()[0]
        for number in range(1, collections):
            identity, metadata, vector = (str(uuid.uuid4()) for _ in range(3))
            file.execute(
                "INSERT INTO collections (id, name, dimension, database_id, config_json_str, schema_str) "
                "SELECT ?, ?, dimension, database_id, config_json_str, schema_str FROM collections WHERE id = ?",
                (identity, f"c-{number:05d}", first),
            )
            for segment, scope in ((metadata, "METADATA"), (vector, "VECTOR")):
                file.execute(
                    "INSERT INTO segments (id, type, scope, collection) SELECT ?, type, scope, ? FROM segments "
                    "WHERE collection = ? AND scope = ?",
                    (segment, identity, first, scope),
                )
            for (row,) in file.execute(
                "SELECT id FROM embeddings WHERE segment_id = ?", (metadata_segment,)
            ).fetchall():
                copied = file.execute(
                    "INSERT INTO embeddings (segment_id, embedding_id, seq_id) "
                    "SELECT ?, embedding_id, seq_id FROM embeddings WHERE id = ?",
                    (metadata, row),
                ).lastrowid
                file.execute(
                    "INSERT INTO embedding_metadata (id, key, string_value, int_value, float_value, bool_value) "
                    "SELECT ?, key, string_value, int_value, float_value, bool_value FROM embedding_metadata "
                    "WHERE id = ?",
                    (copied, row),
                )
    file.close()


@contextmanager
def process(*command: str) -> Iterator[None]:
    """Run a program for the duration of the block."""
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        started.terminate()
        started.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ask(url: str, body: bytes | None = None) -> Any:
    """Wait for the server at ``url``, and return the JSON there."""
    for _ in range(600):
        try:
            request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nobody answers at {url}")


def record(folder: Path) -> dict[str, Any]:
    """Record the answers of a real server about the one collection in ``folder``."""
    port = free_port()
    program = str(Path(sys.executable).with_name("chroma"))
    with process(program, "run", "--path", str(folder), "--port", str(port)):
        root = f"http://127.0.0.1:{port}/api/v2"
        ask(f"{root}/heartbeat")
        place = f"{root}/tenants/default_tenant/databases"
        (collection,) = ask(f"{place}/default_database/collections")
        rows = ask(
            f"{place}/default_database/collections/{collection['id']}/get",
            json.dumps({"include": ["metadatas"], "limit": 250, "offset": 0}).encode(),
        )
        return {
            "version": ask(f"{root}/version"),
            "tenant": ask(f"{root}/tenants/default_tenant"),
            "databases": ask(place),
            "collection": collection,
            "rows": rows,
            "count": len(rows["ids"]),
        }


def stand_in(port: int, collections: int, recorded: dict[str, Any]) -> None:
    """Answer as the recorded server would if it had that many collections."""
    names = [f"c-{number:05d}" for number in range(collections)]

    def one(name: str) -> dict[str, Any]:
        return {**recorded["collection"], "name": name, "id": name}

    def answer(path: str, query: dict[str, list[str]]) -> Any:
        last = path.rpartition("/")[2]
        if last == "heartbeat":
            return {"nanosecond heartbeat": 1}
        if last in ("version", "databases", "count"):
            return recorded[last]
        if last == "get":
            return recorded["rows"]
        if last == "collections":
            start = int(query["offset"][0])
            return [one(name) for name in names[start : start + int(query["limit"][0])]]
        return one(last) if "/collections/" in path else recorded["tenant"]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            body = json.dumps(answer(parts.path, parse_qs(parts.query))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def measure(source: str, where: dict[str, str], catalog: Path) -> None:
    """Run a source once in this process, and print its costs as JSON."""
    from datahub.ingestion.run.pipeline import Pipeline

    before = time.perf_counter(), time.process_time()
    recipe = {
        "pipeline_name": "benchmark",
        "source": {"type": source, "config": where},
        "sink": {"type": "llm-local", "config": {"path": str(catalog)}},
    }
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipeline.run()
    pipeline.raise_from_status()
    report = pipeline.source.get_report()
    own = sum(report.aspects.get("dataset", {}).values()) + sum(
        report.aspects.get("schemaField", {}).values()
    )
    result = {
        "collections": report.aspects["dataset"]["schemaMetadata"],
        "wall_s": time.perf_counter() - before[0],
        "cpu_s": time.process_time() - before[1],
        "start_mb": started / 1024,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "events_a_collection": own / report.aspects["dataset"]["schemaMetadata"],
        "optional_facts": sum(
            report.aspects[kind].get(aspect, 0)
            for kind, aspect in (
                ("dataset", "operation"),
                ("dataset", "upstreamLineage"),
                ("schemaField", "structuredProperties"),
            )
        )
        / report.aspects["dataset"]["schemaMetadata"],
    }
    print("RESULT " + json.dumps(result))


def run(where: dict[str, str], catalog: Path, source: str = "llm-chroma") -> dict[str, float]:
    """Run ``measure`` in a new process."""
    asked = ["--measure", json.dumps(where), "--catalog", str(catalog), "--source", source]
    command = [sys.executable, __file__, *asked]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return found


def show(results: dict[str, list[dict[str, float]]]) -> None:
    """Print the small load and the large one of each way."""
    for way, (small, large) in ((way, found) for way, found in results.items() if found):
        for found in (small, large):
            print(
                f"{way}: {found['collections']:>6,.0f} collections  wall {found['wall_s']:6.1f} s  "
                f"cpu {found['cpu_s']:6.1f} s  peak {found['peak_mb']:4.0f} MB ({found['start_mb']:.0f} before)  "
                f"{found['events_a_collection']:.1f} events a collection, "
                f"{found['optional_facts']:.1f} of them for optional facts"
            )
        ratio = large["peak_mb"] / small["peak_mb"]
        print(f"{way}: peak x{ratio:.2f} for ten times the load (flat: at most x1.20; at most 200 MB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3)
    parser.add_argument("--way", choices=("path", "url", "both"), default="both")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--catalog", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--source", help=argparse.SUPPRESS)
    parser.add_argument("--stand-in", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.source, json.loads(arguments.measure), arguments.catalog)
        return
    if arguments.stand_in:
        stand_in(**json.loads(arguments.stand_in))
        return
    results: dict[str, list[dict[str, float]]] = {"path": [], "url": []}
    with tempfile.TemporaryDirectory() as folder:
        write_store(Path(folder) / "one", 1, arguments.rows)
        recorded = record(Path(folder) / "one") if arguments.way != "path" else {}
        for load in LOADS:
            catalog = Path(folder) / f"{load}.db"
            if arguments.way != "url":
                store = Path(folder) / str(load)
                write_store(store, load, arguments.rows)
                results["path"].append(run({"path": str(store)}, catalog.with_suffix(".path")))
            if arguments.way != "path":
                port = free_port()
                told = json.dumps({"port": port, "collections": load, "recorded": recorded})
                with process(sys.executable, __file__, "--stand-in", told):
                    ask(f"http://127.0.0.1:{port}/api/v2/heartbeat")
                    results["url"].append(
                        run({"url": f"http://127.0.0.1:{port}"}, catalog.with_suffix(".url"))
                    )
    show(results)


if __name__ == "__main__":
    main()
