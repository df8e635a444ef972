"""Measures memory of `llm-qdrant`, `llm-lancedb` and `llm-milvus` over 10,000 collections, with pipeline and sink.

A LanceDB folder holds one table that LanceDB wrote, and copies of its files under other names. Qdrant's own engine
answers for one collection; a stand-in for its server repeats the answers for 10,000 names. The stand-in for Milvus
repeats the answers about a collection of ``tests/wire/milvus``. As in ``chroma_10000.py``
each load runs in its own process.

    python benchmarks/stores_10000.py [--store qdrant|lancedb|milvus]
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chroma_10000 import LOADS, free_port, process, run, show
from typing_extensions import override

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

ROWS = 3


def lancedb_folder(folder: Path, tables: int) -> dict[str, str]:
    """Create a database with that many tables, and return its options of the recipe."""
    import lancedb
    import pyarrow as pa

    values = pa.array([float(n) for n in range(ROWS * 4)], pa.float32())
    rows = {
        "vector": pa.FixedSizeListArray.from_arrays(values, 4),
        "text": ["text"] * ROWS,
        "source": [f"s3://kb/{n}" for n in range(ROWS)],
        "page": list(range(ROWS)),
    }
    lancedb.connect(folder).create_table("t-00000", pa.table(rows))
    for number in range(1, tables):
        shutil.copytree(folder / "t-00000.lance", folder / f"t-{number:05d}.lance")
    return {"path": str(folder)}


def qdrant_stand_in(port: int, collections: int) -> None:
    """Answer for every name as the engine does for one collection, until the process is terminated."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    from support.stub import Call
    from vector_stores.qdrant.engine import QdrantEngine

    names = [f"c-{number:05d}" for number in range(collections)]
    with tempfile.TemporaryDirectory() as folder:
        engine = QdrantEngine(Path(folder))
        engine.create("one", {"vectors": {"size": 4, "distance": "Cosine"}})
        points: list[Mapping[str, Any]] = [
            {"id": n, "vector": [1.0, 2.0, 3.0, float(n)], "payload": {"source": f"s3://kb/{n}", "page": n}}
            for n in range(ROWS)
        ]
        engine.insert("one", points)
        listed = json.dumps({"result": {"collections": [{"name": name} for name in names]}, "status": "ok"})

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = Call(method=self.command, path=self.path, body=body)
                if self.path == "/collections":
                    content = listed.encode()
                else:
                    parts = self.path.split("/")
                    if len(parts) > 2:
                        call = replace(call, path="/".join([*parts[:2], quote("one"), *parts[3:]]))
                    content = engine.answer(call).body
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

        ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def milvus_stand_in(port: int, collections: int) -> None:
    """Answer for every name with a recorded schema, until the process is terminated."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

    from vector_stores.milvus.replay import WIRE, ReplayedService

    held = json.loads((WIRE / "2.6.json").read_text())
    one = held["collections"]["texts"]
    names = [f"c-{number:05d}" for number in range(collections)]

    class Service(ReplayedService):
        @override
        def ShowCollections(self, request: Any, context: Any) -> Any:
            return milvus_pb2.ShowCollectionsResponse(status={}, collection_names=names)

        @override
        def answers_of(self, name: str) -> Mapping[str, Any]:
            described = one["DescribeCollection"]
            schema = {**described["schema"], "name": name}
            return {**one, "DescribeCollection": {**described, "schema": schema}}

    server = grpc.server(ThreadPoolExecutor(8))
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Service(held, {}), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def awaited(port: int) -> None:
    """Wait until a stand-in accepts connections."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the stand-in did not start")


STAND_INS = {"qdrant": qdrant_stand_in, "milvus": milvus_stand_in}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("qdrant", "lancedb", "milvus"), action="append")
    parser.add_argument("--stand-in", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stand_in:
        told = json.loads(arguments.stand_in)
        STAND_INS[told.pop("store")](**told)
        return
    stores = arguments.store or ["qdrant", "lancedb", "milvus"]
    results: dict[str, list[dict[str, float]]] = {store: [] for store in stores}
    with tempfile.TemporaryDirectory() as folder:
        for store in stores:
            for load in LOADS:
                catalog = Path(folder) / f"{store}-{load}.db"
                if store == "lancedb":
                    where = lancedb_folder(Path(folder) / f"lancedb-{load}", load)
                    results[store].append(run(where, catalog, "llm-lancedb"))
                    continue
                port = free_port()
                asked = json.dumps({"store": store, "port": port, "collections": load})
                with process(sys.executable, __file__, "--stand-in", asked):
                    awaited(port)
                    url = {"url": f"http://127.0.0.1:{port}"}
                    results[store].append(run(url, catalog, f"llm-{store}"))
    show(results)


if __name__ == "__main__":
    main()
