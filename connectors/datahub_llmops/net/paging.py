"""Makes sure that a listing in pages ends, whatever the system answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from datahub_llmops.errors import UnreadableError

MOST_PAGES: Final = 2_000
"""The largest number of pages of one listing, 200,000 names in most systems."""
MOST_EMPTY_PAGES: Final = 20
"""The largest number of pages in a row without an entry. A filter of the system may empty some."""
MOST_CALLS_OF_TIME: Final = 20
"""A listing may take as long as this many calls that use up their whole time."""
_KEPT: Final = 200_000
"""Entries that are remembered."""


class EndlessError(UnreadableError):
    """A listing has no end, so nothing of it can be trusted."""


class Client(Protocol):
    """What reads the pages. ``name`` begins its messages, ``timeout`` is the time of one call in seconds."""

    @property
    def name(self) -> str: ...
    @property
    def timeout(self) -> float: ...


class Pages:
    """The pages of one listing, which messages call ``name``.

    Waiting for its pages may take ``seconds`` in all. What is done with a page after ``add`` does not count.
    """

    def __init__(
        self,
        name: str,
        most: int = MOST_PAGES,
        seconds: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._waiting_since: float | None = clock()
        self._waited = 0.0
        self._marks: set[str | int] = set()
        self._entries: set[int] = set()
        self._empty = 0

    @classmethod
    def of(cls, client: Client, path: str, most: int = MOST_PAGES) -> Pages:
        """Begin the listing at ``path``. It may take ``MOST_CALLS_OF_TIME`` times the time of one call."""
        return cls(f"{client.name}: {path}", most, MOST_CALLS_OF_TIME * client.timeout)

    def add(self, entries: Iterable[object]) -> None:
        """Note what a page lists: names, ids or other keys. What is neither text nor a number is skipped.

        Raises:
            EndlessError: all of it was there before, or nothing has come for ``MOST_EMPTY_PAGES`` pages.
        """
        self._end_wait()
        keys = [hash(entry) for entry in entries if isinstance(entry, (str, int))]
        self._empty = 0 if keys else self._empty + 1
        if self._empty > MOST_EMPTY_PAGES:
            raise self._endless(f"returned {self._empty} empty pages in a row")
        if keys and self._entries.issuperset(keys):
            raise self._endless("returns the same entries again, so it has no end")
        if len(self._entries) < _KEPT:
            self._entries.update(keys)

    def turn(self, mark: object) -> None:
        """Note where the next page begins: a token, or the last entry before it.

        Raises:
            EndlessError: another page began there, there are too many pages, or the time is over.
            UnreadableError: it is not a mark at all.
        """
        if isinstance(mark, bool) or not isinstance(mark, (str, int)):
            raise UnreadableError(f"{self._name}: the mark of the next page is neither text nor a number.")
        if mark in self._marks:
            raise self._endless("returns the same page again, so it has no end")
        if len(self._marks) >= self._most:
            raise self._endless(f"has more than {self._most:,} pages")
        self._end_wait()
        if self._waited > self._seconds:
            raise self._endless(
                f"has not ended after {self._seconds:g} s. Raise timeout_sec if the system is slow"
            )
        self._marks.add(mark)
        self._waiting_since = self._clock()

    def _end_wait(self) -> None:
        if self._waiting_since is not None:
            self._waited += self._clock() - self._waiting_since
            self._waiting_since = None

    def _endless(self, what: str) -> EndlessError:
        return EndlessError(f"{self._name} {what}. Look for a proxy in between, and at the server's log.")
