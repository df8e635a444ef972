"""Records answers and writes of every kind with release 0.1.0, and what that release read back from its file.

Run with the Python of an environment that has 0.1.0 and its test extras, from the root of its repository:

    PYTHONPATH=tests python record.py FOLDER

It writes ``FOLDER/0.1.0.sql`` and ``FOLDER/0.1.0.json``.
"""

# mypy: ignore-errors
# The modules that it imports have other names in later releases.

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import chromadb
from click.testing import CliRunner
from datahub_llmops.hooks.store import Store
from langchain_chroma import Chroma
from langchain_classic.retrievers import ContextualCompressionRetriever, EnsembleRetriever
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.caches import InMemoryCache
from langchain_core.documents import Document
from langchain_core.globals import set_llm_cache
from langchain_core.indexing import InMemoryRecordManager
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import Document as LlamaDocument
from llama_index.core import MockEmbedding, Settings, StorageContext, VectorStoreIndex
from llama_index.core import PromptTemplate as LlamaTemplate
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters
from llama_index.vector_stores.chroma import ChromaVectorStore

import datahub_llmops.hooks as lineage
from datahub_llmops import recorded
from datahub_llmops.cli import main as cli
from datahub_llmops.hooks import answers as parts
from datahub_llmops.hooks import encode
from hooks.parts import DOCUMENTS, PROMPT, Model, NamedEmbedding, Overloaded, joined, rag

KEY = "the key of this fixture"
ARTICLES = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles,PROD)"
NAMED = "urn:li:dataset:(urn:li:dataPlatform:custom,handbook,PROD)"
RAW = {
    "model": "gpt-test-2026-01",
    "usage": {
        "prompt_tokens": 30,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 3},
    },
}


class LlamaModel(CustomLLM):
    """Reports tokens and the model that served as OpenAI does."""

    fail: bool = False

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="gpt-test", is_chat_model=True, is_function_calling_model=False)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        if self.fail:
            raise TimeoutError("planted secret")
        return CompletionResponse(text="forty two", raw=RAW)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        def steps() -> Iterator[CompletionResponse]:
            yield CompletionResponse(text="forty", delta="forty")
            yield CompletionResponse(text="forty two", delta=" two", raw=RAW)

        return steps()

    @llm_chat_callback()
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        if self.fail:
            raise TimeoutError("planted secret")
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content="forty two"), raw=RAW)

    @llm_chat_callback()
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        def steps() -> Iterator[ChatResponse]:
            message = ChatMessage(role=MessageRole.ASSISTANT, content="forty two")
            yield ChatResponse(message=message, delta="", raw=RAW)

        return steps()


class CacheWriter(Model):
    """A model whose provider also reports tokens that it wrote to its cache."""

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        result = super()._generate(*args, **kwargs)
        details = {"cache_read": 10, "cache_creation": 4}
        result.generations[0].message.usage_metadata["input_token_details"] = details
        return result


class Archive(BaseRetriever):
    """A retriever of the application's own, without a store; its documents have no ids or odd ones."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [
            Document("no id, no source"),
            Document("a bare key", metadata={"source": "jane@example.org", "row": 7}),
            Document(
                "scored",
                id="a-1",
                metadata={"url": "https://u:p@kb.example.org/a?t=1", "relevance_score": 0.25},
            ),
            Document("by its table", id="a-2", metadata={"table": "shop.public.articles"}),
            *(Document(f"more {number}", id=f"m-{number}") for number in range(6)),
        ]


class Shelf(InMemoryVectorStore):
    """A store class of the application's own."""


ROWS = [
    Document(
        f"row {number}",
        id=f"row-{number}",
        metadata={
            "dh_source_urn": ARTICLES,
            "dh_source_key": str(number),
            "dh_embed_run": "0190aaaaaaaabbbbbbbbccccccccdddd",
            "dh_text_fields": "title,body",
        },
    )
    for number in range(3)
]


