"""A temporary file in which spans are brought together by trace, without any content.

The spans of a trace stand in many objects, hours apart, so each is put away under its day and a part, which the hash of
its trace decides (Grace partitioning). A part fits into memory, whatever the whole takes. The file has no name, so the
system removes it with the process, however that ends.

A trace may run past midnight. What lies within an hour of it is read with the day on the other side too.
"""

from __future__ import annotations

import marshal
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from datahub_llmops.spans.doors.garbage import collect
from datahub_llmops.spans.doors.keys import DAY, HOUR

EDGE: Final = HOUR
"""Seconds before and after midnight in which the spans of one trace may lie on both days."""
BUFFERED: Final = 40_000
"""Rows in memory before they are written. They are bytes by then: what stays small is at hand for the processor."""
PART: Final = 20_000
"""Rows that a part should have, and that are in memory together, as bytes, when it is read."""
MAX_PARTS: Final = 1_024
R = TypeVar("R", bound=tuple[Any, ...])
_EARLY, _MIDDLE, _LATE = 0, 1, 2
_time: Final = itemgetter(4)


def area_of(at: float) -> int:
    """Return the number of the part of a day that a time lies in: its first hour, its last one, or those between."""
    day, hour = divmod(int(at // HOUR), 24)
    return day * 3 + (_MIDDLE if 0 < hour < 23 else _EARLY if hour == 0 else _LATE)


class Spool(Generic[R]):
    """Rows of one run, by day and part. The first value of a row is its key, the fifth its time."""

    def __init__(self, expected: int = 0, size: Callable[[R], int] = lambda row: 1) -> None:
        """Make the file.

        Args:
            expected: about how much will come; a wrong guess costs time, not memory.
            size: what a row counts for, if it stands for several.
        """
        self._size_of = size
        self.parts = min(MAX_PARTS, max(1, expected // PART))
        self._file = tempfile.TemporaryFile(prefix="datahub-llmops-")  # noqa: SIM115 - open as long as this object
        self._buffers: dict[int, list[str | int | bytes]] = {}
        """By place: key, size and bytes of each row, one after the other."""
        self._pending = 0
        self._size = 0
        self._chunks: dict[int, array[int]] = {}
        """By place: offset and length of each piece in the file."""
        self._sizes: dict[int, int] = {}
        """By place: what its rows count for."""

    def put(self, rows: Iterable[R]) -> None:
        """Put spans away."""
        buffers, sizes, parts, size_of = self._buffers, self._sizes, self.parts, self._size_of
        last = area = -1
        for row in rows:
            hour = row[4] // HOUR
            if hour != last:
                last, area = hour, area_of(row[4])
            place = area * parts + hash(row[0]) % parts
            size = size_of(row)
            packed = row[0], size, marshal.dumps(row)
            if place in buffers:
                buffers[place] += packed
                sizes[place] += size
            else:
                buffers[place] = [*packed]
                sizes[place] = sizes.get(place, 0) + size
            self._pending += size
        if self._pending >= BUFFERED:
            self._flush()

    def groups(self, day: int, limit: int, cut: list[str]) -> Iterator[list[R]]:
        """Yield the rows of each key that has any on ``day``, which is the start of a day.

        Rows within an hour of its ends come along. A key with more than ``limit`` is appended to ``cut``, and its
        earliest rows come, until they count for as much: parents begin before their children.
        """
        self._flush()
        for part in range(self.parts):
            rounds = -(-self._count(day, part) // (2 * PART)) or 1
            for turn in range(rounds):
                yield from self._part(day, part, turn, rounds, limit, cut)
                collect()

    def days(self) -> list[int]:
        """Return the starts of the days that have spans, oldest first."""
        places = self._chunks.keys() | self._buffers.keys()
        return sorted({place // self.parts // 3 * DAY for place in places})

    def close(self) -> None:
        """Remove the file. May be called twice."""
        self._file.close()
        self._buffers.clear()

    def _flush(self) -> None:
        self._file.seek(self._size)
        for place, rows in self._buffers.items():
            piece = marshal.dumps(rows)
            self._file.write(piece)
            chunks = self._chunks.get(place)
            if chunks is None:
                chunks = self._chunks[place] = array("Q")
            chunks.extend((self._size, len(piece)))
            self._size += len(piece)
        self._buffers.clear()
        self._pending = 0
        collect()

    def _places(self, day: int, part: int) -> tuple[int, ...]:
        own = day // DAY * 3
        return tuple(
            (own + area) * self.parts + part for area in (_EARLY - 1, _EARLY, _MIDDLE, _LATE, _LATE + 1)
        )

    def _count(self, day: int, part: int) -> int:
        return sum(self._sizes.get(place, 0) for place in self._places(day, part))

    def _part(
        self, day: int, part: int, turn: int, rounds: int, limit: int, cut: list[str]
    ) -> Iterator[list[R]]:
        groups: dict[str, list[bytes]] = {}
        sizes: dict[str, int] = {}
        own: set[str] = set()
        before, _, _, _, after = places = self._places(day, part)
        for place in places:
            inside = place not in (before, after)
            for key, size, row in self._read(place):
                if rounds > 1 and hash(key) // self.parts % rounds != turn:
                    continue
                group = groups.get(key)
                if group is None:
                    group = groups[key] = []
                    sizes[key] = 0
                group.append(row)
                sizes[key] += size
                if sizes[key] > 2 * limit:
                    sizes[key] = self._cut(group, limit) + 1  # It stays one that has more than the limit.
                if inside:
                    own.add(key)
        while groups:
            key, group = groups.popitem()
            if key in own:
                if sizes[key] > limit:
                    cut.append(key)
                    self._cut(group, limit)
                yield list(map(marshal.loads, group))

    def _cut(self, group: list[bytes], limit: int) -> int:
        """Keep the earliest rows of a group, until they count for ``limit``, and return what they count for."""
        group.sort(key=lambda row: _time(marshal.loads(row)))
        kept = 0
        for place, row in enumerate(group):
            if kept >= limit:
                del group[place:]
                break
            kept += self._size_of(marshal.loads(row))
        return kept

    def _read(self, place: int) -> Iterator[tuple[str, int, bytes]]:
        chunks = self._chunks.get(place, ())
        for at in range(0, len(chunks), 2):
            self._file.seek(chunks[at])
            found = iter(marshal.loads(self._file.read(chunks[at + 1])))
            yield from zip(found, found, found, strict=True)
