"""Takes records from the application's threads to the store, through a bounded queue and one daemon thread.

``record`` appends and returns; it takes no lock, opens nothing and starts the thread at the first record of a process
(a thread that is alive at a fork is dead in the child). The thread writes the queue every ``FLUSH_INTERVAL`` seconds.
While the store cannot be written, it waits longer and longer, keeps the newest records and counts the rest. Nobody
waits inside SQLite for more than a moment: whoever has a deadline tries again until then.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from datahub_llmops.hooks import guard, native_threads
from datahub_llmops.hooks.open_store import BUSY, OpenStore, is_locked, warn
from datahub_llmops.hooks.parts import Answer
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.waiting import WaitingRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from datahub_llmops.answer_store.database import Store
    from datahub_llmops.hooks.row_encoder import Encoder
    from datahub_llmops.hooks.write_events import WriteEvent

FLUSH_INTERVAL: Final = 0.2
"""Seconds between two writes. A killed process may lose the records of that time."""
CAPACITY: Final = 10_000
"""The most records that wait for the store."""
MAX_WAITING_BYTES: Final = 64 * 2**20
"""About how many bytes the records that wait for a store may keep in memory."""
LOCKED_PATIENCE: Final = 5.0
"""Seconds after which a locked store is worth a warning."""
LEAVING: Final = 3.0
"""Seconds that the end of the process waits for a locked store, in all."""
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
        self.watched: dict[str, Mapping[str, int]] = {"error": guard.errors}
        """Counts of this process, by name of their kind, that the store keeps for those who cannot look into it."""
        self._dropped_stored = 0
        self._noted: dict[str, int] = {}
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._forking, after_in_parent=self._fork_done, after_in_child=self._forked
            )
        atexit.register(self._exit)

    def _reset(self) -> None:
        self._queue: collections.deque[Answer | WriteEvent] = collections.deque()
        self._waiting = WaitingRecords()
        self._in_hand = 0
        self._pid: int | None = None
        self._closing = False
        self._open = OpenStore()
        self._problem: str | None = None
        self._warned = False
        self._retry = 0.0
        self._wait = RETRY_FIRST
        self._locked_since: float | None = None
        self._leave_by: float | None = None
        self._lock = native_threads.allocate_lock()
        self._held = False
        self._fork_waits = False
        self._wake = native_threads.allocate_lock()
        self._wake.acquire()

    def _forking(self) -> None:
        # A fork in the middle of a write would leave SQLite's own locks taken in the child forever.
        self._fork_waits = True
        self._held = native_threads.acquire(self._lock, 5 * BUSY)

    def _fork_done(self) -> None:
        self._fork_waits = False
        if self._held:
            self._held = False
            self._lock.release()

    def _forked(self) -> None:
        # The parent writes what it had queued. Its connection is left alone: closing it here would remove the log
        # that the parent still uses.
        self._open.abandon()
        self.dropped = self.recorded = self.written = self._dropped_stored = 0
        self._reset()

    # The application's threads

    def record(self, item: Answer | WriteEvent) -> None:
        """Queue a record. If there is no room, the oldest waiting record is dropped. Without a store, forget it."""
        if not self.settings.records:
            if self._pid is None:
                self._start()  # For the sweeps: runs that never end are given up in any case.
            return
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
            self._drain_at_exit()

    def _start(self) -> None:
        self._pid = os.getpid()
        try:
            native_threads.start_thread(self._work)
        except RuntimeError:
            # The interpreter is shutting down and starts no threads: write here, now and from now on.
            self._closing = True
            self._drain_at_exit()
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
            native_threads.acquire(self._wake, FLUSH_INTERVAL)
            with guard.guarded("recorder"):
                if (self._queue or self._waiting) and time.monotonic() >= self._retry:
                    self._drain(patient=True)
                elif self._problem is not None:
                    self._bound_memory()
                if time.monotonic() - ticked > TICK:
                    ticked = time.monotonic()
                    for call in list(self.tick):
                        with guard.guarded("recorder.tick"):
                            call()

    def _drain(self, *, patient: bool, timeout: float = LEAVING) -> bool:
        """Write the queue and return whether it is empty. ``patient`` yields to the application between slices."""
        deadline = time.monotonic() + timeout
        if not native_threads.acquire(self._lock, timeout):
            return False
        try:
            while self._queue or self._waiting:
                if patient and self._fork_waits:
                    return False
                if not self._write_next(patient) or (not patient and time.monotonic() > deadline):
                    return not self._queue and not self._waiting
            return True
        finally:
            self._lock.release()

    def _drain_at_exit(self) -> bool:
        """Write the queue; a store that stays locked is tried until ``LEAVING`` seconds have passed in all."""
        if self._leave_by is None:
            self._leave_by = time.monotonic() + LEAVING
        return self._drain_until(self._leave_by)

    def _drain_until(self, deadline: float) -> bool:
        while True:
            left = max(0.0, deadline - time.monotonic())
            if self._drain(patient=False, timeout=left):
                return True
            # Only a lock goes away by waiting.
            if left <= 0.0 or (self._problem is not None and self._locked_since is None):
                return False
            native_threads.sleep(min(0.02, left))

    def _bound_memory(self) -> None:
        """Drop the oldest records, beyond the memory that they may take while they wait."""
        if native_threads.acquire(self._lock, BUSY):
            try:
                self._let_queue_wait()
            finally:
                self._lock.release()

    def _let_queue_wait(self) -> None:
        while self._queue:
            self._waiting.append(self._queue.popleft())
        self.dropped += self._waiting.trim(CAPACITY, MAX_WAITING_BYTES)

    def _next_batch(self) -> list[Answer | WriteEvent]:
        if self._waiting or self._problem is not None:
            self._let_queue_wait()
            return self._waiting.take(BATCH)
        batch: list[Answer | WriteEvent] = []
        while self._queue and len(batch) < BATCH:
            batch.append(self._queue.popleft())
        return batch

    def _write_next(self, patient: bool) -> bool:
        import sqlite3

        from datahub_llmops.errors import StoreError

        settings = self.settings
        batch = self._next_batch()
        if not settings.records:  # They waited for a store when ``attach(store=False)`` was called.
            self.dropped += len(batch)
            return True
        self._in_hand = len(batch)
        try:
            store, encoder = self._open.open(settings)
            self._write_batch(store, encoder, batch, settings, patient)
        except (StoreError, sqlite3.Error, OSError, UnicodeDecodeError) as error:
            self._in_hand = 0
            self._failed(error, batch)
            return False
        self._in_hand = 0
        self.written += len(batch)
        self._problem, self._warned, self._locked_since = None, False, None
        self._wait = RETRY_FIRST
        self._prune(store, settings, batch)
        return True

    def _prune(self, store: Store, settings: Settings, written: list[Answer | WriteEvent]) -> None:
        import sqlite3

        from datahub_llmops.errors import StoreError

        with guard.guarded("recorder.prune"):
            try:
                store.prune(settings.max_bytes, settings.max_days)
            except (StoreError, sqlite3.Error, UnicodeDecodeError) as error:
                if self._open.set_aside(error):
                    # The last batch went into the damaged file. Write it again, into the new one.
                    self._waiting.put_back(written)
                    self.written -= len(written)
                elif not is_locked(error):
                    raise

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
                with guard.guarded("recorder.encode", (sqlite3.Error, UnicodeDecodeError)):
                    if isinstance(item, Answer):
                        encoder.write_answer(store, item, settings)
                    else:
                        encoder.write_event(store, item, settings)
                if patient and number % SLICE == 0:
                    native_threads.sleep(0.001)
            dropped = self.dropped
            store.count("records_dropped", dropped - self._dropped_stored)
            problems = {
                f"{kind}: {what}": count
                for kind, counts in self.watched.items()
                for what, count in dict(counts).items()
            }
            for name, count in problems.items():
                store.count(name, max(0, count - self._noted.get(name, 0)))
        self._dropped_stored = dropped
        self._noted = problems

    def _failed(self, error: Exception, batch: list[Answer | WriteEvent]) -> None:
        """Let the batch wait, within the bounds, and retry later."""
        import sqlite3

        from datahub_llmops.answer_store.replacement import describe

        self._waiting.put_back(batch)
        self.dropped += self._waiting.trim(CAPACITY, MAX_WAITING_BYTES)
        text = describe(error) if isinstance(error, (sqlite3.Error, UnicodeDecodeError)) else str(error)
        problem = f"{type(error).__name__}: {text}"
        now = time.monotonic()
        if self._open.set_aside(error):
            self._retry = now
            return
        locked = is_locked(error)
        self._locked_since = (self._locked_since or now) if locked else None
        worth_it = not locked or now - (self._locked_since or now) > LOCKED_PATIENCE
        if worth_it and not self._warned:
            self._warned = True
            warn(f"the store cannot be written, records wait and the oldest are dropped: {problem}")
        self._problem = problem
        if locked:
            self._retry = now
            return
        if self._open.store is not None and isinstance(error, sqlite3.DatabaseError):
            self._open.close()
        self._retry = now + self._wait
        self._wait = min(self._wait * 2, RETRY_LAST)

    # Flushing and leaving

    def flush(self, timeout: float) -> bool:
        """Write what waits, here and now; true when all of it is in the store."""
        self._retry = 0.0
        return self._drain_until(time.monotonic() + timeout)

    def _exit(self) -> None:
        with guard.guarded("recorder.exit"):
            self._drain_at_exit()  # Every worker leaves at once, and there is no later.
            # What later exit handlers record is written as it comes: a thread would not live to do it.
            self._closing, self._pid = True, os.getpid()
            for call in list(self.leaving):
                call()

    def stats(self) -> dict[str, Any]:
        """Counts of this process, and what is wrong with the store if anything is."""
        found: dict[str, Any] = {
            "recorded": self.recorded,
            "written": self.written,
            "waiting": len(self._queue) + len(self._waiting) + self._in_hand,
            "dropped": self.dropped,
            "store": self.settings.store or None,
        }
        if self._problem is not None:
            found["problem"] = self._problem
        if self._open.store is not None and self._open.store.note:
            found["note"] = self._open.store.note
        return found
