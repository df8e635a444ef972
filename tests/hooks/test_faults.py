"""What goes wrong around an application: it never notices, and nothing is lost within the bounds that are promised."""

from __future__ import annotations

import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.errors import StoreError
from datahub_llmops.hooks import guard, runtime
from datahub_llmops.hooks import recorder as recording
from datahub_llmops.hooks.store import Store, network_file_system
from hooks.parts import DOCUMENTS, Model, NamedEmbedding, Overloaded, rag
from hooks.seen import Host, stored_answers

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])}


def start(store: Path, mode: str, argument: str = "") -> subprocess.Popen[str]:
    """The application, in a process of its own."""
    command = [sys.executable, str(HERE / "application.py"), str(store), mode, argument]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def run(store: Path, mode: str, argument: str = "") -> tuple[list[str], str]:
    """Ids of the answers that it made, and what it said on stderr."""
    process = start(store, mode, argument)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split(), err


class TestProcesses:
    def test_killed_at_random_points_it_loses_the_last_moments_at_most(self, tmp_path: Path) -> None:
        path = tmp_path / "answers.db"
        kills = 10
        for number in range(kills):
            process = start(path, "endless")
            assert process.stdout is not None
            times: list[tuple[str, float]] = []
            deadline = time.monotonic() + random.Random(number).uniform(0.3, 1.2)
            while time.monotonic() < deadline or not times:
                times.append((process.stdout.readline().strip(), time.time()))
            killed = time.time()
            process.send_signal(signal.SIGKILL)
            process.wait()
            stored = {one.id for one in stored_answers(path)} if path.exists() else set()
            # Twice the interval: the thread sleeps one, and a busy machine takes its time to wake it.
            kept = [answer for answer, made in times if made < killed - 1.0]
            assert set(kept) <= stored
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)

    @pytest.mark.parametrize(
        ("mode", "argument", "expected"),
        [
            ("some", "5", 5),
            ("fork", "3", 5),
            ("pool-fork", "6", 6),
            ("pool-spawn", "4", 4),
            ("gevent", "5", 5),
            ("frozen", "", 1),
            ("thread-at-exit", "", 2),
        ],
    )
    def test_every_answer_is_kept(self, tmp_path: Path, mode: str, argument: str, expected: int) -> None:
        path = tmp_path / "answers.db"
        said, err = run(path, mode, argument)
        stored = [one.id for one in stored_answers(path)]
        assert set(said) <= set(stored)
        assert len(stored) == len(set(stored)) == expected
        assert "Traceback" not in err

    def test_several_processes_share_a_store(self, tmp_path: Path) -> None:
        path = tmp_path / "answers.db"
        processes = [start(path, "some", "30") for _ in range(3)]
        said = [one for process in processes for one in process.communicate(timeout=120)[0].split()]
        assert sorted(said) == sorted(one.id for one in stored_answers(path))
        assert len(said) == 90

    def test_disk_full_then_not(self, tmp_path: Path) -> None:
        path = tmp_path / "answers.db"
        run(path, "some", "1")
        size = (path.stat().st_size // 4096 + 2) * 4096
        said, err = run(path, "small-files", str(size))
        assert said == ["problem=True", "dropped=0"]
        assert len(stored_answers(path)) == 1 + 1 + 300
        assert err.count("the store cannot be written") == 1


class TestStores:
    def test_a_store_that_cannot_be_made(
        self, host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        lineage.attach("support-bot", store=tmp_path / "file" / "answers.db")
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                Model().invoke("a")
            assert not host.handle.flush(1)
        stats = host.handle.stats()
        assert stats["waiting"] == 3
        assert str(tmp_path / "file" / "answers.db") in stats["problem"]
        assert len([one for one in caplog.records if "cannot be written" in one.message]) == 1
        lineage.attach("support-bot", store=host.path)
        assert len(host.answers()) == 3  # Kept until there was a store.

    def test_the_oldest_go_when_the_queue_is_full(
        self, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recording, "CAPACITY", 5)
        (tmp_path / "file").write_text("in the way")
        lineage.attach("support-bot", store=tmp_path / "file" / "answers.db")
        before = host.handle.stats()["dropped"]
        ids = []
        for _ in range(9):
            with lineage.answer() as a:
                ids.append(a.id)
        assert host.handle.stats()["dropped"] - before == 4
        lineage.attach("support-bot", store=host.path)
        assert {one.id for one in host.answers()} == set(ids[4:])
        store = Store.read(host.path)
        assert store.counters()["records_dropped"] >= 4
        store.close()

    @pytest.mark.parametrize("damage", ["truncated", "garbage"])
    def test_a_damaged_store_is_set_aside(self, host: Host, tmp_path: Path, damage: str) -> None:
        path = tmp_path / "damaged.db"
        lineage.attach("support-bot", store=path)
        Model().invoke("a")
        assert host.handle.flush(5)
        lineage.attach("support-bot", store=host.path)
        Model().invoke("b")
        assert host.handle.flush(5)  # Another store: the first one is closed now.
        if damage == "truncated":
            os.truncate(path, 5000)
        else:
            path.write_bytes(b"not a database" * 1000)
        lineage.attach("support-bot", store=path)
        with lineage.answer() as a:
            Model().invoke("c")
        assert host.handle.flush(5) or host.handle.flush(5)
        assert [one.id for one in stored_answers(path)] == [a.id]
        assert len(list(tmp_path.glob("damaged.db.damaged-*"))) >= 1

    def test_a_store_of_a_newer_version_is_left_alone(self, host: Host, tmp_path: Path) -> None:
        path = tmp_path / "newer.db"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version=99")
        connection.execute("CREATE TABLE theirs (x)")
        connection.close()
        lineage.attach("support-bot", store=path)
        Model().invoke("a")
        assert not host.handle.flush(1)
        assert "version 99" in host.handle.stats()["problem"]
        with pytest.raises(StoreError, match="upgrade"):
            Store.read(path)
        assert list(tmp_path.glob("newer.db.damaged*")) == []
        lineage.attach("support-bot", store=host.path)

    def test_the_store_is_the_owners_alone(self, host: Host) -> None:
        Model().invoke("a")
        host.answers()
        for path in host.path.parent.glob("answers.db*"):
            assert path.stat().st_mode & 0o077 == 0, path

    def test_it_is_bounded_in_size_and_days_and_counts_what_goes(self, tmp_path: Path) -> None:
        store = Store.open(str(tmp_path / "a.db"))
        with store.transaction():
            number = store.intern("application", {"name": "a"})
            now = int(time.time() * 1000)
            for age in range(3_000):
                body = {"pad": "x" * 1000}
                store.put_answer(f"{now - age * 1000:012x}{age:016x}", 0.0, number, "ok", body, {b"d" * 16})
        store.prune(1_000_000, 30.0, every=0)
        assert store.used_bytes() <= 1_000_000
        left = [row.id for row in store.answers()]
        assert left[0].startswith(f"{now:012x}")
        assert store.counters()["answers_dropped"] == 3_000 - len(left)
        store.prune(10_000_000, 60 / 86400, every=0)
        assert len(list(store.answers())) == 60
        assert sum(store.counters().values()) == 3_000 - 60
        store.close()

    def test_a_network_file_system_is_told_from_a_local_one(self, tmp_path: Path) -> None:
        assert network_file_system(str(tmp_path)) is None


ENTRY_POINTS = {
    "langchain.on_chain_start",
    "langchain.on_chain_end",
    "langchain.on_chain_error",
    "langchain.on_retriever_start",
    "langchain.on_retriever_end",
    "langchain.on_retriever_error",
    "langchain.on_chat_model_start",
    "langchain.on_llm_start",
    "langchain.on_llm_end",
    "langchain.on_llm_error",
    "langchain.on_tool_start",
    "langchain.on_tool_end",
    "langchain.on_tool_error",
    "langchain.hook_retriever",
    "stores.wrap",
    "stores.before_write",
    "stores.stamp",
    "stores.after_write",
    "stores.before_delete",
    "stores.after_delete",
    "stores.before_make",
    "stores.after_make",
    "stores.before_search",
    "stores.inside_search",
    "stores.after_search",
    "llamaindex.span_enter",
    "llamaindex.part_enter",
    "llamaindex.span_exit",
    "llamaindex.span_drop",
    "llamaindex.retrieval_end",
    "llamaindex.prompt",
    "llamaindex.model_start",
    "llamaindex.model_end",
    "llamaindex.wrap",
    "llamaindex.before_write",
    "llamaindex.stamp",
    "llamaindex.after_add",
    "llamaindex.after_delete",
    "llamaindex.before_query",
    "llamaindex.after_query",
    "llamaindex.of_index",
    "llamaindex.of_pipeline",
    "answer.begin",
    "answer.end",
    "index.name",
    "index.count",
}


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

    class Derived(InMemoryVectorStore):
        """A class that is wrapped anew."""

    results: list[object] = [Derived(NamedEmbedding(size=8)).add_texts(["a"], ids=["1"])]

    def tried(call: Callable[[], object]) -> None:
        try:
            results.append(call())
        except (KeyError, ZeroDivisionError, Overloaded, ToolException) as error:
            results.append(type(error).__name__)

    store = InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8))
    results.append(store.add_documents(DOCUMENTS[:1]))
    with lineage.answer():
        results.append(rag(store).invoke("q").content)
    failing: RunnableLambda[str, Any] = RunnableLambda(lambda x: 1 // 0)
    tried(lambda: failing.invoke("q"))
    tried(lambda: Fails().invoke("q"))
    tried(lambda: Model(fail=True).invoke("q"))
    results.append(FakeListLLM(responses=["a"]).invoke("q"))
    tried(lambda: shout.invoke("fail"))
    results.append(shout.invoke("a"))
    results.append([one.page_content for one in store.similarity_search("q", k=2)])
    results.append(store.delete(["chunk-0"]))
    manager = InMemoryRecordManager("n")
    results.append(lineage.index(DOCUMENTS, manager, store, key_encoder="sha256", stamp=True))
    return results


def everything_of_llamaindex() -> list[object]:
    """The same for LlamaIndex."""
    from llama_index.core import Document, MockEmbedding, Settings, StorageContext, VectorStoreIndex
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.vector_stores import SimpleVectorStore, VectorStoreQuery

    from hooks.test_llamaindex import Model as LlamaModel

    class Derived(SimpleVectorStore):
        """A class that is wrapped anew."""

        @override
        def add(self, nodes: Any, **kwargs: Any) -> list[str]:
            return super().add(nodes, **kwargs)

    class Broken(LlamaModel):
        @override
        def chat(self, messages: Any, **kwargs: Any) -> Any:
            raise KeyError("x")

    Settings.embed_model, Settings.llm = MockEmbedding(8), LlamaModel()
    documents = [Document(text=f"t{number}", id_=f"d{number}") for number in range(2)]
    store = Derived()
    index = VectorStoreIndex.from_documents(
        documents, storage_context=StorageContext.from_defaults(vector_store=store)
    )
    results: list[object] = [str(index.as_query_engine().query("q"))]
    try:
        index.as_query_engine(llm=Broken()).query("q")
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


class TestOurOwnMistakes:
    @pytest.fixture(scope="class")
    def undisturbed(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[object], list[object]]:
        return everything(), everything_of_llamaindex()

    def test_the_list_is_whole(self, host: Host) -> None:
        everything()
        everything_of_llamaindex()
        assert set(guard.places) == ENTRY_POINTS

    @pytest.mark.parametrize("place", sorted(ENTRY_POINTS))
    def test_at_every_entry_point(
        self,
        host: Host,
        place: str,
        undisturbed: tuple[list[object], list[object]],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        guard.reraise = False
        cell, before, reached = poison(guard.places[place])
        try:
            with caplog.at_level(logging.WARNING):
                results = everything_of_llamaindex() if place.startswith("llamaindex") else everything()
        finally:
            cell.cell_contents = before
        assert results == undisturbed[1 if place.startswith("llamaindex") else 0]
        assert reached, "the application does not come through here"
        assert host.handle.stats()["errors"] == {place: len(reached)}
        warnings = [one.message for one in caplog.records if one.name == "datahub_llmops.hooks"]
        assert len(warnings) == 1
        assert "planted" not in warnings[0]

    def test_in_the_recorder_one_record_is_lost_and_no_more(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from datahub_llmops.hooks.encode import Encoder

        guard.reraise = False
        real = Encoder.answer
        calls: list[int] = []

        def sometimes(self: Encoder, *args: Any) -> None:
            calls.append(1)
            if len(calls) == 2:
                raise RuntimeError("planted")
            real(self, *args)

        monkeypatch.setattr(Encoder, "answer", sometimes)
        for _ in range(3):
            Model().invoke("a")
        assert len(host.answers()) == 2
        assert host.handle.stats()["errors"] == {"recorder.encode": 1}


class TestWithoutEnd:
    def test_runs_that_never_end_are_bounded_and_recorded(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from uuid import uuid4

        from datahub_llmops.hooks import langchain

        monkeypatch.setattr(runtime, "MAX_OPEN", 100)
        handler = langchain.attached()
        Model().invoke("a")
        handler = langchain.attached()
        assert handler is not None
        for _ in range(1_000):
            handler.on_chain_start({}, {"question": "q"}, run_id=uuid4(), name="never")
        assert len(handler.runs) <= 101
        statuses = [one.status for one in host.answers()]
        assert statuses.count("unfinished") >= 800
        assert host.handle.stats()["abandoned"] >= 800
        handler.runs.clear()

    def test_metadata_huge_cyclic_hostile_or_no_json(self, host: Host) -> None:
        cyclic: dict[str, Any] = {}
        cyclic["self"] = cyclic

        class Hostile:
            @override
            def __str__(self) -> str:
                raise RuntimeError("never called")

            def __len__(self) -> int:
                raise RuntimeError("never called")

        documents = [
            DOCUMENTS[0].model_copy(update={"id": f"id-{number}", "metadata": metadata})
            for number, metadata in enumerate(
                [
                    {"source": "x" * 10_000_000, "page": 2**200},
                    {"source": cyclic, "row": Hostile()},
                    {"source": "\x1b[31mred'; DROP TABLE answers;--", "page": -1},
                    {"source": "../../etc/passwd", "table": "a\ud800b"},
                    {1: 2, None: 3},
                ]
            )
        ]
        store = InMemoryVectorStore(NamedEmbedding(size=8))
        store.add_documents(documents)
        store.as_retriever(search_kwargs={"k": 5}).invoke("q")
        found = host.answer()
        assert len(found.retrievals[0].chunks) == 5
        sources = [chunk.source["value"] for chunk in found.retrievals[0].chunks if chunk.source]
        assert all("\x1b" not in one and len(one) < 600 for one in sources)
        assert host.writes()[0].counts == {"added": 5}
