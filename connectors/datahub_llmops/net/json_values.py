"""JSON that somebody else's server answered, read without trust: what has another shape than expected is absent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def array(value: object) -> list[Any]:
    """``value`` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def objects(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects in ``value`` if it is an array; other entries are left out."""
    return [entry for entry in array(value) if isinstance(entry, Mapping)]


def text(value: object) -> str | None:
    """``value`` if it is a string with something in it."""
    return value if isinstance(value, str) and value else None


def whole(value: object) -> int | None:
    """``value`` if it is a whole number; JSON's booleans are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def plain(value: object) -> str | None:
    """A number, string or boolean as a property's text, in JSON's spelling; ``None`` for everything else.

    >>> plain(True), plain(0.99), plain(16), plain(None), plain({"a": 1})
    ('true', '0.99', '16', None, None)
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else text(value)


def is_since(version: str | None, first: tuple[int, int]) -> bool:
    """Is a server of this ``version`` at least as new as ``first``, major and minor? One that says no version is not.

    >>> is_since("1.32.0-rc.1", (1, 32)), is_since("1.9.7", (1, 32)), is_since(None, (1, 32))
    (True, False, False)
    """
    parts = re.match(r"(\d+)\.(\d+)", version or "")
    return parts is not None and (int(parts[1]), int(parts[2])) >= first


def moment(value: object) -> datetime | None:
    """A point in time in ISO 8601 as UTC, which is also meant where no zone is written.

    >>> moment("2026-11-02T08:30:00.123456789Z")
    datetime.datetime(2026, 11, 2, 8, 30, 0, 123456, tzinfo=datetime.timezone.utc)
    """
    written = text(value)
    if written is None:
        return None
    try:
        found = datetime.fromisoformat(written.upper())
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
