"""Measures `llm-pinecone` over a project of 200 indexes with 5 namespaces each, with a latency of 30 ms.

    python benchmarks/pinecone_200.py [--indexes 200] [--namespaces 5] [--latency 30] [--workers 16] [--runs 3]

A stand-in answers in the documented shapes, in a process of its own. Printed: the reader beside a bare one (the same
requests over urllib3, with the same number of threads, that keeps nothing); the whole source into DataHub's blackhole
sink, as it writes beside DataHub's own source and as it writes alone, beside DataHub's own `pinecone` source with and
without schema inference; wall time, CPU time, requests, events and peak memory of each, medians of the runs. DataHub's
source runs once each, since it takes minutes. `--no-peer` leaves it out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3
from typing_extensions import override

KEY = "benchmark"
ROWS = 250


class Service(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, indexes: int, namespaces: int, latency: float) -> None:
        self.latency = latency
        self.requests = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        url = f"http://127.0.0.1:{self.server_address[1]}"
        self.names = [f"index-{number:03d}" for number in range(indexes)]
        self.new = {name: json.dumps(described(name, url, typed=True)) for name in self.names}
        self.old = {name: json.dumps(described(name, url, typed=False)) for name in self.names}
        counts = {f"tenant-{number}": {"vectorCount": ROWS} for number in range(namespaces)}
        total = ROWS * namespaces
        self.stats = json.dumps(
            {"namespaces": counts, "dimension": 8, "indexFullness": 0, "totalVectorCount": total}
        )


def described(name: str, url: str, *, typed: bool) -> dict[str, Any]:
    """Describe an index as API version 2026-07 does, or as earlier versions do."""
    both = {
        "name": name,
        "host": f"{url}/hosts/{name}",
        "status": {"ready": True, "state": "Ready"},
        "deletion_protection": "disabled",
    }
    if not typed:
        spec = {"serverless": {"cloud": "aws", "region": "us-east-1"}}
        return {**both, "dimension": 8, "metric": "cosine", "vector_type": "dense", "spec": spec}
    return {
        **both,
        "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
        "schema": {"fields": {"_values": {"type": "dense_vector", "dimension": 8, "metric": "cosine"}}},
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Service

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service, parts = self.server, urlsplit(self.path)
        if parts.path == "/count":
            self.send(str(service.requests))
            return
        with service.lock:
            service.requests += 1
        time.sleep(service.latency)
        typed = self.headers.get("X-Pinecone-Api-Version", "") >= "2026-07"
        known = service.new if typed else service.old
        if parts.path == "/indexes":
            self.send('{"indexes": [' + ", ".join(known[name] for name in service.names) + "]}")
        elif parts.path.startswith("/indexes/"):
            self.send(known[parts.path.rpartition("/")[2]])
        elif parts.path.endswith("/describe_index_stats"):
            self.send(service.stats)
        elif parts.path.endswith("/vectors/list"):
            self.send(json.dumps(listed(parse_qs(parts.query))))
        else:
            self.send(json.dumps({"vectors": {}, "namespace": "", "usage": {"readUnits": 1}}))

    do_GET = do_POST = answer

    def send(self, text: str) -> None:
        content = text.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self.wfile.write(head.encode() + content)


def listed(query: dict[str, list[str]]) -> dict[str, Any]:
    start = int(query.get("paginationToken", ["0"])[0])
    end = min(ROWS, start + int(query.get("limit", ["100"])[0]))
    more = {"pagination": {"next": str(end)}} if end < ROWS else {}
    ids = [{"id": f"id-{number}"} for number in range(start, end)]
    return {"vectors": ids, "namespace": query["namespace"][0], "usage": {"readUnits": 1}, **more}


def serve(options: argparse.Namespace) -> None:
    """Serve until the parent process closes the standard input."""
    service = Service(options.indexes, options.namespaces, options.latency / 1000)
    threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    print(f"http://127.0.0.1:{service.server_address[1]}", flush=True)
    sys.stdin.read()


@contextmanager
def service(options: argparse.Namespace) -> Iterator[str]:
    """Run the stand-in in its own process."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", *same(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def same(options: argparse.Namespace) -> list[str]:
    names = ("indexes", "namespaces", "latency", "workers")
    return [word for name in names for word in (f"--{name}", str(getattr(options, name)))]


def bare(url: str, workers: int) -> int:
    """Send the same requests, and only parse the answers."""
    headers = {"Api-Key": KEY, "X-Pinecone-Api-Version": "2026-07"}
    pool = urllib3.PoolManager(maxsize=workers)
    hosts = [
        item["host"] for item in pool.request("GET", f"{url}/indexes", headers=headers).json()["indexes"]
    ]

    def stats(host: str) -> int:
        answer = pool.request("POST", f"{host}/describe_index_stats", headers=headers, json={})
        return len(answer.json()["namespaces"])

    with ThreadPoolExecutor(workers) as threads:
        return sum(threads.map(stats, hosts))


def ours(url: str, workers: int) -> int:
    """List and read every namespace with our reader."""
    from datahub_llmops.vector_stores.pinecone.source import PineconeConfig, PineconeSource

    config = PineconeConfig.model_validate({"url": url, "api_key": KEY, "max_workers": workers})
    with closing(PineconeSource.open(config)) as reader:
        return sum(isinstance(name, tuple) and reader.read(name).count == ROWS for name in reader.names())


def pipeline(source: str, config: dict[str, Any]) -> int:
    """Run a source into DataHub's blackhole sink, and return the number of its events."""
    from datahub.ingestion.run.pipeline import Pipeline

    recipe = {"source": {"type": source, "config": config}, "sink": {"type": "blackhole"}}
    run = Pipeline.create(recipe, no_progress=True, report_to=None)
    run.run()
    report: Any = run.source.get_report()
    assert not report.failures, report.failures
    return int(report.events_produced)


def work(name: str, url: str, workers: int) -> int:
    if name == "bare reader":
        return bare(url, workers)
    if name == "our reader":
        return ours(url, workers)
    if name.startswith("llm-pinecone"):
        alone = name == "llm-pinecone, alone"
        config = {"url": url, "api_key": KEY, "max_workers": workers, "described_elsewhere": not alone}
        return pipeline("llm-pinecone", config)
    os.environ["PINECONE_CONTROLLER_HOST"] = url
    return pipeline("pinecone", {"api_key": KEY, "enable_schema_inference": name.endswith("as it is")})


def measured(name: str, url: str, options: argparse.Namespace) -> dict[str, float]:
    """Measure one run in its own process. The clock starts after all imports."""
    command = [sys.executable, __file__, "--work", name, "--url", url, *same(options)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(output.strip().splitlines()[-1])
    return found


def child(options: argparse.Namespace) -> None:
    for module in ("datahub.ingestion.run.pipeline", "datahub_llmops.vector_stores.pinecone.source"):
        importlib.import_module(module)
    pool = urllib3.PoolManager()
    before = int(pool.request("GET", f"{options.url}/count").data)
    wall, cpu = time.perf_counter(), time.process_time()
    count = work(options.work, options.url, options.workers)
    result = {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "count": count,
        "requests": int(pool.request("GET", f"{options.url}/count").data) - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description="llm-pinecone over 200 indexes with 5 namespaces each.")
    parser.add_argument("--indexes", type=int, default=200)
    parser.add_argument("--namespaces", type=int, default=5)
    parser.add_argument("--latency", type=float, default=30, help="milliseconds per request")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true", help="skip DataHub's own source")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options)
    elif options.work:
        child(options)
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    names = {"bare reader": options.runs, "our reader": options.runs}
    names |= {"llm-pinecone, beside": options.runs, "llm-pinecone, alone": options.runs}
    if not options.no_peer:
        names |= {"pinecone, no inference": 1, "pinecone, as it is": 1}
    print(f"{options.indexes} indexes x {options.namespaces} namespaces, {options.latency:g} ms a request")
    print(f"{options.workers} workers for the bare reader and for ours")
    print(f"{'':24}{'wall s':>9}{'cpu s':>9}{'requests':>10}{'events':>9}{'peak MB':>9}")
    walls: dict[str, float] = {}
    with service(options) as url:
        for name, runs in names.items():
            results = [measured(name, url, options) for _ in range(runs)]
            middle = {key: statistics.median(result[key] for result in results) for key in results[0]}
            walls[name] = middle["wall"]
            events = f"{middle['count']:9.0f}" if "pinecone" in name else f"{'':9}"
            print(
                f"{name:24}{middle['wall']:9.2f}{middle['cpu']:9.2f}{middle['requests']:10.0f}{events}{middle['peak']:9.0f}"
            )
    print(f"our reader / bare reader: {walls['our reader'] / walls['bare reader']:.2f}")
    for peer in (name for name in names if name.startswith("pinecone")):
        for own in ("llm-pinecone, beside", "llm-pinecone, alone"):
            print(f"{peer} / {own}: {walls[peer] / walls[own]:.1f}")


if __name__ == "__main__":
    main()
