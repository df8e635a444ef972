"""Calls a second with 32 threads, and with 32 tasks, and a model that takes 50 ms, with the hooks and without.

``python benchmarks/hooks/throughput.py [--rounds 12]``; each round visits both in a random order, a second each. What
counts is the lower bound of the ratio's 95 % bootstrap interval.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import FakeListChatModel
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

import datahub_llmops.hooks as lineage

WORKERS = 32
SECONDS = 1.0


def chain() -> Any:
    """The chain of the other benchmark, with a slow model."""
    documents = [Document(f"text {n} " * 40, metadata={"source": f"s3://papers/{n}.pdf"}) for n in range(50)]
    store = InMemoryVectorStore.from_documents(documents, DeterministicFakeEmbedding(size=64))
    prompt = ChatPromptTemplate.from_messages([("system", "Use {context}"), ("human", "{question}")])
    context = store.as_retriever(search_kwargs={"k": 4}) | (lambda found: found[0].page_content)
    return (
        {"context": context, "question": RunnablePassthrough()}
        | prompt
        | FakeListChatModel(responses=["forty two"], sleep=0.05)
    )


def threads(work: Any) -> float:
    """Calls a second by threads."""
    stop = time.perf_counter() + SECONDS
    counts = [0] * WORKERS

    def run(number: int) -> None:
        while time.perf_counter() < stop:
            work.invoke("q")
            counts[number] += 1

    running = [threading.Thread(target=run, args=(number,)) for number in range(WORKERS)]
    begun = time.perf_counter()
    for one in running:
        one.start()
    for one in running:
        one.join()
    return sum(counts) / (time.perf_counter() - begun)


def tasks(work: Any) -> float:
    """Calls a second by tasks."""

    async def run(stop: float) -> int:
        count = 0
        while time.perf_counter() < stop:
            await work.ainvoke("q")
            count += 1
        return count

    async def all_of() -> float:
        begun = time.perf_counter()
        counts = await asyncio.gather(*(run(begun + SECONDS) for _ in range(WORKERS)))
        return sum(counts) / (time.perf_counter() - begun)

    return asyncio.run(all_of())


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    work = chain()
    work.invoke("warm")
    with tempfile.TemporaryDirectory() as folder:
        for label, measure in (("threads", threads), ("tasks", tasks)):
            measure(work)
            ratios, rates = [], []
            for _ in range(rounds):
                rate = {}
                for on in random.sample([True, False], 2):
                    handle = lineage.attach("benchmark", store=Path(folder) / "answers.db") if on else None
                    rate[on] = measure(work)
                    if handle is not None:
                        handle.detach()
                ratios.append(rate[True] / rate[False])
                rates.append(rate[False])
            chosen = random.Random(1)
            drawn = sorted(statistics.median(chosen.choices(ratios, k=rounds)) for _ in range(1_000))
            print(
                f"{WORKERS} {label}: none {statistics.median(rates):.0f} calls/s, with hooks"
                f" {statistics.median(ratios):.3f} of it ({drawn[25]:.3f}..{drawn[974]:.3f})"
            )


if __name__ == "__main__":
    main()
