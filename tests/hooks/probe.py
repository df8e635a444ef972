"""Probe of a framework's private hooks, for the oldest and the newest supported version in environments of their own.

``python tests/hooks/probe.py langchain`` or ``llama-index``: ends with 0, or says what is not seen. Needs nothing but
the framework's core and this package.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import tempfile
from pathlib import Path

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_answer, load_writes
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer, RecordedWrites


def langchain() -> None:
    """Retriever, prompt, model, writes; sync and async; an attempt of a fallback on top."""
    from langchain_core.documents import Document
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnablePassthrough
    from langchain_core.vectorstores import InMemoryVectorStore

    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents([Document("text", id="1", metadata={"source": "s3://kb/1.md"})])
    prompt = ChatPromptTemplate.from_messages([("system", "Use {context}"), ("human", "{question}")])
    context = store.as_retriever(search_kwargs={"k": 1}) | (lambda found: found[0].page_content)
    model = FakeListChatModel(responses=["forty two"])
    chain = {"context": context, "question": RunnablePassthrough()} | prompt | model
    chain.invoke("q")
    asyncio.run(chain.ainvoke("q"))
    model.with_fallbacks([model]).invoke("q")


def llamaindex() -> None:
    """An index, queries of it, at once, later, and as a stream that is read elsewhere; an index built by a model."""
    from llama_index.core import Document, DocumentSummaryIndex, MockEmbedding, Settings, VectorStoreIndex
    from llama_index.core.llms import MockLLM

    Settings.llm, Settings.embed_model = MockLLM(), MockEmbedding(8)
    index = VectorStoreIndex.from_documents([Document(text="text", metadata={"source": "s3://kb/1.md"})])
    engine = index.as_query_engine()
    engine.query("q")
    asyncio.run(engine.aquery("q"))
    stream = index.as_query_engine(streaming=True).query("q")
    contextvars.Context().run(str, stream)
    with contextlib.redirect_stdout(None):  # It says which document it is at.
        DocumentSummaryIndex.from_documents([Document(text="text")])


def missing(
    framework: str, answers: list[RecordedAnswer], writes: list[RecordedWrites], degraded: list[str]
) -> list[str]:
    """What was not seen."""
    found = [f"degraded: {one}" for one in degraded]
    if len(answers) != 3:
        found.append(f"{len(answers)} answers instead of 3")
    for answer in answers[:2] if framework == "langchain" else answers:
        leaves = [one for one in answer.retrievals if not one.composite]
        if len(leaves) != 1 or not leaves[0].chunks or leaves[0].chunks[0].source is None:
            found.append("the retrieval and its chunk's source")
        elif (leaves[0].index or {}).get("platform") != "in-memory":
            found.append("the store behind the retriever")
        if len(answer.models) != 1 or answer.models[0].status != "ok":
            found.append("the model call")
        if not answer.prompts or (answer.models and answer.models[0].prompt is None):
            found.append("the prompt of the model call")
    if [one.counts for one in writes] != [{"added": 1 if framework == "langchain" else 2}]:
        found.append("the write")
    return found


def main() -> int:
    """Run one framework."""
    framework = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.db"
        handle = lineage.attach("probe", store=path)
        langchain() if framework == "langchain" else llamaindex()
        assert handle.flush(10)
        store = Store.read(path)
        known = Identities(store)
        answers = [load_answer(row, known) for row in store.answers()][::-1]
        writes = [load_writes(row, known) for row in store.writes()]
        store.close()
        stats = handle.stats()
        handle.detach()
    problems = missing(framework, answers, writes, [*stats["degraded"], *stats["errors"]])
    sys.stdout.write("\n".join(problems) + "\n" if problems else "everything is seen\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
