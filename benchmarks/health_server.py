"""Measures `llm-health` over ten thousand indexes of a DataHub server: requests, time and memory.

    python benchmarks/health_server.py [--indexes 10000 ...] [--silent]

The server is that of the tests, made of recorded answers, in a process of its own. Each index has a job and two tables.
With --silent the tables have profiles only, of which the earlier ones are asked for one by one. Memory is above what
Python takes with DataHub loaded, whose peak is printed first.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path[0] = str(TESTS)  # In place of this folder, whose health.py would hide the tests' package.


def serve(indexes: int, *, silent: bool) -> None:
    """Print the address, then, once a line comes in, what was asked, until there is no more input."""
    from health.test_server_requests import HOUR, WRITTEN, estate, served
    from support.stub import Stub

    held = estate(indexes)
    if not silent:
        for urn, aspects in held.items():
            if "datasetProfile" in aspects and urn.startswith("urn:li:dataset:(urn:li:dataPlatform:postgres"):
                aspects["operation"] = {
                    "timestampMillis": WRITTEN + HOUR,
                    "operationType": "UPDATE",
                    "lastUpdatedTimestamp": WRITTEN + HOUR,
                }
    server, answer = served(held)
    with Stub(answer) as stub:
        print(stub.url, flush=True)
        sys.stdin.readline()
        asked = Counter(call.path.partition("?")[0] for call in stub.calls)
        print(json.dumps({"asked": asked, "unmatched": len(server.unmatched)}), flush=True)


def check(url: str) -> None:
    from datahub.ingestion.api.common import PipelineContext

    from datahub_llmops.health.source import HealthConfig, HealthSource
    from health.test_server_requests import HOUR, WRITTEN, graph

    source = HealthSource(
        HealthConfig(),
        PipelineContext(run_id="r", graph=graph(url)),
        now=lambda: datetime.fromtimestamp((WRITTEN + 48 * HOUR) / 1000, UTC),
    )
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    emitted = sum(1 for _ in source.emissions())
    found = {
        "checked": source.report.assets_checked,
        "emitted": emitted,
        "cpu s": round(time.process_time() - begun, 1),
        "peak MB before": round(before / 1024),
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "codes": source.report.findings_by_code,
    }
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--indexes", type=int, nargs="+", default=[10_000])
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--check", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve, silent=options.silent)
    elif options.check is not None:
        check(options.check)
    else:
        for count in options.indexes:
            measure(count, ["--silent"] if options.silent else [])


def measure(count: int, words: list[str]) -> None:
    command = [sys.executable, __file__, "--serve", str(count), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        url = server.stdout.readline().strip()
        begun = time.monotonic()
        checked = [sys.executable, __file__, "--check", url]
        done = subprocess.run(checked, capture_output=True, text=True, check=True)
        seconds = round(time.monotonic() - begun, 1)
        server.stdin.write("\n")
        server.stdin.flush()
        print(f"{count:,} indexes in {seconds} s: {done.stdout.strip()} {server.stdout.readline().strip()}")


if __name__ == "__main__":
    main()
