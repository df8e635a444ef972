"""Cells of what the hooks see (docs/hooks.md, "What is seen") that no other test names, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_chroma import Chroma
from langchain_classic.retrievers import ContextualCompressionRetriever, EnsembleRetriever
from langchain_core.caches import InMemoryCache
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.globals import set_llm_cache
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import MockEmbedding, PromptTemplate, Settings, StorageContext, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import QueryEngineTool
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.assets.templates import digest
from hooks.llamaindex.test_handlers import DOCUMENTS as LLAMA_DOCUMENTS
from hooks.llamaindex.test_handlers import RAW, FunctionModel
from hooks.llamaindex.test_handlers import Model as LlamaModel
from hooks.parts import DOCUMENTS, PROMPT, Model, NamedEmbedding, joined, rag
from hooks.seen import Host

BOTH = pytest.mark.parametrize("how", ["sync", "async"])


def called(runnable: Any, value: Any, how: str, *more: Any) -> Any:
    return runnable.invoke(value, *more) if how == "sync" else asyncio.run(runnable.ainvoke(value, *more))


@pytest.fixture
def store(tmp_path: Path) -> Chroma:
    return Chroma.from_documents(
        DOCUMENTS, NamedEmbedding(size=8), collection_name="docs", persist_directory=str(tmp_path / "chroma")
    )


class Reranker(BaseDocumentCompressor):
    """Says its model and its scores as Cohere's does."""

    model: str = "rerank-3.5"

    @override
    def compress_documents(self, documents: Any, query: str, callbacks: Any = None) -> list[Document]:
        return [
            one.model_copy(update={"metadata": {**one.metadata, "relevance_score": 0.9}})
            for one in documents[:1]
        ]


class State(TypedDict):
    question: str
    context: str
    answer: str


