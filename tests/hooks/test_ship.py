"""Shipping: a child process runs the recipe; nothing is built inside the application's process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store import segments
from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import NoCatalogError
from datahub_llmops.hooks import guard, runtime, ship
from datahub_llmops.hooks import recorder as recording
from datahub_llmops.hooks.settings import Settings
from hooks.parts import Model
from hooks.seen import Host, stored_answers, stored_writes
from hooks.test_faults import ENVIRONMENT

LOG = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.answers,PROD)"
PROGRAM = """
import sys
import datahub_llmops.hooks as lineage
from hooks.parts import Model
handle = lineage.attach("support-bot", store=sys.argv[1], ship=sys.argv[2], ship_every=3600)
Model().invoke("q")
assert not {"datahub"} & {name.partition(".")[0] for name in sys.modules}
"""


def test_a_recipe_is_run_at_exit(tmp_path: Path) -> None:
    store, catalog, recipe = (tmp_path / name for name in ("answers.db", "catalog.db", "runs.json"))
    recipe.with_suffix(".yaml").write_text(
        json.dumps(
            {
                "source": {"type": "llm-runs", "config": {"store": str(store)}},
                "sink": {"type": "llm-local", "config": {"path": str(catalog)}},
            }
        )
    )
    command = [sys.executable, "-c", PROGRAM, str(store), str(recipe.with_suffix(".yaml"))]
    subprocess.run(command, check=True, env=ENVIRONMENT, timeout=60)
    deadline = time.monotonic() + 60
    opened = None
    while opened is None and time.monotonic() < deadline:
        time.sleep(0.2)
        with contextlib.suppress(NoCatalogError):  # It is there before it is committed.
            opened = LocalCatalog(catalog)
    assert opened is not None, (tmp_path / "answers.db.ship.log").read_text()
    assert [node.subtype for node in opened.nodes([LOG])] == ["Answer Log"]
    opened.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the suite's own time limit is the bound."""
    while not condition():
        time.sleep(0.05)


def test_a_recipe_that_fails_all_the_time(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "TICK", 0.05)
    before = host.handle.stats().get("ship_failed", 0)
    sent = set()
    log = Path(f"{host.path}.ship.log")
    with caplog.at_level(logging.WARNING):
        lineage.attach("support-bot", store=host.path, ship=tmp_path / "no-such.yaml", ship_every=1)

        def failed_twice() -> bool:
            with lineage.answer() as a:
                assert Model().invoke("q").content == "forty two"
            sent.add(a.id)
            return bool(host.handle.stats()["ship_failed"] >= before + 2)

        until(failed_twice)
        lineage.attach("support-bot", store=host.path)
    assert {one.id for one in host.answers()} == sent
    assert "no-such.yaml" in log.read_text()
    warnings = [one.message for one in caplog.records if one.name == "datahub_llmops.hooks"]
    assert warnings == (
        []
        if before
        else [f"datahub-llmops: the recipe of ship=... failed, and is tried again: see {host.path}.ship.log"]
    )
    assert host.handle.stats()["errors"] == {}


def test_a_child_that_cannot_be_started_and_a_store_that_cannot_be_written(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    guard.reraise = False
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(recording, "TICK", 0.05)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with caplog.at_level(logging.WARNING):
        for store in (host.path, tmp_path / "file" / "answers.db"):
            before = guard.errors.get("recorder.tick", 0)
            lineage.attach("support-bot", store=store, ship=tmp_path / "runs.yaml", ship_every=1)
            while guard.errors.get("recorder.tick", 0) == before:
                assert Model().invoke("q").content == "forty two"
                time.sleep(0.05)
    lineage.attach("support-bot", store=host.path)
    assert set(host.handle.stats()["errors"]) == {"recorder.tick"}
    messages = [one.message for one in caplog.records if one.name == "datahub_llmops.hooks"]
    assert len([one for one in messages if "recorder.tick" in one]) == 1


def test_one_worker_of_a_host_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "answers.db.ship.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = [
            sys.executable,
            "-m",
            "datahub_llmops.hooks.ship",
            str(tmp_path / "no-such.yaml"),
            str(lock),
            "60",
        ]
        assert subprocess.run(command, env=ENVIRONMENT, check=False, timeout=60).returncode == 0
    assert subprocess.run(command, env=ENVIRONMENT, check=False, timeout=60, stderr=-1).returncode == 1


@pytest.mark.parametrize(
    ("failed", "size", "kept"), [(False, 10, False), (True, 10, True), (True, ship.MOST_LOG + 1, False)]
)
def test_the_log_of_a_failure_is_kept_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failed: bool, size: int, kept: bool
) -> None:
    log = tmp_path / "a.db.ship.log"
    log.write_bytes(b"x" * size)
    monkeypatch.setattr(ship, "_keep_log", failed)
    handle = ship._open_log(str(log))
    os.write(handle, b"next")
    os.close(handle)
    assert log.read_bytes() == (b"x" * size if kept else b"") + b"next"


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_the_log_is_a_file_of_its_own_or_there_is_none(tmp_path: Path, kind: str) -> None:
    precious, log = tmp_path / "precious.txt", tmp_path / "a.db.ship.log"
    precious.write_text("precious")
    if kind == "link":
        log.symlink_to(precious)
    elif kind == "hard link":
        log.hardlink_to(precious)
    else:
        os.mkfifo(log)
    assert ship._open_log(str(log)) == subprocess.DEVNULL
    assert precious.read_text() == "precious"


