"""Sizes and ages in words."""

from __future__ import annotations

from typing import Final

_SIZES: Final = ("KB", "MB", "GB", "TB")
_AGES: Final = ((86_400 * 2, 86_400, "days"), (3_600 * 2, 3_600, "hours"), (60 * 2, 60, "minutes"))


def size(count: int) -> str:
    """Say how many bytes.

    >>> size(0), size(999), size(20_480), size(3_400_000), size(10**18)
    ('0 bytes', '999 bytes', '20.5 KB', '3.4 MB', '1,000,000.0 TB')
    """
    if count < 1_000:
        return f"{count} bytes"
    value = float(count)
    for unit in _SIZES:
        value /= 1_000
        if value < 1_000 or unit == _SIZES[-1]:
            break
    return f"{value:,.1f} {unit}"


def age(seconds: float) -> str:
    """Say how long ago something was.

    >>> age(-5), age(61), age(180), age(86_400), age(86_400 * 9)
    ('just now', '61 seconds ago', '3 minutes ago', '24 hours ago', '9 days ago')
    """
    for least, unit, name in _AGES:
        if seconds >= least:
            return f"{int(seconds // unit)} {name} ago"
    return f"{int(seconds)} seconds ago" if seconds >= 1 else "just now"


def several(count: int, one: str, many: str | None = None) -> str:
    """Say how many of something.

    >>> several(1, "asset"), several(1_200, "asset"), several(2, "index", "indexes")
    ('1 asset', '1,200 assets', '2 indexes')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
