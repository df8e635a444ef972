"""Fetches small objects of a bucket ahead of their turn: most of the time of reading one is latency."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS: Final = 8
"""Objects that are fetched at the same time."""


def ahead(items: Iterable[T], fetch: Callable[[T], R]) -> Iterator[tuple[T, Callable[[], R]]]:
    """Yield each item with a call that returns what ``fetch`` returned for it, or raises what it raised."""
    waiting: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="datahub-llmops-fetch") as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(fetch, item)))
                if len(waiting) >= THREADS:
                    first, future = waiting.popleft()
                    yield first, future.result
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result
        finally:
            for _, future in waiting:
                future.cancel()
