"""What ``doctor`` says of the hooks: their environment, their store in every state, and what they lost."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from langchain_core.language_models import FakeListChatModel

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.replacement import open_or_replace
from datahub_llmops.hooks import guard, runtime
from datahub_llmops.setup.answer_stores import examine_hooks
from datahub_llmops.setup.diagnosis import Diagnosis


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATAHUB_LLMOPS_STORE", str(tmp_path / "answers.db"))
    return tmp_path / "answers.db"


def written(path: Path, answers: int = 3, **counters: int) -> None:
    with closing(Store.open(str(path))) as store, store.transaction():
        application = store.intern("application", {"name": "docs-bot"})
        for number in range(answers):
            began = int(time.time() - 3 * 86_400) * 1000
            store.put_answer(f"{began:012x}{number:016x}", time.time(), application, "ok", "{}", [])
        for name, count in counters.items():
            store.count(name, count)


def examined(*stores: Path, seconds: float = 10, later: float = 0) -> list[Diagnosis]:
    return examine_hooks(tuple(map(str, stores)), time.time() + later, seconds, 7)


def test_no_store_is_ok_unless_a_recipe_reads_it(path: Path) -> None:
    (found,) = examined()
    assert (found.verdict, found.name) == ("ok", str(path))
    (wanted,) = examined(path)
    assert wanted.verdict == "not known"
    assert "lineage.attach()" in (wanted.to_do or "")
    assert not path.exists()


def test_a_store_says_what_it_holds(path: Path) -> None:
    written(path, answers_expired=9)
    (found,) = examined()
    assert found.verdict == "ok"
    assert found.message.startswith("3 answers, 0 runs of writes, ")
    assert found.message.endswith(" kB, format 1, of docs-bot, the newest 3 days ago")


def test_what_was_lost_is_not_ok(path: Path) -> None:
    written(path, records_dropped=1, answers_dropped=2_000, writes_dropped=2)
    whole, *lost = examined(later=2 * 3_600 + 60)
    assert whole.verdict == "ok"
    assert [one.verdict for one in lost] == ["not ok"] * 3
    assert [one.message for one in lost] == [
        "Dropped because the store could not be written: 1 record, the last time 2 hours ago.",
        "Dropped because the store is full: 2,000 answers, the last time 2 hours ago.",
        "Dropped because the store is full: 2 runs of writes, the last time 2 hours ago.",
    ]
    assert all(one.to_do for one in lost)
    assert {one.verdict for one in examined(later=8 * 86_400)} == {"ok"}


def test_when_an_earlier_release_dropped_something_is_not_known(path: Path) -> None:
    written(path, answers_dropped=5)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from counters where name like 'clock of %'")
        connection.commit()
    _, lost = examined(later=99 * 86_400)
    assert (lost.verdict, lost.message) == (
        "not ok",
        "Dropped because the store is full: 5 answers; it is not known when.",
    )


def test_errors_of_the_hooks_and_what_is_less_exact_are_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = lineage.attach(application="docs-bot", store=str(path))
    try:
        monkeypatch.setattr(guard, "reraise", False)
        for _ in range(2):
            guard.report("on_retriever_end", ValueError())
        lineage.name_index(object(), "no urn")
        with lineage.answer():
            FakeListChatModel(responses=["5"]).invoke("2 + 3")
        assert handle.flush(10)
    finally:
        handle.detach()
        runtime.reset()
    whole, degraded, failed = examined()
    assert whole.verdict == "ok"
    assert (degraded.verdict, degraded.message) == (
        "not ok",
        "Less is recorded than could be: lineage.name_index(store, urn): it is not the URN of a dataset, and was "
        "ignored, the last time just now.",
    )
    assert failed.message == "The hooks failed 2 times at on_retriever_end, the last time just now."


def test_a_damaged_store_is_not_ok(path: Path) -> None:
    written(path, answers=2_000)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 20 * 4096)
        file.write(b"\xff" * 4096 * 10)
    (found,) = examined()
    assert found.verdict == "not ok"
    assert found.message.endswith("The file is damaged.") or "cannot be read" in found.message
    assert "moves" in f"{found.message}{found.to_do}"


def test_damage_that_the_hooks_moved_aside_is_told(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00" + b"\x00" * 84 + b"\xff" * 9000)
    path.with_name("answers.db.key").write_bytes(b"k" * 32)
    store, aside = open_or_replace(str(path))
    store.close()
    assert aside is not None
    whole, moved = examined()
    assert (whole.verdict, moved.verdict) == ("ok", "not ok")
    assert moved.message.startswith("1 damaged store was moved aside, the last just now.")
    assert aside in (moved.to_do or "")


def test_a_newer_store_says_to_upgrade(path: Path) -> None:
    written(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma user_version = 9")
    (found,) = examined()
    assert found.verdict == "not ok"
    assert "upgrade datahub-llmops" in found.message


def test_a_locked_store_is_not_known(path: Path) -> None:
    written(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        other.execute("update answers set status = status")
        (found,) = examined()
    assert found.verdict == "not known"
    assert (found.message, found.to_do) == ("Another process keeps it locked.", "Try again later.")


def test_a_file_of_somebody_else_is_not_ok(path: Path) -> None:
    path.write_text("somebody else's")
    (found,) = examined()
    assert found.verdict == "not ok"
    assert "belongs to something else" in found.message
    assert path.read_text() == "somebody else's"


def test_variables_of_the_hooks_are_checked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAHUB_LLMOPS_SAMPLE", "all")
    monkeypatch.setenv("DATAHUB_LLMOPS_DISABLED", "1")
    found = [(one.verdict, one.message) for one in examined() if one.name == "environment"]
    assert found == [
        ("not ok", "The hooks are turned off."),
        ("not ok", "DATAHUB_LLMOPS_SAMPLE is not a number between 0.0 and 1.0: 1.0 is used."),
    ]


def test_a_store_that_cannot_be_opened_is_not_called_damaged(path: Path) -> None:
    written(path)
    # SQLite can open no log here, as on a disk that is read-only. It is so for root, too.
    Path(f"{path}-wal").mkdir()
    (found,) = examined()
    assert found.verdict == "not ok"
    assert found.message.startswith("The answer store cannot be opened (SQLITE_CANTOPEN")
    assert "read-only" in found.message
    assert "damaged" not in f"{found.message} {found.to_do}"
    assert "copy the store" in (found.to_do or "").lower()
