"""Ages and numbers in words."""

from __future__ import annotations

from typing import Final

_AGES: Final = ((86_400 * 2, 86_400, "days"), (3_600 * 2, 3_600, "hours"), (60 * 2, 60, "minutes"))


def age(seconds: float) -> str:
    """Say how long ago something was.

    >>> age(-5), age(1), age(180), age(86_400), age(86_400 * 9)
    ('just now', '1 second ago', '3 minutes ago', '24 hours ago', '9 days ago')
    """
    for least, unit, name in _AGES:
        if seconds >= least:
            return f"{int(seconds // unit)} {name} ago"
    return f"{several(int(seconds), 'second')} ago" if seconds >= 1 else "just now"


def several(count: int, one: str, many: str | None = None) -> str:
    """Say how many of something.

    >>> several(1, "asset"), several(1_200, "asset"), several(2, "index", "indexes")
    ('1 asset', '1,200 assets', '2 indexes')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
