"""A LlamaIndex application in all the shapes that spans are recorded of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index.core import PromptTemplate, QueryBundle, StorageContext, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI
from typing_extensions import override

import datahub_llmops.hooks as lineage
from wire.spans.openai_server import OVERLOADED, SIZE
from wire.spans.steps import IDS, OTHER_IDS, QUESTION, Addresses, Step
from wire.spans.tracers import Tracing, provider_of


def nodes(ids: list[str]) -> list[TextNode]:
    """Three small nodes, with their sources."""
    return [
        TextNode(
            id_=one,
            text=f"CANARY-DOCUMENT text {number}",
            metadata={"source": f"s3://kb/{number}.md", "page": number, "note": "CANARY-NOTE"},
        )
        for number, one in enumerate(ids)
    ]


class Reversing(BaseNodePostprocessor):
    """A reranker: it turns the order around."""

    model: str = "rerank-v3.5"

    @override
    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return nodes[::-1]


class Elsewhere(BaseRetriever):
    """A retriever over a service of its own."""

    @override
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        node = TextNode(text="CANARY-DOCUMENT of a service", metadata={"source": "s3://kb/wiki.md"})
        return [NodeWithScore(node=node, score=0.5)]


@dataclass(slots=True)
class LlamaIndexSteps:
    """The steps of one process."""

    at: Addresses
    tracing: Tracing

    @property
    def embedding(self) -> OpenAIEmbedding:
        return OpenAIEmbedding(
            model="text-embedding-3-small",
            dimensions=SIZE,
            api_base=self.at.openai,
            api_key="sk-of-a-test",
            max_retries=0,
        )

    def model(self, name: str = "gpt-4o-mini", **options: Any) -> OpenAI:
        return OpenAI(model=name, api_base=self.at.openai, api_key="sk-of-a-test", max_retries=0, **options)

    def store(self, kind: str, name: str) -> Any:
        return getattr(self, f"_{kind}")(name)

    def _chroma(self, name: str) -> Any:
        import chromadb
        from llama_index.vector_stores.chroma import ChromaVectorStore

        host, _, port = self.at.chroma.removeprefix("http://").partition(":")
        client = chromadb.HttpClient(host, int(port))
        return ChromaVectorStore(chroma_collection=client.get_or_create_collection(name))

    def _qdrant(self, name: str) -> Any:
        from llama_index.vector_stores.qdrant import QdrantVectorStore
        from qdrant_client import AsyncQdrantClient, QdrantClient

        return QdrantVectorStore(
            collection_name=name,
            client=QdrantClient(url=self.at.qdrant),
            aclient=AsyncQdrantClient(url=self.at.qdrant),
        )

    def _lancedb(self, name: str) -> Any:
        from llama_index.vector_stores.lancedb import LanceDBVectorStore

        return LanceDBVectorStore(uri=self.at.lancedb, table_name=name)

    def _pgvector(self, name: str) -> Any:
        from llama_index.vector_stores.postgres import PGVectorStore

        driver = "postgresql+psycopg:"
        return PGVectorStore.from_params(
            connection_string=self.at.pgvector.replace(driver, "postgresql+psycopg2:"),
            async_connection_string=self.at.pgvector.replace(driver, "postgresql+asyncpg:"),
            table_name=name,
            embed_dim=SIZE,
            use_jsonb=True,
        )

    def _elasticsearch(self, name: str) -> Any:
        from elasticsearch import AsyncElasticsearch
        from llama_index.vector_stores.elasticsearch import ElasticsearchStore

        return ElasticsearchStore(name, AsyncElasticsearch(self.at.elasticsearch, request_timeout=60))

    def written(self, kind: str, name: str, ids: list[str]) -> VectorStoreIndex:
        """An index over a store of that kind, filled."""
        context = StorageContext.from_defaults(vector_store=self.store(kind, name))
        return VectorStoreIndex(nodes(ids), storage_context=context, embed_model=self.embedding)

    def engine(self, index: VectorStoreIndex, model: Any = None, **options: Any) -> Any:
        return index.as_query_engine(llm=model or self.model(), similarity_top_k=2, **options)

    def of_store(self, kind: str) -> Iterator[Step]:
        """It writes two indexes and asks one of them, both ways."""
        made: list[VectorStoreIndex] = []

        def write() -> None:
            made.append(self.written(kind, "docs", IDS))
            made.append(self.written(kind, "manual", OTHER_IDS))

        yield Step("write", write, answers=0)
        yield Step("sync", lambda: self.engine(made[0]).query(QUESTION))
        yield Step("async", lambda: asyncio.run(self._aquery(made[0])))

    def features(self) -> Iterator[Step]:
        index = self.written("chroma", "docs", IDS)
        langfuse = PromptTemplate(
            "CANARY-PROMPT {context_str} {query_str}",
            metadata={"langfuse_prompt": {"name": "support", "version": 3}},
        )
        yield Step(
            "prompt of Langfuse", lambda: self.engine(index, text_qa_template=langfuse).query(QUESTION)
        )
        if self.tracing.template is not None:
            yield Step("prompt by a context", lambda: self._template(index))
        yield Step(
            "model fails",
            lambda: self.engine(index, self.model(OVERLOADED)).query(QUESTION),
            fails=True,
        )
        gone = self._gone()
        yield Step("retriever fails", lambda: gone.query(QUESTION), fails=True)
        yield Step("agent", lambda: asyncio.run(self._agent(index)))
        yield Step("stream", lambda: self._stream(index))
        yield Step(
            "own retriever", lambda: RetrieverQueryEngine.from_args(Elsewhere(), self.model()).query(QUESTION)
        )
        yield Step("reranker", lambda: self.engine(index, node_postprocessors=[Reversing()]).query(QUESTION))
        yield Step("guardrail", lambda: self._guarded(index))
        yield Step("two services", lambda: self._called(index))
        yield Step("chat engine", lambda: self._chat(index))

    async def _aquery(self, index: VectorStoreIndex) -> None:
        await self.engine(index).aquery(QUESTION)

    def _template(self, index: VectorStoreIndex) -> None:
        assert self.tracing.template is not None
        variables = {"question": QUESTION}
        with self.tracing.template(template="CANARY-PROMPT {question}", variables=variables, version="v12"):
            self.engine(index).query(QUESTION)

    def _gone(self) -> Any:
        """An engine whose collection somebody deletes."""
        import chromadb

        engine = self.engine(self.written("chroma", "gone", IDS))
        host, _, port = self.at.chroma.removeprefix("http://").partition(":")
        chromadb.HttpClient(host, int(port)).delete_collection("gone")
        return engine

    async def _agent(self, index: VectorStoreIndex) -> None:
        retriever = index.as_retriever(similarity_top_k=2)

        async def search_documents(query: str) -> str:
            """Search the handbook."""
            return "\n".join(one.get_content() for one in await retriever.aretrieve(query))

        agent = FunctionAgent(
            name="support-agent",
            tools=[FunctionTool.from_defaults(async_fn=search_documents)],
            llm=self.model(),
            system_prompt="CANARY-PROMPT of an agent",
            streaming=False,
        )
        await agent.run(QUESTION)

    def _stream(self, index: VectorStoreIndex) -> None:
        model = self.model(additional_kwargs={"stream_options": {"include_usage": True}})
        for _ in self.engine(index, model, streaming=True).query(QUESTION).response_gen:
            pass

    def _guarded(self, index: VectorStoreIndex) -> None:
        with lineage.answer():
            with self.tracing.guardrail(True):
                pass
            self.engine(index).query(QUESTION)

    def _called(self, index: VectorStoreIndex) -> None:
        """By another service, whose span is the parent."""
        web = provider_of("web-shop")
        with web.get_tracer("web").start_as_current_span("GET /help"):
            self.engine(index).query(QUESTION)
        web.force_flush()

    def _chat(self, index: VectorStoreIndex) -> None:
        index.as_chat_engine(chat_mode=ChatMode.CONTEXT, llm=self.model(), similarity_top_k=2).chat(QUESTION)
