"""Compares the column lineage of random queries with what DuckDB does, and fails for an edge that is wrong.

``python tools/sql_oracle.py 2000 --seed 7`` prints each query whose edges are wrong or missing, and the totals.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from lineage.duckdb_oracle import Oracle, judge_random


def main() -> int:
    """Compare, print what differs, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("queries", type=int, nargs="?", default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    verdicts, refused = judge_random(Oracle(), given.queries, given.seed)
    for one in verdicts:
        if one.wrong or one.missing or one.warnings:
            print(one.sql)
            print(f"  wrong {sorted(one.wrong)}, missing {sorted(one.missing)}, warnings {one.warnings}")
    outputs, edges = sum(one.outputs for one in verdicts), sum(one.edges for one in verdicts)
    wrong, missing = sum(len(one.wrong) for one in verdicts), sum(len(one.missing) for one in verdicts)
    warned = sum(bool(one.warnings) for one in verdicts)
    print(f"{len(verdicts)} queries with {outputs} outputs; DuckDB refused {len(refused)} more")
    print(f"{edges} edges: {wrong} wrong, {missing} missing; {warned} queries with warnings")
    for sql, words in list(refused.items())[:5]:
        print(f"refused: {words}: {sql}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
