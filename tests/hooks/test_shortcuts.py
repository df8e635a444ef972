"""Where the hooks take a short way, what is seen is what the long way sees."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.callbacks import manager as callback_manager
from langchain_core.language_models import BaseChatModel, chat_models
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore, VectorStoreRetriever
from llama_index.core import Document as LlamaDocument
from llama_index.core import MockEmbedding, Settings, VectorStoreIndex
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # re-exported
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.query import QueryStartEvent
from llama_index.core.instrumentation.span_handlers import NullSpanHandler
from llama_index.core.llms import MockLLM
from llama_index_instrumentation.dispatcher import Dispatcher, instrument_tags
from pydantic import Field
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.hooks import parts, runtime
from datahub_llmops.hooks.langchain import handler as hook
from hooks.parts import DOCUMENTS, Model, NamedEmbedding, rag
from hooks.seen import Host, stored_answers


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))


class Counting(AsyncCallbackHandler):
    """A handler of the application's own."""

    def __init__(self) -> None:
        self.starts = 0

    @override
    async def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        self.starts += 1


class CountingHere(BaseCallbackHandler):
    """The same without waiting."""

    def __init__(self) -> None:
        self.starts = 0

    @override
    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        self.starts += 1


def told(answer: RecordedAnswer) -> tuple[object, ...]:
    """What is recorded of an answer but for ids and times."""
    return (
        answer.root,
        answer.status,
        answer.prompts,
        [(one.retriever, one.index, one.chunks, one.composite) for one in answer.retrievals],
        [(one.asked, one.served, one.prompt, one.status) for one in answer.models],
        [one.name for one in answer.tools],
    )


