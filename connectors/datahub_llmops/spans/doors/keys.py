"""Times in the keys of objects, such as ``year=2026/month=11/day=30/hour=03`` or ``2026-11-30/03``.

The collector's S3 exporter, bulk exports and ``ship`` divide their objects by them. They say when an object was
written, which is later than its spans began, by the length of a span and the delay of a batch.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

DAY: Final = 86_400
HOUR: Final = 3_600
_NAMED: Final = re.compile(
    r"(?:^|/)year=(\d{4})(?:/month=(\d{1,2})(?:/day=(\d{1,2})(?:/hour=(\d{1,2}))?)?)?(?=/|$)"
)
_DATED: Final = re.compile(r"(?:^|/)(?:\w+=)?(\d{4})-(\d{2})-(\d{2})(?:/(?:hour=)?(\d{2}))?(?=/|$)")


def date_of(day: int) -> str:
    """Return the date of a day by the time of its start.

    >>> date_of(86_400)
    '1970-01-02'
    """
    return datetime.fromtimestamp(day, UTC).date().isoformat()


def period(key: str) -> tuple[float, float] | None:
    """Return when an object or a folder was written by its key: start and end, in seconds since the epoch."""
    match = _NAMED.search(key) or _DATED.search(key)
    if match is None:
        return None
    year, month, day, hour = (None if one is None else int(one) for one in match.groups())
    try:
        start = datetime(year or 1, month or 1, day or 1, hour or 0, tzinfo=UTC)
        if hour is not None:
            return start.timestamp(), start.timestamp() + HOUR
        if day is not None:
            return start.timestamp(), start.timestamp() + DAY
        if month is not None:
            end = start.replace(year=start.year + month // 12, month=month % 12 + 1)
        else:
            end = start.replace(year=start.year + 1)
    except ValueError:
        return None
    return start.timestamp(), end.timestamp()
