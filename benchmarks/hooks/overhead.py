"""Compares the overhead of the hooks on LangChain and LlamaIndex calls with a no-op handler and three other tools.

``python benchmarks/hooks/overhead.py {langchain,langchain-async,llama-index} [--rounds 120] [--processes 4]``

Every configuration runs in processes of its own, all of them alive at the same time and exporting; rounds visit the
configurations in a random order, one block of calls each, in any of its processes: two processes of one configuration
differ by some 20 us for as long as they live, by where their memory came to lie. What is added is the difference to the
baseline's block of the same round; intervals are 95 % bootstrap intervals of the median difference. Read ratios, not
microseconds. The calls of ``ours-in-span`` and of its own baseline are made inside a recorded span of OpenTelemetry,
which the hooks stamp. Peers that are not installed are left out: ``pip install openinference-instrumentation-langchain
openinference-instrumentation-llama-index opentelemetry-instrumentation-langchain
opentelemetry-instrumentation-llamaindex langfuse``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from typing_extensions import override

PEERS = ("openllmetry", "openinference", "langfuse")
IN_SPAN = "-in-span"
CONFIGURATIONS = (
    "none",
    "no-op",
    "ours",
    "ours-beside-no-op",
    "ours-unwritable",
    "ours-ship-fails",
    f"none{IN_SPAN}",
    f"ours{IN_SPAN}",
    *PEERS,
)
# Where DataHub is not installed beside the peers, the child fails sooner: it cannot even import it.
FAILING_RECIPE = {"source": {"type": "llm-runs"}, "sink": {"type": "no-such-sink"}}
SHIP_EVERY = 1.0
"""Seconds; the recorder's thread looks every five, so a child starts and fails that often."""


# The worker: one configuration


def langchain_chain() -> Any:
    """Build the chain of nine runs, with a model that answers at once."""
    from langchain_core.language_models import FakeListChatModel

    return rag(FakeListChatModel(responses=["forty two"]))


def rag(model: Any) -> Any:
    """Build a chain of nine runs."""
    from langchain_core.documents import Document
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnablePassthrough
    from langchain_core.vectorstores import InMemoryVectorStore

    documents = [Document(f"text {n} " * 40, metadata={"source": f"s3://papers/{n}.pdf"}) for n in range(50)]
    store = InMemoryVectorStore.from_documents(documents, DeterministicFakeEmbedding(size=64))
    retriever = store.as_retriever(search_kwargs={"k": 4})
    prompt = ChatPromptTemplate.from_messages([("system", "Use {context}"), ("human", "{question}")])
    context = retriever | (lambda found: "\n".join(one.page_content for one in found))
    return {"context": context, "question": RunnablePassthrough()} | prompt | model | StrOutputParser()


def llamaindex_engine() -> Any:
    """Build a query engine over an index in memory, with the mock model."""
    from llama_index.core import Document, MockEmbedding, Settings, VectorStoreIndex
    from llama_index.core.llms import MockLLM

    Settings.llm, Settings.embed_model = MockLLM(), MockEmbedding(64)
    documents = [
        Document(text=f"text {n} " * 40, metadata={"source": f"s3://papers/{n}.pdf"}) for n in range(50)
    ]
    return VectorStoreIndex.from_documents(documents).as_query_engine(similarity_top_k=4)


def set_up(configuration: str, work: str, collector: str, folder: str) -> None:
    """Attach the tool of the configuration."""
    if configuration.startswith("ours"):
        import datahub_llmops.hooks as lineage

        store = Path(folder) / "answers.db"
        if configuration == "ours-unwritable":
            (Path(folder) / "file").write_text("in the way")
            store = Path(folder) / "file" / "answers.db"
        if configuration == "ours-ship-fails":
            recipe = Path(folder) / "runs.yaml"
            recipe.write_text(json.dumps(FAILING_RECIPE))
            lineage.attach("benchmark", store=store, ship=recipe, ship_every=SHIP_EVERY)
            return
        lineage.attach("benchmark", store=store)
        if configuration == "ours-beside-no-op":
            no_op(work)
    elif configuration == "no-op":
        no_op(work)
    elif configuration in ("openinference", "openllmetry"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )  # a peer, installed by hand
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{collector}/v1/traces")))
        instrument(configuration, work, provider)
    elif configuration == "langfuse":
        os.environ.update(
            LANGFUSE_PUBLIC_KEY="pk-lf-1", LANGFUSE_SECRET_KEY="sk-lf-1", LANGFUSE_HOST=collector
        )


