"""Compares what is listed with what was read before: which objects are new, grown, unchanged or gone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from datahub_llmops.spans.doors import position as positions
from datahub_llmops.spans.doors.compression import BrokenOffError, is_compressed, plain
from datahub_llmops.spans.doors.objects import Object, Place
from datahub_llmops.spans.doors.position import HEAD, TAIL, Entry, Position
from datahub_llmops.spans.doors.storage_errors import StorageError, Watched

NAME_ONLY: Final = 0


@dataclass(slots=True)
class Found:
    """One listed object."""

    place: Place
    object: Object
    identity: bytes
    head: int
    """How many bytes at its beginning make up the identity; ``0`` if the name does."""
    before: Entry | None
    """What is known of it from an earlier run."""
    packed: Entry | None = None
    """What is known of the plain file that it seems to be a compressed copy of."""

    @property
    def version(self) -> bytes:
        return positions.digest(self.object.version)

    @property
    def is_unchanged(self) -> bool:
        return self.before is not None and self.before.version == self.version


@dataclass(slots=True)
class Matched:
    """The result of comparing a listing with a position."""

    found: list[Found] = field(default_factory=list)
    gone: list[Entry] = field(default_factory=list)
    """Objects that were read before and are not there any more."""
    vanished: int = 0
    """Local files that were removed while they were listed."""
    unopened: int = 0
    """Local files that could not be opened. What was read of them before looks as if it were gone."""


def match(
    listed: Iterable[tuple[Place, Object]], position: Position, failed: Callable[[Object, StorageError], None]
) -> Matched:
    """Find the entry of each listed object. ``failed`` is called with a local file that cannot be opened."""
    matched = Matched()
    lengths = positions.lengths(position.entries.values())
    taken: set[bytes] = set()
    names: set[tuple[int, str]] = set()
    kept = set()
    for place, one in listed:
        if (id(place), one.name) in names:
            continue
        names.add((id(place), one.name))
        if place.is_local:
            try:
                with place.open(one) as file:
                    head = file.read(HEAD)
            except StorageError as error:
                if error.is_missing:
                    matched.vanished += 1
                else:
                    matched.unopened += 1
                    failed(one, error)
                continue
            found = _local(place, one, head, lengths, position, taken)
        else:
            identity = positions.of_name(one.name)
            found = Found(place, one, identity, NAME_ONLY, position.entries.get(identity))
        taken.add(found.identity)
        if found.before is not None:
            kept.add(found.before.identity)
        matched.found.append(found)
    gone = {identity: entry for identity, entry in position.entries.items() if identity not in kept}
    for found in matched.found if gone else ():
        if found.place.is_local and found.before is None:
            found.packed = _packed(found, gone)
    matched.gone = list(gone.values())
    return matched


def _packed(found: Found, gone: dict[bytes, Entry]) -> Entry | None:
    """Take out of ``gone`` the file that a new, compressed one begins like. A rotation may compress."""
    try:
        with found.place.open(found.object) as file:
            start = file.read(TAIL)
    except StorageError:
        return None  # Reading the object will report it.
    if not is_compressed(start):
        return None
    head = b""
    with suppress(BrokenOffError):  # Only the beginning was given.
        for piece in plain([start], start):
            head += piece
            if len(head) >= HEAD:
                break
    for length in positions.lengths(gone.values()):
        if length <= len(head):
            identity = positions.of_head(head[:length])
            if identity in gone and gone[identity].head == length:
                return gone.pop(identity)
    return None


def _local(
    place: Place, one: Object, head: bytes, lengths: list[int], position: Position, taken: set[bytes]
) -> Found:
    copy = positions.digest("copy", head, one.name)
    if copy in position.entries:  # It must not take the entry of a shorter file that begins alike.
        return Found(place, one, copy, NAME_ONLY, position.entries[copy])
    before = None
    for length in lengths:
        if length <= len(head):
            entry = position.entries.get(positions.of_head(head[:length]))
            if entry is not None and entry.head == length and entry.identity not in taken:
                before = entry
                taken.add(entry.identity)
                break
    identity = positions.of_head(head)
    if not head or (identity in taken and (before is None or before.identity != identity)):
        # A copy of another file, or an empty one.
        return Found(place, one, copy, NAME_ONLY, before)
    return Found(place, one, identity, len(head), before)


def has_only_grown(found: Found) -> bool:
    """Return whether an object begins with what was read of it before, so that the rest is enough.

    Raises:
        StorageError: it cannot be read.
    """
    before = found.before
    if before is None or not before.tail or found.object.size < before.end:
        return False
    with found.place.open(found.object) as file:
        return tail_of(file, before.end) == before.tail


def tail_of(file: Watched, end: int) -> int:
    """Return the checksum of the last bytes before ``end`` of an open file."""
    start = max(0, end - TAIL)
    file.seek(start)
    return zlib.crc32(file.read(end - start))
