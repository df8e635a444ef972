"""Open an SQLite file and name what went wrong with it, for every file that the package keeps or reads.

Messages are made from the kind of the error, never from its text: ``sqlite3`` quotes values in some of them.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Final

HEADER: Final = b"SQLite format 3\x00"
"""The first bytes of every SQLite file. https://www.sqlite.org/fileformat.html#the_database_header"""
READ_ONLY: Final = "mode=ro"
"""Works on read-only media, but creates ``-wal`` and ``-shm`` beside a file in WAL mode where it can."""
READ_WRITE: Final = "mode=rw"
"""Fails if there is no file. A reader needs it to finish what a killed writer left in the log."""
CREATE: Final = "mode=rwc"
IMMUTABLE: Final = "mode=ro&immutable=1"
"""Takes no lock and creates nothing: right only if nobody can be writing."""
_ALL_FINDINGS: Final = 2**31 - 1
_NOT_DAMAGE: Final = "NULL value in "
"""SQLite 3.40.0 to 3.41.0 says so of whole tables without rowid whose primary key has another order than their columns.
Where it is true, every page is well-formed all the same."""


class Problem(Enum):
    """What an ``sqlite3.Error`` means for the file, as far as a caller would say different things about it."""

    LOCKED = auto()
    READ_ONLY = auto()
    CANNOT_OPEN = auto()
    NOT_A_DATABASE = auto()
    DAMAGED = auto()
    """Malformed, or without a table or column that it should have."""
    DISK_FULL = auto()
    DISK_ERROR = auto()
    OTHER = auto()


_PROBLEMS: Final = {
    sqlite3.SQLITE_BUSY: Problem.LOCKED,
    sqlite3.SQLITE_LOCKED: Problem.LOCKED,
    sqlite3.SQLITE_READONLY: Problem.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Problem.CANNOT_OPEN,
    sqlite3.SQLITE_NOTADB: Problem.NOT_A_DATABASE,
    sqlite3.SQLITE_CORRUPT: Problem.DAMAGED,
    sqlite3.SQLITE_FULL: Problem.DISK_FULL,
    sqlite3.SQLITE_IOERR: Problem.DISK_ERROR,
}


def connect(path: Path, mode: str, timeout: float = 5.0) -> sqlite3.Connection:
    """A connection in autocommit mode that any thread may use, one at a time.

    ``mode`` is one of the constants above, or other parameters of SQLite's URIs. ``timeout`` is how many seconds a
    statement waits for another process's lock.

    Raises:
        sqlite3.Error: the file cannot be opened. Most problems show with the first statement only.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
    )


@contextlib.contextmanager
def opening(path: Path, mode: str, timeout: float = 5.0) -> Iterator[sqlite3.Connection]:
    """``connect`` for a block that checks and prepares the file: closes the connection only if the block fails."""
    connection = connect(path, mode, timeout)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def classify(error: sqlite3.Error) -> Problem:
    """The kind of problem, by SQLite's primary result code. https://www.sqlite.org/rescode.html"""
    # Errors of Python's own module have no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column")):
        return Problem.DAMAGED
    return _PROBLEMS.get(code, Problem.OTHER)


def error_name(error: sqlite3.Error) -> str:
    """SQLite's name of the error (``SQLITE_IOERR_READ``), or its class: its text may quote a value."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def is_whole(connection: sqlite3.Connection, seconds: float) -> bool | None:
    """Whether every page and row of the file is well-formed; ``None`` if checking took longer than ``seconds``.

    https://www.sqlite.org/pragma.html#pragma_quick_check

    Raises:
        sqlite3.Error: the file could not be read.
    """
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, 1_000)
    try:
        findings = connection.execute(f"pragma quick_check({_ALL_FINDINGS})")
        return all(text == "ok" or text.startswith(_NOT_DAMAGE) for (text,) in findings)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return None
        if classify(error) in (Problem.DAMAGED, Problem.NOT_A_DATABASE):
            return False
        raise
    except UnicodeDecodeError:
        return False  # A message of the check quotes a damaged name.
    finally:
        connection.set_progress_handler(None, 0)


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite keeps next to ``path``; ``suffix`` is ``-wal`` or ``-shm``."""
    return path.with_name(path.name + suffix)


def files_of(path: Path) -> list[os.stat_result]:
    """What the system says about the file and its write-ahead log, as far as they are there."""
    found = []
    for one in (path, beside(path, "-wal")):
        with contextlib.suppress(OSError):
            found.append(one.stat())
    return found


def has_log(path: Path) -> bool:
    """Whether a write-ahead log with something in it lies beside the file."""
    try:
        return beside(path, "-wal").stat().st_size > 0
    except OSError:
        return False
