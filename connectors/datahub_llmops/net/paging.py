"""Makes sure that a listing in pages ends, whatever the system answers."""

from __future__ import annotations

from typing import Final

from datahub_llmops.errors import UnreadableError

MOST_PAGES: Final = 2_000
"""The largest number of pages of one listing, 200,000 names in most systems."""


class EndlessError(UnreadableError):
    """A listing has no end, so nothing of it can be trusted."""


class Pages:
    """The pages of one listing, which messages call ``name``."""

    def __init__(self, name: str, most: int = MOST_PAGES) -> None:
        self._name = name
        self._most = most
        self._seen: set[str | int] = set()

    def turn(self, mark: object) -> None:
        """Note where the next page begins: a token, or the last entry before it.

        Raises:
            EndlessError: another page began there, or there are too many pages.
            UnreadableError: it is no mark at all.
        """
        if isinstance(mark, bool) or not isinstance(mark, (str, int)):
            raise UnreadableError(f"{self._name}: the mark of the next page is neither text nor a number.")
        if mark in self._seen:
            raise EndlessError(
                f"{self._name} returns the same page again, so it has no end. Look for a proxy in between, and at the "
                "server's log."
            )
        if len(self._seen) >= self._most:
            raise EndlessError(
                f"{self._name} has more than {self._most:,} pages. Look for a proxy in between, and at the server's "
                "log."
            )
        self._seen.add(mark)
