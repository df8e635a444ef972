"""Bounds what an object of git may unpack to, before the library unpacks it.

A few kilobytes may unpack to gigabytes, and an object may state another size than it has. So the stream is unpacked in
small steps and counted. https://git-scm.com/docs/pack-format
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID
from dulwich.pack import Pack

from datahub_llmops.errors import UnreadableError

MOST_OBJECT_BYTES: Final = 64 * 2**20
"""The largest object that is unpacked."""
_MOST_RATIO: Final = 1_032
"""What a byte of zlib's format can unpack to, at most. https://zlib.net/zlib_tech.html"""
_LOOSE_HEADER: Final = 64
_STEP: Final = 65_536
_DEEPEST_DELTA: Final = 4_096
_OFS_DELTA, _REF_DELTA = 6, 7


class ObjectTooLargeError(UnreadableError):
    """An object would unpack to more than ``MOST_OBJECT_BYTES``."""


class ObjectSizes:
    """Checks objects of one repository, and of those that it borrows objects from. Not thread-safe.

    Everything that the library raises for damage may be raised here too.
    """

    def __init__(self, store: DiskObjectStore) -> None:
        self._stores = [store, *(one for one in store.alternates if isinstance(one, DiskObjectStore))]
        self._folders = [Path(os.fsdecode(one.path)) for one in self._stores]
        self._packs: list[Pack] = []
        self._maps: dict[str, mmap.mmap] = {}
        self._checked: set[tuple[str, int]] = set()

    def check(self, name: ObjectID) -> None:
        """Check one object, with all that it is a delta of. One that is not there is left to the library.

        Raises:
            ObjectTooLargeError: it is too large.
        """
        if self._check_packed(name) or self._check_loose(name):
            return
        # Packs may have been written since they were listed.
        self._packs = [pack for store in self._stores for pack in store.packs]
        self._check_packed(name)

    def close(self) -> None:
        for mapped in self._maps.values():
            mapped.close()
        self._maps.clear()

    def _check_loose(self, name: ObjectID) -> bool:
        hexadecimal = name.decode("ascii")
        for folder in self._folders:
            path = folder / hexadecimal[:2] / hexadecimal[2:]
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue
            if size * _MOST_RATIO > MOST_OBJECT_BYTES:
                with path.open("rb") as file:
                    _count(iter(lambda: file.read(_STEP), b""), MOST_OBJECT_BYTES + _LOOSE_HEADER)
            return True
        return False

    def _check_packed(self, name: ObjectID) -> bool:
        for pack in self._packs:
            try:
                offset = pack.index.object_offset(name)
            except KeyError:
                continue
            self._check_at(pack, offset)
            return True
        return False

    def _check_at(self, pack: Pack, offset: int) -> None:
        path = os.fsdecode(pack.data.path)
        content = self._map(path)
        for _ in range(_DEEPEST_DELTA):
            if (path, offset) in self._checked:
                return
            kind, size, place = _header(content, offset)
            if size > MOST_OBJECT_BYTES:
                raise _too_large()
            base: int | None = None
            if kind == _OFS_DELTA:
                back, place = _distance(content, place)
                base = offset - back
            elif kind == _REF_DELTA:
                base = pack.index.object_offset(ObjectID(content[place : place + 20].hex().encode()))
                place += 20
            start = _count(_pieces(content, place), size)
            if base is not None and _delta_result(start) > MOST_OBJECT_BYTES:
                raise _too_large()
            self._checked.add((path, offset))
            if base is None:
                return
            if base >= offset and kind == _OFS_DELTA:
                raise ValueError("a delta of what follows it")
            offset = base
        raise ValueError("too many deltas")

    def _map(self, path: str) -> mmap.mmap:
        if path not in self._maps:
            with Path(path).open("rb") as file:
                self._maps[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._maps[path]


def _too_large() -> ObjectTooLargeError:
    return ObjectTooLargeError(
        f"an object of the git repository unpacks to more than {MOST_OBJECT_BYTES // 2**20} MB. Find it by "
        "`git fsck` and `git cat-file --batch-all-objects --batch-check`, and leave its file out by `exclude`."
    )


def _pieces(content: mmap.mmap, place: int) -> Iterator[bytes]:
    size = 512  # Most objects are small.
    while place < len(content):
        yield content[place : place + size]
        place += size
        size = _STEP


def _count(pieces: Iterator[bytes], most: int) -> bytes:
    """Unpack a stream up to ``most`` bytes, and return how it begins.

    Raises:
        ObjectTooLargeError: there are more.
    """
    unpack = zlib.decompressobj()
    start, total = b"", 0
    for piece in pieces:
        rest = piece
        while rest and not unpack.eof:
            part = unpack.decompress(rest, _STEP)
            rest = unpack.unconsumed_tail
            total += len(part)
            start = start or part[:_LOOSE_HEADER]
            if total > most:
                raise _too_large()
        if unpack.eof:
            break
    return start


def _header(content: mmap.mmap, place: int) -> tuple[int, int, int]:
    """Read kind and size of a packed object, and where its next field is."""
    byte = content[place]
    kind, size, shift = (byte >> 4) & 7, byte & 15, 4
    while byte & 0x80:
        place += 1
        byte = content[place]
        size |= (byte & 0x7F) << shift
        shift += 7
    return kind, size, place + 1


def _distance(content: mmap.mmap, place: int) -> tuple[int, int]:
    """Read how far before a delta its base is, and where the delta begins."""
    byte = content[place]
    back = byte & 0x7F
    while byte & 0x80:
        place += 1
        byte = content[place]
        back = ((back + 1) << 7) | (byte & 0x7F)
    return back, place + 1


def _delta_result(start: bytes) -> int:
    """Read the size of what a delta makes: the second number in it."""
    numbers: list[int] = []
    number = shift = 0
    for byte in start:
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(number)
            if len(numbers) == 2:
                return number
            number = shift = 0
    raise ValueError("no delta")
