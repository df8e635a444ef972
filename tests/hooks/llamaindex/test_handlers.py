"""LlamaIndex: engines, agents as workflows, retrievers, ingestion, stores; sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import chromadb
import pytest
from llama_index.core import Document as LlamaDocument
from llama_index.core import MockEmbedding, PromptTemplate, Settings, StorageContext, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
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
from llama_index.core.retrievers import BaseRetriever, QueryFusionRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters
from llama_index.vector_stores.chroma import ChromaVectorStore
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import prompt_identity
from hooks.seen import Host

TABLE = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles,PROD)"


RAW = {"model": "gpt-test-2026-01", "usage": {"prompt_tokens": 30, "completion_tokens": 5}}


class Model(CustomLLM):
    """Says tokens and the model that served as OpenAI's does."""

    @property
    @override
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="gpt-test", is_chat_model=True, is_function_calling_model=False)

    @llm_completion_callback()
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text="forty two", raw=RAW)

    @llm_completion_callback()
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        def steps() -> Iterator[CompletionResponse]:
            yield CompletionResponse(text="forty", delta="forty")
            yield CompletionResponse(text="forty two", delta=" two", raw=RAW)

        return steps()

    @llm_chat_callback()
    @override
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content="forty two"), raw=RAW)

    @llm_chat_callback()
    @override
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        def steps() -> Iterator[ChatResponse]:
            yield ChatResponse(
                message=ChatMessage(role=MessageRole.ASSISTANT, content="forty two"), delta="", raw=RAW
            )

        return steps()

    @llm_chat_callback()
    @override
    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        async def steps() -> AsyncIterator[ChatResponse]:
            yield ChatResponse(
                message=ChatMessage(role=MessageRole.ASSISTANT, content="forty two"), delta="", raw=RAW
            )

        return steps()


DOCUMENTS = [
    LlamaDocument(
        text=f"text {number}", id_=f"doc-{number}", metadata={"source": f"s3://papers/{number}.pdf"}
    )
    for number in range(3)
]


@pytest.fixture(autouse=True)
def _models() -> None:
    Settings.embed_model = MockEmbedding(8, model_name="embed-test")
    Settings.llm = Model()


@pytest.fixture
def store(tmp_path: Path) -> ChromaVectorStore:
    client = chromadb.PersistentClient(str(tmp_path / "chroma"))
    return ChromaVectorStore(chroma_collection=client.get_or_create_collection("docs"))


@pytest.fixture
def index(host: Host, store: ChromaVectorStore) -> VectorStoreIndex:
    return VectorStoreIndex.from_documents(
        DOCUMENTS, storage_context=StorageContext.from_defaults(vector_store=store)
    )


def chroma_identity(tmp_path: Path) -> dict[str, str]:
    """The same raw identity as LangChain's class of the same collection."""
    return {
        "platform": "chroma",
        "path": str(tmp_path / "chroma"),
        "tenant": "default_tenant",
        "database": "default_database",
        "collection": "docs",
    }


