"""How many examples a property is tried with."""

from __future__ import annotations

import os
from typing import Final

THOROUGH: Final = os.environ.get("HYPOTHESIS_PROFILE") == "full"
"""Set by ``make thorough``: all examples, other ones in each run. Otherwise a third of them, always the same."""


def examples(number: int) -> int:
    """The number of examples to try out of ``number``."""
    return number if THOROUGH else -(-number // 3)
