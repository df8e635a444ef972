"""Times as aspects state them, and as findings show them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from datahub_llmops.net.json_values import utc, whole

_YEAR_2000: Final = 946_684_800_000


def time_of(milliseconds: object) -> datetime | None:
    """Return the time that an aspect states in milliseconds since 1970, if it can be one.

    DataHub writes 0 where no time is known, and some tools write seconds: both would lie before the year 2000.
    """
    value = whole(milliseconds)
    return None if value is None or value < _YEAR_2000 else utc(value / 1000)


def shown_time(when: datetime) -> str:
    """Return a time as a finding shows it, to the minute."""
    return f"{when:%Y-%m-%d %H:%M}"
