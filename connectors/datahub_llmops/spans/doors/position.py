"""How far objects were read, in a form that a checkpoint can hold: forty bytes an object.

Names are hashes. An entry of a local file is found by how the file begins, so that a rotation, which renames it, does
not make it another one.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from datahub_llmops.spans.attributes import VERSION

FORMAT: Final = 1
MAX_ENTRIES: Final = 100_000
"""Objects that a position holds. Beyond that, the days of the oldest ones are closed."""
HEAD: Final = 16_000
"""Bytes at the beginning of a local file that tell it from others."""
TAIL: Final = 65_536
"""Bytes before the end of what was read that must be unchanged if an object has only grown. Lines end alike."""
_ENTRY: Final = struct.Struct("<8s8sQIHII")


class Entry(NamedTuple):
    """One object that was read. Hours are since the epoch; an object without spans has ``0`` and ``0``."""

    identity: bytes
    version: bytes
    end: int
    """Bytes that were read, as they are stored."""
    tail: int
    """Checksum of the last bytes before ``end``; ``0`` if it is compressed, so that nothing is read from there."""
    head: int
    """How many bytes at the beginning make up the identity; ``0`` if the name does."""
    first: int
    last: int


def digest(*parts: str | bytes) -> bytes:
    """Return eight bytes that stand for something."""
    found = blake2b(digest_size=8)
    for part in parts:
        found.update(part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape"))
        found.update(b"\0")
    return found.digest()


@dataclass(slots=True)
class Position:
    """What was read, by identity."""

    entries: dict[bytes, Entry] = field(default_factory=dict)
    closed: int = 0
    """Start of the first day that may still be counted again, in seconds since the epoch."""
    told: tuple[int, ...] = ()
    """Starts of the days of which a run has said that they stay as they are, because their objects were removed."""

    def dump(self) -> dict[str, Any]:
        """Return it as JSON. The oldest objects beyond the bound are left out, and their days closed."""
        kept = sorted(self.entries.values(), key=lambda one: one.last)
        closed = self.closed
        if len(kept) > MAX_ENTRIES:
            closed = max(closed, (kept[-MAX_ENTRIES - 1].last // 24 + 1) * 86_400)
            kept = kept[-MAX_ENTRIES:]
        packed = b"".join(_ENTRY.pack(*entry) for entry in kept)
        return {
            "format": FORMAT,
            "attributes": VERSION,
            "closed": closed,
            "told": list(self.told),
            "objects": b64encode(zlib.compress(packed, 6)).decode("ascii"),
        }


def load(saved: Mapping[str, Any]) -> Position:
    """Read a position. One of another format, or of another table of attributes, is empty: all is read again."""
    if saved.get("format") != FORMAT or saved.get("attributes") != VERSION:
        return Position()
    try:
        inflated = zlib.decompressobj()
        packed = inflated.decompress(b64decode(saved["objects"]), _ENTRY.size * MAX_ENTRIES)
        entries = (Entry(*one) for one in _ENTRY.iter_unpack(packed))
        told = tuple(int(day) for day in saved.get("told") or ())
        return Position({one.identity: one for one in entries}, int(saved.get("closed") or 0), told)
    except (BadBase64, KeyError, TypeError, ValueError, struct.error, zlib.error):
        return Position()


def of_head(head: bytes) -> bytes:
    """Return the identity of a local file that begins with ``head``."""
    return digest("head", head)


def of_name(name: str) -> bytes:
    """Return the identity of an object in a bucket."""
    return digest("name", name)


def lengths(entries: Iterable[Entry]) -> list[int]:
    """Return the lengths of the beginnings that make up identities, the longest first."""
    return sorted({entry.head for entry in entries if entry.head}, reverse=True)