class TestDispatch:
    @pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
    def test_alone_and_beside_another_handler(
        self, host: Host, store: InMemoryVectorStore, later: bool
    ) -> None:
        counting = Counting() if later else CountingHere()
        chain = rag(store)

        def ask(**config: Any) -> None:
            asyncio.run(chain.ainvoke("q", config)) if later else chain.invoke("q", config)  # type: ignore[arg-type]  # parts of one

        ask()
        ask(callbacks=[counting])
        ask(callbacks=[hook.attached(), counting])
        alone, *beside = host.answers()
        assert counting.starts == 2 * 6
        assert [told(one) for one in beside] == [told(alone)] * 2
        assert [len(one.chunks) for one in alone.retrievals] == [2]
        assert len(alone.models) == 1

    @pytest.mark.parametrize("name", ["handle_event", "ahandle_event"])
    def test_detached_it_is_langchains_own_again(self, host: Host, name: str) -> None:
        hooked = getattr(callback_manager, name)
        host.handle.detach()
        assert getattr(callback_manager, name) is hooked.__wrapped__
        lineage.attach("support-bot", store=host.path)

    @pytest.mark.parametrize("name", ["handle_event", "ahandle_event"])
    def test_another_signature_is_left_alone(
        self, host: Host, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        host.handle.detach()

        def changed(manager: Any, name: str) -> None:
            raise AssertionError

        monkeypatch.setattr(callback_manager, name, changed)
        lineage.attach("support-bot", store=host.path)
        assert vars(callback_manager)[name] is changed
        host.handle.detach()


FIRST = """
import datahub_llmops.hooks as lineage
lineage.attach("a", store={store!r})
import {first}
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
store = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
store.add_documents([Document("a")])
(RunnableLambda(lambda q: str(store.similarity_search(q))) | FakeListChatModel(responses=["a"])).invoke("q")
from langchain_core.callbacks import manager
print(*(hasattr(one, "__wrapped__") for one in (manager.handle_event, BaseChatModel._should_stream)))
"""


@pytest.mark.parametrize(
    "first",
    [
        "langchain_core.tracers.context",
        "langchain_core.callbacks.manager",
        "langchain_core.language_models.chat_models",
        "langchain_core.runnables.config",
    ],
)
def test_whatever_of_langchain_is_imported_first(tmp_path: Path, first: str) -> None:
    program = FIRST.format(store=str(tmp_path / "answers.db"), first=first)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
    # A search without a retriever knows the run around it by LangChain's config alone.
    [answer] = stored_answers(tmp_path / "answers.db")
    assert (len(answer.retrievals), len(answer.models)) == (1, 1)


class Asked(type):
    """Counts how often it is asked whether something is an instance."""

    @override
    def __instancecheck__(cls, instance: object) -> bool:
        asked.append(instance)
        return False


asked: list[object] = []


class TestModels:
    def test_only_other_handlers_are_asked_whether_they_take_streams(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked.clear()
        monkeypatch.setattr(chat_models, "_StreamingCallbackHandler", Asked("Streaming", (), {}))
        assert Model().invoke("q").content == asyncio.run(Model().ainvoke("q")).content
        assert asked == []
        counting = CountingHere()
        Model().invoke("q", {"callbacks": [counting]})
        assert asked == [counting, hook.attached()]
        assert len(host.answers()) == 3

    def test_a_model_streams_for_who_listens(self, host: Host) -> None:
        chain: RunnableLambda[str, Any] = RunnableLambda(lambda q, config: Model().invoke(q, config))

        async def heard() -> list[str]:
            return [event["event"] async for event in chain.astream_events("q")]

        assert "on_chat_model_stream" in asyncio.run(heard())
        [answer] = host.answers()
        assert len(answer.models) == 1

    def test_detached_it_is_langchains_own_again(self, host: Host) -> None:
        hooked = vars(BaseChatModel)["_should_stream"]
        host.handle.detach()
        assert vars(BaseChatModel)["_should_stream"] is hooked.__wrapped__
        lineage.attach("support-bot", store=host.path)

    def test_another_signature_is_left_alone(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        host.handle.detach()

        def changed(self: Any, run: Any) -> bool:
            raise AssertionError

        monkeypatch.setattr(BaseChatModel, "_should_stream", changed)
        lineage.attach("support-bot", store=host.path)
        assert vars(BaseChatModel)["_should_stream"] is changed
        host.handle.detach()


class LlamaEvents(BaseEventHandler):
    """A handler of the application's own."""

    seen: list[str] = Field(default_factory=list)

    @override
    def handle(self, event: Any, **kwargs: Any) -> None:
        self.seen.append(f"{type(event).__name__} {event.tags}")


class LlamaSpans(NullSpanHandler):
    """One that does something, for all its base says."""

    seen: list[str] = Field(default_factory=list)

    @override
    def span_enter(self, id_: str, *args: Any, **kwargs: Any) -> None:
        self.seen.append(id_.partition("-")[0])


@pytest.fixture
def engine() -> Iterator[Any]:
    Settings.llm, Settings.embed_model = MockLLM(), MockEmbedding(8)
    documents = [LlamaDocument(text=f"t{n}", id_=f"d{n}", metadata={"source": f"{n}.pdf"}) for n in range(3)]
    yield VectorStoreIndex.from_documents(documents).as_query_engine(similarity_top_k=2)
    root = get_dispatcher()
    every: list[list[Any]] = [root.event_handlers, root.span_handlers]
    for handlers in every:
        handlers[:] = [one for one in handlers if not isinstance(one, (LlamaEvents, LlamaSpans))]


class TestLlamaIndexDispatch:
    @pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
    def test_alone_and_beside_other_handlers(self, host: Host, engine: Any, later: bool) -> None:
        def ask() -> None:
            asyncio.run(engine.aquery("q")) if later else engine.query("q")

        events, spans, root = LlamaEvents(), LlamaSpans(), get_dispatcher()
        ask()
        root.add_event_handler(events)
        ask()
        root.add_span_handler(spans)
        with instrument_tags({"a": "b"}):
            ask()
        first, *others = map(told, host.answers())
        assert others == [first, first]
        assert all(first[3:5])
        heard = len(events.seen) // 2
        assert [one.endswith("{}") for one in events.seen] == [True] * heard + [False] * heard
        assert ("RetrieverQueryEngine.aquery" if later else "RetrieverQueryEngine.query") in spans.seen

    def test_a_handler_of_one_dispatcher_hears_what_it_would(self, host: Host, engine: Any) -> None:
        events = LlamaEvents()
        below = get_dispatcher("llama_index.core.base.base_retriever")
        below.add_event_handler(events)
        try:
            engine.query("q")
        finally:
            below.event_handlers.remove(events)
        assert [one.split()[0] for one in events.seen] == ["RetrievalStartEvent", "RetrievalEndEvent"]
        assert len(host.answer().retrievals[0].chunks) == 2

    def test_events_have_their_tags_all_the_same(self, host: Host) -> None:
        event = QueryStartEvent(query="q")
        with instrument_tags({"a": "b"}):
            get_dispatcher("llama_index.core.base.base_query_engine").event(event)
        assert event.tags == {"a": "b"}

    def test_detached_it_is_llamaindexs_own_again(self, host: Host) -> None:
        hooked = {name: vars(Dispatcher)[name] for name in ("event", "span_enter", "span_exit")}
        host.handle.detach()
        assert {name: vars(Dispatcher)[name] for name in hooked} == {
            name: one.__wrapped__ for name, one in hooked.items()
        }
        lineage.attach("support-bot", store=host.path)

    def test_nothing_is_hooked_beside_another_handler(self, host: Host, engine: Any) -> None:
        host.handle.detach()
        get_dispatcher().add_event_handler(LlamaEvents())
        lineage.attach("support-bot", store=host.path)
        assert not hasattr(Dispatcher.event, "__wrapped__")
        assert hasattr(Dispatcher.span_enter, "__wrapped__")
        host.handle.detach()


class TestDescribedOnce:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda retriever: retriever.search_kwargs.update(k=3), {"k": 3}),
            (lambda retriever: setattr(retriever, "search_kwargs", {"k": 1}), {"k": 1}),
            (lambda retriever: setattr(retriever, "search_type", "mmr"), {"search_type": "mmr"}),
        ],
    )
    def test_a_retriever_that_changes_is_described_anew(
        self, host: Host, store: InMemoryVectorStore, change: Any, expected: dict[str, Any]
    ) -> None:
        retriever = store.as_retriever(search_kwargs={"k": 2})
        retriever.invoke("q")
        change(retriever)
        retriever.invoke("q")
        first, second = (one.retrievals[0].retriever for one in host.answers())
        assert first == {**second, **{key: first[key] for key in expected}}
        assert {key: second[key] for key in expected} == expected
        assert first != second

    def test_a_filter_that_changes_inside(self, host: Host, store: InMemoryVectorStore) -> None:
        class Quiet(VectorStoreRetriever):
            """Its store would take no such filter."""

            @override
            def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
                return []

        found: dict[str, Any] = {"a": 1}
        retriever = Quiet(vectorstore=store, search_kwargs={"filter": found})
        retriever.invoke("q")
        found["b"] = 2
        retriever.invoke("q")
        keys = [one.retrievals[0].retriever["filter_keys"] for one in host.answers()]
        assert keys == [["a"], ["a", "b"]]


