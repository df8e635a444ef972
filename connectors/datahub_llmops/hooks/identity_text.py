"""How an identity is kept: which of its members, and as which text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

MAX_ID: Final = 200
"""Characters of a name or id. Longer ones are cut."""

dump_sorted: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
"""Dumps an identity so that equal ones have the same text, which is that of the answer store."""


def plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the names and numbers of an identity, and cut long names."""
    return {
        key: value[:MAX_ID] if isinstance(value, str) and key != "urn" else value
        for key, value in raw.items()
        if isinstance(value, (str, int, float, bool, list))
    }
