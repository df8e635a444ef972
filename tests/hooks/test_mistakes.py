"""Our own mistakes, at every place where something of ours is called: the application's results are what they were.

The places are found, not listed: every guarded function of the package, and every block that is shielded.
"""

from __future__ import annotations

import ast
import asyncio
import logging
import pkgutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from langchain_core.callbacks import manager
from langchain_core.vectorstores import InMemoryVectorStore
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.database import Store
from datahub_llmops.hooks import attaching, guard, import_watch, index_check, runtime
from datahub_llmops.hooks import recorder as recording
from datahub_llmops.hooks.langchain import handler as langchain_handler
from datahub_llmops.hooks.langchain.events import EVENTS
from datahub_llmops.hooks.recorder import Recorder
from datahub_llmops.hooks.row_encoder import Encoder
from hooks.parts import DOCUMENTS, Model, NamedEmbedding, Overloaded, rag
from hooks.seen import Host

for _module in pkgutil.walk_packages(lineage.__path__, f"{lineage.__name__}."):
    import_module(_module.name)

GUARDED = sorted(guard.entry_points)
"""Filled by the decorator when a module is imported, and all of them are."""


def shielded() -> set[str]:
    """Names of the blocks, read in the sources; one that is built from a module's name ends with ``*``."""
    found = set()
    for path in lineage.__path__:
        for source in Path(path).rglob("*.py"):
            for node in ast.walk(ast.parse(source.read_text())):
                if isinstance(node, ast.With):
                    calls = [one.context_expr for one in node.items]
                    found |= {_place(one) for one in calls if isinstance(one, ast.Call)}
    return found - {""}


def _place(call: ast.Call) -> str:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name != "guarded":
        return ""
    said = call.args[0]
    if isinstance(said, ast.JoinedStr):
        return f"{ast.literal_eval(said.values[0])}*"
    return str(ast.literal_eval(said))


