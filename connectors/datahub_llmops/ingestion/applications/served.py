"""A change of the model that served, as a fact of a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedChange:
    """Another model served an application that asked for the same one. Days: their starts in seconds since the epoch.

    ``part`` says what changed: the ``model`` that the response names, or its ``fingerprint``.
    """

    application: str
    asked: str
    part: Literal["model", "fingerprint"]
    before: tuple[str, ...]
    now: tuple[str, ...]
    seen_before: int
    """The last day on which the provider said what served. The change lies between it and ``day``."""
    day: int
