"""Promises of the recorder while its store is locked, damaged, somebody else's, or not writable."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.database import Store
from datahub_llmops.hooks import recorder as recording
from datahub_llmops.hooks import runtime
from hooks.seen import Host, stored_answers
from hooks.test_faults import ENVIRONMENT

BOUND = 4.5
"""Seconds that a promise of at most three may take here, on a busy machine."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("begin immediate")
        yield
        db.execute("rollback")


class TestLocked:
    """Somebody keeps the store locked: whatever has a deadline keeps it, and nothing is lost."""

    def test_flush_fork_and_detach(self, host: Host) -> None:
        with lineage.answer():
            pass
        assert host.handle.flush(10)
        with locked(host.path):
            with lineage.answer():
                pass
            begun = time.monotonic()
            assert not host.handle.flush(0.5)
            assert time.monotonic() - begun < BOUND
            begun = time.monotonic()
            child = os.fork()
            if child == 0:
                os._exit(0)
            assert time.monotonic() - begun < BOUND
            os.waitpid(child, 0)
            begun = time.monotonic()
            host.handle.detach()
            assert time.monotonic() - begun < BOUND
        lineage.attach("support-bot", store=host.path)
        assert len(host.answers()) == 2

    def test_the_end_of_the_process(self, tmp_path: Path) -> None:
        path = tmp_path / "answers.db"
        Store.open(str(path)).close()
        program = (
            "import sys, time, datahub_llmops.hooks as lineage\n"
            "lineage.attach('a', store=sys.argv[1])\n"
            "for _ in range(3):\n    with lineage.answer(): pass\n"
            "print(time.time(), flush=True)\n"
        )
        with locked(path):
            done = subprocess.run(
                [sys.executable, "-c", program, str(path)],
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            assert time.time() - float(done.stdout) < recording.LEAVING + BOUND


class TestDamaged:
    def test_garbage_in_any_page_is_set_aside_or_written_around(self, host: Host, tmp_path: Path) -> None:
        """No answer that comes after the damage is lost."""
        path = tmp_path / "original.db"
        lineage.attach("support-bot", store=path, capture_text=True)
        for _ in range(150):
            with lineage.answer() as a:
                a.text = "text"
        assert host.handle.flush(10)
        lineage.attach("support-bot", store=host.path)
        with lineage.answer():
            pass
        assert host.handle.flush(10)  # Another store: the first one is closed now.
        whole = path.read_bytes()
        chance = random.Random(1)
        for page in range(len(whole) // 4096):
            damaged = tmp_path / f"page-{page}.db"
            (tmp_path / f"page-{page}.db.key").write_bytes(Path(f"{path}.key").read_bytes())
            damaged.write_bytes(whole[: page * 4096] + chance.randbytes(4096) + whole[(page + 1) * 4096 :])
            lineage.attach("support-bot", store=damaged)
            sent = set()
            for _ in range(5):
                with lineage.answer() as a:
                    pass
                sent.add(a.id)
            assert host.handle.flush(10), (page, host.handle.stats())
            with closing(Store.read(damaged)) as store:
                assert all(store.answer(one) is not None for one in sent), page
        lineage.attach("support-bot", store=host.path)


class TestForeign:
    def test_it_is_said_once_and_records_wait(
        self, host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        notes = tmp_path / "notes.txt"
        notes.write_text("my notes")
        notes.chmod(0o644)
        lineage.attach("support-bot", store=notes)
        for _ in range(3):
            with lineage.answer():
                pass
            assert not host.handle.flush(0.2)
        assert sum("belongs to something else" in one.message for one in caplog.records) == 1
        assert notes.read_text() == "my notes"
        assert notes.stat().st_mode & 0o777 == 0o644
        assert [one.name for one in tmp_path.glob("notes*")] == ["notes.txt"]
        lineage.attach("support-bot", store=host.path)


class Large(BaseRetriever):
    @override
    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        return [Document(query * 1_000) for _ in range(10)]


def test_waiting_records_are_bounded_in_bytes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_WAITING_BYTES", 2**20)
    lineage.attach("support-bot", store="/proc/nowhere/a.db")
    for number in range(200):
        Large().invoke(f"{number:05}")
    assert not host.handle.flush(1)
    recorder = runtime.recorder
    assert recorder is not None
    assert 5 <= len(recorder._waiting) <= 25  # Of 50 KB each.
    assert recorder._waiting._bytes <= 2**20
    stats = host.handle.stats()
    assert stats["dropped"] >= 175
    lineage.attach("support-bot", store=host.path)
    left = host.answers()
    assert len(left) == stats["waiting"]


def test_records_that_are_being_written_still_wait(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.handle.flush(10)
    transaction = Store.transaction
    seen: list[int] = []

    def observed(store: Store) -> AbstractContextManager[None]:
        stats = host.handle.stats()
        seen.append(stats["recorded"] - stats["written"] - stats["dropped"] - stats["waiting"])
        return transaction(store)

    monkeypatch.setattr(Store, "transaction", observed)
    for _ in range(3):
        with lineage.answer():
            pass
    assert host.handle.flush(10)
    assert set(seen) == {0}


class TestClock:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """How far the clock is off, in seconds."""
        real, off = time.time, [0.0]
        monkeypatch.setattr(time, "time", lambda: real() + off[0])
        return off

    def answer(self, host: Host) -> None:
        with lineage.answer():
            pass
        assert host.handle.flush(10)

    def test_one_glimpse_of_another_time_expires_nothing(self, host: Host, clock: list[float]) -> None:
        recorder = runtime.recorder
        assert recorder is not None
        lineage.attach("support-bot", store=host.path, max_days=30)
        self.answer(host)
        for days in (31, 366, -400, 0):
            clock[0] = days * 86_400.0
            assert recorder._open.store is not None
            recorder._open.store._pruned = float("-inf")
            self.answer(host)
        assert len(stored_answers(host.path)) == 5

    def test_a_date_in_the_future_does_not_stop_pruning(self, tmp_path: Path, clock: list[float]) -> None:
        with closing(Store.open(str(tmp_path / "a.db"))) as store:
            clock[0] = 5 * 365 * 86_400.0
            store.prune(2**20, 30, every=0)
            clock[0] = 0.0
            now = int(time.time() * 1000)
            with store.transaction():
                number = store.intern("application", {"name": "a"})
                for age in range(2_000):
                    body = json.dumps({"pad": "x" * 1000})
                    store.put_answer(f"{now - age:012x}{age:016x}", 0.0, number, "ok", body, ())
            store.prune(2**20, 30, every=0)
            assert store.used_bytes() <= 2**20

    def test_what_is_old_expires_once_the_clock_has_been_steady(
        self, tmp_path: Path, clock: list[float]
    ) -> None:
        with closing(Store.open(str(tmp_path / "a.db"))) as store:
            store.prune(2**30, 30, every=0)
            with store.transaction():
                number = store.intern("application", {"name": "a"})
                store.put_answer(f"{int(time.time() * 1000):028x}", 0.0, number, "ok", "{}", ())
                old = f"{int((time.time() - 20 * 86_400) * 1000):012x}{1:016x}"
                store.put_answer(old, 0.0, number, "ok", "{}", ())
            counts = []
            for hours in (0, 15 * 24, 15 * 24 + 0.5, 15 * 24 + 2):
                clock[0] = hours * 3_600
                store.prune(2**30, 30, every=0)
                counts.append(
                    store._db.execute("select count(*) from answers where id = ?", (old,)).fetchone()[0]
                )
            assert counts == [1, 1, 1, 0]

    def test_a_time_before_1970_has_an_id(self, host: Host, clock: list[float]) -> None:
        clock[0] = -57 * 365.25 * 86_400
        self.answer(host)
        clock[0] = 0.0
        self.answer(host)
        with closing(Store.read(host.path)) as store:
            assert [row.started >= 0 for row in store.answers()] == [True, True]