def test_a_child_that_takes_too_long_ends_itself_and_frees_the_lock(tmp_path: Path) -> None:
    """Importing DataHub alone takes longer than its limit."""
    recipe, lock = tmp_path / "recipe.yaml", tmp_path / "a.db.ship.lock"
    command = [sys.executable, "-m", "datahub_llmops.hooks.ship", str(recipe), str(lock), "0.05"]
    done = subprocess.run(command, env=ENVIRONMENT, check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == ship.TOOK_TOO_LONG, done.stderr
    assert "stopped after" in done.stderr
    with lock.open("w") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Segments

SEGMENTS = """
import sys
import datahub_llmops.hooks as lineage
from langchain_core.documents import Document
from hooks.parts import InMemoryVectorStore, Model, NamedEmbedding, rag
handle = lineage.attach("support-bot", store=sys.argv[1], capture_text=True)
with lineage.job("nightly"):
    store = InMemoryVectorStore.from_documents([Document("CANARY", id="c1")], NamedEmbedding(size=8))
for _ in range(3):
    rag(store).invoke("CANARY")
handle.flush()
texts = sys.argv[3] == "texts"
lineage.attach("support-bot", store=sys.argv[1], segments=sys.argv[2], ship_every=3600, capture_text=texts)
assert not {"datahub", "fsspec"} & {name.partition(".")[0] for name in sys.modules}
"""


def sealed(folder: Path) -> dict[str, segments.Record]:
    """Records by their id or run."""
    return {
        record.id if isinstance(record, RecordedAnswer) else record.run: record
        for path in folder.rglob("*.jsonl.zst")
        for record in segments.iterate(str(path), lambda number, error: pytest.fail(str(error)))
    }


def wait_for_log(store: Path, words: str) -> str:
    log = Path(f"{store}.ship.log")
    until(lambda: log.exists() and words in log.read_text())
    return log.read_text()


@pytest.mark.parametrize("texts", ["texts", "no texts"])
def test_segments_are_sealed_at_exit(tmp_path: Path, texts: str) -> None:
    store, bucket = tmp_path / "answers.db", tmp_path / "bucket"
    command = [sys.executable, "-c", SEGMENTS, str(store), str(bucket), texts]
    subprocess.run(command, check=True, env=ENVIRONMENT, timeout=60)
    assert wait_for_log(store, "were sealed") == "segments: 4 records were sealed in 1 segments\n"
    found = sealed(bucket)
    assert found.keys() == {one.id for one in stored_answers(store)} | {
        one.run for one in stored_writes(store)
    }
    assert {one.query_text for one in stored_answers(store)} == {"CANARY"}
    asked = [one.query_text for one in found.values() if isinstance(one, RecordedAnswer)]
    assert asked == (["CANARY"] * 3 if texts == "texts" else [None] * 3)
    assert stat.S_IMODE(Path(f"{store}.segments.json").stat().st_mode) == 0o600


def test_a_bucket_that_cannot_be_written_and_a_recipe_beside_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The recipe is run all the same, the application goes on, and one warning says where to look."""
    monkeypatch.setattr(recording, "TICK", 0.05)
    (tmp_path / "file").write_text("in the way")
    recipe, catalog = tmp_path / "runs.yaml", tmp_path / "catalog.db"
    recipe.write_text(
        json.dumps(
            {
                "source": {"type": "llm-runs", "config": {"store": str(host.path)}},
                "sink": {"type": "llm-local", "config": {"path": str(catalog)}},
            }
        )
    )
    monkeypatch.setattr(ship, "_failed", 0)
    bucket = tmp_path / "file" / "PLANTED"
    with caplog.at_level(logging.WARNING):
        lineage.attach("support-bot", store=host.path, ship=recipe, segments=bucket, ship_every=1)

        def failed() -> bool:
            assert Model().invoke("q").content == "forty two"
            return bool(host.handle.stats()["ship_failed"] >= 1)

        until(failed)
        lineage.attach("support-bot", store=host.path)
    assert [one.message for one in caplog.records if "tried again" in one.message] == [
        f"datahub-llmops: sealing for segments=... failed, and is tried again: see {host.path}.ship.log"
    ]
    assert "Not a directory" in Path(f"{host.path}.ship.log").read_text()
    LocalCatalog(catalog).close()
    assert host.handle.stats()["errors"] == {}


def test_an_address_is_no_argument_of_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody on a host sees the arguments of a process."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    class Child:
        def __init__(self, command: list[str], *, env: dict[str, str], **named: object) -> None:
            seen.append((command, env))

        def poll(self) -> int:
            return 0

        returncode = 0

    monkeypatch.setattr(subprocess, "Popen", Child)
    monkeypatch.setattr(
        runtime, "settings", Settings("a", store=tmp_path / "a.db", segments="sftp://user:PLANTED@host/a")
    )
    monkeypatch.setattr(ship, "_child", None)
    ship._run()
    ((command, environment),) = seen
    assert "PLANTED" not in " ".join(command)
    assert environment["DATAHUB_LLMOPS_SEGMENTS"] == "sftp://user:PLANTED@host/a"
    monkeypatch.setattr(ship, "_child", None)
