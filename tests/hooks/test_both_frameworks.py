"""An engine of the one framework inside the other is a part of that answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.retrievers import BaseRetriever as LangChainRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import MockEmbedding, Settings, VectorStoreIndex
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool
from typing_extensions import override

import datahub_llmops.hooks as lineage
from hooks.llamaindex.test_handlers import DOCUMENTS as LLAMA_DOCUMENTS
from hooks.llamaindex.test_handlers import Model as LlamaModel
from hooks.parts import DOCUMENTS, Model, NamedEmbedding, rag
from hooks.seen import Host


@pytest.fixture
def index(host: Host) -> VectorStoreIndex:
    Settings.embed_model, Settings.llm = MockEmbedding(8), LlamaModel()
    return VectorStoreIndex.from_documents(LLAMA_DOCUMENTS)


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))


class Agent(Model):
    """Asks the tool once, then answers."""

    tool: str

    @override
    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        calls = [{"name": self.tool, "args": {"question": "x"}, "id": "1"}]
        said = AIMessage("final") if messages[-1].type == "tool" else AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


class TestLlamaIndexInLangChain:
    @pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
    def test_an_engine_as_a_tool_of_an_agent(self, host: Host, index: VectorStoreIndex, later: bool) -> None:
        from langchain.agents import create_agent

        engine = index.as_query_engine(similarity_top_k=1)

        @tool
        def look_up(question: str) -> str:
            """Look up."""
            return str(engine.query(question))

        @tool
        async def look_up_later(question: str) -> str:
            """Look up."""
            return str(await engine.aquery(question))

        chosen = look_up_later if later else look_up
        agent: Any = create_agent(Agent(tool=chosen.name), [chosen])
        given = {"messages": [("user", "hello")]}
        asyncio.run(agent.ainvoke(given)) if later else agent.invoke(given)
        found = host.answer()
        assert (found.framework, found.root, found.status) == ("langchain", "LangGraph", "ok")
        assert [len(one.chunks) for one in found.retrievals] == [1]
        assert found.retrievals[0].retriever["framework"] == "llama-index"
        assert len(found.models) == 3
        assert len(found.tools) == 1

    @pytest.mark.parametrize("streaming", [False, True])
    def test_an_engine_in_a_chain(self, host: Host, index: VectorStoreIndex, streaming: bool) -> None:
        engine = index.as_query_engine(similarity_top_k=1, streaming=streaming)
        asks: RunnableLambda[str, str] = RunnableLambda(lambda question: str(engine.query(question)))
        (asks | Model()).invoke("q")
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 2)
        assert found.root == "RunnableSequence"

    def test_a_retriever_around_llamaindexs(self, host: Host, index: VectorStoreIndex) -> None:
        class Finds(LangChainRetriever):
            @override
            def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
                nodes = index.as_retriever(similarity_top_k=2).retrieve(query)
                return [type(DOCUMENTS[0])(one.text, id=one.node_id) for one in nodes[:1]]

        Finds().invoke("q")
        outer, inner = host.answer().retrievals
        assert (outer.composite, inner.within) == (True, 0)
        assert (len(outer.chunks), len(inner.chunks)) == (1, 2)

    def test_a_query_of_a_store(self, host: Host, index: VectorStoreIndex) -> None:
        from llama_index.core.vector_stores import VectorStoreQuery

        query = VectorStoreQuery(query_embedding=[0.5] * 8, similarity_top_k=2)
        chain: RunnableLambda[str, Any] = RunnableLambda(lambda _: index.vector_store.query(query).ids)
        chain.invoke("q")
        [retrieval] = host.answer().retrievals
        assert len(retrieval.chunks) == 2


class TestLangChainInLlamaIndex:
    def test_a_chain_as_a_tool(self, host: Host, store: InMemoryVectorStore) -> None:
        FunctionTool.from_defaults(lambda question: rag(store).invoke(question).content, name="ask").call(
            question="q"
        )
        found = host.answer()
        assert (found.framework, found.root) == ("llama-index", "FunctionTool.call")
        assert (len(found.retrievals), len(found.models), len(found.tools)) == (1, 1, 1)
        assert found.retrievals[0].retriever["framework"] == "langchain"

    @pytest.mark.parametrize("direct", [False, True])
    def test_a_retriever_around_langchains(
        self, host: Host, index: VectorStoreIndex, store: InMemoryVectorStore, direct: bool
    ) -> None:
        class Finds(BaseRetriever):
            @override
            def _retrieve(self, query_bundle: Any) -> list[NodeWithScore]:
                text = query_bundle.query_str
                found = store.similarity_search(text, k=2) if direct else store.as_retriever().invoke(text)
                return [
                    NodeWithScore(node=TextNode(text=one.page_content, id_=one.id or "")) for one in found[:1]
                ]

        RetrieverQueryEngine.from_args(Finds()).query("q")
        found = host.answer()
        outer, inner = found.retrievals
        assert (outer.composite, inner.within) == (True, 0)
        assert (len(outer.chunks), len(inner.chunks)) == (1, 2 if direct else 4)
        assert len(found.models) == 1


class Through(CustomLLM):
    """Asks LangChain's model, as LlamaIndex's own package for that does: a stream is asked for when it is read."""

    @property
    @override
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="unknown", is_chat_model=True)

    @llm_chat_callback()
    @override
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(content=str(Model().invoke("q").content)))

    @llm_completion_callback()
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=str(Model().invoke(prompt).content))

    @llm_chat_callback()
    @override
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        def steps() -> Iterator[ChatResponse]:
            for chunk in Model().stream("q"):
                yield ChatResponse(message=ChatMessage(content="x"), delta=str(chunk.content))

        return steps()

    @llm_completion_callback()
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


ASK: dict[str, Callable[[Any], object]] = {
    "at once": lambda index: index.as_query_engine().query("q"),
    "later": lambda index: asyncio.run(index.as_query_engine().aquery("q")),
    "streamed": lambda index: str(index.as_query_engine(streaming=True).query("q")),
}


@pytest.mark.parametrize("how", ASK)
def test_a_model_of_langchain_in_llamaindex_is_called_once(
    host: Host, index: VectorStoreIndex, how: str
) -> None:
    Settings.llm = Through()
    ASK[how](index)
    found = host.answer()
    [call] = found.models
    assert call.asked == {"provider": "openai", "name": "gpt-test"}
    assert call.prompt == 0
    if how != "streamed":  # Langchain's model of these tests reports no tokens of a stream.
        assert call.tokens_in == 30


def test_two_that_follow_each_other_are_two(
    host: Host, index: VectorStoreIndex, store: InMemoryVectorStore
) -> None:
    index.as_query_engine().query("a")
    rag(store).invoke("b")
    index.as_query_engine().query("c")
    assert [one.framework for one in host.answers()] == ["llama-index", "langchain", "llama-index"]


def test_in_a_block_they_are_one(host: Host, index: VectorStoreIndex, store: InMemoryVectorStore) -> None:
    with lineage.answer():
        rag(store).invoke("a")
        index.as_query_engine().query("b")
    found = host.answer()
    assert (len(found.retrievals), len(found.models)) == (2, 2)
