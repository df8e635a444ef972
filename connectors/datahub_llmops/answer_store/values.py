"""Reads the values of a stored record. A damaged file, or another release, may have put anything in their place.

Every function raises ``RecordError`` for a value of the wrong kind. Messages say what kind was expected, and never the
value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub_llmops.errors import RecordError

LAST_MOMENT: Final = 253_402_300_799.0
"""The end of the year 9999, in seconds since the epoch. Dates cannot be written beyond it."""
_LARGEST: Final = 2**63 - 1
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def parse(text: object) -> dict[str, Any]:
    """Read a JSON object."""
    if not isinstance(text, str):
        raise RecordError("it is not text")
    try:
        if not text.isascii():
            text.encode()  # SQLite hands out what is no UTF-8 as halves of surrogate pairs.
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise RecordError("it is not JSON") from None
    if not isinstance(value, dict):
        raise RecordError("it is not a JSON object")
    return value


def mend(value: Any) -> Any:
    """Replace halves of surrogate pairs, which JSON can hold and neither a URN nor a file can, with U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [mend(one) for one in value]
    if isinstance(value, dict):
        return {mend(key): mend(one) for key, one in value.items()}
    return value


def optional_text(value: object) -> str | None:
    """Read a text, or nothing."""
    if value is None or isinstance(value, str):
        return value
    raise RecordError("a text has another type")


def optional_name(value: object) -> str | None:
    """Read a name, or nothing. Earlier releases kept numbers as they were given: a version ``3`` is ``"3"``."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    found: str | None = mend(optional_text(value))
    return found


def name(value: object) -> str:
    """Read a name that has to be there."""
    found = optional_name(value)
    if found is None:
        raise RecordError("a name is missing")
    return found


def optional_count(value: object) -> int | None:
    """Read a whole number of up to 64 bits."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return value
    raise RecordError("a count is not a whole number")


def count(value: object) -> int:
    """Read a whole number; 0 if it is missing."""
    return optional_count(value) or 0


def number(value: object) -> float:
    """Read a finite number."""
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return float(value)
    raise RecordError("a value is not a finite number")


def optional_number(value: object) -> float | None:
    """Read a finite number, or nothing."""
    return None if value is None else number(value)


def weight(value: object) -> float:
    """Read how many answers a sampled one stands for."""
    found = number(value)
    if not 0.0 <= found <= _LARGEST:
        raise RecordError("a weight is out of range")
    return found


def moment(value: object) -> float:
    """Read a time in seconds since the epoch."""
    found = number(value)
    if not 0.0 <= found <= LAST_MOMENT:
        raise RecordError("a time is outside of the years 1970 to 9999")
    return found


def items(value: object) -> Sequence[Any]:
    """Read a list; empty if it is missing."""
    if value is None:
        return ()
    if isinstance(value, list):
        return value
    raise RecordError("something is not a list")


def fields(value: object) -> Mapping[str, Any]:
    """Read an object; empty if it is missing."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise RecordError("something is not an object")