def langchain(handle: lineage.Handle, store: Path) -> None:
    """Answers of LangChain."""
    embedding = NamedEmbedding(size=8)
    memory = InMemoryVectorStore.from_documents(DOCUMENTS, embedding)
    lineage.name_index(memory, NAMED)
    chroma = Chroma.from_documents(
        DOCUMENTS, embedding, collection_name="docs", client=chromadb.EphemeralClient()
    )
    stamped = Chroma.from_documents(
        ROWS, embedding, collection_name="rows", client=chromadb.EphemeralClient()
    )
    lineage.register_extractor(
        Shelf, lambda _: {"platform": "qdrant", "host": "qdrant.example.org:6333", "collection": "shelf"}
    )
    shelf = Shelf.from_documents(DOCUMENTS, embedding)
    for chain_over in (memory, chroma, stamped, shelf):
        rag(chain_over).invoke("what is it?")
    asyncio.run(rag(chroma).ainvoke("asked later"))
    list(rag(chroma).stream("in pieces"))
    ensemble = EnsembleRetriever(
        retrievers=[
            chroma.as_retriever(search_kwargs={"k": 1}),
            stamped.as_retriever(search_kwargs={"k": 2}),
        ],
        weights=[0.5, 0.5],
    )
    ContextualCompressionRetriever(
        base_compressor=DocumentCompressorPipeline(transformers=[]), base_retriever=ensemble
    ).invoke("composite")
    chroma.as_retriever(search_type="mmr", search_kwargs={"k": 1, "filter": {"page": {"$gt": 0}}}).invoke(
        "filter"
    )
    chroma.similarity_search_with_score("direct", k=2, filter={"page": 1})
    # The bounds are read when an answer is written, by the recorder's thread.
    handle.flush(10)
    encode.MAX_CHUNKS = 8
    Archive(name="archive", metadata={"datahub_urn": NAMED}).invoke("cut")
    handle.flush(10)
    encode.MAX_CHUNKS = 200

    Model(fail=True).with_fallbacks([Model(model_name="second")]).invoke("fallback")
    CacheWriter().invoke("writes to the provider's cache")
    with contextlib.suppress(Overloaded):
        rag(chroma, Model(fail=True)).invoke("fails")
    set_llm_cache(InMemoryCache())
    Model().invoke("same")
    Model().invoke("same")
    set_llm_cache(None)
    FakeListLLM(responses=["a completion"]).invoke("completion")

    @tool
    def look_up(word: str) -> str:
        """Looks a word up."""
        if word == "fail":
            raise KeyError("planted secret")
        return word

    with lineage.answer():
        documents = chroma.as_retriever().invoke("one answer of several roots")
        look_up.invoke({"word": "found"})
        with contextlib.suppress(KeyError):
            look_up.invoke({"word": "fail"})
        Model().invoke(PROMPT.invoke({"context": joined(documents), "question": "q"}))
        CacheWriter(model_name="other").invoke([SystemMessage("You are brief."), HumanMessage("q")])

    prompts = [
        ChatPromptTemplate.from_messages([("system", "s"), MessagesPlaceholder("history"), ("human", "{q}")]),
        PromptTemplate.from_template("{q}", template_format="mustache"),
        PromptTemplate.from_template(
            "hub {q}", metadata={"lc_hub_owner": "acme", "lc_hub_repo": "qa", "lc_hub_commit_hash": "0f3d"}
        ),
        PromptTemplate.from_template(
            "langfuse {q}", metadata={"langfuse_prompt": {"name": "qa", "version": 3}}
        ),
        PromptTemplate.from_template("mlflow {q}", metadata={"mlflow_prompt_uri": "prompts:/qa/4"}),
        PromptTemplate.from_template("own {q}", metadata={"prompt_name": "qa", "prompt_version": "5"}),
        PromptTemplate.from_template("urn {q}", metadata={"datahub_urn": NAMED}),
    ]
    with lineage.answer():
        for prompt in prompts:
            (prompt | Model()).invoke({"q": "q", "history": []})

    with lineage.application("other-bot", version="2"):
        Model().invoke("of another application")
    with contextlib.suppress(ZeroDivisionError), lineage.answer():
        raise ZeroDivisionError("planted secret")
    parts.MAX_PARTS = 3
    with lineage.answer():
        for number in range(5):
            Model().invoke(f"call {number}")
    parts.MAX_PARTS = 1_000

    async def cancelled() -> None:
        running = asyncio.Event()

        async def slow(_: Any) -> None:
            running.set()
            await asyncio.sleep(30)

        task = asyncio.create_task(RunnableLambda(slow).ainvoke("x"))
        await running.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    handle.flush(10)
    lineage.attach("support-bot", version="7", store=store, capture_text=True, source_keys="clear")
    rag(stamped, Model(text='said "so", \u00fcber \U0001f600 and \ud800')).invoke("text is kept\n")
    handle.flush(10)
    lineage.attach("support-bot", store=store, source_keys="off", sample=0.25)
    before = handle.stats()["recorded"]
    while handle.stats()["recorded"] == before:
        rag(stamped).invoke("sampled")
    handle.flush(10)
    lineage.attach("support-bot", version="7", store=store)
    with lineage.answer():
        stream = Model().stream("left open")
        next(stream)
    _left_open.append(stream)