@BOTH
class TestLangChain:
    def test_a_graph(self, host: Host, store: Chroma, how: str) -> None:
        from langgraph.graph import END, START, StateGraph

        retriever = store.as_retriever(search_kwargs={"k": 2})

        def look_up(state: State) -> dict[str, str]:
            return {"context": joined(retriever.invoke(state["question"]))}

        async def look_up_later(state: State) -> dict[str, str]:
            return {"context": joined(await retriever.ainvoke(state["question"]))}

        def say(state: State) -> dict[str, str]:
            return {"answer": str((PROMPT | Model()).invoke(dict(state)).content)}

        graph = (
            StateGraph(State)
            .add_node("look_up", look_up if how == "sync" else look_up_later)
            .add_node("say", say)
            .add_edge(START, "look_up")
            .add_edge("look_up", "say")
            .add_edge("say", END)
            .compile()
        )
        called(graph, {"question": "q"}, how)
        found = host.answer()
        assert (found.root, found.status) == ("LangGraph", "ok")
        assert [(one.index or {}).get("collection") for one in found.retrievals] == ["docs"]
        assert [one.prompt for one in found.models] == [0]

    def test_an_interrupt_and_what_follows_it(self, host: Host, how: str) -> None:
        from langgraph.checkpoint.memory import InMemorySaver
        from langgraph.graph import START, StateGraph
        from langgraph.types import Command, interrupt

        def ask(state: State) -> dict[str, str]:
            return {"answer": interrupt("sure?") + str(Model().invoke("q").content)}

        graph = (
            StateGraph(State)
            .add_node("ask", ask)
            .add_edge(START, "ask")
            .compile(checkpointer=InMemorySaver())
        )
        thread = {"configurable": {"thread_id": "1"}}
        called(graph, {"question": "q"}, how, thread)
        called(graph, Command(resume="yes"), how, thread)
        assert [(one.status, len(one.models)) for one in host.answers()] == [("ok", 0), ("ok", 1)]

    def test_a_reranker(self, host: Host, store: Chroma, how: str) -> None:
        retriever = ContextualCompressionRetriever(
            base_compressor=Reranker(), base_retriever=store.as_retriever(search_kwargs={"k": 3})
        )
        called(retriever, "q", how)
        top, leaf = host.answer().retrievals
        assert (top.retriever["reranker"], top.retriever["reranker_model"]) == (
            "hooks.Reranker",
            "rerank-3.5",
        )
        assert (top.composite, [chunk.score for chunk in top.chunks]) == (True, [0.9])
        assert (leaf.within, len(leaf.chunks), (leaf.index or {})["collection"]) == (0, 3, "docs")

    def test_the_parts_of_a_hybrid(self, host: Host, store: Chroma, how: str) -> None:
        memory = InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))
        ensemble = EnsembleRetriever(
            retrievers=[
                store.as_retriever(search_kwargs={"k": 1}),
                memory.as_retriever(search_kwargs={"k": 2}),
            ],
            weights=[0.5, 0.5],
        )
        called(ensemble, "q", how)
        top, *parts = host.answer().retrievals
        assert (top.composite, top.retriever["class"]) == (True, "langchain_classic.EnsembleRetriever")
        assert {((one.index or {})["platform"], len(one.chunks), one.within) for one in parts} == {
            ("chroma", 1, 0),
            ("in-memory", 2, 0),
        }

    def test_scores_behind_a_threshold(self, host: Host, store: Chroma, how: str) -> None:
        retriever = store.as_retriever(
            search_type="similarity_score_threshold", search_kwargs={"k": 2, "score_threshold": -10.0}
        )
        called(retriever, "q", how)
        [retrieval] = host.answer().retrievals
        assert retrieval.retriever["score_threshold"] == -10.0
        assert [chunk.score is not None for chunk in retrieval.chunks] == [True, True]

    def test_an_error(self, host: Host, store: Chroma, how: str) -> None:
        with pytest.raises(Exception, match="planted"):
            called(rag(store, Model(fail=True)), "q", how)
        found = host.answer()
        assert (found.status, found.error, found.models[0].error) == (
            "error",
            "Overloaded 529",
            "Overloaded 529",
        )

    def test_a_fallback_within_a_chain(self, host: Host, how: str) -> None:
        chain = PROMPT | Model(fail=True).with_fallbacks([Model(model_name="second")])
        called(chain, {"context": "c", "question": "q"}, how)
        found = host.answer()
        assert [(one.asked["name"], one.status, one.prompt) for one in found.models] == [
            ("gpt-test", "error", 0),
            ("second", "ok", 0),
        ]

    def test_a_cache_hit(self, host: Host, how: str) -> None:
        set_llm_cache(InMemoryCache())
        try:
            for _ in range(2):
                called(Model(), "same", how)
        finally:
            set_llm_cache(None)
        assert [(one.models[0].cached, one.models[0].tokens_in) for one in host.answers()] == [
            (False, 30),
            (True, None),
        ]

    def test_an_agents_named_prompt(self, host: Host, how: str) -> None:
        from langchain.agents import create_agent

        named = lineage.prompt_middleware("support-system", version=3)
        agent: Any = create_agent(Model(), [], system_prompt="You are helpful.", middleware=[named])
        called(agent, {"messages": [("user", "hello")]}, how)
        found = host.answer()
        assert [one["name"] for one in found.prompts] == ["support-system"]
        assert [one.prompt for one in found.models] == [0]

    def test_a_tool_that_fails(self, host: Host, how: str) -> None:
        @tool
        def fails(text: str) -> str:
            """Fail."""
            raise KeyError(text)

        with pytest.raises(KeyError):
            called(fails, "planted", how)
        [found] = host.answer().tools
        assert (found.name, found.status) == ("fails", "error")

    def test_updates_of_chroma(self, host: Host, store: Chroma, how: str) -> None:
        changed = [one.model_copy(update={"page_content": "changed"}) for one in DOCUMENTS[:2]]
        store.update_documents([str(one.id) for one in changed], changed)
        store.update_document("chunk-3", DOCUMENTS[3])
        [found] = host.writes()
        assert found.counts == {"added": 4, "updated": 3}


class CachingModel(LlamaModel):
    """Says the tokens that OpenAI's does of a prompt that it had cached, and of reasoning."""

    @llm_completion_callback()
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        usage = {
            "prompt_tokens": 30,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 2},
        }
        return CompletionResponse(text="forty two", raw={**RAW, "usage": usage})


class Broken(LlamaModel):
    @override
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        raise TimeoutError("planted")

    @override
    async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        raise TimeoutError("planted")


