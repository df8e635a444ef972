"""Lines in the log while a door reads: a run over millions of spans takes minutes before it emits anything."""

from __future__ import annotations

import logging
import time
from typing import Final

from datahub_llmops.spans.doors.door import ReadCounts

SECONDS: Final = 30.0
"""Between two lines."""
_logger: Final = logging.getLogger(f"datahub.{__name__}")
"""DataHub's command shows information of loggers below its own name only."""


class Progress:
    """Says now and then how far a door is."""

    def __init__(self, counts: ReadCounts) -> None:
        self._counts = counts
        self._at = ""
        self._next = time.monotonic() + SECONDS

    def at(self, what: str, number: int, total: int) -> None:
        """Note that ``number`` of ``total`` parts are done, such as objects or days."""
        self._at = f"{number:,} of {total:,} {what}"
        self.tick()

    def tick(self) -> None:
        """Log the place and the number of spans, if it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SECONDS
            _logger.info("%s, %s spans read in all", self._at, f"{self._counts.spans_read:,}")
