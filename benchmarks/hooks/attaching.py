"""Measures what ``import datahub_llmops.hooks`` and ``attach`` add to the start of Python.

``python benchmarks/hooks/attaching.py [--rounds 40]`` starts both in turn. The minimum of each is its time on an
otherwise idle machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(code: str) -> float:
    """Return the seconds that one start takes."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "answers.db")
        attach = f"import datahub_llmops.hooks as lineage; lineage.attach('benchmark', store={store!r})"
        pairs = [(seconds("pass"), seconds(attach)) for _ in range(rounds)]
    for label, statistic in (("least", min), ("median", statistics.median)):
        plain, attached = (statistic(times) * 1_000 for times in zip(*pairs, strict=True))
        print(f"{label:>6}: pass {plain:.0f} ms, attached {attached:.0f} ms, added {attached - plain:.0f} ms")


if __name__ == "__main__":
    main()
