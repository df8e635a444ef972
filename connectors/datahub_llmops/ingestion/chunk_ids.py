"""Ids of chunks: LangChain and LlamaIndex report all of them as text, stores know text, UUIDs and integers."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from datahub_llmops.ingestion.reader import MAX_IDS

KeyT = TypeVar("KeyT", bound=Hashable)

Keys: TypeAlias = Mapping[KeyT, frozenset[str]]
"""Keys of a store, each with the ids that mean it."""

_UUID: Final = re.compile(
    r"(?:urn:uuid:)?([0-9a-f]{8})(?:([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})"
    r"|-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12}))",
    re.IGNORECASE,
)
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,19}")


def parse_keys(ids: Sequence[str], parse: Callable[[str], KeyT | None]) -> dict[KeyT, frozenset[str]]:
    """Return the keys that ``ids`` mean in a store; those that ``parse`` makes nothing of cannot be in it.

    >>> parse_keys(["7", "07", "x"], parse_integer)
    {7: frozenset({'7'})}

    Raises:
        ValueError: there are more than ``MAX_IDS`` of them.
    """
    if len(ids) > MAX_IDS:
        raise ValueError(f"Ask for at most {MAX_IDS} ids at once, not for {len(ids)}.")
    keys: dict[KeyT, frozenset[str]] = {}
    for one in ids:
        key = parse(one)
        if key is not None:
            keys[key] = keys.get(key, frozenset()) | {one}
    return keys


def find_ids(keys: Keys[KeyT], there: Iterable[KeyT]) -> frozenset[str]:
    """Return the ids whose keys are ``there``; keys that nobody asked for count for nothing."""
    return frozenset().union(*(keys.get(key, frozenset()) for key in there))


def parse_text(written: str) -> str | None:
    """Return a key that is text: anything but an empty one, and what is not valid in UTF-8 or holds a NUL.

    >>> parse_text("doc-1#2"), parse_text(""), parse_text("a\\x00"), parse_text("\\ud800")
    ('doc-1#2', None, None, None)
    """
    try:
        written.encode()
    except UnicodeEncodeError:
        return None
    return written if written and "\0" not in written else None


def parse_uuid(written: str) -> str | None:
    """Return a UUID in lower case with dashes, however it is written.

    >>> parse_uuid("0B9E6C2A3F9E4B1C8D7A6F5E4D3C2B1A"), parse_uuid("a-b")
    ('0b9e6c2a-3f9e-4b1c-8d7a-6f5e4d3c2b1a', None)
    """
    found = _UUID.fullmatch(written)
    return "-".join(part.lower() for part in found.groups() if part) if found else None


def parse_integer(written: str, least: int = -(2**63), most: int = 2**63 - 1) -> int | None:
    """Return an integer between ``least`` and ``most``, written as a store would: no sign or zero too many.

    >>> parse_integer("42"), parse_integer("-1", 0), parse_integer("007"), parse_integer("4.0")
    (42, None, None, None)
    """
    if not _INTEGER.fullmatch(written):
        return None
    number = int(written)
    return number if least <= number <= most else None
