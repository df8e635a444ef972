"""Measures `lineage.check`, warm, in a process that serves requests.

    python benchmarks/hooks/check.py [--calls 100000]

A fresh local catalog holds one index. The first call starts a child process that asks it. The calls after its answer
are timed one by one, in threads that run at the same time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import datahub_llmops.hooks as lineage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests"))

from governance.estate import INDEX, estate, write

THREADS = 8


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        write(path, estate()).close()
        while lineage.check(INDEX, catalog=str(path)).age is None:
            time.sleep(0.01)
        taken: list[float] = []

        def serve() -> None:
            own = []
            for _ in range(options.calls // THREADS):
                begun = time.perf_counter()
                lineage.check(INDEX, catalog=str(path))
                own.append(time.perf_counter() - begun)
            taken.extend(own)

        threads = [threading.Thread(target=serve) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    microseconds = [1e6 * one for one in taken]
    parts = statistics.quantiles(microseconds, n=100)
    print(f"{len(taken):,} calls in {THREADS} threads: median {parts[49]:.1f} us, p99 {parts[98]:.1f} us")


if __name__ == "__main__":
    main()
