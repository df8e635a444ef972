"""Times of a report: ISO 8601 in UTC, to the second. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from datahub_llmops.net.json_values import utc, whole


def iso_time(milliseconds: object) -> str | None:
    """Write a time in milliseconds since 1970; ``None`` for 0, which DataHub writes where none is known.

    >>> iso_time(1_762_072_200_000), iso_time(0), iso_time("soon")
    ('2025-11-02T08:30:00Z', None, None)
    """
    value = whole(milliseconds)
    return written(utc(value / 1000)) if value is not None and value > 0 else None


def written(moment: datetime | None) -> str | None:
    """Write a time that has a zone, or is in UTC without one."""
    if moment is None:
        return None
    known = moment.astimezone(UTC) if moment.tzinfo is not None else moment
    return known.strftime("%Y-%m-%dT%H:%M:%SZ")
