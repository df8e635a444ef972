"""A LangChain application in all the shapes that spans are recorded of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain_classic.retrievers import ContextualCompressionRetriever, EnsembleRetriever
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from typing_extensions import override

import datahub_llmops.hooks as lineage
from wire.spans.openai_server import OVERLOADED, SIZE
from wire.spans.steps import IDS, OTHER_IDS, QUESTION, Addresses, Step
from wire.spans.tracers import Tracing, provider_of


def documents(ids: list[str]) -> list[Document]:
    """Three small documents, with their sources."""
    return [
        Document(
            f"CANARY-DOCUMENT text {number}",
            id=one,
            metadata={"source": f"s3://kb/{number}.md", "page": number, "note": "CANARY-NOTE"},
        )
        for number, one in enumerate(ids)
    ]


def joined(found: list[Document]) -> str:
    """What a chain does with what it found."""
    return "\n".join(one.page_content for one in found)


class Noteless(BaseRetriever):
    """A retriever over a service of its own, whose documents have no ids."""

    @override
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [Document("CANARY-DOCUMENT without an id", metadata={"source": "s3://kb/wiki.md"})]


class Reversing(BaseDocumentCompressor):
    """A reranker: it turns the order around."""

    model: str = "rerank-v3.5"

    @override
    def compress_documents(self, documents: Any, query: str, callbacks: Any = None) -> list[Document]:
        return list(documents)[::-1]


@dataclass(slots=True)
class LangChainSteps:
    """The steps of one process."""

    at: Addresses
    tracing: Tracing

    @property
    def embedding(self) -> OpenAIEmbeddings:
        return OpenAIEmbeddings(
            model="text-embedding-3-small",
            dimensions=SIZE,
            base_url=self.at.openai,
            api_key="sk-of-a-test",
            check_embedding_ctx_length=False,
        )

    def model(self, name: str = "gpt-4o-mini", **options: Any) -> ChatOpenAI:
        return ChatOpenAI(
            model=name,
            base_url=self.at.openai,
            api_key="sk-of-a-test",
            max_retries=0,
            temperature=0,
            **options,
        )

    def store(self, kind: str, name: str) -> Any:
        return getattr(self, f"_{kind}")(name)

    def _chroma(self, name: str) -> Any:
        from langchain_chroma import Chroma

        host, _, port = self.at.chroma.removeprefix("http://").partition(":")
        return Chroma(name, self.embedding, host=host, port=int(port))

    def _qdrant(self, name: str) -> Any:
        from langchain_qdrant import QdrantVectorStore

        return QdrantVectorStore.from_texts([], self.embedding, url=self.at.qdrant, collection_name=name)

    def _lancedb(self, name: str) -> Any:
        from langchain_lancedb import LanceDB  # type: ignore[import-untyped]  # ships no types

        return LanceDB(self.embedding, uri=self.at.lancedb, table_name=name)

    def _pgvector(self, name: str) -> Any:
        from langchain_postgres import PGVector

        return PGVector(self.embedding, connection=self.at.pgvector, collection_name=name, use_jsonb=True)

    def _elasticsearch(self, name: str) -> Any:
        from elasticsearch import Elasticsearch
        from langchain_elasticsearch import ElasticsearchStore

        client = Elasticsearch(self.at.elasticsearch, request_timeout=60)
        return ElasticsearchStore(name, embedding=self.embedding, client=client)

    def _milvus(self, name: str) -> Any:
        from langchain_milvus import Milvus

        return Milvus(
            self.embedding,
            collection_name=name,
            connection_args={"uri": self.at.milvus, "token": "root:Milvus"},
            index_params={"index_type": "FLAT", "metric_type": "L2"},
        )

    def prompt(self, metadata: dict[str, Any] | None = None) -> ChatPromptTemplate:
        prompt = ChatPromptTemplate.from_messages(
            [("system", "CANARY-PROMPT Use: {context}"), ("human", "{question}")]
        )
        if metadata is not None:
            prompt.metadata = metadata
        return prompt

    def rag(self, retriever: Any, model: Any = None, prompt: Any = None) -> Runnable[Any, Any]:
        """The chain of nine runs."""
        context: Any = {"context": retriever | joined, "question": RunnablePassthrough()}
        chain: Runnable[Any, Any] = (
            context | (prompt or self.prompt()) | (model or self.model()) | StrOutputParser()
        )
        return chain

    def of_store(self, kind: str) -> Iterator[Step]:
        """It writes two indexes and asks one of them, both ways."""
        store = self.store(kind, "docs")
        other = self.store(kind, "manual")
        config: Any = dict(self.tracing.config)

        def write() -> None:
            store.add_documents(documents(IDS), ids=IDS)
            other.add_documents(documents(OTHER_IDS), ids=OTHER_IDS)

        yield Step("write", write, answers=0)
        retriever = store.as_retriever(search_kwargs={"k": 2})
        yield Step("sync", lambda: self.rag(retriever).invoke(QUESTION, config))
        if kind != "pgvector" and kind != "elasticsearch":  # Those have another class for it.
            yield Step("async", lambda: asyncio.run(_ainvoke(self.rag(retriever), config)))

    def features(self) -> Iterator[Step]:
        store = self.store("chroma", "docs")
        store.add_documents(documents(IDS), ids=IDS)
        gone = self.store("chroma", "gone").as_retriever()
        self.store("chroma", "gone").delete_collection()
        retriever = store.as_retriever(search_kwargs={"k": 2})
        config: Any = dict(self.tracing.config)
        chain = self.rag(retriever)
        hub = {"lc_hub_owner": "acme", "lc_hub_repo": "support", "lc_hub_commit_hash": "9f86d081"}
        yield Step(
            "prompt of LangSmith",
            lambda: self.rag(retriever, prompt=self.prompt(hub)).invoke(QUESTION, config),
        )
        yield Step("prompt of Langfuse", lambda: self._langfuse_prompt(retriever, config))
        if self.tracing.template is not None:
            yield Step("prompt by a context", lambda: self._template(chain, config))
        yield Step(
            "model fails",
            lambda: self.rag(retriever, self.model(OVERLOADED)).invoke(QUESTION, config),
            fails=True,
        )
        yield Step("retriever fails", lambda: self.rag(gone).invoke(QUESTION, config), fails=True)
        fallback = self.model(OVERLOADED).with_fallbacks([self.model("gpt-4o")])
        yield Step("fallback", lambda: self.rag(retriever, fallback).invoke(QUESTION, config))
        yield Step("agent", lambda: self._agent(retriever, config))
        yield Step(
            "stream",
            lambda: list(self.rag(retriever, self.model(stream_usage=True)).stream(QUESTION, config)),
        )
        yield Step(
            "stream without usage",
            lambda: list(self.rag(retriever, self.model(stream_usage=False)).stream(QUESTION, config)),
        )
        yield Step("no ids", lambda: self.rag(Noteless()).invoke(QUESTION, config))
        reranked = ContextualCompressionRetriever(base_compressor=Reversing(), base_retriever=retriever)
        yield Step("reranker", lambda: self.rag(reranked).invoke(QUESTION, config))
        other = self.store("chroma", "manual")
        other.add_documents(documents(OTHER_IDS), ids=OTHER_IDS)
        both = EnsembleRetriever(
            retrievers=[retriever, other.as_retriever(search_kwargs={"k": 1})], weights=[0.5, 0.5]
        )
        yield Step("two indexes", lambda: self.rag(both).invoke(QUESTION, config))
        yield Step("guardrail", lambda: self._guarded(chain, config))
        yield Step("batch", lambda: self._batch(chain, config), answers=2)
        yield Step("two services", lambda: self._called(chain, config))
        yield Step(
            "no retrieval",
            lambda: (self.prompt() | self.model()).invoke({"context": "", "question": QUESTION}, config),
        )

    def _template(self, chain: Any, config: Any) -> None:
        assert self.tracing.template is not None
        variables = {"question": QUESTION}
        with self.tracing.template(template="CANARY-PROMPT {question}", variables=variables, version="v12"):
            chain.invoke(QUESTION, config)

    def _langfuse_prompt(self, retriever: Any, config: Any) -> None:
        from langfuse.api import Prompt_Text
        from langfuse.model import TextPromptClient

        text = "CANARY-PROMPT Use: {{context}} for {{question}}"
        given = Prompt_Text(name="support", version=3, prompt=text, config={}, labels=["production"], tags=[])
        client = TextPromptClient(given)
        prompt = PromptTemplate.from_template(
            client.get_langchain_prompt(), metadata={"langfuse_prompt": client}
        )
        self.rag(retriever, prompt=prompt).invoke(QUESTION, config)

    def _agent(self, retriever: Any, config: Any) -> None:
        @tool
        def search_documents(query: str) -> str:
            """Search the handbook."""
            return joined(retriever.invoke(query))

        agent: Any = create_agent(
            self.model(),
            tools=[search_documents],
            system_prompt="CANARY-PROMPT of an agent",
            name="support-agent",
        )
        agent.invoke({"messages": [{"role": "user", "content": QUESTION}]}, config)

    def _batch(self, chain: Any, config: Any) -> None:
        # One after the other: their traces are told apart by their times.
        chain.batch([QUESTION, "CANARY-QUESTION two"], {**config, "max_concurrency": 1})

    def _guarded(self, chain: Any, config: Any) -> None:
        with lineage.answer():
            with self.tracing.guardrail(True):
                pass
            chain.invoke(QUESTION, config)

    def _called(self, chain: Any, config: Any) -> None:
        """By another service, whose span is the parent."""
        web = provider_of("web-shop")
        with web.get_tracer("web").start_as_current_span("GET /help"):
            chain.invoke(QUESTION, config)
        web.force_flush()


async def _ainvoke(chain: Runnable[Any, Any], config: Any) -> None:
    await chain.ainvoke(QUESTION, config)