class TestSharedEntries:
    def test_a_run_inside_others_is_no_part_of_its_own(self, host: Host) -> None:
        handler = hook.attached()
        assert handler is not None
        root, inner, leaf = uuid4(), uuid4(), uuid4()
        handler.on_chain_start({}, {"question": "q"}, run_id=root, name="root")
        handler.on_chain_start({}, {}, run_id=inner, parent_run_id=root, name="inner")
        handler.on_chain_error(ValueError("x"), run_id=inner)  # Of the inner run: the answer goes on.
        handler.on_chain_start({}, {}, run_id=leaf, parent_run_id=root, name="leaf")
        handler.on_chain_end({"output": "not the answer"}, run_id=leaf)
        assert list(handler.runs) == [root.int]
        handler.on_chain_end({"output": "out"}, run_id=root)
        assert host.answer().status == "ok"
        assert handler.runs == {}

    def test_what_is_open_below_a_root_is_not_given_up_before_it(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handler = hook.attached()
        assert handler is not None
        root, inner = uuid4(), uuid4()
        handler.on_chain_start({}, {"question": "q"}, run_id=root, name="root")
        handler.on_chain_start({}, {}, run_id=inner, parent_run_id=root, name="inner")
        monkeypatch.setattr(runtime, "MAX_AGE", 0.0)
        handler.runs.sweep()
        assert list(handler.runs) == [inner.int]  # The root is given up: its answer ends.
        assert host.answer().status == "unfinished"
        handler.runs.sweep()
        assert handler.runs == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_counts_from_elsewhere() -> None:
    begun = runtime.begin_answer("a", None, 1.0)
    assert isinstance(begun, parts.Answer)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        other = runtime.begin_answer("a", None, 1.0)
        os.write(write, str(getattr(other, "serial", 0)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert abs(int(os.read(read, 100)) - begun.serial) > 1_000
