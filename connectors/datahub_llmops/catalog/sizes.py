"""A number of bytes in words."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB", "EB")


def size_text(size: int) -> str:
    """Write a number of bytes in units of 1,000.

    >>> size_text(0), size_text(1), size_text(999), size_text(30_000), size_text(999_990), size_text(10**22)
    ('0 bytes', '1 byte', '999 bytes', '30.0 kB', '1.0 MB', '10,000.0 EB')
    """
    if size < 1000:
        return f"{size:,} byte{'' if size == 1 else 's'}"
    value = size / 1000
    for unit in _UNITS[:-1]:
        # 999.96 kB would be written as 1,000.0 kB.
        if value < 999.95:
            return f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} {_UNITS[-1]}"
