"""Cuts a stream of bytes into records: lines, messages with their length before them, or all of it as one.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter#file-format
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from datahub_llmops.spans.doors.rows import LONGEST_RECORD

PARQUET: Final = b"PAR1"
_LARGE: Final = 2**20
_INDENTED: Final = re.compile(rb"\{\s*\n")


class Framing(Enum):
    """How records follow each other."""

    LINES = "JSON lines"
    MESSAGES = "protobuf messages with their length"
    WHOLE = "one protobuf message"
    DOCUMENT = "one JSON document"
    PARQUET = "Parquet"
    EMPTY = "nothing"
    UNKNOWN = "unknown"


class Cut(NamedTuple):
    """One record, and how many bytes of the stream it and everything before it take."""

    record: bytes | None
    """``None`` stands for a record that is too long."""
    end: int
    finished: bool
    """Whether the stream says that it ends here. The last line may lack its line feed."""


def framing_of(head: bytes) -> Framing:
    """Tell the framing by how the plain bytes begin."""
    if not head:
        return Framing.EMPTY
    if head.startswith(PARQUET):
        return Framing.PARQUET
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"[" or _INDENTED.match(text):
        return Framing.DOCUMENT
    if text[:1] == b"{":
        return Framing.LINES
    if head[0] == 10:  # The tag of the first field of ``TracesData``.
        return Framing.WHOLE
    # Four bytes, big endian: a length whose first byte is above four is longer than what is read.
    return Framing.MESSAGES if head[0] <= LONGEST_RECORD >> 24 and len(head) >= 4 else Framing.UNKNOWN


def cut(chunks: Iterable[bytes], framing: Framing) -> Iterator[Cut]:
    """Yield the records of a stream. Whatever ``chunks`` raises comes after the records before it.

    A message whose end is missing is yielded unfinished too, with nothing in it.
    """
    if framing is Framing.LINES:
        return _lines(chunks)
    return _messages(chunks) if framing is Framing.MESSAGES else _whole(chunks)


def _lines(chunks: Iterable[bytes]) -> Iterator[Cut]:
    parts: list[bytes] = []
    size = done = 0
    for chunk in chunks:
        start = 0
        while (at := chunk.find(b"\n", start)) >= 0:
            size += at - start
            parts.append(chunk[start:at])
            done += size + 1
            line = b"".join(parts) if size <= LONGEST_RECORD else None
            parts = []  # So that a long line is not held twice while it is parsed.
            yield Cut(line, done, True)
            size, start = 0, at + 1
        size += len(chunk) - start
        if size <= LONGEST_RECORD:
            parts.append(chunk[start:])
        else:
            parts = []
    if size:
        yield Cut(b"".join(parts) if size <= LONGEST_RECORD else None, done + size, False)


def _messages(chunks: Iterable[bytes]) -> Iterator[Cut]:
    parts: list[bytes] = []
    size = done = skip = 0
    needed = 4
    for chunk in chunks:
        if skip >= len(chunk):
            skip -= len(chunk)
            if not skip:
                yield Cut(None, done, True)
            continue
        if skip:
            yield Cut(None, done, True)
            chunk, skip = chunk[skip:], 0
        parts.append(chunk)
        size += len(chunk)
        if size < needed:
            continue
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts = []
        at, needed = 0, 4
        while size - at >= 4:
            length = int.from_bytes(data[at : at + 4], "big")
            end = at + 4 + length
            if length > LONGEST_RECORD:
                done += 4 + length
                skip = max(0, end - size)
                at = min(end, size)
                if not skip:
                    yield Cut(None, done, True)
                continue
            if end > size:
                needed = 4 + length
                break
            done += 4 + length
            message = data[at + 4 : end]
            at = end
            if length > _LARGE:  # It is not held twice while it is parsed.
                data = data[at:]
                size, at = len(data), 0
            yield Cut(message, done, True)
            del message
        parts = [data[at:]]
        size -= at
        del data
    if size or skip:
        yield Cut(b"", done + size, False)


def _whole(chunks: Iterable[bytes]) -> Iterator[Cut]:
    found = bytearray()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size <= LONGEST_RECORD:
            found += chunk
        else:
            found.clear()
    message = bytes(found) if size <= LONGEST_RECORD else None
    found.clear()
    yield Cut(message, size, True)
