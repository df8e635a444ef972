"""Measures whether the memory of the hooks stays flat over 100,000 calls of LangChain and over runs that never end.

``python benchmarks/hooks/memory.py [--calls 100000] [--unended 10000]`` counts the blocks that Python has allocated
(``sys.getallocatedblocks``, after a garbage collection and a flush) and the resident size of the process.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from overhead import langchain_chain

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import runtime


def resident() -> float:
    """Return the resident size of this process in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def say(label: str, handle: lineage.Handle, before: int) -> int:
    """Print the current memory, and return the number of blocks."""
    assert handle.flush(60)
    gc.collect()
    blocks = sys.getallocatedblocks()
    print(
        f"{label:>34}: {blocks:9,} blocks ({blocks - before:+,}), {resident():6.1f} MiB resident", flush=True
    )
    return blocks


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--unended", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        handle = lineage.attach("benchmark", store=Path(folder) / "answers.db")
        chain = langchain_chain()
        done = 0
        before = 0
        for upto in (1_000, 2_000, *range(options.calls // 10, options.calls + 1, options.calls // 10)):
            while done < upto:
                chain.invoke("what is it?")
                done += 1
            before = say(f"{done:,} calls", handle, before or sys.getallocatedblocks())
        unended(handle, options.unended)
        handle.detach()


def unended(handle: lineage.Handle, count: int) -> None:
    """Begin roots that never end, as cancelled tasks do, and let the hour pass after which the hooks drop them."""
    from datahub_llmops.hooks.langchain import handler as langchain

    handler = langchain.attached()
    assert handler is not None
    before = say("before runs that never end", handle, sys.getallocatedblocks())
    for turn in (1, 2, 4):
        for _ in range(count * turn):
            handler.on_chain_start({}, {"question": "q"}, run_id=uuid4(), name="never")
        say(f"{count * turn:,} more begun", handle, before)
    runtime.MAX_AGE = 0.0  # type: ignore[misc]  # an hour has passed
    handler.runs.sweep()
    say("after an hour", handle, before)
    print(f"{'given up':>34}: {handle.stats()['abandoned']:9,} runs, {len(handler.runs)} open")


if __name__ == "__main__":
    main()
