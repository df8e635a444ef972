"""The store that the recorder writes: opened when it is needed, again when its file is replaced, aside if damaged.

Only the recorder's thread, or who holds its lock, uses it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

from datahub_llmops.hooks.settings import Settings

if TYPE_CHECKING:
    from datahub_llmops.answer_store.database import Store
    from datahub_llmops.hooks.row_encoder import Encoder

BUSY: Final = 0.1
"""Seconds that one attempt waits for the lock of another process. A fork waits for the attempt."""


class OpenStore:
    """The open store with its encoder, or none."""

    def __init__(self) -> None:
        self.store: Store | None = None
        self._encoder: Encoder | None = None
        self._opened: str | None = None
        self._file: os.stat_result | None = None

    def abandon(self) -> None:
        """Leave the connection open for as long as the process lives, and forget it."""
        _never_closed.append((self.store, self._encoder))
        self.store = None

    def open(self, settings: Settings) -> tuple[Store, Encoder]:
        """Return the store of the settings and its encoder. They are opened if they are not open, or no longer there.

        Raises:
            StoreError, OSError: the store cannot be opened now.
        """
        replaced = self._opened is not None and self._replaced(self._opened)
        if (
            self.store is not None
            and self._encoder is not None
            and self._opened == settings.store
            and not replaced
        ):
            return self.store, self._encoder
        from datahub_llmops.answer_store import digests
        from datahub_llmops.answer_store.replacement import open_or_replace
        from datahub_llmops.hooks.row_encoder import Encoder

        self.close()
        store, aside = open_or_replace(settings.store, BUSY)
        if aside is not None:
            self._warn_of(aside)
        secret = digests.key(settings.store)
        assert secret is not None
        self.store, self._encoder, self._opened = store, Encoder(secret), settings.store
        self._file = os.stat(settings.store)
        return self.store, self._encoder

    def _replaced(self, path: str) -> bool:
        """Return whether the open file was deleted, replaced or truncated: SQLite would go on writing the old one."""
        before = self._file
        try:
            self._file = os.stat(path)
        except OSError:
            self._file = None
        if before is None or self._file is None or self._file.st_ino != before.st_ino:
            # Closing would remove the log of the new file with this name.
            self.abandon()
            return True
        return self._file.st_size < before.st_size

    def set_aside(self, error: Exception) -> bool:
        """Move the open store aside if the error says that it is damaged. The next write begins a new one."""
        from datahub_llmops.answer_store.replacement import is_damage, set_aside
        from datahub_llmops.errors import StoreError

        store, path = self.store, self._opened
        if store is None or path is None or not is_damage(error):
            return False
        self.close()
        try:
            aside = set_aside(path, self._file)
        except StoreError:
            return False
        if aside is not None:
            self._warn_of(aside)
        return True

    def close(self) -> None:
        """Close the store, if one is open."""
        import sqlite3

        if self.store is not None:
            with contextlib.suppress(sqlite3.Error):
                self.store.close()
        self.store = None

    def _warn_of(self, aside: str) -> None:
        warn(f"the store was damaged and is now {aside}; a new one was begun")


_never_closed: list[Any] = []


def warn(message: str) -> None:
    """Log a warning of the recorder."""
    import logging

    logging.getLogger("datahub_llmops.hooks").warning("datahub-llmops: %s", message)


def is_locked(error: Exception) -> bool:
    """Return whether another process holds the lock of the store."""
    import sqlite3

    from datahub_llmops.answer_store.sqlite_file import Problem, classify
    from datahub_llmops.errors import StoreLockedError

    return isinstance(error, StoreLockedError) or (
        isinstance(error, sqlite3.Error) and classify(error) is Problem.LOCKED
    )