class Asks(FunctionModel):
    """Calls the tool ``look_up`` once."""

    @override
    async def astream_chat_with_tools(self, tools: Any, **kwargs: Any) -> Any:
        history = kwargs.get("chat_history") or []
        done = any(one.role == MessageRole.TOOL for one in history)

        stream = await self.astream_chat(history)

        async def steps() -> AsyncIterator[ChatResponse]:
            async for one in stream:
                if not done:
                    one.message = ChatMessage(role=MessageRole.ASSISTANT, content="")
                    one.message.additional_kwargs["calls"] = True
                yield one

        return steps()

    @override
    def get_tool_calls_from_response(
        self, response: Any, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> Any:
        if not response.message.additional_kwargs.get("calls"):
            return []
        return [ToolSelection(tool_id="1", tool_name="look_up", tool_kwargs={"input": "q"})]


@pytest.fixture
def index(host: Host) -> VectorStoreIndex:
    Settings.embed_model, Settings.llm = MockEmbedding(8, model_name="embed-test"), LlamaModel()
    return VectorStoreIndex.from_documents(
        LLAMA_DOCUMENTS, storage_context=StorageContext.from_defaults(vector_store=SimpleVectorStore())
    )


def asked(engine: Any, how: str) -> Any:
    return engine.query("what?") if how == "sync" else asyncio.run(engine.aquery("what?"))


@BOTH
class TestLlamaIndex:
    def test_an_error(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        with pytest.raises(TimeoutError):
            asked(index.as_query_engine(llm=Broken()), how)
        found = host.answer()
        assert (found.status, found.error, len(found.retrievals)) == ("error", "TimeoutError", 1)

    def test_a_prompt_with_a_name(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        named = PromptTemplate(
            "{context_str} {query_str}", metadata={"langfuse_prompt": {"name": "qa", "version": 2}}
        )
        asked(index.as_query_engine(text_qa_template=named), how)
        found = host.answer()
        assert [(one["name"], one["version"]) for one in found.prompts] == [("qa", "2")]
        assert [one.prompt for one in found.models] == [0]

    def test_tokens_cached_and_of_reasoning(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        model = CachingModel()
        model.complete("q") if how == "sync" else asyncio.run(model.acomplete("q"))
        [call] = host.answer().models
        assert (call.tokens_in, call.tokens_out, call.tokens_cached, call.tokens_reasoning) == (30, 5, 10, 2)

    def test_a_stream(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        engine = index.as_query_engine(streaming=True)

        async def consume() -> list[str]:
            response: Any = await engine.aquery("q")
            return [one async for one in response.async_response_gen()]

        if how == "sync":
            response: Any = engine.query("q")
            assert list(response.response_gen)
        else:
            assert asyncio.run(consume())
        found = host.answer()
        assert (len(found.retrievals), [one.status for one in found.models]) == (1, ["ok"])

    def test_filter_keys(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        filters = MetadataFilters(filters=[MetadataFilter(key="source", value="planted")])
        retriever = index.as_retriever(filters=filters)
        retriever.retrieve("q") if how == "sync" else asyncio.run(retriever.aretrieve("q"))
        assert host.answer().retrievals[0].retriever["filter_keys"] == ["source"]

    def test_a_delete(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        if how == "sync":
            index.delete_ref_doc("doc-0")
        else:
            asyncio.run(index.adelete_ref_doc("doc-0"))
        [found] = host.writes()
        assert found.counts == {"added": 3, "deleted": 1}

    def test_an_answer_over_both_frameworks(self, host: Host, index: VectorStoreIndex, how: str) -> None:
        async def both() -> None:
            async with lineage.answer():
                await index.as_retriever().aretrieve("q")
                await Model().ainvoke("x")

        if how == "sync":
            with lineage.answer():
                index.as_retriever().retrieve("q")
                Model().invoke("x")
        else:
            asyncio.run(both())
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 1)


def test_an_agent_of_llamaindex_with_a_retriever_behind_a_tool(host: Host, index: VectorStoreIndex) -> None:
    engine = index.as_query_engine(similarity_top_k=1)
    look_up = QueryEngineTool.from_defaults(engine, name="look_up", description="Look it up")

    async def run() -> str:
        agent = FunctionAgent(tools=[look_up], llm=Asks(), system_prompt="Look it up.", name="helper")
        return str(await agent.run("hello"))

    assert asyncio.run(run()) == "forty two"
    found = host.answer()
    assert [(one.name, one.status) for one in found.tools] == [("look_up", "ok")]
    assert [len(one.chunks) for one in found.retrievals] == [1]
    assert len(found.models) == 3  # It asks for the tool, the engine answers, it says so.
    expected = digest([("system", "Look it up.")], "text")
    assert expected in [one.get("digest") for one in found.prompts]
