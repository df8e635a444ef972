"""Prints which spans of a tracer the hooks stamp: ``TOOL FRAMEWORK ORDER``, with and without a span of the application.

It runs in the environment ``instrumentations``, where neither DataHub nor this package is installed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import datahub_llmops.hooks as lineage

INSTRUMENTORS = {
    ("openinference", "langchain"): ("openinference.instrumentation.langchain", "LangChainInstrumentor"),
    ("openinference", "llama-index"): ("openinference.instrumentation.llama_index", "LlamaIndexInstrumentor"),
    ("openllmetry", "langchain"): ("opentelemetry.instrumentation.langchain", "LangchainInstrumentor"),
    ("openllmetry", "llama-index"): ("opentelemetry.instrumentation.llamaindex", "LlamaIndexInstrumentor"),
}
KEYS = {"index.raw": "index", "prompt": "prompt", "application": "application"}


def langchain_call() -> Callable[[], object]:
    """A chain of retriever, prompt and model."""
    from langchain_core.documents import Document
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnablePassthrough
    from langchain_core.vectorstores import InMemoryVectorStore

    store = InMemoryVectorStore.from_documents([Document("a")], DeterministicFakeEmbedding(size=4))
    prompt = ChatPromptTemplate.from_template("{context} {question}")
    parts: Any = {"context": store.as_retriever(), "question": RunnablePassthrough()}
    chain = parts | prompt | FakeListChatModel(responses=["forty two"])
    return lambda: chain.invoke("q")


def llama_index_call() -> Callable[[], object]:
    """A query engine."""
    from llama_index.core import Document, MockEmbedding, VectorStoreIndex
    from llama_index.core.llms import MockLLM

    index = VectorStoreIndex.from_documents([Document(text="a")], embed_model=MockEmbedding(4))
    engine = index.as_query_engine(llm=MockLLM())
    return lambda: engine.query("q")


def main(tool: str, framework: str, order: str) -> None:
    """Trace one call inside a span of the application, and one without."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def instrument() -> None:
        module, name = INSTRUMENTORS[tool, framework]
        getattr(import_module(module), name)().instrument(tracer_provider=provider)

    def attach() -> None:
        lineage.attach("bot", store=False)

    for step in (attach, instrument) if order == "hooks first" else (instrument, attach):
        step()
    call = langchain_call() if framework == "langchain" else llama_index_call()
    found = []
    for outer in (True, False):
        exporter.clear()
        if outer:
            with provider.get_tracer("application").start_as_current_span("request"):
                call()
        else:
            call()
        spans = exporter.get_finished_spans()
        assert len(spans) > 5
        found.append(
            {
                word: span.name
                for span in spans
                for key, word in KEYS.items()
                if f"datahub_llmops.{key}" in (span.attributes or {})
            }
        )
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
