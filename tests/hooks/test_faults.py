"""What goes wrong around an application: it never notices, and nothing is lost within the bounds that are promised."""

from __future__ import annotations

import itertools
import json
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.database import Store, network_file_system
from datahub_llmops.errors import StoreError
from datahub_llmops.hooks import recorder as recording
from datahub_llmops.hooks import runtime
from hooks.parts import DOCUMENTS, Model, NamedEmbedding, rag
from hooks.seen import Host, explained, stored_answers

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


def stall(entries: list[tuple[str, float]], killed: float) -> float:
    """Seconds by which the machine let a thread wait that wakes as often as the recorder's and has little to do."""
    woken = [*(when for word, when in entries if word == "control"), killed]
    gaps = [later - earlier for earlier, later in itertools.pairwise(woken)]
    return max(0.0, max(gaps, default=0.0) - recording.FLUSH_INTERVAL)


class TestProcesses:
    def test_killed_at_random_points_it_loses_one_interval_at_most(self, tmp_path: Path) -> None:
        path = tmp_path / "answers.db"
        said, _ = run(path, "kills", "50")
        assert len(said) == 50
        losing = 0
        for number, killed in (entry.split("=") for entry in said):
            own = Path(f"{path}-{number}" if int(number) % 2 else path)
            stored = {one.id for one in stored_answers(own)} if own.exists() else set()
            journal = Path(f"{path}.journal-{number}").read_text().splitlines()
            entries = [(word, float(when)) for word, when in (line.split() for line in journal)]
            made = [(word, when) for word, when in entries if word != "control"]
            lost = [when for word, when in made if word not in stored]
            # What is lost is the end of it, whole: nothing that was written is gone.
            assert lost == [when for _, when in made][len(made) - len(lost) :]
            age = float(killed) - lost[0] if lost else 0.0
            assert age <= recording.FLUSH_INTERVAL + 0.1 + 4 * stall(entries, float(killed)), number
            losing += bool(lost)
        assert losing > 25, "kills that cost nothing prove nothing"
        for store in (path, Path(f"{path}-1")):
            assert sqlite3.connect(store).execute("PRAGMA integrity_check").fetchone() == ("ok",)

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
            ("first-at-exit", "", 1),
            ("exit-inside", "", 1),
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
        assert len(said) == 301
        assert set(said) <= explained(path)
        assert err.count("the store cannot be written") == 1

    def test_a_folder_that_may_not_be_written_then_it_may(self) -> None:
        with TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            path = Path(folder) / "answers.db"
            said, err = run(path, "read-only", "20")
            assert len(said) == 20
            assert set(said) == explained(Path(f"{path}.d") / "answers.db")
            assert err.count("the store cannot be written") == 1


def in_the_way(path: Path) -> Callable[[], None]:
    """A file where the folder of the store should be."""
    path.parent.write_text("in the way")
    return path.parent.unlink


def a_folder_itself(path: Path) -> Callable[[], None]:
    path.mkdir(parents=True)
    return path.rmdir


def of_a_newer_version(path: Path) -> Callable[[], None]:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    return path.unlink


def locked(path: Path) -> Callable[[], None]:
    """By a process that holds on to it."""
    Store.open(str(path)).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection.close


FAULTS = {
    "a file in the way": in_the_way,
    "a folder itself": a_folder_itself,
    "of a newer version": of_a_newer_version,
    "locked": locked,
}


def cut_off(path: Path) -> None:
    os.truncate(path, 5_000)


def deleted_with_its_log(path: Path) -> None:
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()


def replaced(path: Path) -> None:
    """By another process that found none."""
    deleted_with_its_log(path)
    subprocess.run([sys.executable, "-c", MAKE, str(path)], check=True, env=ENVIRONMENT)


MAKE = "import sys; from datahub_llmops.answer_store.database import Store; Store.open(sys.argv[1])"
CHANGES: dict[str, Callable[[Path], None]] = {
    "deleted": Path.unlink,
    "deleted with its log": deleted_with_its_log,
    "replaced": replaced,
    "cut off": cut_off,
}


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

    @pytest.mark.parametrize("fault", FAULTS)
    def test_as_many_are_explained_as_were_sent(
        self, host: Host, tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "broken" / "answers.db"
        chain = rag(InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8)))
        assert host.handle.flush(5)
        dropped = host.handle.stats()["dropped"]
        mend = FAULTS[fault](path)
        lineage.attach("support-bot", store=path)
        sent = set()
        with caplog.at_level(logging.WARNING):
            for _ in range(20):
                with lineage.answer() as a:
                    assert chain.invoke("q").content == "forty two"
                sent.add(a.id)
            assert not host.handle.flush(0.5)
        assert host.handle.stats()["waiting"] == 20
        mend()
        assert host.handle.flush(10)
        assert explained(path) == sent
        assert host.handle.stats()["dropped"] == dropped
        # A lock is nothing to warn of until it has lasted.
        warnings = [one for one in caplog.records if "cannot be written" in one.message]
        assert len(warnings) == (0 if fault == "locked" else 1)
        lineage.attach("support-bot", store=host.path)

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_store_that_is_changed_under_its_writer(self, host: Host, tmp_path: Path, change: str) -> None:
        path = tmp_path / "changed.db"
        lineage.attach("support-bot", store=path)
        chain = rag(InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8)))
        for _ in range(200):
            chain.invoke("q")
        assert host.handle.flush(5)
        CHANGES[change](path)
        sent = set()
        for _ in range(20):
            with lineage.answer() as a:
                chain.invoke("q")
            sent.add(a.id)
        assert host.handle.flush(10) or host.handle.flush(10)
        assert sent <= explained(path)
        lineage.attach("support-bot", store=host.path)

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

    def test_a_store_that_was_made_and_not_begun_holds_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "made.db"
        path.touch()
        assert stored_answers(path) == []
        assert path.stat().st_size == 0
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE theirs (x)")
        connection.close()
        with pytest.raises(StoreError, match="cannot be read"):
            Store.read(path)

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
                body = json.dumps({"pad": "x" * 1000})
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


class TestWithoutEnd:
    def test_runs_that_never_end_are_bounded_and_recorded(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from uuid import uuid4

        from datahub_llmops.hooks.langchain import handler as langchain

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