_left_open: list[Any] = []


def llama_index() -> None:
    """Answers and writes of LlamaIndex."""
    Settings.embed_model = MockEmbedding(8, model_name="embed-test")
    Settings.llm = LlamaModel()
    documents = [
        LlamaDocument(
            text=f"text {number}", id_=f"doc-{number}", metadata={"source": f"s3://papers/{number}.pdf"}
        )
        for number in range(3)
    ]
    client = chromadb.EphemeralClient()
    store = ChromaVectorStore(chroma_collection=client.get_or_create_collection("llama"))
    index = VectorStoreIndex.from_documents(
        documents, storage_context=StorageContext.from_defaults(vector_store=store)
    )
    index.as_query_engine(similarity_top_k=2).query("what?")
    asyncio.run(index.as_query_engine().aquery("later?"))
    response: Any = index.as_query_engine(streaming=True).query("in pieces")
    list(response.response_gen)
    index.as_chat_engine(chat_mode="context", similarity_top_k=1).chat("hello")
    QueryFusionRetriever(
        [index.as_retriever(similarity_top_k=1), index.as_retriever(similarity_top_k=2)],
        num_queries=1,
        use_async=False,
    ).retrieve("fused")
    store.query(VectorStoreQuery(query_embedding=[0.5] * 8, similarity_top_k=2))
    filters = MetadataFilters(filters=[MetadataFilter(key="source", value="planted secret")])
    index.as_retriever(filters=filters).retrieve("filtered")
    named = LlamaTemplate(
        "{context_str} {query_str}", metadata={"langfuse_prompt": {"name": "llama-qa", "version": 2}}
    )
    index.as_query_engine(text_qa_template=named).query("named prompt")
    with contextlib.suppress(TimeoutError):
        index.as_query_engine(llm=LlamaModel(fail=True)).query("fails")
    with lineage.answer():
        index.as_retriever().retrieve("both frameworks")
        Model().invoke("x")
    index.insert(LlamaDocument(text="later", id_="doc-9"))
    index.delete_ref_doc("doc-9")
    pipeline = IngestionPipeline(
        name="nightly",
        transformations=[
            SentenceSplitter(chunk_size=64, chunk_overlap=4),
            MockEmbedding(8, model_name="embed-test"),
        ],
        vector_store=ChromaVectorStore(chroma_collection=client.get_or_create_collection("nightly")),
    )
    pipeline.run(documents=documents)
    lineage.pipeline(
        pipeline, documents=documents, stamp=True, source=ARTICLES, job_name="nightly", flow="batch"
    )


