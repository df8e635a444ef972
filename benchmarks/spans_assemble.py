"""Putting answers together from the recorded spans of each instrumentation: microseconds of CPU for an answer.

Spans are made from plain rows for each measurement, as a door makes them, and the time for that is subtracted.

    python benchmarks/spans_assemble.py [--answers 20000]
"""

from __future__ import annotations

import argparse
import gc
import marshal
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from datahub_llmops.spans.assemble import AssembleOptions, assemble  # noqa: E402
from datahub_llmops.spans.span import Span  # noqa: E402
from spans.recordings import recordings  # noqa: E402  # tests are no package that is installed

OPTIONS = AssembleOptions()
REPEATS = 5


def main() -> None:
    """Measure each instrumentation, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=20_000)
    wanted = parser.parse_args().answers
    traces: dict[str, list[Any]] = {}
    for recording in recordings():
        rows = [[tuple(span) for span in spans] for spans in recording.traces.values()]
        traces.setdefault(recording.name.partition("/")[0], []).extend(rows)
    for name, rows in traces.items():
        measure(name, [marshal.dumps(one) for one in rows], wanted)


def measure(name: str, traces: list[bytes], wanted: int) -> None:
    """Print what one instrumentation takes, the best of several times."""
    answers = sum(len(assemble(spans(one), OPTIONS).answers) for one in traces)
    spans_of_all = sum(len(spans(one)) for one in traces)
    rounds = max(1, wanted // max(1, answers * REPEATS))
    best = []
    for work in (spans, lambda one: assemble(spans(one), OPTIONS)):
        times = []
        for _ in range(REPEATS):
            gc.collect()
            gc.disable()
            began = time.process_time()
            for _ in range(rounds):
                for one in traces:
                    work(one)
            times.append((time.process_time() - began) / rounds)
            gc.enable()
        best.append(min(times))
    spent = (best[1] - best[0]) * 1e6
    print(
        f"{name:30} {spent / answers:6.1f} us an answer of {spans_of_all / answers:4.1f} spans, "
        f"{spent / spans_of_all:5.2f} us a span"
    )


def spans(rows: bytes) -> list[Span]:
    """Make the spans of a trace."""
    return [Span._make(row) for row in marshal.loads(rows)]


if __name__ == "__main__":
    main()
