"""Takes records from the application's threads to the store, through a bounded queue and one daemon thread.

``record`` appends and returns; it takes no lock, opens nothing and starts the thread at the first record of a process
(a thread that is alive at a fork is dead in the child). The thread writes the queue every ``FLUSH_INTERVAL`` seconds.
While the store cannot be written, it waits longer and longer, keeps the newest records and counts the rest.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from datahub_llmops.hooks import guard
from datahub_llmops.hooks.parts import Answer
from datahub_llmops.hooks.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from datahub_llmops.answer_store.database import Store
    from datahub_llmops.hooks.row_encoder import Encoder
    from datahub_llmops.hooks.write_events import WriteEvent

FLUSH_INTERVAL: Final = 0.2
"""Seconds between two writes. A killed process may lose the records of that time."""
CAPACITY: Final = 10_000
"""The most records that wait for the store."""
SLICE: Final = 8
"""Records encoded in one go; between slices the thread releases the interpreter."""
BATCH: Final = 200
TICK: Final = 5.0
"""Seconds between two sweeps of runs that never end."""
RETRY_FIRST: Final = 1.0
RETRY_LAST: Final = 30.0


class Recorder:
    """Records and writes; one per process. ``settings`` may be replaced at any time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.dropped = 0
        self.recorded = 0
        self.written = 0
        self.tick: list[Callable[[], None]] = []
        """Called by the thread every few seconds: sweeps of open runs, shipping."""
        self.leaving: list[Callable[[], None]] = []
        """Called at the end of the process, after the last record is written."""
        self._dropped_stored = 0
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._forking, after_in_parent=self._fork_done, after_in_child=self._forked
            )
        atexit.register(self._exit)

    def _reset(self) -> None:
        self._queue: collections.deque[Answer | WriteEvent] = collections.deque()
        self._pid: int | None = None
        self._closing = False
        self._store: Store | None = None
        self._encoder: Encoder | None = None
        self._opened: str | None = None
        self._file: os.stat_result | None = None
        self._problem: str | None = None
        self._retry = 0.0
        self._wait = RETRY_FIRST
        self._lock = _allocate_lock()
        self._held = False
        self._wake = _allocate_lock()
        self._wake.acquire()

    def _forking(self) -> None:
        # A fork in the middle of a write would leave SQLite's own locks taken in the child forever.
        self._held = _acquire(self._lock, 0.5)

    def _fork_done(self) -> None:
        if self._held:
            self._held = False
            self._lock.release()

    def _forked(self) -> None:
        # The parent writes what it had queued. Its connection is left alone: closing it here would remove the log
        # that the parent still uses.
        _never_closed.append((self._store, self._encoder))
        self.dropped = self.recorded = self.written = self._dropped_stored = 0
        self._reset()

    # The application's threads

    def record(self, item: Answer | WriteEvent) -> None:
        """Queue a record. If there is no room, the oldest waiting record is dropped."""
        queue = self._queue
        if len(queue) >= CAPACITY:
            with contextlib.suppress(IndexError):
                queue.popleft()
                self.dropped += 1
        queue.append(item)
        self.recorded += 1
        if self._pid is None:  # The first record of this process; a forked child has its own first one.
            self._start()
        elif self._closing:
            self._drain(patient=False)

    def _start(self) -> None:
        self._pid = os.getpid()
        try:
            _start_thread(self._work)
        except RuntimeError:
            # The interpreter is shutting down and starts no threads: write here, now and from now on.
            self._closing = True
            self._drain(patient=False)
            return
        utilities = sys.modules.get("multiprocessing.util")
        if utilities is not None:
            # Children of multiprocessing leave by os._exit and run no exit handlers.
            utilities.Finalize(None, self._exit, exitpriority=0)

    # The thread

    def _work(self) -> None:
        pid = os.getpid()
        ticked = time.monotonic()
        while self._pid == pid and not self._closing:
            _acquire(self._wake, FLUSH_INTERVAL)
            with guard.guarded("recorder"):
                if self._queue and time.monotonic() >= self._retry:
                    self._drain(patient=True)
                if time.monotonic() - ticked > TICK:
                    ticked = time.monotonic()
                    for call in list(self.tick):
                        with guard.guarded("recorder.tick"):
                            call()

    def _drain(self, *, patient: bool) -> bool:
        """Write the queue and return whether it is empty. ``patient`` yields to the application between slices."""
        if not _acquire(self._lock, 10.0):
            return False
        try:
            while self._queue:
                if not self._write_next(patient):
                    return False
            return True
        finally:
            self._lock.release()

    def _write_next(self, patient: bool) -> bool:
        import sqlite3

        from datahub_llmops.errors import StoreError

        settings = self.settings
        batch: list[Answer | WriteEvent] = []
        while self._queue and len(batch) < BATCH:
            batch.append(self._queue.popleft())
        try:
            store, encoder = self._open_store(settings)
            self._write_batch(store, encoder, batch, settings, patient)
            with guard.guarded("recorder.prune"):
                store.prune(settings.max_bytes, settings.max_days)
        except (StoreError, sqlite3.Error, OSError) as error:
            self._failed(error, batch)
            return False
        self.written += len(batch)
        self._problem, self._wait = None, RETRY_FIRST
        return True

    def _write_batch(
        self,
        store: Store,
        encoder: Encoder,
        batch: list[Answer | WriteEvent],
        settings: Settings,
        patient: bool,
    ) -> None:
        import sqlite3

        # One transaction, but the interpreter is never held for long while requests are served.
        with store.transaction():
            for number, item in enumerate(batch, 1):
                with guard.guarded("recorder.encode", (sqlite3.Error,)):
                    if isinstance(item, Answer):
                        encoder.write_answer(store, item, settings)
                    else:
                        encoder.write_event(store, item, settings)
                if patient and number % SLICE == 0:
                    _sleep(0.001)
            dropped = self.dropped
            store.count("records_dropped", dropped - self._dropped_stored)
        self._dropped_stored = dropped

    def _open_store(self, settings: Settings) -> tuple[Store, Encoder]:
        replaced = self._opened is not None and self._replaced(self._opened)
        if (
            self._store is not None
            and self._encoder is not None
            and self._opened == settings.store
            and not replaced
        ):
            return self._store, self._encoder
        import sqlite3

        from datahub_llmops.answer_store import digests
        from datahub_llmops.answer_store.database import open_or_replace
        from datahub_llmops.hooks.row_encoder import Encoder

        if self._store is not None:
            with contextlib.suppress(sqlite3.Error):
                self._store.close()
            self._store = None
        store, aside = open_or_replace(settings.store)
        if aside is not None:
            self._warn(f"the store was damaged and is now {aside}; a new one was begun")
        secret = digests.key(settings.store)
        assert secret is not None
        self._store, self._encoder, self._opened = store, Encoder(secret), settings.store
        self._file = os.stat(settings.store)
        return self._store, self._encoder

    def _replaced(self, path: str) -> bool:
        """Return whether the open file was deleted, replaced or truncated: SQLite would go on writing the old one."""
        before = self._file
        try:
            self._file = os.stat(path)
        except OSError:
            self._file = None
        if before is None or self._file is None or self._file.st_ino != before.st_ino:
            # Closing would remove the log of the new file with this name.
            _never_closed.append((self._store, self._encoder))
            self._store = None
            return True
        return self._file.st_size < before.st_size

    def _failed(self, error: Exception, batch: list[Answer | WriteEvent]) -> None:
        """Put the batch back in front, within the bound, and retry later."""
        import sqlite3

        room = CAPACITY - len(self._queue)
        retained = batch[-room:] if room > 0 else []
        self.dropped += len(batch) - len(retained)
        self._queue.extendleft(reversed(retained))
        problem = f"{type(error).__name__}: {error}"
        if self._problem is None:
            self._warn(f"the store cannot be written, records wait and the oldest are dropped: {problem}")
        self._problem = problem
        if self._store is not None and isinstance(error, sqlite3.DatabaseError):
            with contextlib.suppress(sqlite3.Error):
                self._store.close()
            self._store = None
        self._retry = time.monotonic() + self._wait
        self._wait = min(self._wait * 2, RETRY_LAST)

    def _warn(self, message: str) -> None:
        import logging

        logging.getLogger("datahub_llmops.hooks").warning("datahub-llmops: %s", message)

    # Flushing and leaving

    def flush(self, timeout: float) -> bool:
        """Write what waits, here and now; true when all of it is in the store."""
        deadline = time.monotonic() + timeout
        self._retry = 0.0
        while True:
            if self._drain(patient=False):
                return True
            if self._problem is not None or time.monotonic() >= deadline:
                return False

    def _exit(self) -> None:
        with guard.guarded("recorder.exit"):
            if not self._drain(patient=False) and "locked" in (self._problem or ""):
                self._drain(patient=False)  # Every worker leaves at once, and there is no later.
            # What later exit handlers record is written as it comes: a thread would not live to do it.
            self._closing, self._pid = True, os.getpid()
            for call in list(self.leaving):
                call()

    def stats(self) -> dict[str, Any]:
        """Counts of this process, and what is wrong with the store if anything is."""
        found: dict[str, Any] = {
            "recorded": self.recorded,
            "written": self.written,
            "waiting": len(self._queue),
            "dropped": self.dropped,
            "store": self.settings.store,
        }
        if self._problem is not None:
            found["problem"] = self._problem
        if self._store is not None and self._store.note:
            found["note"] = self._store.note
        return found


_never_closed: list[Any] = []


def _original(module: str, name: str) -> Any:
    """Return the original of what gevent has replaced: our thread must not run on the application's loop."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    return getattr(__import__(module), name)


def _allocate_lock() -> Any:
    return _original("_thread", "allocate_lock")()


def _acquire(lock: Any, timeout: float) -> bool:
    return bool(lock.acquire(timeout=timeout))


def _sleep(seconds: float) -> None:
    _original("time", "sleep")(seconds)


def _start_thread(work: Callable[[], None]) -> None:
    # Not threading.Thread: its start() waits for the thread, on the application's time.
    _original("_thread", "start_new_thread")(work, ())