@pytest.mark.parametrize("how", ["sync", "async"])
class TestAnswers:
    def test_a_query_engine(self, host: Host, index: VectorStoreIndex, tmp_path: Path, how: str) -> None:
        engine = index.as_query_engine(similarity_top_k=2)
        if how == "sync":
            engine.query("what?")
        else:
            asyncio.run(engine.aquery("what?"))
        found = host.answer()
        assert (found.framework, found.status) == ("llama-index", "ok")
        [retrieval] = found.retrievals
        assert retrieval.index == chroma_identity(tmp_path)
        assert retrieval.retriever["class"] == "llama_index.VectorIndexRetriever"
        assert (retrieval.retriever["k"], retrieval.retriever["search_type"]) == (2, "default")
        assert retrieval.embedding == {"class": "llama_index.MockEmbedding", "model": "embed-test"}
        assert len(retrieval.chunks) == 2
        for chunk in retrieval.chunks:
            assert chunk.source is not None
            assert chunk.source["value"] in {f"s3://papers/{number}.pdf" for number in range(3)}
            assert chunk.score is not None
            assert chunk.id
        [model] = found.models
        assert model.asked["name"] == "gpt-test"
        assert model.served is not None
        assert model.served["name"] == "gpt-test-2026-01"
        assert (model.tokens_in, model.tokens_out) == (30, 5)
        assert model.prompt == 0
        assert len(found.prompts) == 1

    def test_a_chat_engine(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        engine = index.as_chat_engine(chat_mode="context", similarity_top_k=1)  # type: ignore[arg-type]  # a name of the enum
        if how == "sync":
            engine.chat("hello")
        else:
            asyncio.run(engine.achat("hello"))
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 1)

    def test_nested_retrievers_count_the_leaves(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        fusion = QueryFusionRetriever(
            [index.as_retriever(similarity_top_k=1), index.as_retriever(similarity_top_k=2)],
            num_queries=1,
            use_async=False,
        )
        if how == "sync":
            fusion.retrieve("q")
        else:
            asyncio.run(fusion.aretrieve("q"))
        top, first, second = host.answer().retrievals
        assert (top.composite, first.within, second.within) == (True, 0, 0)
        assert (len(first.chunks), len(second.chunks)) == (1, 2)

    def test_a_query_of_the_store_itself(
        self, host: Host, index: VectorStoreIndex, store: Any, how: str
    ) -> None:
        query = VectorStoreQuery(query_embedding=[0.5] * 8, similarity_top_k=2)
        if how == "sync":
            store.query(query)
        else:
            asyncio.run(store.aquery(query))
        [retrieval] = host.answer().retrievals
        assert retrieval.retriever == {"class": "llama_index.ChromaVectorStore", "direct": True, "k": 2}
        assert len(retrieval.chunks) == 2
        assert all(chunk.score is not None and chunk.source for chunk in retrieval.chunks)


class TestDetails:
    def test_an_agent(self, host: Host, index: VectorStoreIndex) -> None:
        async def run() -> None:
            agent = FunctionAgent(
                tools=[], llm=FunctionModel(), system_prompt="You are helpful.", name="helper"
            )
            await agent.run("hello")

        asyncio.run(run())
        found = host.answer()
        assert found.root is not None
        assert found.root.startswith("FunctionAgent")
        assert len(found.models) == 1
        assert found.prompts == (
            {"digest": prompt_identity.digest([("system", "You are helpful.", "text")]), "role": "system"},
        )

    @pytest.mark.parametrize("reader_only", [False, True], ids=["workflow", "reader-only"])
    def test_an_agent_whose_time_is_up(self, host: Host, reader_only: bool) -> None:
        """The workflow is recorded as soon as it is cancelled; if only its reader is, it runs on until it ends."""

        async def read(handler: Any) -> None:
            async for _ in handler.stream_events():
                pass

        async def run() -> None:
            asked, replies = asyncio.Event(), asyncio.Event()
            agent = FunctionAgent(tools=[], llm=Waiting(asked, replies), streaming=False)
            handler = agent.run("hello")
            await asked.wait()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(read(handler) if reader_only else handler, 0.01)
            if reader_only:
                assert host.handle.stats()["recorded"] == before
                replies.set()
                await handler
            while host.handle.stats()["recorded"] == before:
                await asyncio.sleep(0)

        before = host.handle.stats()["recorded"]
        asyncio.run(run())
        found = host.answer()
        assert found.status == ("ok" if reader_only else "interrupted")
        assert len(found.models) == 1

    def test_a_stream_consumed_after_the_query(self, host: Host, index: VectorStoreIndex) -> None:
        response: Any = index.as_query_engine(streaming=True).query("q")
        assert list(response.response_gen)
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 1)
        assert found.models[0].status == "ok"

    def test_a_prompt_with_a_name(self, host: Host, index: VectorStoreIndex) -> None:
        named = PromptTemplate(
            "{context_str} {query_str}", metadata={"langfuse_prompt": {"name": "qa", "version": 2}}
        )
        index.as_query_engine(text_qa_template=named).query("q")
        [prompt] = host.answer().prompts
        assert prompt == {
            "registry": "langfuse",
            "name": "qa",
            "version": "2",
            "digest": prompt_identity.digest([("human", "{context_str} {query_str}", "llama-index")]),
            "variables": "context_str, query_str",
        }

    def test_filter_keys(self, host: Host, index: VectorStoreIndex) -> None:
        filters = MetadataFilters(filters=[MetadataFilter(key="source", value="planted")])
        index.as_retriever(filters=filters).retrieve("q")
        assert host.answer().retrievals[0].retriever["filter_keys"] == ["source"]

    def test_both_frameworks_in_one_answer(self, host: Host, index: VectorStoreIndex) -> None:
        from hooks.parts import Model as LangChainModel

        with lineage.answer():
            index.as_retriever().retrieve("q")
            LangChainModel().invoke("x")
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 1)

    def test_an_error(self, host: Host, index: VectorStoreIndex) -> None:
        class Broken(Model):
            @override
            def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
                raise TimeoutError("planted")

            @override
            def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
                raise TimeoutError("planted")

        with pytest.raises(TimeoutError):
            index.as_query_engine(llm=Broken()).query("q")
        found = host.answer()
        assert (found.status, found.error) == ("error", "TimeoutError")

    def test_detached_it_sees_nothing(self, host: Host, index: VectorStoreIndex) -> None:
        before = len(host.writes())
        host.handle.detach()
        index.as_query_engine().query("q")
        index.insert(LlamaDocument(text="x"))
        assert host.answers() == []
        assert len(host.writes()) == before


