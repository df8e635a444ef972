"""Compressed bytes as a stream of plain ones, by their first bytes and not by the name of the object."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

import zstandard

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
_SLICE: Final = 2_048
"""Bytes that zstd is given at once: a block of 128 KiB may be compressed to four of them."""
_PIECE: Final = 2**20
"""Bytes that gzip may return at once."""
_MAX_WINDOW: Final = 2**27
"""Bytes of the largest zstd window, 128 MiB, that of ``zstd --long``."""


class BrokenOffError(ValueError):
    """Compressed bytes end or are damaged in the middle. The readable part was yielded before."""


def is_compressed(head: bytes) -> bool:
    """Return whether bytes that begin so are gzip or zstd."""
    return head.startswith((GZIP, ZSTD))


def plain(chunks: Iterable[bytes], head: bytes) -> Iterator[bytes]:
    """Yield what ``chunks`` hold. ``head`` is how they begin, at least four bytes if there are so many.

    Raises:
        BrokenOffError: the compressed stream is cut off or damaged, after everything before was yielded.
    """
    if head.startswith(GZIP):
        return _gzip(chunks)
    if head.startswith(ZSTD):
        return _zstd(chunks)
    return iter(chunks)


def plain_message(message: bytes, limit: int) -> bytes:
    """Return a message that may be one zstd frame, which ``limit`` bytes hold.

    Raises:
        BrokenOffError: the frame is cut off or damaged, or holds more.
    """
    if not message.startswith(ZSTD):
        return message
    found = bytearray()
    for piece in _zstd([message]):
        found += piece
        if len(found) > limit:
            raise BrokenOffError("it is too long")
    return bytes(found)


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    begun = False
    for chunk in chunks:
        left = chunk
        while left:
            try:
                piece = member.decompress(left, _PIECE)
            except zlib.error:
                # Zeros after the last member are padding, as tapes have it.
                if not begun and not left.strip(b"\0"):
                    return
                raise BrokenOffError("the gzip stream is damaged") from None
            begun = True
            if piece:
                yield piece
            if member.eof:
                left = member.unused_data
                member = zlib.decompressobj(wbits=31)
                begun = False
            else:
                left = member.unconsumed_tail
    if begun:
        raise BrokenOffError("the gzip stream is cut off")


def _zstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    context = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    frame = context.decompressobj()
    begun = False
    for chunk in chunks:
        for start in range(0, len(chunk), _SLICE):
            left = chunk[start : start + _SLICE]
            while left:
                try:
                    piece = frame.decompress(left)
                except zstandard.ZstdError:
                    raise BrokenOffError("the zstd stream is damaged") from None
                begun = True
                if piece:
                    yield piece
                left = b""
                if frame.eof:
                    left = frame.unused_data
                    frame = context.decompressobj()
                    begun = False
    if begun:
        raise BrokenOffError("the zstd stream is cut off")
