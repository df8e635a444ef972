"""Opens the store for its writer, and moves a damaged one aside. Nothing is ever deleted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.answer_store.database import Store
from datahub_llmops.errors import StoreError, StoreLockedError


def open_or_replace(path: str, timeout: float = 5.0) -> tuple[Store, str | None]:
    """Open the store for writing. A damaged one is moved aside, under a lock, and a new one is created.

    Returns the store, and the new name of a damaged one. Nothing is deleted.

    Raises:
        StoreError: the file cannot be written, it is not a store, or a newer release wrote it.
    """
    try:
        return Store.open(path, timeout), None
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise _as_store_error(path, error) from None
    aside = set_aside(path)
    try:
        return Store.open(path, timeout), aside
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _as_store_error(path, error) from None


def is_damage(error: Exception) -> bool:
    """Return whether the error says that the file is damaged.

    SQLite's message may quote a damaged name, which Python's module then cannot decode.
    """
    if not isinstance(error, sqlite3.Error):
        return isinstance(error, UnicodeDecodeError)
    return sqlite_file.classify(error) in (sqlite_file.Problem.DAMAGED, sqlite_file.Problem.NOT_A_DATABASE)


def set_aside(path: str, file: os.stat_result | None = None) -> str | None:
    """Move a damaged store aside, under a lock, and return its new name.

    Returns ``None`` if another process has done it before: ``file`` is the damaged one, else it is looked at again.

    Raises:
        StoreError: it cannot be moved.
    """
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise StoreError(f"answer store {path}: {os.strerror(error.errno or 0)}") from error
    try:
        _lock(lock, path)
        if not _is_still_damaged(path, file):
            return None
        aside = f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + suffix, aside + suffix)
        return aside
    except OSError as error:
        raise StoreError(
            f"answer store {path} is damaged and cannot be moved aside: {os.strerror(error.errno or 0)}"
        ) from error
    finally:
        os.close(lock)


def _is_still_damaged(path: str, file: os.stat_result | None) -> bool:
    if file is not None:
        try:
            return os.stat(path).st_ino == file.st_ino
        except FileNotFoundError:
            return False
    try:
        Store.open(path).close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return is_damage(error)
    return False


def _as_store_error(path: str, error: Exception) -> StoreError:
    """Describe an error by its name, since its text may quote a row."""
    locked = isinstance(error, sqlite3.Error) and sqlite_file.classify(error) is sqlite_file.Problem.LOCKED
    kind = StoreLockedError if locked else StoreError
    return kind(f"answer store {path}: {describe(error)}")


def describe(error: Exception) -> str:
    """Say what is wrong with a store, in constant words."""
    if not isinstance(error, sqlite3.Error):
        return "database disk image is malformed"
    words = {
        sqlite_file.Problem.LOCKED: "database is locked",
        sqlite_file.Problem.DISK_FULL: "database or disk is full",
        sqlite_file.Problem.READ_ONLY: "attempt to write a readonly database",
        sqlite_file.Problem.CANNOT_OPEN: "unable to open database file",
        sqlite_file.Problem.DISK_ERROR: "disk I/O error",
        sqlite_file.Problem.DAMAGED: "database disk image is malformed",
        sqlite_file.Problem.NOT_A_DATABASE: "file is not a database",
    }
    return words.get(sqlite_file.classify(error)) or sqlite_file.error_name(error)


def _lock(handle: int, path: str) -> None:
    """Take an exclusive lock, which closing releases. Systems without ``fcntl`` have none.

    Raises:
        StoreLockedError: another process has kept it for two seconds.
    """
    try:
        import fcntl
    except ImportError:
        return
    deadline = time.monotonic() + 2.0
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StoreLockedError(f"answer store {path}: another process moves it aside") from None
            time.sleep(0.02)
