"""What Weave's own trace server answered, from ``tests/wire/weave``."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from support import paths

WIRE = paths.WIRE / "weave"


@cache
def exchanges(file: str) -> list[dict[str, Any]]:
    """The exchanges of one file, which nobody may change."""
    found: list[dict[str, Any]] = json.loads((WIRE / f"{file}.json").read_text(encoding="utf-8"))
    return found


def recorded(file: str) -> list[dict[str, Any]]:
    """A copy of the exchanges of one file."""
    return copy.deepcopy(exchanges(file))
