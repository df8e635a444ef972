"""Measures ``explain`` among many answers, the size of their answer store, and a run of ``llm-runs`` over it.

``python benchmarks/hooks/million.py [--answers 1000000]`` writes the answers of a month by the recorder's own encoder,
four chunks each, explains some at random, warm, without a catalog and with a local one that holds their index and its
table, and counts the events of a first run of ``llm-runs``, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import DatasetPropertiesClass, UpstreamClass, UpstreamLineageClass

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answers import explain
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.hooks import chunk_sources
from datahub_llmops.hooks.parts import Answer, ModelCall, Prompt, Retrieval
from datahub_llmops.hooks.row_encoder import Encoder
from datahub_llmops.hooks.settings import Settings

INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"
TABLE = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles,PROD)"
MONTH = 30 * 86_400


def made(number: int, apart: float) -> Answer:
    """Build an answer with four chunks, a prompt and a model call. ``apart`` is in seconds."""
    answer = Answer("support-bot", "7", framework="langchain", explicit=True, weight=1.0)
    answer.started, answer.serial = time.time() - MONTH + number * apart, number
    answer.ended = time.time()
    answer.query, answer.text = f"question {number}", f"answer {number}"
    retrieval = Retrieval(answer, None)
    retrieval.retriever = {"class": "langchain_core.VectorStoreRetriever"}
    retrieval.index = {"platform": "chroma", "database": "default_database", "collection": "docs"}
    chosen = random.Random(number)
    chunks: list[object] = []
    for _ in range(4):
        source = {"source": f"s3://kb/{chosen.randrange(500)}.md"}
        chunk_sources.append_chunk(chunks, f"{chosen.getrandbits(128):032x}", chosen.random(), None, source)
    retrieval.chunks = chunks
    retrieval.ended = time.time()
    answer.parts.append(retrieval)
    prompt = Prompt(answer, None, identity={"registry": "langfuse", "name": "p"}, template="t", role="human")
    answer.parts.append(prompt)
    call = ModelCall(answer, None)
    call.asked, call.provider, call.prompt, call.usage = "gpt", "openai", prompt, {"in": 300, "out": 50}
    call.ended = time.time()
    answer.parts.append(call)
    return answer


def catalog(folder: Path) -> LocalCatalog:
    """Write a local catalog with the collection and its table."""
    upstream = UpstreamClass(dataset=TABLE, type="TRANSFORMED")
    proposals = [
        MetadataChangeProposalWrapper(entityUrn=TABLE, aspect=DatasetPropertiesClass(name="articles")),
        MetadataChangeProposalWrapper(entityUrn=INDEX, aspect=DatasetPropertiesClass(name="docs")),
        MetadataChangeProposalWrapper(entityUrn=INDEX, aspect=UpstreamLineageClass(upstreams=[upstream])),
    ]
    (folder / "metadata.json").write_text(json.dumps([one.to_obj() for one in proposals]))
    pipeline = Pipeline.create(
        {
            "source": {"type": "file", "config": {"path": str(folder / "metadata.json")}},
            "sink": {"type": "llm-local", "config": {"path": str(folder / "catalog.db")}},
        }
    )
    pipeline.run()
    return LocalCatalog(folder / "catalog.db")


def rolled_up(path: str) -> None:
    """Run ``llm-runs`` for the first time over an answer store, into a file."""
    begun, out = time.perf_counter(), f"{path}.json"
    recipe = {
        "source": {"type": "llm-runs", "config": {"store": path, "custom_aspects": "on"}},
        "sink": {"type": "file", "config": {"filename": out}},
    }
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    pipeline.run()
    pipeline.raise_from_status()
    spent = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    events = Counter(one["aspectName"] for one in json.loads(Path(out).read_text()))
    print(f"llm-runs: {events.total():,} events in {spent:.0f} s, at most {peak:,.0f} MiB of memory")
    for aspect, number in events.most_common():
        print(f"  {number:>5} {aspect}")


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--roll-up", metavar="STORE", help="only count the events of this store")
    asked = parser.parse_args()
    if asked.roll_up:
        rolled_up(asked.roll_up)
    else:
        measured(asked.answers)


def measured(count: int) -> None:
    """Fill an answer store with that many answers, and measure all queries."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = str(folder / "answers.db")
        store = Store.open(path)
        secret = digests.key(path)
        assert secret is not None
        encoder, settings = Encoder(secret), Settings("support-bot", store=path)
        begun, cpu, ids = time.perf_counter(), time.process_time(), []
        for first in range(0, count, 1_000):
            with store.transaction():
                for number in range(first, min(first + 1_000, count)):
                    answer = made(number, MONTH / count)
                    ids.append(answer.id)
                    encoder.write_answer(store, answer, settings)
        spent = time.perf_counter() - begun
        print(
            f"{count:,} answers written in {spent:.0f} s ({time.process_time() - cpu:.0f} s CPU, making them included)"
        )
        print(
            f"store: {store.used_bytes() / 2**20:,.0f} MiB, {store.used_bytes() / count:,.0f} bytes an answer"
        )
        store.close()
        reading = Store.read(path)
        for label, asked in (("store alone", None), ("with a local catalog", catalog(folder))):
            times = []
            for answer_id in random.Random(2).sample(ids, 60):
                start = time.perf_counter()
                explain.explain(reading, explain.find(reading, answer_id), asked)
                times.append((time.perf_counter() - start) * 1000)
            print(
                f"explain, {label}: median {statistics.median(times[10:]):.1f} ms, worst {max(times[10:]):.1f} ms"
            )
        start = time.perf_counter()
        found, _ = explain.find_by_text(reading, f"answer {count // 2}")
        print(
            f"found by its text in {(time.perf_counter() - start) * 1000:.1f} ms: {found.id == ids[count // 2]}"
        )
        reading.close()
        subprocess.run([sys.executable, __file__, "--roll-up", path], check=True)


if __name__ == "__main__":
    main()