def no_op(work: str) -> None:
    """Attach a handler that does nothing, the way ours is attached."""
    if work.startswith("langchain"):
        from contextvars import ContextVar

        from langchain_core.callbacks.base import BaseCallbackHandler
        from langchain_core.tracers.context import register_configure_hook

        class Nothing(BaseCallbackHandler):
            run_inline = True

            @override
            def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
                return None

        nothing = Nothing()
        register_configure_hook(ContextVar("nothing", default=nothing), inheritable=True)
        return
    from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # re-exported
    from llama_index.core.instrumentation.event_handlers import NullEventHandler
    from llama_index.core.instrumentation.span_handlers import NullSpanHandler

    get_dispatcher().add_event_handler(NullEventHandler())
    get_dispatcher().add_span_handler(NullSpanHandler())


def instrument(configuration: str, work: str, provider: Any) -> None:
    """Attach another tool in its own way."""
    names = {
        ("openinference", True): ("openinference.instrumentation.langchain", "LangChainInstrumentor"),
        ("openinference", False): ("openinference.instrumentation.llama_index", "LlamaIndexInstrumentor"),
        ("openllmetry", True): ("opentelemetry.instrumentation.langchain", "LangchainInstrumentor"),
        ("openllmetry", False): ("opentelemetry.instrumentation.llamaindex", "LlamaIndexInstrumentor"),
    }
    module, name = names[configuration, work.startswith("langchain")]
    getattr(__import__(module, fromlist=[name]), name)().instrument(tracer_provider=provider)


def caller(configuration: str, work: str) -> Callable[[], Any]:
    """Return a function that makes one call of the application."""
    if work == "llama-index":
        if configuration == "langfuse":
            # Langfuse's own documentation instruments LlamaIndex by OpenInference, into its client.
            from langfuse import Langfuse  # a peer, installed by hand

            Langfuse()
            from openinference.instrumentation.llama_index import (
                LlamaIndexInstrumentor,
            )  # a peer, installed by hand

            LlamaIndexInstrumentor().instrument()
        engine = llamaindex_engine()
        return lambda: engine.query("what is it?")
    chain = langchain_chain()
    config: Any = {}
    if configuration == "langfuse":
        from langfuse.langchain import CallbackHandler  # a peer, installed by hand

        config = {"callbacks": [CallbackHandler()]}
    if work == "langchain":
        return lambda: chain.invoke("what is it?", config)
    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(chain.ainvoke("what is it?", config))


def in_span(call: Callable[[], object]) -> Callable[[], object]:
    """Make each call inside a span that is recorded and goes nowhere."""
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("benchmark")

    def traced() -> object:
        with tracer.start_as_current_span("request"):
            return call()

    return traced


def worker(configuration: str, work: str, collector: str) -> None:
    """Answer each line ``n`` with the times of n calls and the CPU time of the process, in nanoseconds."""
    os.nice(0)
    with tempfile.TemporaryDirectory() as folder:
        set_up(configuration, work, collector, folder)
        call = caller(configuration, work)
        if configuration.endswith(IN_SPAN):
            call = in_span(call)
        for _ in range(30):
            call()
        print("ready", flush=True)
        for line in sys.stdin:
            if line.startswith("memory"):
                print(json.dumps(kept_bytes(call, int(line.split()[1]))), flush=True)
                continue
            if line.startswith("ship"):
                from datahub_llmops.hooks import ship

                print(json.dumps(ship.stats()), flush=True)
                continue
            cpu = time.process_time_ns()
            times = []
            for _ in range(int(line)):
                start = time.perf_counter_ns()
                call()
                times.append(time.perf_counter_ns() - start)
            print(json.dumps({"times": times, "cpu": time.process_time_ns() - cpu}), flush=True)


def kept_bytes(call: Callable[[], Any], calls: int) -> float:
    """Return the bytes of Python objects kept for each call, with warm caches and after everything is exported."""
    import tracemalloc

    tracemalloc.start()
    for _ in range(300):
        call()
    time.sleep(6)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(calls):
        call()
    time.sleep(6)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return kept / calls


# The parent: rounds, differences, intervals


class Collector(BaseHTTPRequestHandler):
    """Receives what the other tools export, so that their exporters have work."""

    def do_POST(self) -> None:
        """Accept every request."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST

    @override
    def log_message(self, *args: Any) -> None:
        """Log nothing."""


def interval(differences: list[float], statistic: Callable[[list[float]], float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval."""
    chosen = random.Random(1)
    drawn = sorted(statistic(chosen.choices(differences, k=len(differences))) for _ in range(1_000))
    return drawn[25], drawn[974]


