"""Edges from spans beside edges from the hooks in the same runs, by instrumentation and framework.

    python benchmarks/spans_edges.py

Reads the recorded spans of tests/wire/spans, which have nothing of the hooks on them. Printed are the retrievals whose
index the hooks saw and that found something, how many of them the spans resolve, with no rule in the recipe and with
one for each store that gives no ids, and how many edges are wrong. A retrieval that failed has nothing to tell by.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from datahub_llmops.spans.resolve import IndexRule
from spans.recordings import recordings
from spans.test_edges import Stores, edges


def show(name: str, *counts: int) -> None:
    """Print one row."""
    widths = (10, 8, 8, 10, 5)
    print(f"{name:34}", *(f"{count:{width + 1}}" for count, width in zip(counts, widths, strict=True)))


def main() -> None:
    every, ids, plain, ruled, wrong = (Counter[str]() for _ in range(5))
    for recording in recordings():
        folder = recording.name.partition("/")[0]
        docs = next((urn for urn in Stores(recording).held if urn.endswith("docs,PROD)")), None)
        rules = [IndexRule(urn=docs)] if docs is not None and recording.case != "features" else []
        for edge, with_rules in zip(edges(recording), edges(recording, rules), strict=True):
            wrong[folder] += edge.by_spans not in (edge.by_hooks, None)
            wrong[folder] += with_rules.by_spans not in (edge.by_hooks, None)
            if edge.by_hooks is not None and edge.has_chunks:
                every[folder] += 1
                ids[folder] += edge.has_ids
                plain[folder] += edge.by_spans == edge.by_hooks
                ruled[folder] += with_rules.by_spans == edge.by_hooks
    print(f"{'':34}  retrievals  with ids  resolved  with rules  wrong")
    for folder in sorted(every):
        show(folder, *(counter[folder] for counter in (every, ids, plain, ruled, wrong)))
    total = [counter.total() for counter in (every, ids, plain, ruled, wrong)]
    show("all", *total)
    print(f"resolved {total[2] / total[0]:.1%}, with rules {total[3] / total[0]:.1%}")


if __name__ == "__main__":
    main()
