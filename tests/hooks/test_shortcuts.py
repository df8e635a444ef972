"""Where the hooks take a short way, what is seen is what the long way sees."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.callbacks import manager as callback_manager
from langchain_core.vectorstores import InMemoryVectorStore, VectorStoreRetriever
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import answers, runtime
from datahub_llmops.hooks import langchain as hook
from hooks.parts import DOCUMENTS, NamedEmbedding, rag
from hooks.seen import Host


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


class TestDispatch:
    def test_alone_and_beside_another_handler(self, host: Host, store: InMemoryVectorStore) -> None:
        counting = Counting()
        asyncio.run(rag(store).ainvoke("alone"))
        asyncio.run(rag(store).ainvoke("beside", {"callbacks": [counting]}))
        alone, beside = host.answers()
        assert counting.starts > 0
        assert [len(one.retrievals[0].chunks) for one in (alone, beside)] == [2, 2]
        assert [len(one.models) for one in (alone, beside)] == [1, 1]
        assert alone.prompts == beside.prompts
        assert alone.root == beside.root

    def test_detached_it_is_langchains_own_again(self, host: Host) -> None:
        hooked: Any = callback_manager.ahandle_event
        host.handle.detach()
        own: Any = callback_manager.ahandle_event
        assert own is hooked.__wrapped__
        lineage.attach("support-bot", store=host.path)

    def test_another_signature_is_left_alone(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        host.handle.detach()

        async def ahandle_event(manager: Any, name: str) -> None:
            raise AssertionError

        monkeypatch.setattr(callback_manager, "ahandle_event", ahandle_event)
        lineage.attach("support-bot", store=host.path)
        assert vars(callback_manager)["ahandle_event"] is ahandle_event
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
    begun = answers.begin("a", None, 1.0)
    assert isinstance(begun, answers.Answer)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        other = answers.begin("a", None, 1.0)
        os.write(write, str(getattr(other, "serial", 0)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert abs(int(os.read(read, 100)) - begun.serial) > 1_000
