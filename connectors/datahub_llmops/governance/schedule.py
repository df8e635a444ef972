"""How often a job runs, from the schedule that its recipe states: a cron expression, or one of Airflow's words.

https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/cron.html
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_WORDS: Final = {
    "@hourly": timedelta(hours=1),
    "@daily": timedelta(days=1),
    "@midnight": timedelta(days=1),
    "@weekly": timedelta(days=7),
    "@monthly": timedelta(days=31),
    "@quarterly": timedelta(days=92),
    "@yearly": timedelta(days=366),
    "@annually": timedelta(days=366),
}
_EVERY: Final = re.compile(r"(?:@every\s+)?(\d{1,6})\s*(s|m|h|d|w)")
_LONGEST: Final = timedelta(days=10 * 366)
"""A longer wait is not a schedule, and its end may not be a date."""
_DAYS_OF: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FIELDS: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: Final = {
    **{name: str(number) for number, name in enumerate(_MONTHS, start=1)},
    **{name: str(number) for number, name in enumerate(_DAYS)},
}


def longest_wait(schedule: str) -> timedelta | None:
    """Return the longest time between two runs, rounded up; ``None`` if the schedule cannot be understood.

    >>> longest_wait("@daily"), longest_wait("0 */6 * * *"), longest_wait("30 4 * * 1-5"), longest_wait("nightly")
    (datetime.timedelta(days=1), datetime.timedelta(seconds=21600), datetime.timedelta(days=3), None)
    """
    text = schedule.strip().casefold()
    if text in _WORDS:
        return _WORDS[text]
    every = _EVERY.fullmatch(text)
    if every is not None:
        span = timedelta(**{_UNITS[every[2]]: int(every[1])})
        return span if timedelta(0) < span <= _LONGEST else None
    return _of_cron(text.split())


def _of_cron(parts: list[str]) -> timedelta | None:
    if len(parts) != len(_FIELDS):
        return None
    sets = [_values(part, *bounds) for part, bounds in zip(parts, _FIELDS, strict=True)]
    if not all(sets):
        return None
    minutes, hours, days, months, weekdays = (sorted(found) for found in sets if found)
    never = days[0] > max(_DAYS_OF[month - 1] for month in months)
    if never and {day % 7 for day in weekdays} == set(range(7)):
        return None
    if len(months) < 12:
        return timedelta(days=31 * _gap(months, 12) + 31)
    if len(days) < 31:
        return timedelta(days=_gap(days, 31))
    names = sorted({day % 7 for day in weekdays})
    if len(names) < 7:
        return timedelta(days=_gap(names, 7))
    if len(hours) < 24:
        return timedelta(hours=_gap(hours, 24))
    return timedelta(minutes=_gap(minutes, 60))


def _gap(values: list[int], cycle: int) -> int:
    """The longest way from one value to the next around the cycle."""
    return max(
        (later - earlier) for earlier, later in zip(values, [*values[1:], values[0] + cycle], strict=True)
    )


def _values(part: str, low: int, high: int) -> set[int] | None:
    found: set[int] = set()
    for piece in part.split(","):
        span, _, step = piece.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            first, last, dash = str(low), str(high), "-"
        first, last = _NAMES.get(first, first), _NAMES.get(last, last)
        if not dash:
            last = str(high) if step else first
        numbers = (first, last, step or "1")
        if not all(number.isdecimal() and number.isascii() and len(number) <= 3 for number in numbers):
            return None
        begin, end, each = map(int, numbers)
        if not low <= begin <= end <= high or each == 0:
            return None
        found.update(range(begin, end + 1, each))
    return found