def everything() -> list[object]:
    """An application that comes through every entry point; its results are what must not change."""
    from langchain_core.indexing import InMemoryRecordManager
    from langchain_core.language_models import FakeListLLM
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import RunnableLambda
    from langchain_core.tools import ToolException, tool

    @tool
    def shout(text: str) -> str:
        """Shout."""
        if text == "fail":
            raise KeyError(text)
        return text.upper()

    class Fails(BaseRetriever):
        @override
        def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
            raise KeyError(query)

        @override
        def invoke(self, *args: Any, **kwargs: Any) -> Any:
            return super().invoke(*args, **kwargs)

    class Stopped(BaseRetriever):
        @override
        def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
            raise KeyboardInterrupt

    class Hides(BaseRetriever):
        """Says nothing of its store."""

        @override
        def _get_relevant_documents(self, query: str, **kwargs: Any) -> Any:
            return store.similarity_search(query, k=1)

    class Derived(InMemoryVectorStore):
        """A class that is wrapped anew."""

        def update_document(self, document_id: str, document: Any) -> None:
            self.add_documents([document], ids=[document_id])

    results: list[object] = [Derived(NamedEmbedding(size=8)).add_texts(["a"], ids=["1"])]

    def tried(call: Callable[[], object]) -> None:
        try:
            results.append(call())
        except (KeyError, ZeroDivisionError, Overloaded, ToolException, KeyboardInterrupt) as error:
            results.append(type(error).__name__)

    store = InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))
    results.append(store.add_documents(DOCUMENTS[:1]))
    with lineage.answer():
        results.append(rag(store).invoke("q").content)
    results.append(asyncio.run(rag(store).ainvoke("q")).content)
    results.append(len(Hides().invoke("q")))
    failing: RunnableLambda[str, Any] = RunnableLambda(lambda x: 1 // 0)
    tried(lambda: failing.invoke("q"))
    tried(lambda: Fails().invoke("q"))
    tried(lambda: Stopped().invoke("q"))
    tried(lambda: Model(fail=True).invoke("q"))
    results.append(FakeListLLM(responses=["a"]).invoke("q"))
    tried(lambda: shout.invoke("fail"))
    results.append(shout.invoke("a"))
    results.append([one.page_content for one in store.similarity_search("q", k=2)])
    results.append(store.delete(["chunk-0"]))
    Derived(NamedEmbedding(size=8)).update_document("1", DOCUMENTS[0])
    manager = InMemoryRecordManager("n")
    results.append(lineage.index(DOCUMENTS, manager, store, key_encoder="sha256", stamp=True))
    results.append(_check_an_index())
    return results


def _check_an_index() -> str:
    """Ask for a verdict, and wait until the question was asked, which starts no process here."""
    index_check._kept.clear()
    with patch.object(index_check, "_run", return_value=None):
        verdict = lineage.check("chroma:docs").verdict
        while index_check._pending:
            time.sleep(0.005)
    return verdict


def everything_of_llamaindex() -> list[object]:
    """The same for LlamaIndex."""
    from llama_index.core import Document, MockEmbedding, Settings, StorageContext, VectorStoreIndex
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.llms.callbacks import llm_chat_callback
    from llama_index.core.postprocessor import SimilarityPostprocessor
    from llama_index.core.vector_stores import SimpleVectorStore, VectorStoreQuery

    from hooks.llamaindex.test_handlers import Model as LlamaModel

    class Derived(SimpleVectorStore):
        """A class that is wrapped anew."""

        @override
        def add(self, nodes: Any, **kwargs: Any) -> list[str]:
            return super().add(nodes, **kwargs)

    class Broken(LlamaModel):
        @override
        def chat(self, messages: Any, **kwargs: Any) -> Any:
            raise KeyError("x")

    class BreaksOff(LlamaModel):
        @llm_chat_callback()
        @override
        def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
            def steps() -> Iterator[Any]:
                yield from LlamaModel().stream_chat(messages)
                raise KeyError("x")

            return steps()

    class DerivedIndex(VectorStoreIndex):
        """A class that is wrapped anew."""

    Settings.embed_model, Settings.llm = MockEmbedding(8), LlamaModel()
    documents = [Document(text=f"t{number}", id_=f"d{number}") for number in range(2)]
    store = Derived()
    index = DerivedIndex.from_documents(
        documents, storage_context=StorageContext.from_defaults(vector_store=store)
    )
    results: list[object] = [str(index.as_query_engine().query("q"))]

    class Cuts(SimilarityPostprocessor):
        """A class that is wrapped anew."""

    cutoff = Cuts(similarity_cutoff=0.1)
    streaming: Any = index.as_query_engine(streaming=True, node_postprocessors=[cutoff])
    results.append(list(streaming.query("q").response_gen))
    for llm, options in ((Broken(), {}), (BreaksOff(), {"streaming": True})):
        try:
            str(index.as_query_engine(llm=llm, **options).query("q"))
        except KeyError:
            results.append("KeyError")
    results.append(
        len(store.query(VectorStoreQuery(query_embedding=[0.1] * 8, similarity_top_k=1)).ids or ())
    )
    index.delete_ref_doc("d0")
    pipeline = IngestionPipeline(transformations=[MockEmbedding(8)], vector_store=Derived())
    results.append(len(lineage.pipeline(pipeline, documents=documents, stamp=True)))
    return results


def poison(run_guarded: Callable[..., object]) -> tuple[Any, object, list[int]]:
    """Have the guarded function raise instead; its cell, what was in it, and how often it was reached."""
    closure: Any = run_guarded.__closure__
    index = run_guarded.__code__.co_freevars.index("function")
    before = closure[index].cell_contents
    reached: list[int] = []

    def raises(*args: object, **kwargs: object) -> object:
        reached.append(1)
        raise RuntimeError("planted secret")

    closure[index].cell_contents = raises
    return closure[index], before, reached


@pytest.fixture(scope="module")
def undisturbed() -> list[object]:
    return [*everything(), *everything_of_llamaindex()]


class SlowlyCounted(dict[str, int]):
    """Lets other threads run between the two halves of counting."""

    @override
    def get(self, *key: Any) -> Any:
        found = super().get(*key)
        time.sleep(0.002)
        return found


def test_errors_of_several_threads_all_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard, "errors", SlowlyCounted())
    monkeypatch.setattr(guard, "_PATIENCE", 60)
    threads = [threading.Thread(target=guard.report, args=("place", RuntimeError())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert guard.errors == {"place": 4}
    assert len(caplog.records) == 1


class TestOurOwnMistakes:
    @pytest.mark.parametrize("place", GUARDED)
    def test_at_every_entry_point(
        self, host: Host, place: str, undisturbed: list[object], caplog: pytest.LogCaptureFixture
    ) -> None:
        guard.reraise = False
        cell, before, reached = poison(guard.entry_points[place])
        try:
            with caplog.at_level(logging.WARNING):
                results = [*everything(), *everything_of_llamaindex()]
        finally:
            cell.cell_contents = before
        assert results == undisturbed
        assert reached, "the application does not come through here: have everything() do so"
        assert host.handle.stats()["errors"] == {place: len(reached)}
        warnings = [one.message for one in caplog.records if one.name == "datahub_llmops.hooks"]
        assert len(warnings) == 1
        assert "planted" not in warnings[0]

    @pytest.mark.parametrize("short", [True, False], ids=["alone", "beside-others"])
    @pytest.mark.parametrize("event", EVENTS)
    def test_at_every_event_of_langchain(
        self,
        host: Host,
        event: str,
        short: bool,
        undisturbed: list[object],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        reached: list[int] = []

        def raises(*_: object) -> None:
            reached.append(1)
            raise RuntimeError("planted secret")

        monkeypatch.setattr(guard, "reraise", False)
        monkeypatch.setitem(langchain_handler.calls if short else EVENTS, event, raises)
        if not short:
            for name in ("handle_event", "ahandle_event"):
                monkeypatch.setattr(manager, name, getattr(manager, name).__wrapped__)
        with caplog.at_level(logging.WARNING):
            results = [*everything(), *everything_of_llamaindex()]
        assert results == undisturbed
        assert host.handle.stats()["errors"] == {f"langchain.{event}": len(reached)}
        [warning] = [one.message for one in caplog.records if "datahub" in one.message]
        assert "planted" not in warning
        assert not any("Error in" in one.message for one in caplog.records), "LangChain has caught it"


def raises(*_: object, **__: object) -> Any:
    raise RuntimeError("planted secret")


def at_attach(host: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attaching, "_hook", raises)
    assert lineage.attach("support-bot", store=host.path) is host.handle


def at_detach(host: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attaching, "_detach", raises)
    host.handle.detach()


def at_flush(host: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Recorder, "flush", raises)
    assert host.handle.flush() is False


def at_import(host: Host, patch: pytest.MonkeyPatch) -> None:
    finder = import_watch.Finder()
    patch.delitem(sys.modules, "colorsys", raising=False)
    finder.when("colorsys", raises)
    patch.setattr(import_watch.Finder, "_listen", raises)
    try:
        assert import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
    finally:
        finder.stop()


def at_hooking(host: Host, patch: pytest.MonkeyPatch) -> None:
    finder = import_watch.Finder()
    patch.delitem(sys.modules, "colorsys", raising=False)
    finder.when("colorsys", raises)
    try:
        assert import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
    finally:
        finder.stop()
    import_watch.Finder().when("colorsys", raises)


def in_the_thread(host: Host, patch: pytest.MonkeyPatch) -> None:
    with patch.context() as broken:
        broken.setattr(Recorder, "_drain", raises)
        Model().invoke("a")
        until(lambda: "recorder" in guard.errors)
    assert len(host.answers()) == 1  # It was waiting all the time.


def in_a_sweep(host: Host, patch: pytest.MonkeyPatch) -> None:
    assert runtime.recorder is not None
    patch.setattr(recording, "TICK", 0.0)
    patch.setattr(runtime.recorder, "tick", [raises])
    Model().invoke("a")
    until(lambda: "recorder.tick" in guard.errors)


def in_pruning(host: Host, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "prune", raises)
    Model().invoke("a")
    assert len(host.answers()) == 1


def in_encoding(host: Host, patch: pytest.MonkeyPatch) -> None:
    real = Encoder.write_answer
    calls: list[int] = []

    def sometimes(self: Encoder, *args: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raises()
        real(self, *args)

    patch.setattr(Encoder, "write_answer", sometimes)
    for _ in range(3):
        Model().invoke("a")
    assert len(host.answers()) == 2  # One record is lost and no more.


def at_exit(host: Host, patch: pytest.MonkeyPatch) -> None:
    Model().invoke("a")
    assert len(host.answers()) == 1
    assert runtime.recorder is not None
    patch.setattr(runtime.recorder, "_closing", False)
    patch.setattr(Recorder, "_drain", raises)
    runtime.recorder._exit()


BLOCKS: dict[str, Callable[[Host, pytest.MonkeyPatch], None]] = {
    "attach": at_attach,
    "detach": at_detach,
    "flush": at_flush,
    "imports": at_import,
    "hook.*": at_hooking,
    "recorder": in_the_thread,
    "recorder.tick": in_a_sweep,
    "recorder.prune": in_pruning,
    "recorder.encode": in_encoding,
    "recorder.exit": at_exit,
}


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the suite's own time limit is the bound."""
    while not condition():
        time.sleep(0.01)


class TestShieldedBlocks:
    def test_the_list_is_whole(self) -> None:
        assert set(BLOCKS) == shielded()

    @pytest.mark.parametrize("place", BLOCKS)
    def test_in_every_one(
        self, host: Host, place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        guard.reraise = False
        with caplog.at_level(logging.WARNING):
            with monkeypatch.context() as patch:
                BLOCKS[place](host, patch)
            assert Model().invoke("a").content == "forty two"
            # The recorder's thread counts first, and warns then.
            until(lambda: any(one.name == "datahub_llmops.hooks" for one in caplog.records))
        counted = host.handle.stats()["errors"]
        assert len(counted) == 1
        [(name, times)] = counted.items()
        assert name.startswith(place.removesuffix("*"))
        assert times >= 1
        [warning] = [one.message for one in caplog.records if one.name == "datahub_llmops.hooks"]
        assert "planted" not in warning
