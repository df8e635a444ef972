"""LangChain and LangGraph: what is seen of an answer, sync and async."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import pickle
import threading
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_chroma import Chroma
from langchain_classic.retrievers import ContextualCompressionRetriever, EnsembleRetriever
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.globals import set_llm_cache
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.assets.templates import digest
from datahub_llmops.hooks.langchain import handler as hook
from hooks.parts import DOCUMENTS, PROMPT, Model, NamedEmbedding, joined, rag
from hooks.seen import Host


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))


@pytest.fixture
def chroma(tmp_path: Path) -> Chroma:
    return Chroma.from_documents(
        DOCUMENTS, NamedEmbedding(size=8), collection_name="docs", persist_directory=str(tmp_path / "chroma")
    )


def call(chain: Any, value: Any, how: str) -> Any:
    """Invoke, in one of the ways in which applications do."""
    if how == "sync":
        return chain.invoke(value)
    if how == "async":
        return asyncio.run(chain.ainvoke(value))
    if how == "stream":
        return list(chain.stream(value))
    if how == "thread":
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(chain.invoke(value)))
        thread.start()
        thread.join()
        return found[0]

    async def consume() -> list[Any]:
        return [one async for one in chain.astream(value)]

    return asyncio.run(consume())


@pytest.mark.parametrize("how", ["sync", "async", "stream", "astream", "thread"])
class TestOneAnswer:
    def test_a_chain_over_a_chroma_collection(
        self, host: Host, chroma: Chroma, tmp_path: Path, how: str
    ) -> None:
        call(rag(chroma), "what is it?", how)
        found = host.answer()
        assert (found.application, found.version, found.status) == ("support-bot", "7", "ok")
        assert found.root == "RunnableSequence"
        [retrieval] = found.retrievals
        assert retrieval.index == {
            "platform": "chroma",
            "path": str(tmp_path / "chroma"),
            "tenant": "default_tenant",
            "database": "default_database",
            "collection": "docs",
        }
        assert retrieval.retriever == {
            "class": "langchain_core.VectorStoreRetriever",
            "search_type": "similarity",
            "k": 2,
        }
        assert retrieval.embedding == {"class": "hooks.NamedEmbedding", "model": "text-embedding-3-small"}
        assert len(retrieval.chunks) == 2
        for chunk in retrieval.chunks:
            number = (chunk.id or "").removeprefix("chunk-")
            assert chunk.source == {"key": "source", "value": f"s3://papers/{number}.pdf"}
            assert chunk.place == {"page": int(number)}
            assert chunk.score is not None
        [prompt] = found.prompts
        assert prompt == {
            "digest": digest([("system", "Use: {context}"), ("human", "{question}")], "f-string"),
            "variables": "context, question",
            "format": "f-string",
        }
        [model] = found.models
        assert model.asked == {"provider": "openai", "name": "gpt-test"}
        assert model.prompt == 0
        if how in ("sync", "async", "thread"):
            assert model.served == {"provider": "openai", "name": "gpt-test-2026-01"}
            assert (model.tokens_in, model.tokens_out, model.tokens_cached, model.tokens_reasoning) == (
                30,
                5,
                10,
                2,
            )


class TestExplicitAnswer:
    def test_three_roots_are_one_answer(self, host: Host, store: InMemoryVectorStore) -> None:
        with lineage.answer() as a:
            documents = store.as_retriever().invoke("q")
            Model().invoke(PROMPT.invoke({"context": joined(documents), "question": "q"}))
            assert lineage.current_answer() is a
        found = host.answer()
        assert found.id == a.id
        assert (len(found.retrievals), len(found.prompts), len(found.models)) == (1, 1, 1)
        assert found.models[0].prompt == 0
        assert lineage.current_answer() is a

    def test_async(self, host: Host, store: InMemoryVectorStore) -> None:
        @lineage.answer()
        async def respond(question: str) -> str:
            documents, _ = await asyncio.gather(store.as_retriever().ainvoke(question), asyncio.sleep(0))
            return str((await Model().ainvoke(joined(documents))).content)

        async def both() -> None:
            await asyncio.gather(respond("a"), respond("b"))

        asyncio.run(both())
        found = host.answers()
        assert [(len(one.retrievals), len(one.models)) for one in found] == [(1, 1), (1, 1)]

    def test_generators_of_both_kinds(self, host: Host) -> None:
        @lineage.answer()
        def words() -> Any:
            got = yield Model().invoke("a").content
            yield got

        @lineage.answer()
        async def later() -> Any:
            yield (await Model().ainvoke("a")).content
            yield (await Model().ainvoke("b")).content

        async def consume() -> list[Any]:
            return [one async for one in later()]

        generator = words()
        assert next(generator) == "forty two"
        assert lineage.current_answer() is None  # The consumer's context is its own between steps.
        assert generator.send("sent") == "sent"
        generator.close()
        assert asyncio.run(consume()) == ["forty two", "forty two"]
        assert [len(one.models) for one in host.answers()] == [1, 2]

    def test_an_exception_is_an_error_and_passes(self, host: Host) -> None:
        with pytest.raises(ZeroDivisionError), lineage.answer():
            raise ZeroDivisionError("planted")
        found = host.answer()
        assert (found.status, found.error) == ("error", "ZeroDivisionError")

    def test_inside_another_it_is_that_one(self, host: Host) -> None:
        with lineage.answer() as outer, lineage.answer() as inner:
            assert outer is inner
        assert host.answer().id == outer.id

    def test_another_application_for_a_block(self, host: Host) -> None:
        with lineage.application("other", version="2"):
            Model().invoke("a")
        Model().invoke("a")
        assert [(one.application, one.version) for one in host.answers()] == [
            ("other", "2"),
            ("support-bot", "7"),
        ]


class TestTree:
    def test_a_batch_is_an_answer_an_item(self, host: Host, store: InMemoryVectorStore) -> None:
        rag(store).batch(["a", "b", "c"])
        found = host.answers()
        assert [(len(one.retrievals), len(one.prompts), len(one.models)) for one in found] == [(1, 1, 1)] * 3

    def test_an_asynchronous_batch(self, host: Host, store: InMemoryVectorStore) -> None:
        asyncio.run(rag(store).abatch(["a", "b"]))
        assert [(len(one.retrievals), len(one.models)) for one in host.answers()] == [(1, 1)] * 2

    @pytest.mark.parametrize("how", ["sync", "async"])
    def test_a_fallback_on_top_is_one_answer(self, host: Host, how: str) -> None:
        chain = Model(fail=True).with_fallbacks([Model(model_name="second")])
        call(chain, "a", how)
        found = host.answer()
        assert [(one.asked["name"], one.status, one.error) for one in found.models] == [
            ("gpt-test", "error", "Overloaded 529"),
            ("second", "ok", None),
        ]
        assert found.status == "ok"

    def test_an_error_keeps_class_and_status_only(self, host: Host, store: InMemoryVectorStore) -> None:
        with pytest.raises(Exception, match="planted"):
            rag(store, Model(fail=True)).invoke("q")
        found = host.answer()
        assert (found.status, found.error) == ("error", "Overloaded 529")
        assert (found.models[0].status, found.models[0].error) == ("error", "Overloaded 529")

    def test_a_stream_closed_early_keeps_its_parts(self, host: Host, store: InMemoryVectorStore) -> None:
        stream = rag(store).stream("q")
        next(stream)
        stream.close()  # type: ignore[attr-defined]  # it is a generator
        found = host.answer()
        assert (len(found.retrievals), len(found.models)) == (1, 1)

    def test_a_stream_never_consumed_leaves_nothing(self, host: Host, store: InMemoryVectorStore) -> None:
        rag(store).stream("q")
        assert host.answers() == []

    def test_a_cancelled_task_is_interrupted_not_failed(self, host: Host) -> None:
        async def cancelled() -> None:
            running = asyncio.Event()

            async def slow(_: Any) -> None:
                running.set()
                await asyncio.sleep(30)

            task = asyncio.create_task(RunnableLambda(slow).ainvoke("x"))
            await running.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        assert [one.status for one in host.answers()] == ["interrupted"]

    def test_a_cached_call_counts_no_tokens(self, host: Host) -> None:
        set_llm_cache(InMemoryCache())
        try:
            model = Model()
            model.invoke("same")
            model.invoke("same")
        finally:
            set_llm_cache(None)
        first, second = host.answers()
        assert (first.models[0].cached, first.models[0].tokens_in) == (False, 30)
        assert (second.models[0].cached, second.models[0].tokens_in) == (True, None)

    def test_a_raw_thread_is_an_answer_of_its_own(self, host: Host, store: InMemoryVectorStore) -> None:
        with lineage.answer():
            thread = threading.Thread(target=store.as_retriever().invoke, args=("q",))
            thread.start()
            thread.join()
        assert sorted(len(one.retrievals) for one in host.answers()) == [0, 1]

    def test_a_thread_with_the_context_belongs_to_the_answer(
        self, host: Host, store: InMemoryVectorStore
    ) -> None:
        with lineage.answer():
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(store.as_retriever().invoke, "q"))
            thread.start()
            thread.join()
        assert len(host.answer().retrievals) == 1

    def test_an_end_without_a_start_and_children_after_the_root(self, host: Host) -> None:
        from uuid import uuid4

        handler = hook.attached()
        assert handler is not None
        handler.on_chain_end({}, run_id=uuid4())
        handler.on_llm_error(ValueError("x"), run_id=uuid4())
        root, child = uuid4(), uuid4()
        handler.on_chain_start({}, "q", run_id=root, name="r")  # type: ignore[arg-type]  # any input
        handler.on_chat_model_start(
            {}, [[]], run_id=child, parent_run_id=root, metadata={"ls_model_name": "m"}
        )
        handler.on_chain_end({"output": "out"}, run_id=root)
        assert host.answer().models[0].status == "open"
        handler.on_llm_error(ValueError("x"), run_id=child)
        assert host.answer().models[0].status == "error"
        assert handler.runs == {}


class TestRetrievers:
    def test_leaves_are_counted_and_composites_described(
        self, host: Host, store: InMemoryVectorStore
    ) -> None:
        ensemble = EnsembleRetriever(
            retrievers=[
                store.as_retriever(search_kwargs={"k": 1}),
                store.as_retriever(search_kwargs={"k": 2}),
            ],
            weights=[0.5, 0.5],
        )
        compressed = ContextualCompressionRetriever(
            base_compressor=DocumentCompressorPipeline(transformers=[]), base_retriever=ensemble
        )
        compressed.invoke("q")
        top, middle, first, second = host.answer().retrievals
        assert (top.composite, middle.composite, first.composite, second.composite) == (
            True,
            True,
            False,
            False,
        )
        assert (top.within, middle.within, first.within, second.within) == (None, 0, 1, 1)
        assert top.retriever["reranker"] == "langchain_classic.DocumentCompressorPipeline"
        assert middle.retriever["parts"] == ["langchain_core.VectorStoreRetriever"] * 2
        assert (len(first.chunks), len(second.chunks)) == (1, 2)

    @pytest.mark.parametrize("how", ["sync", "async"])
    def test_filter_keys_not_values(self, host: Host, chroma: Chroma, how: str) -> None:
        retriever = chroma.as_retriever(
            search_type="mmr",
            search_kwargs={"k": 1, "filter": {"$and": [{"page": {"$gt": 0}}, {"source": "planted"}]}},
        )
        call(retriever, "q", how)
        [retrieval] = host.answer().retrievals
        assert retrieval.retriever["filter_keys"] == ["page", "source"]
        assert retrieval.retriever["search_type"] == "mmr"
        assert "planted" not in str(retrieval)

    def test_a_urn_given_in_metadata(self, host: Host, store: InMemoryVectorStore) -> None:
        urn = "urn:li:dataset:(urn:li:dataPlatform:chroma,a.b,PROD)"
        store.as_retriever(metadata={"datahub_urn": urn}).invoke("q")
        [retrieval] = host.answer().retrievals
        assert retrieval.index is not None
        assert retrieval.index["urn"] == urn

    def test_a_named_index(self, host: Host, store: InMemoryVectorStore) -> None:
        urn = "urn:li:dataset:(urn:li:dataPlatform:faiss,papers,PROD)"
        lineage.name_index(store, urn)
        store.as_retriever().invoke("q")
        [retrieval] = host.answer().retrievals
        assert retrieval.index == {"class": "langchain_core.InMemoryVectorStore", "urn": urn}

    def test_a_retriever_of_the_users_own_over_a_store(self, host: Host, chroma: Chroma) -> None:
        class Own(BaseRetriever):
            inner: Any

            @override
            def _get_relevant_documents(
                self, query: str, *, run_manager: CallbackManagerForRetrieverRun
            ) -> list[Document]:
                found: list[Document] = self.inner.similarity_search(query, k=1)
                return found

        Own(inner=chroma).invoke("q")
        [retrieval] = host.answer().retrievals
        assert retrieval.index is not None
        assert retrieval.index["collection"] == "docs"
        assert retrieval.chunks[0].score is not None

    def test_a_search_without_a_retriever(self, host: Host, chroma: Chroma) -> None:
        chain: RunnableLambda[str, Any] = RunnableLambda(
            lambda question: chroma.similarity_search_with_score(question, k=2)
        )
        chain.invoke("q")
        chroma.max_marginal_relevance_search("q", k=1)
        asyncio.run(chroma.asimilarity_search("q", k=3))
        inside, mmr, later = host.answers()
        assert inside.root == "RunnableLambda"
        assert [len(one.retrievals[0].chunks) for one in (inside, mmr, later)] == [2, 1, 3]
        assert all(len(one.retrievals) == 1 for one in (inside, mmr, later))
        assert inside.retrievals[0].retriever == {"class": "langchain_chroma.Chroma", "direct": True, "k": 2}
        assert all(chunk.score is not None for chunk in inside.retrievals[0].chunks)

    def test_nothing_is_added_to_what_other_tracers_see(self, host: Host, chroma: Chroma) -> None:
        retriever = chroma.as_retriever()
        before = retriever._get_ls_params()
        host.handle.detach()
        assert retriever._get_ls_params() == before


class TestPrompts:
    @pytest.mark.parametrize("how", ["sync", "async"])
    @pytest.mark.parametrize(
        ("metadata", "expected"),
        [
            (
                {"lc_hub_owner": "acme", "lc_hub_repo": "support", "lc_hub_commit_hash": "abc123"},
                {"registry": "langsmith", "name": "acme/support", "version": "abc123"},
            ),
            (
                {"langfuse_prompt": {"name": "support", "version": 3}},
                {"registry": "langfuse", "name": "support", "version": "3"},
            ),
            (
                {"mlflow_prompt": "prompts:/support/4"},
                {"registry": "mlflow", "name": "support", "version": "4"},
            ),
            (
                {"mlflow.linkedPrompts": '[{"name": "support", "version": "5"}]'},
                {"registry": "mlflow", "name": "support", "version": "5"},
            ),
            (
                {"prompt_name": "support", "prompt_version": 6},
                {"registry": "custom", "name": "support", "version": "6"},
            ),
            (
                {"datahub_urn": "urn:li:dataset:(urn:li:dataPlatform:langfuse,support.v1,PROD)"},
                {"urn": "urn:li:dataset:(urn:li:dataPlatform:langfuse,support.v1,PROD)"},
            ),
        ],
    )
    def test_identity_in_metadata(
        self, host: Host, metadata: dict[str, Any], expected: dict[str, str], how: str
    ) -> None:
        prompt = PromptTemplate.from_template("Say {a}")
        prompt.metadata = metadata
        call(prompt | Model(), {"a": "b"}, how)
        [found] = host.answer().prompts
        template = {
            "digest": digest([("human", "Say {a}")], "f-string"),
            "variables": "a",
            "format": "f-string",
        }
        assert found == {**expected, **template}

    def test_the_same_template_has_the_same_digest_and_metadata_no_part_in_it(self, host: Host) -> None:
        for version in (1, 2):
            prompt = ChatPromptTemplate.from_messages([("human", "Say {a}")])
            prompt.metadata = {"release": version}
            (prompt | Model()).invoke({"a": "b"})
        first, second = host.answers()
        assert first.prompts == second.prompts


class TestAgents:
    @pytest.mark.parametrize("how", ["sync", "async"])
    def test_an_agent_with_a_retriever_tool(self, host: Host, chroma: Chroma, how: str) -> None:
        from langchain.agents import create_agent
        from langchain_core.messages import AIMessage

        class Calls(Model):
            @override
            def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
                result = super()._generate(messages, *args, **kwargs)
                if messages[-1].type == "human":
                    message = AIMessage(
                        "", tool_calls=[{"name": "look_up", "args": {"question": "q"}, "id": "1"}]
                    )
                    result.generations[0].message = message
                return result

        @tool
        def look_up(question: str) -> str:
            """Look it up."""
            return joined(chroma.as_retriever(search_kwargs={"k": 1}).invoke(question))

        agent = create_agent(Calls(), [look_up], system_prompt="You are helpful.", name="helper")
        call(agent, {"messages": [("user", "hello")]}, how)
        found = host.answer()
        assert found.root == "helper"
        assert [one.name for one in found.tools] == ["look_up"]
        assert len(found.retrievals) == 1
        assert len(found.models) == 2
        assert found.prompts == (
            {"digest": digest([("system", "You are helpful.")], "text"), "role": "system"},
        )
        assert {one.prompt for one in found.models} == {0}

    def test_the_middleware_names_the_prompt(self, host: Host) -> None:
        from langchain.agents import create_agent

        named = lineage.prompt_middleware("support-system", version=3, registry="langfuse")
        agent: Any = create_agent(Model(), [], system_prompt="You are helpful.", middleware=[named])
        agent.invoke({"messages": [("user", "hello")]})
        [found] = host.answer().prompts
        assert (found["registry"], found["name"], found["version"]) == ("langfuse", "support-system", "3")

    def test_an_interrupt_is_no_failure(self, host: Host) -> None:
        from langgraph.checkpoint.memory import InMemorySaver
        from langgraph.graph import START, StateGraph
        from langgraph.types import interrupt

        class State(TypedDict):
            text: str

        def ask(state: State) -> State:
            Model().invoke(state["text"])
            return {"text": interrupt("sure?")}

        graph = (
            StateGraph(State)
            .add_node("ask", ask)
            .add_edge(START, "ask")
            .compile(checkpointer=InMemorySaver())
        )
        graph.invoke({"text": "a"}, {"configurable": {"thread_id": "1"}})
        found = host.answer()
        assert found.status == "ok"
        assert len(found.models) == 1


class TestNothingChanges:
    def test_configs_can_be_pickled_and_copied(self, host: Host) -> None:
        seen: list[Any] = []

        def look(value: Any, config: Any) -> Any:
            seen.append(config)
            return value

        RunnableLambda(look).invoke("x")
        [handler] = [one for one in seen[0]["callbacks"].handlers if isinstance(one, hook.Handler)]
        assert copy.deepcopy(handler) is handler
        assert pickle.loads(pickle.dumps(handler)) is handler
        assert pickle.loads(pickle.dumps(host.handle)) is host.handle

    def test_outputs_and_stored_bytes_are_the_same(self, host: Host, tmp_path: Path) -> None:
        def run(folder: str) -> Any:
            store = Chroma.from_documents(
                DOCUMENTS,
                NamedEmbedding(size=8),
                collection_name="docs",
                persist_directory=str(tmp_path / folder),
            )
            out = rag(store).invoke("q")
            kept = store.get(include=["metadatas", "documents", "embeddings"])
            return (
                out.content,
                kept["ids"],
                kept["metadatas"],
                kept["documents"],
                kept["embeddings"].tobytes(),
            )

        with_hooks = run("with")
        host.handle.detach()
        without = run("without")
        assert with_hooks == without

    def test_detached_it_sees_nothing_and_leaves_nothing(
        self, host: Host, store: InMemoryVectorStore
    ) -> None:
        wrapped = InMemoryVectorStore.add_documents
        host.handle.detach()
        assert InMemoryVectorStore.add_documents is not wrapped
        assert "__init_subclass__" not in vars(InMemoryVectorStore.__mro__[1])
        rag(store).invoke("q")
        store.add_documents(DOCUMENTS)
        assert host.answers() == []

    def test_a_mock_of_the_users_survives_detaching(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def mock(*_: Any, **__: Any) -> list[str]:
            return []

        monkeypatch.setattr(InMemoryVectorStore, "add_documents", mock)
        host.handle.detach()
        assert InMemoryVectorStore.add_documents is mock

    def test_attached_twice_it_records_once_and_the_latest_name_wins(self, host: Host) -> None:
        assert lineage.attach("renamed", store=host.path) is host.handle
        Model().invoke("a")
        assert host.answer().application == "renamed"

    def test_sampling_keeps_whole_answers(self, host: Host, store: InMemoryVectorStore) -> None:
        lineage.attach("support-bot", store=host.path, sample=0.5)
        for _ in range(60):
            rag(store).invoke("q")
        found = host.answers()
        assert 5 < len(found) < 55
        assert all((len(one.retrievals), len(one.models), one.weight) == (1, 1, 2.0) for one in found)

    def test_nothing_of_a_sampled_out_answer_is_kept(self, host: Host, chroma: Chroma) -> None:
        lineage.attach("support-bot", store=host.path, sample=0.0)
        rag(chroma).invoke("q")
        with lineage.answer() as a:
            chroma.similarity_search("q")
        assert a.id
        assert host.answers() == []
