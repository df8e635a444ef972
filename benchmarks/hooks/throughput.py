"""Measures calls per second with 32 threads or tasks and a model that takes 50 ms, with hooks, without, and a no-op.

``python benchmarks/hooks/throughput.py [threads] [tasks] [--rounds 120] [--processes 4]``; every configuration in
processes of its own, each round visits all in a random order, any process of each. What counts is the lower bound of
the ratio's 95 % bootstrap interval. Where the processor is taken by others the ratio is that of the CPU a call takes,
not of its waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from overhead import ask, interval, rag, set_up
from typing_extensions import override

WORKERS = 32
MODEL_SECONDS = 0.05
CONFIGURATIONS = ("none", "no-op", "ours")


def chain() -> Any:
    """Build the chain of ``overhead.py`` with a model that waits like a network call."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    result = ChatResult(generations=[ChatGeneration(message=AIMessage("forty two"))])

    class Slow(BaseChatModel):
        @property
        @override
        def _llm_type(self) -> str:
            return "slow"

        @override
        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            time.sleep(MODEL_SECONDS)
            return result

        @override
        async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
            await asyncio.sleep(MODEL_SECONDS)
            return result

    return rag(Slow())


def threads(work: Any, seconds: float) -> float:
    """Return the calls per second with threads."""
    counts = [0] * WORKERS
    begun = time.perf_counter()

    def run(number: int) -> None:
        while time.perf_counter() < begun + seconds:
            work.invoke("q")
            counts[number] += 1

    running = [threading.Thread(target=run, args=(number,)) for number in range(WORKERS)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    return sum(counts) / (time.perf_counter() - begun)


def tasks(work: Any, seconds: float) -> float:
    """Return the calls per second with tasks."""

    async def run(stop: float) -> int:
        count = 0
        while time.perf_counter() < stop:
            await work.ainvoke("q")
            count += 1
        return count

    async def all_of() -> float:
        begun = time.perf_counter()
        counts = await asyncio.gather(*(run(begun + seconds) for _ in range(WORKERS)))
        return sum(counts) / (time.perf_counter() - begun)

    return asyncio.run(all_of())


MEASURES: dict[str, Callable[[Any, float], float]] = {"threads": threads, "tasks": tasks}


def worker(configuration: str) -> None:
    """Answer each line (``threads`` or ``tasks``, and seconds) with the calls per second."""
    with tempfile.TemporaryDirectory() as folder:
        set_up(configuration, "langchain", "", folder)
        work = chain()
        for measure in MEASURES.values():
            measure(work, 1.0)
        print("ready", flush=True)
        for line in sys.stdin:
            kind, seconds = line.split()
            print(json.dumps(MEASURES[kind](work, float(seconds))), flush=True)


def start(configuration: str) -> subprocess.Popen[str]:
    """Start and warm up a worker."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--worker", configuration],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="threads|tasks", help="default: both")
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--processes", type=int, default=4, help="of each configuration")
    parser.add_argument("--worker")
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    workers = {name: [start(name) for _ in range(options.processes)] for name in CONFIGURATIONS}
    for kind in options.kinds or MEASURES:
        rates: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(options.rounds):
            for name in random.sample(list(workers), len(workers)):
                rates[name].append(ask(random.choice(workers[name]), f"{kind} {options.seconds}"))
        none = rates["none"]
        print(f"{WORKERS} {kind}: none {statistics.median(none):.0f} calls/s, {options.rounds} rounds")
        for name in CONFIGURATIONS[1:]:
            ratios = [mine / other for mine, other in zip(rates[name], none, strict=True)]
            low, high = interval(ratios, statistics.median)
            print(f"  {name:6} {statistics.median(ratios):.3f} of it ({low:.3f}..{high:.3f})")
    for processes in workers.values():
        for process in processes:
            process.kill()


if __name__ == "__main__":
    main()
