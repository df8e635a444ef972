"""Rounds of fuzzing: each has a seed, from which it can be repeated.

``FUZZ_SECONDS`` is the time of one test (default 20), ``FUZZ_SEED`` the first seed. Seeds that once found something are
kept in ``seeds.json`` and come first. A finding becomes a test beside the code that it was about, too.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

_KEPT = Path(__file__).with_name("seeds.json")


class Round(random.Random):
    """The chance of one round. ``number`` is its seed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @contextmanager
    def tells(self, what: str, *allowed: type[BaseException]) -> Iterator[None]:
        """Let ``allowed`` errors pass, and give any other the seed that leads to it."""
        try:
            yield
        except allowed:
            pass
        except Exception as error:
            raise AssertionError(f"seed {self.number} of {what}: {type(error).__name__}") from error


def rounds(what: str) -> Iterator[Round]:
    """Yield the rounds of one test, those with kept seeds first, for as long as there is time."""
    kept = json.loads(_KEPT.read_text())[what]
    end = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "20"))
    for number in chain(kept, count(int(os.environ.get("FUZZ_SEED", "1")))):
        yield Round(number)
        if time.monotonic() > end:
            return
