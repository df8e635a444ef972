"""Reads JSON from other systems without trusting it: a value of an unexpected shape counts as absent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

_LONGEST_NUMBER: Final = 20
"""Digits of the largest integer of 64 bits."""


def mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def array(value: object) -> list[Any]:
    """Return ``value`` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def objects(value: object) -> list[Mapping[str, Any]]:
    """Return the objects in a JSON array without its other items; nothing if it is not an array."""
    return [item for item in array(value) if isinstance(item, Mapping)]


def mappings(value: object) -> list[Mapping[str, Any]]:
    """Return the objects in a JSON array with empty ones in place of other items; nothing if it is not an array.

    >>> mappings([{"a": 1}, "b"]), objects([{"a": 1}, "b"])
    ([{'a': 1}, {}], [{'a': 1}])
    """
    return [mapping(item) for item in array(value)]


def text(value: object) -> str | None:
    """Return ``value`` if it is a non-empty string."""
    return value if isinstance(value, str) and value else None


def strings(value: object) -> list[str]:
    """Return the non-empty strings in a JSON array.

    >>> strings(["a", "", 1, "b"]), strings("ab")
    (['a', 'b'], [])
    """
    return [item for item in array(value) if text(item)]


def whole(value: object) -> int | None:
    """Return ``value`` if it is an integer of at most 64 bits. Booleans are not integers in JSON.

    >>> whole(3), whole(True), whole(2**63), whole(-(2**63))
    (3, None, None, -9223372036854775808)
    """
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -(2**63) <= value < 2**63 else None


def written_whole(value: object) -> int | None:
    """Return an integer that a system writes as a number or as text.

    >>> written_whole("20000"), written_whole(20000), written_whole("many"), written_whole("9" * 5000)
    (20000, 20000, None, None)
    """
    if not isinstance(value, str):
        return whole(value)
    return whole(int(value)) if len(value) <= _LONGEST_NUMBER and value.isdecimal() else None


def utc(seconds: float) -> datetime | None:
    """Return the time that is ``seconds`` after 1970; ``None`` if it is in no year from 1 to 9999.

    >>> utc(1762072200), utc(10**30)
    (datetime.datetime(2025, 11, 2, 8, 30, tzinfo=datetime.timezone.utc), None)
    """
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def plain(value: object) -> str | None:
    """Return a number, string or boolean as text in JSON's spelling; ``None`` for anything else.

    >>> plain(True), plain(0.99), plain(16), plain(None), plain({"a": 1})
    ('true', '0.99', '16', None, None)
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else text(value)


def is_since(version: str | None, first: tuple[int, int]) -> bool:
    """Whether a server's ``version`` is at least ``first`` (major, minor). An unknown version is not.

    >>> is_since("1.32.0-rc.1", (1, 32)), is_since("1.9.7", (1, 32)), is_since(None, (1, 32))
    (True, False, False)
    """
    parts = re.match(r"(\d{1,9})\.(\d{1,9})", version or "")
    return parts is not None and (int(parts[1]), int(parts[2])) >= first


def moment(value: object) -> datetime | None:
    """Return an ISO 8601 time in UTC; a time without a zone is taken as UTC.

    >>> moment("2026-11-02T08:30:00.123456789Z")
    datetime.datetime(2026, 11, 2, 8, 30, 0, 123456, tzinfo=datetime.timezone.utc)
    """
    written = text(value)
    if written is None:
        return None
    try:
        found = datetime.fromisoformat(written.upper())
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        # A time in the first or last hours of years 1 and 9999 may lie outside of them in UTC.
        return None
