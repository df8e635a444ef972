"""An application that gives its first answer while the interpreter ends, by any Python, with no package but ours.

``python at_shutdown.py STORE WHEN``; prints the answer's id, and whether a thread could still be started then.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import datahub_llmops.hooks as lineage


def first_answer() -> None:
    """Prints past every buffer: the streams may be gone."""
    try:
        # Not threading.Thread: its start() waits for the thread, which may never run.
        _thread.start_new_thread(int, ())
        could = "could"
    except RuntimeError:
        could = "could not"
    with lineage.answer() as a:
        pass
    os.write(1, f"{a.id} {could}\n".encode())


class Left:
    """Answers when it is thrown away."""

    itself: Left

    def __call__(self) -> None:
        """For ``atexit``, which throws away what it has called."""

    def __del__(self) -> None:
        first_answer()


def in_a_thread() -> None:
    """Of those that the interpreter waits for."""
    threading.main_thread().join()
    first_answer()


def as_garbage() -> None:
    """In a cycle, which is collected after all exit handlers and before the modules go."""
    gc.set_threshold(1_000_000)
    left = Left()
    left.itself = left


def as_a_global() -> None:
    """Thrown away with the module, when nothing can be imported any more."""
    globals()["left"] = Left()


# Exit handlers are called last in, first out: those registered before attaching run when the hooks' own has.
BEFORE: dict[str, Callable[[], Any]] = {
    "atexit, after the hooks": lambda: atexit.register(first_answer),
    "__del__, after the hooks": lambda: atexit.register(Left()),
    "__del__, garbage": as_garbage,
}
AFTER: dict[str, Callable[[], Any]] = {
    "atexit, before the hooks": lambda: atexit.register(first_answer),
    # As concurrent.futures does.
    "before atexit": lambda: threading._register_atexit(first_answer),  # type: ignore[attr-defined]  # private
    "thread": lambda: threading.Thread(target=in_a_thread).start(),
}
LOST: dict[str, Callable[[], Any]] = {"__del__, global": as_a_global}

if __name__ == "__main__":
    when = sys.argv[2]
    if when not in AFTER:
        (BEFORE | LOST)[when]()
    lineage.attach("support-bot", store=sys.argv[1])
    if when in AFTER:
        AFTER[when]()
