"""A small application in a process of its own, for the tests that kill, fork and starve it.

``python application.py STORE MODE [ARGUMENT]``; prints one id an answer once it is made.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__" and sys.argv[2] == "gevent":
    from gevent import monkey  # type: ignore[import-untyped]  # has no stubs

    monkey.patch_all()

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import recorder
from datahub_llmops.hooks.recorder import FLUSH_INTERVAL

STORE = sys.argv[1] if len(sys.argv) > 1 else ""


def answer() -> str:
    """One retrieval and one model call."""
    from hooks import parts

    global _chain
    if _chain is None:
        store = parts.InMemoryVectorStore.from_documents(parts.DOCUMENTS, parts.NamedEmbedding(size=8))
        _chain = parts.rag(store)
    with lineage.answer() as a:
        assert _chain.invoke("planted question").content == "forty two"
    return a.id


_chain: Any = None


def alone(delay: float) -> None:
    """An answer without LangChain's thread pool, which is closed when the main thread has ended."""
    from hooks.parts import Model

    time.sleep(delay)
    with lineage.answer() as a:
        Model().invoke("q")
    say(a.id)


def say(text: str) -> None:
    """Past every buffer."""
    os.write(1, f"{text}\n".encode())


def initialise(store: str) -> None:
    """What the documentation tells users of ``spawn`` to give as initializer."""
    lineage.attach("support-bot", store=store)


def in_child(_: int) -> str:
    """Work of a pool."""
    return answer()


KILLED_AT_ONCE = 5


def kills(count: int) -> None:
    """Children that answer until they are killed at random; prints number and time of each kill.

    Every second one has a store of its own, the others share one. What a child did is in ``journal-<number>`` beside
    it: its answers with the time at which each was made, and how a thread that has little to do but wakes as often as
    the recorder's fared meanwhile.
    """
    import hooks.parts  # noqa: F401  # before the forks: a child answers at once

    chance = random.Random(6)
    for wave in range(0, count, KILLED_AT_ONCE):
        children = []
        for number in range(wave, wave + KILLED_AT_ONCE):
            at_work, says_so = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    to_be_killed(number, says_so)
                finally:
                    os._exit(1)
            children.append((number, child, at_work))
        waiting = []
        for number, child, at_work in children:
            os.read(at_work, 1)
            waiting.append((time.monotonic() + chance.uniform(0.0, 1.0), number, child))
        for when, number, child in sorted(waiting):
            time.sleep(max(0.0, when - time.monotonic()))
            say(f"{number}={time.monotonic()}")
            os.kill(child, 9)
            os.waitpid(child, 0)


def to_be_killed(number: int, says_so: int) -> None:
    """One of them."""
    import sqlite3

    journal = os.open(f"{STORE}.journal-{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def control() -> None:
        db = sqlite3.connect(f"{STORE}.control-{number}", isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (x)")
        wake = threading.Lock()
        wake.acquire()
        while True:
            os.write(journal, f"control {time.monotonic()}\n".encode())
            wake.acquire(timeout=FLUSH_INTERVAL)
            db.execute("INSERT INTO t VALUES (1)")

    lineage.attach("support-bot", store=f"{STORE}-{number}" if number % 2 else STORE)
    threading.Thread(target=control, daemon=True).start()
    while True:
        os.write(journal, f"{answer()} {time.monotonic()}\n".encode())
        os.write(says_so, b".")
        time.sleep(0.005)


WAITING_AT_MOST = 50


def full_disk(handle: lineage.Handle, first: int) -> None:
    """``first`` answers, 120 more on a disk without room, one after there is some; then how many were dropped."""
    for _ in range(first):
        say(answer())
        assert handle.flush(5), handle.stats()
    recorder.CAPACITY = WAITING_AT_MOST  # type: ignore[misc]  # the test's own, so that it is reached
    filler = Path(STORE).with_name("filler")
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    assert os.statvfs(filler).f_bfree == 0
    for _ in range(120):
        say(answer())
    assert not handle.flush(1)
    stats = handle.stats()
    assert "full" in stats["problem"], stats
    assert not stats["errors"], stats
    filler.unlink()
    assert handle.flush(10), handle.stats()
    say(answer())
    assert handle.flush(10), handle.stats()
    assert "problem" not in handle.stats()
    say(f"dropped={handle.stats()['dropped']}")


def main(mode: str, argument: str) -> None:
    """Run one mode."""
    if mode == "kills":
        kills(int(argument))
        return
    if mode == "first-at-exit":
        import hooks.parts  # noqa: F401  # later nothing of LangChain can be imported

        # Registered before the hooks': it runs after theirs, when no thread may be started any more.
        atexit.register(alone, 0.0)
    handle = lineage.attach("support-bot", store=STORE)
    if mode == "endless":
        while True:
            say(answer())
    elif mode == "some":
        for _ in range(int(argument)):
            say(answer())
    elif mode == "thread-at-exit":
        answer()
        threading.Thread(target=alone, args=(0.2,)).start()
    elif mode == "fork":
        say(answer())
        children = []
        for _ in range(int(argument)):
            child = os.fork()
            if child == 0:
                say(answer())
                handle.flush(5)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        say(answer())
    elif mode in ("pool-fork", "pool-spawn"):
        context = multiprocessing.get_context(mode.removeprefix("pool-"))
        with context.Pool(2, initializer=initialise, initargs=(STORE,)) as pool:
            for found in pool.map(in_child, range(int(argument))):
                say(found)
            pool.close()
            pool.join()
    elif mode == "gevent":
        import gevent

        jobs = [gevent.spawn(answer) for _ in range(int(argument))]
        gevent.joinall(jobs)
        for job in jobs:
            say(job.value)
    elif mode == "exit-inside":
        with lineage.answer() as a:
            say(a.id)
            answer()
            sys.exit(0)
    elif mode == "frozen":
        say(answer())
        assert handle.flush(5)
        os._exit(0)  # A serverless process is frozen and thrown away like this.
    elif mode == "full-disk":
        full_disk(handle, int(argument))
    elif mode == "small-files":
        import resource
        import signal

        say(answer())
        handle.flush(5)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(argument), resource.RLIM_INFINITY))
        for _ in range(300):
            say(answer())
        assert not handle.flush(2)
        assert "full" in handle.stats()["problem"] or "I/O" in handle.stats()["problem"], handle.stats()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert handle.flush(10), handle.stats()
    elif mode == "read-only":
        answer()
        assert handle.flush(5)  # Everything is imported while that is allowed.
        folder = f"{STORE}.d"
        Path(folder).mkdir(0o555)
        mine = os.geteuid()
        if mine == 0:
            os.seteuid(65534)  # Root may write everywhere.
        lineage.attach("support-bot", store=f"{folder}/answers.db")
        for _ in range(int(argument)):
            say(answer())
        assert not handle.flush(1)
        assert "Permission denied" in handle.stats()["problem"]
        os.seteuid(mine)
        Path(folder).chmod(0o777)
        assert handle.flush(10), handle.stats()


if __name__ == "__main__":
    main(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
