"""The interpreter's own threads, locks and sleep, also where gevent has replaced them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def _original(module: str, name: str) -> Any:
    """Return the original of what gevent has replaced: our thread must not run on the application's loop."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    return getattr(__import__(module), name)


def allocate_lock() -> Any:
    """Return a new lock, which is not held."""
    return _original("_thread", "allocate_lock")()


def acquire(lock: Any, timeout: float) -> bool:
    """Wait for a lock, ``timeout`` seconds at most, and return whether it is held now."""
    return bool(lock.acquire(timeout=timeout))


def sleep(seconds: float) -> None:
    """Let this thread sleep."""
    _original("time", "sleep")(seconds)


def start_thread(work: Callable[[], None]) -> None:
    """Run ``work`` in a thread of its own.

    Raises:
        RuntimeError: the interpreter is shutting down.
    """
    # Not threading.Thread: its start() waits for the thread, on the application's time.
    _original("_thread", "start_new_thread")(work, ())
