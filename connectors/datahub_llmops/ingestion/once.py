"""What a reader asks its system for once, however many threads want it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """What ``find`` returns: asked for by whichever thread comes first, the others wait for it.

    Raises what ``find`` raises; the next call then asks anew.
    """

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._found: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._found:
                self._found.append(self._find())
            return self._found[0]
