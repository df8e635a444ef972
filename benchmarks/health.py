"""Measures `llm-health` over ten thousand indexes of a local catalog: time, memory, and what a second run changes.

    python benchmarks/health.py [--indexes 10000 ...] [--edges 250000]

Several numbers of indexes show whether the memory is flat.

The catalog is that of check_command.py. Each run is a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import check_command as check
import upstream_walk

RUN = """
import json, resource, sys, time
from datahub.ingestion.run.pipeline import Pipeline
path = sys.argv[1]
begun = time.monotonic()
made = Pipeline.create({
    "pipeline_name": "health",
    "source": {"type": "llm-health", "config": {"catalog": path, "stateful_ingestion": {
        "enabled": True, "state_provider": {"type": "llm-local", "config": {"path": path}}}}},
    "sink": {"type": "llm-local", "config": {"path": path}},
}, report_to=None)
made.run()
made.raise_from_status()
report, sink = made.source.get_report(), made.sink.get_report()
print(json.dumps({
    "seconds": round(time.monotonic() - begun, 1),
    "cpu": round(time.process_time(), 1),
    "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    "checked": report.assets_checked,
    "changed": dict(sink.changed_aspects),
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--indexes", type=int, nargs="+", default=[10_000])
    parser.add_argument("--edges", type=int, default=250_000)
    options = parser.parse_args()
    width = options.edges // ((upstream_walk.LAYERS - 1) * upstream_walk.FED_BY)
    for count in options.indexes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "catalog.db"
            upstream_walk.build(path, options.edges)
            check.add_indexes(path, count, width)
            for number in (1, 2):
                command = [sys.executable, "-c", RUN, str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                print(f"{count:,} indexes, run {number}: {json.loads(done.stdout.splitlines()[-1])}")


if __name__ == "__main__":
    main()