class TestPlaces:
    @pytest.mark.parametrize("metadata", [{}, {"other": "1"}, {"source": None}, {"source": "s3://kb/own.md"}])
    def test_a_node_without_a_place_has_that_of_its_document(
        self, host: Host, metadata: dict[str, Any]
    ) -> None:
        document = RelatedNodeInfo(node_id="d", metadata={"source": "s3://kb/document.md"})

        class Finds(BaseRetriever):
            @override
            def _retrieve(self, query_bundle: Any) -> list[NodeWithScore]:
                relationships = {NodeRelationship.SOURCE: document}
                node = TextNode(id_="n", text="t", metadata=metadata, relationships=relationships)
                return [NodeWithScore(node=node, score=0.5)]

        Finds().retrieve("q")
        [answer] = host.answers()
        [chunk] = answer.retrievals[0].chunks
        assert chunk.id == "n"
        assert chunk.source is not None
        assert chunk.source["value"] == (metadata.get("source") or "s3://kb/document.md")


class TestWrites:
    def test_an_index_built_from_documents(self, host: Host, index: VectorStoreIndex, tmp_path: Path) -> None:
        index.insert(LlamaDocument(text="later", id_="doc-9"))
        index.delete_ref_doc("doc-9")
        [found] = host.writes()
        assert found.index == chroma_identity(tmp_path)
        assert found.counts == {"added": 4, "deleted": 1}
        assert found.embedding == {"class": "llama_index.MockEmbedding", "model": "embed-test"}
        assert len(found.sources) == 3
        assert host.answers() == []  # Embedding documents is no answer.

    @pytest.mark.parametrize("how", ["sync", "async"])
    def test_a_pipeline(self, host: Host, store: ChromaVectorStore, how: str) -> None:
        pipeline = IngestionPipeline(
            name="nightly",
            transformations=[
                SentenceSplitter(chunk_size=64, chunk_overlap=4),
                MockEmbedding(8, model_name="embed-test"),
            ],
            vector_store=store,
        )
        if how == "sync":
            pipeline.run(documents=DOCUMENTS)
        else:
            asyncio.run(pipeline.arun(documents=DOCUMENTS))
        [found] = host.writes()
        assert found.facts == {"pipeline": "nightly", "steps": ["SentenceSplitter", "MockEmbedding"]}
        assert found.splitter == {"class": "llama_index.SentenceSplitter", "size": 64, "overlap": 4}
        assert found.embedding == {"class": "llama_index.MockEmbedding", "model": "embed-test"}
        assert host.answers() == []

    def test_a_stamped_second_run_processes_nothing(self, host: Host, store: ChromaVectorStore) -> None:
        docstore = SimpleDocumentStore()

        def run() -> Any:
            pipeline = IngestionPipeline(
                transformations=[SentenceSplitter(), MockEmbedding(8)], vector_store=store, docstore=docstore
            )
            return lineage.pipeline(
                pipeline, documents=DOCUMENTS, stamp=True, source=TABLE, job_name="nightly"
            )

        first = run()
        assert len(first) == 3
        assert not any(key.startswith("dh_") for node in first for key in node.metadata)
        assert run() == []
        [found] = host.writes()
        assert (found.job, found.counts) == ("nightly", {"added": 3})
        [node] = store.get_nodes(None)[:1]
        assert node.metadata["dh_source_urn"] == TABLE
        assert set(node.excluded_embed_metadata_keys) >= {"dh_source_urn", "dh_embed_run", "dh_content_hmac"}
        assert set(node.excluded_llm_metadata_keys) >= {"dh_source_urn", "dh_embed_run", "dh_content_hmac"}
        assert "dh_" not in node.get_content("embed")  # type: ignore[arg-type]  # a name of the enum


class FunctionModel(Model):
    """A model that an agent accepts."""

    @property
    @override
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="gpt-test", is_function_calling_model=True)

    async def astream_chat_with_tools(self, tools: Any, **kwargs: Any) -> Any:
        return await self.astream_chat(kwargs.get("chat_history") or [])

    def get_tool_calls_from_response(
        self, response: Any, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> Any:
        return []


class Waiting(FunctionModel):
    """Says when it is asked, and replies when it may."""

    def __init__(self, asked: asyncio.Event, replies: asyncio.Event) -> None:
        super().__init__()
        self._asked, self._replies = asked, replies

    async def achat_with_tools(self, *args: Any, **kwargs: Any) -> Any:
        return await self.achat([])

    @llm_chat_callback()
    @override
    async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        self._asked.set()
        await self._replies.wait()
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content="forty two"), raw=RAW)
