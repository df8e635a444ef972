"""Records that wait for a store that cannot be written: bounded in number and in bytes, the newest are kept."""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterable
from typing import Final

from datahub_llmops.hooks.parts import Answer, Prompt, Retrieval, text_of
from datahub_llmops.hooks.write_events import WriteEvent

_OBJECT: Final = 250
"""Bytes of an object with its attributes, about."""


class WaitingRecords:
    """A queue of records with their sizes. Only the recorder's thread, or who holds its lock, uses it."""

    def __init__(self) -> None:
        self._records: collections.deque[tuple[int, Answer | WriteEvent]] = collections.deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def append(self, item: Answer | WriteEvent) -> None:
        """Add the newest record."""
        size = size_of(item)
        self._records.append((size, item))
        self._bytes += size

    def put_back(self, items: Iterable[Answer | WriteEvent]) -> None:
        """Add records that were taken and are older than all others, oldest first."""
        sized = [(size_of(item), item) for item in items]
        self._records.extendleft(reversed(sized))
        self._bytes += sum(size for size, _ in sized)

    def take(self, most: int) -> list[Answer | WriteEvent]:
        """Remove and return the oldest records, ``most`` of them at most."""
        taken = [self._records.popleft() for _ in range(min(most, len(self._records)))]
        self._bytes -= sum(size for size, _ in taken)
        return [item for _, item in taken]

    def trim(self, most: int, most_bytes: int) -> int:
        """Drop the oldest records beyond the bounds, and return how many."""
        dropped = 0
        while len(self._records) > most or (self._bytes > most_bytes and self._records):
            self._bytes -= self._records.popleft()[0]
            dropped += 1
        return dropped


def size_of(item: Answer | WriteEvent) -> int:
    """Estimate the bytes that a record keeps. Templates are shared and are not counted."""
    if isinstance(item, WriteEvent):
        picked = sum(_sizes(value for one in item.sources for value in one.values()))
        return _OBJECT * (2 + len(item.sources)) + picked + sum(_sizes(item.ids))
    size = _OBJECT + sum(_sizes((text_of(item.query), text_of(item.text))))
    for part in list(item.parts):
        size += _OBJECT
        if isinstance(part, Retrieval):
            size += 8 * len(part.chunks) + sum(_sizes(part.chunks))
        elif isinstance(part, Prompt) and isinstance(part.template, str):
            size += sys.getsizeof(part.template)
    return size


def _sizes(values: Iterable[object]) -> Iterable[int]:
    return (sys.getsizeof(value) for value in values if isinstance(value, (str, bytes, int)))
