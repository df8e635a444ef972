"""Less work for Python's collector of cycles while millions of rows pass."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ALLOCATIONS: Final = 200_000
"""Containers that are made before the collector looks, instead of 700."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Let the collector look for cycles less often: rows have none, and it would walk through all of them in memory."""
    before = gc.get_threshold()
    if not before[0]:  # Somebody has switched it off.
        yield
        return
    gc.set_threshold(max(_ALLOCATIONS, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
