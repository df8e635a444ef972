"""Behind real servers and queues: every answer that a worker gave is in the store, whoever forked whom and when."""

from __future__ import annotations

import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cloudpickle  # type: ignore[import-untyped]  # ships no types
import pytest
import urllib3
from langchain_core.vectorstores import InMemoryVectorStore

from hooks.parts import DOCUMENTS, NamedEmbedding, rag
from hooks.seen import Host, explained, stored_answers
from hooks.test_faults import ENVIRONMENT


@contextmanager
def serving(store: Path, *command: str, **more: str) -> Iterator[None]:
    """A server in a session of its own, ended as its supervisor would."""
    environment = {**ENVIRONMENT, "DATAHUB_LLMOPS_STORE": str(store), **more}
    log = store.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, stdout=out, stderr=out, cwd=store.parent
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
    assert "Traceback" not in log.read_text(), log.read_text()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the suite's own time limit is the bound."""
    while not condition():
        time.sleep(0.05)


@pytest.mark.parametrize("preload", [True, False], ids=["attached before the fork", "in each worker"])
def test_gunicorn(tmp_path: Path, preload: bool) -> None:
    path = tmp_path / "answers.db"
    port = free_port()
    options = ["--workers", "3", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    with (
        serving(path, "gunicorn", *options, *(["--preload"] if preload else []), "hooks.web:application"),
        urllib3.PoolManager(retries=False, maxsize=8, headers={"Connection": "close"}) as http,
    ):
        tries = 1
        while answers(http, port) is None:
            tries += 1
            time.sleep(0.05)
        with ThreadPoolExecutor(8) as pool:
            given = list(pool.map(lambda _: answers(http, port), range(60)))
    assert None not in given
    stored = {one.id for one in stored_answers(path)}
    assert set(given) <= stored
    # A request that took too long for its client may have been answered all the same.
    assert 61 <= len(stored) <= 60 + tries
    assert explained(path) == stored


def answers(http: urllib3.PoolManager, port: int) -> str | None:
    try:
        response = http.request("GET", f"http://127.0.0.1:{port}/", timeout=30.0)
    except urllib3.exceptions.HTTPError:
        return None
    return response.data.decode() if response.status == 200 else None


def test_celery_prefork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answers.db"
    worker = ["celery", "--app", "hooks.jobs", "worker", "--pool", "prefork", "--concurrency", "2"]
    with serving(path, *worker, "--without-gossip", "--without-mingle", BROKER=str(tmp_path)):
        done = subprocess.run(
            [sys.executable, "-c", ASK],
            env={**ENVIRONMENT, "BROKER": str(tmp_path), "DATAHUB_LLMOPS_DISABLED": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
    assert done.returncode == 0, done.stderr
    given = done.stdout.split()
    assert len(set(given)) == 10
    assert {one.id for one in stored_answers(path)} == set(given)


ASK = """
from hooks.jobs import ask
results = [ask.delay() for _ in range(10)]
for result in results:
    print(result.get(timeout=150, interval=0.2))
"""


def test_a_chain_and_a_handle_go_to_another_process_as_ray_and_spark_send_them(
    host: Host, tmp_path: Path
) -> None:
    chain = rag(InMemoryVectorStore.from_documents(DOCUMENTS, NamedEmbedding(size=8)))
    config = {"callbacks": None, "metadata": {"handle": host.handle}}
    sent = tmp_path / "sent"
    sent.write_bytes(cloudpickle.dumps((chain, host.handle, config)))
    path = tmp_path / "worker.db"
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(sent), str(path)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    without, given = done.stdout.split()
    assert [one.id for one in stored_answers(path)] == [given]
    assert without == "False"
    assert host.handle.stats()["enabled"]  # Sending it away changed nothing here.
    assert chain.invoke("q").content == "forty two"
    assert len(host.answers()) == 1
    assert pickle.loads(pickle.dumps(host.handle)) is host.handle


WORKER = """
import pickle, sys
import datahub_llmops.hooks as lineage
chain, handle, config = pickle.load(open(sys.argv[1], "rb"))
chain.invoke("q")
print(handle.stats()["enabled"])
assert lineage.attach("support-bot", store=sys.argv[2]) is handle
with lineage.answer() as a:
    chain.invoke("q", {"metadata": {"handle": handle}})
assert handle.flush(10)
print(a.id)
"""
