"""Reads the body of an HTTP answer within bounds: of bytes, of time, and of the number of values in its JSON.

urllib3 would undo any number of encodings, one after the other, without a look at the clock: 900 bytes that were
compressed three times kept it busy for minutes. So the body arrives here as it was sent. One layer of gzip, the only
encoding that requests ask for, is undone in small steps; any other encoding is refused.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import urllib3

from datahub_llmops.net.attempts import Deadline

Json: TypeAlias = Any
"""What ``json.loads`` returns. Readers check the shape of what they use."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""The largest body that is read, after decompression; a larger one is an error."""

MAX_VALUES: Final = 2_000_000
"""The largest number of values in one body. An empty list has two bytes on the wire and 64 in memory."""

_PIECE: Final = 65_536
_GZIP: Final = 31
"""zlib's number for "a gzip header and the largest window"."""

# Always matches at a quote, so that a scan takes time in proportion to the length, whatever it meets.
_MARKS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{,]', re.DOTALL)

_Unpack: TypeAlias = Callable[[bytes], Iterator[bytes]]


class BodyError(Exception):
    """The body was not taken. The message is the rest of a sentence that begins with the name of the call."""


class BodyTooLargeError(BodyError):
    """The body has too many bytes or values."""


def read_body(response: urllib3.BaseHTTPResponse, *, most_bytes: int, deadline: Deadline) -> bytes:
    """Return the body of a response that was not read yet.

    Raises:
        BodyTooLargeError: it is too large.
        BodyError: it is in an encoding that was not asked for.
        TimeoutError: the deadline passed.
    """
    unpack = _find_unpacker(response.headers.get("Content-Encoding"))
    parts: list[bytes] = []
    size = 0
    for piece in response.stream(_PIECE, decode_content=False):
        for part in unpack(piece):
            if deadline.left() <= 0:
                raise TimeoutError("deadline")
            size += len(part)
            if size > most_bytes:
                raise BodyTooLargeError(
                    f"was answered with more than {most_bytes // (1024 * 1024)} MB. Find out what is so large"
                )
            parts.append(part)
    return b"".join(parts)


def parse_json(content: bytes) -> Json:
    """Parse a body.

    Raises:
        BodyTooLargeError: it holds more than ``MAX_VALUES`` values.
        ValueError: it is not JSON.
        RecursionError: its values are nested too deep.
    """
    if _holds_more_values(content, MAX_VALUES):
        raise BodyTooLargeError(
            f"was answered with more than {MAX_VALUES:,} values. Find out what is so large"
        )
    return json.loads(content)


def parse_lines(content: bytes) -> list[Json]:
    """Parse a body that holds one JSON value a line. Raises like ``parse_json``.

    >>> parse_lines(b'{"a": 1}\\n\\n{"a": 2}\\n'), parse_lines(b"")
    ([{'a': 1}, {'a': 2}], [])
    """
    lines = [line for line in content.splitlines() if line.strip()]
    found: list[Json] = parse_json(b"[%s]" % b",".join(lines))
    if len(found) != len(lines):
        raise ValueError("not one value a line")
    return found


def _holds_more_values(content: bytes, most: int) -> bool:
    """Whether there are more values than ``most``. Every value follows a bracket or a comma."""
    if len(content) <= most or content.count(b",") + content.count(b"[") + content.count(b"{") <= most:
        return False
    # Commas in texts count for nothing, and telling them apart takes time: only for what has very many.
    count = 0
    for mark in _MARKS.finditer(content):
        count += content[mark.start()] != 0x22
        if count > most:
            return True
    return False


def _find_unpacker(encoding: str | None) -> _Unpack:
    match (encoding or "").strip().lower():
        case "" | "identity":
            return lambda piece: iter((piece,))
        case "gzip" | "x-gzip":
            return _Gunzip()
    raise BodyError(
        "was answered in an encoding that was not asked for. Look for a proxy in between that compresses answers again"
    )


class _Gunzip:
    """Undoes one layer of gzip, in pieces of bounded size. The layer may have several members, one after the other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._is_first = True
        self._ignores_rest = False

    def __call__(self, piece: bytes) -> Iterator[bytes]:
        more = False
        while (piece or more) and not self._ignores_rest:
            if self._member.eof:
                self._member, self._is_first = zlib.decompressobj(_GZIP), False
            try:
                part = self._member.decompress(piece, _PIECE)
            except zlib.error:
                if self._is_first:
                    raise BodyError(
                        "was answered with a body that is not in the encoding that it names. Look for a proxy in "
                        "between, then run again"
                    ) from None
                # What follows the last member is not part of the answer.
                self._ignores_rest = True
                return
            yield part
            piece = self._member.unconsumed_tail or self._member.unused_data
            # zlib may have read all of its input and still hold back some of the output.
            more = len(part) == _PIECE and not self._member.eof