def writes(handle: lineage.Handle) -> None:
    """Embedding runs of LangChain."""
    embedding = NamedEmbedding(size=8)
    store = Chroma("written", embedding, client=chromadb.EphemeralClient())
    ids = store.add_documents(DOCUMENTS, ids=[str(one.id) for one in DOCUMENTS])
    store.add_texts(["of no known source"], ids=["nowhere"])
    store.update_document(ids[0], DOCUMENTS[0])
    store.delete(ids[:1])
    handle.flush(10)
    encode.MAX_SOURCES = 2
    manager = InMemoryRecordManager("handbook")
    manager.create_schema()
    indexed = Chroma("indexed", embedding, client=chromadb.EphemeralClient())
    documents = [
        Document(f"indexed {number}", metadata={"source": f"handbook/{number}.md", "id": number})
        for number in range(4)
    ]
    for _ in range(2):
        lineage.index(
            documents,
            manager,
            indexed,
            job_name="embed handbook",
            flow="nightly",
            orchestrator="airflow",
            cleanup="full",
            source_id_key="source",
        )
    handle.flush(10)
    encode.MAX_SOURCES = 1_000
    with lineage.job(
        "embed articles",
        flow="batch",
        source=ARTICLES,
        key_field="id",
        text_fields=["title", "body"],
        stamp=True,
    ):
        stamped = Chroma("stamped", embedding, client=chromadb.EphemeralClient())
        stamped.add_documents(documents, ids=[f"s-{number}" for number in range(4)])
    stamped.as_retriever(search_kwargs={"k": 2}).invoke("of stamped chunks")
    with contextlib.suppress(Exception):
        store.add_texts(["text"], metadatas=[{"bad": object()}], ids=["bad"])


def decoded(path: Path) -> dict[str, Any]:
    """What 0.1.0 reads from the file, by itself and through its commands."""
    with closing(Store.read(path)) as store:
        known = recorded.Identities(store)
        answers = [recorded.answer(row, known) for row in store.answers()]
        written = [recorded.writes(row, known) for row in store.writes()]
    listed = json.loads(json.dumps([asdict(one) for one in answers], default=str))
    explained = [command("explain", one.id, "--json", store=path) for one in answers]
    assert [one.pop("answer") for one in explained] == listed
    everything = ("--json", "--since", "36500d")
    return {
        "answers": listed,
        "writes": [asdict(one) for one in written],
        "answers --json": command("answers", *everything, "--limit", "1000", store=path),
        "answers usage --json": [
            command("answers", "usage", *everything, "--by", by, store=path)
            for by in ("application", "version", "model", "prompt", "day")
        ],
        "explain --json, without its answer": explained,
    }


def with_line_breaks(found: dict[str, list[Any]]) -> str:
    """JSON with a line for each value of each list."""
    parts = (
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(one, default=str) for one in values) + "\n]"
        for name, values in found.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def command(*arguments: str, store: Path) -> Any:
    """What the command prints without a catalog."""
    done = CliRunner().invoke(cli, [*arguments, "--store", str(store)])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def main(folder: Path) -> None:
    """Record, then write both files."""
    os.environ["DATAHUB_LLMOPS_KEY"] = KEY
    socket.gethostname = lambda: "app-1"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "answers.db"
        os.environ["HOME"] = os.environ["XDG_DATA_HOME"] = scratch  # Where no catalog is.
        handle = lineage.attach("support-bot", version="7", store=path)
        langchain(handle, path)
        llama_index()
        writes(handle)
        assert handle.flush(10), handle.stats()
        stats = handle.stats()
        assert not stats["errors"], stats
        assert not stats["degraded"], stats
        with closing(sqlite3.connect(path)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            statements = [*db.iterdump(), f"PRAGMA user_version={version};"]
        (folder / "0.1.0.sql").write_text("\n".join(statements) + "\n", encoding="utf-8")
        (folder / "0.1.0.json").write_text(with_line_breaks(decoded(path)), encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
    sys.stdout.flush()
    os._exit(0)  # Closing the open stream would write its answer again.