def quantile(times: list[float], part: float) -> float:
    """Return a quantile of a list of times."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def start(configuration: str, work: str, collector: str) -> subprocess.Popen[str] | None:
    """Start and warm up a worker, or return ``None`` if its packages are not installed."""
    process = subprocess.Popen(
        [sys.executable, __file__, work, "--worker", configuration, "--collector", collector],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        process.kill()
        assert process.stderr is not None
        print(f"left out: {configuration}: {(process.stderr.read().strip().splitlines() or ['?'])[-1]}")
        return None
    assert process.stderr is not None
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process


def start_all(configuration: str, work: str, collector: str, count: int) -> list[subprocess.Popen[str]]:
    """Start that many workers, or none if the packages are not installed."""
    first = start(configuration, work, collector)
    more = [start(configuration, work, collector) for _ in range(count - 1)] if first is not None else []
    return [process for process in (first, *more) if process is not None]


def ask(process: subprocess.Popen[str], line: str) -> Any:
    """Send one line to a worker, and return its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=["langchain", "langchain-async", "llama-index"])
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--processes", type=int, default=4, help="of each configuration")
    parser.add_argument(
        "--memory", type=int, default=0, help="calls for the memory figures; 0 leaves them out"
    )
    parser.add_argument(
        "--only", nargs="*", choices=CONFIGURATIONS, help="these configurations; needs the baselines"
    )
    parser.add_argument("--worker")
    parser.add_argument("--collector", default="")
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.work, options.collector)
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    collector = f"http://127.0.0.1:{server.server_address[1]}"
    workers = {
        name: found
        for name in options.only or CONFIGURATIONS
        if (found := start_all(name, options.work, collector, options.processes))
    }
    blocks: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    for _ in range(options.rounds):
        for name in random.sample(list(workers), len(workers)):
            blocks[name].append(ask(random.choice(workers[name]), str(options.calls)))
    report(options.work, blocks, options.calls)
    if "ours-ship-fails" in workers:
        failed = sum(ask(process, "ship")["ship_failed"] for process in workers["ours-ship-fails"])
        print(f"ours-ship-fails  failed {failed} times in this run")
    if options.memory:
        for name, processes in workers.items():
            kept = ask(processes[0], f"memory {options.memory}") * 1000 / 1024
            print(f"{name:17} keeps {kept:8.1f} KiB for 1,000 calls")
    for processes in workers.values():
        for process in processes:
            process.kill()
    server.shutdown()


def report(work: str, blocks: dict[str, list[dict[str, Any]]], calls: int) -> None:
    """Print the medians of the differences to the baseline of the same round."""
    base = blocks["none"]
    everything = [time / 1_000 for block in base for time in block["times"]]
    p50 = statistics.median(everything)
    print(
        f"{work}: baseline p50 {p50:,.0f} us, p99 {quantile(everything, 0.99):,.0f} us, {len(base)} rounds of {calls}"
    )
    print(f"{'':17} {'added p50 us':>26} {'ratio':>7} {'added p99 us':>28} {'added CPU us':>13}")
    added_by: dict[str, float] = {}
    for name, found in blocks.items():
        if name.startswith("none"):
            continue
        base = blocks[f"none{IN_SPAN}" if name.endswith(IN_SPAN) else "none"]
        middle = [
            (statistics.median(one["times"]) - statistics.median(other["times"])) / 1_000
            for one, other in zip(found, base, strict=True)
        ]
        low, high = interval(middle, statistics.median)
        mine = [time / 1_000 for block in found for time in block["times"]]
        theirs = [time / 1_000 for block in base for time in block["times"]]
        tail = quantile(mine, 0.99) - quantile(theirs, 0.99)
        pairs = [(one["times"], other["times"]) for one, other in zip(found, base, strict=True)]
        tails = tail_interval(pairs)
        cpu = statistics.median(
            (one["cpu"] - other["cpu"]) / calls / 1_000 for one, other in zip(found, base, strict=True)
        )
        added = added_by[name] = statistics.median(middle)
        print(
            f"{name:17} {added:10,.0f} ({low:,.0f}..{high:,.0f})".ljust(44)
            + f" {added / p50:7.3f} {tail:10,.0f} ({tails[0]:,.0f}..{tails[1]:,.0f})".ljust(40)
            + f" {cpu:10,.0f}"
        )
    peers = {name: added for name, added in added_by.items() if name in PEERS}
    if peers and "ours" in added_by:
        fastest = min(peers, key=peers.__getitem__)
        print(
            f"ours adds {peers[fastest] / added_by['ours']:.1f} times less than the fastest peer, {fastest}"
        )


def tail_interval(pairs: list[tuple[list[int], list[int]]]) -> tuple[float, float]:
    """Return the bootstrap interval, over rounds, of the difference of the p99."""
    chosen = random.Random(1)
    drawn = []
    for _ in range(300):
        some = chosen.choices(pairs, k=len(pairs))
        mine = [time / 1_000 for one, _ in some for time in one]
        theirs = [time / 1_000 for _, other in some for time in other]
        drawn.append(quantile(mine, 0.99) - quantile(theirs, 0.99))
    drawn.sort()
    return drawn[7], drawn[292]


if __name__ == "__main__":
    main()
