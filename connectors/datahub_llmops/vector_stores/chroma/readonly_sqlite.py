"""Reads an SQLite file of another program without writing a byte into it or beside it.

``mode=ro`` alone is not enough: on a file in WAL mode it creates ``-wal`` and ``-shm``.
https://www.sqlite.org/wal.html#read_only_databases
"""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.answer_store.sqlite_file import Problem
from datahub_llmops.errors import ConnectorError, DeniedError, UnreachableError, UnreadableError

MAX_VALUE: Final = 64 << 20
"""Bytes of the longest text or blob that SQLite returns. Damage can turn a name into gigabytes."""

_INSTRUCTIONS: Final = 50_000
"""Instructions of SQLite's virtual machine between two looks at the clock."""

_WAL: Final = 2
"""Read version in the header's byte 19. https://www.sqlite.org/fileformat.html#the_database_header"""


class ReadOnlyFile:
    """Runs short read-only queries from several threads. Each may wait for a writer, and run, for ``timeout`` seconds.

    Raises:
        UnreachableError: it is no SQLite file, is truncated, or a crashed writer left it in need of repair.
        DeniedError: no permission.
    """

    def __init__(self, path: Path, *, system: str, timeout: float) -> None:
        self.path = path
        self._system = system
        self._timeout = timeout
        self._lock = threading.Lock()
        self._deadline = 0.0
        self._connection: sqlite3.Connection | None = None
        self._frozen: tuple[int, int] | None = None
        """Size and time of a file that is read as immutable because nobody had it open."""
        self._remembered: list[tuple[str, tuple[object, ...]]] = []
        with self._lock:
            self._open()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return all rows of one statement.

        Raises:
            UnreadableError: it is locked for longer than the time-out, damaged, or was changed meanwhile.
            UnreachableError: it was closed, or a crashed writer left it in need of repair.
        """
        problem: ConnectorError
        with self._lock:
            for _ in range(3):
                if self._connection is None:
                    raise UnreachableError(f"{self._system}: {self.path} was closed.")
                self._deadline = time.monotonic() + self._timeout
                try:
                    rows = self._connection.execute(sql, tuple(parameters)).fetchall()
                except sqlite3.Error as error:
                    problem = self._explain_error(error)
                else:
                    if self._frozen is None or self._frozen == self._read_state():
                        return rows
                    problem = UnreadableError(
                        f"{self._system}: {self.path} was written to while it was read. Run again."
                    )
                if self._frozen is None:
                    break
                # A writer came, so read again, now with the writer's locks.
                self._connection.close()
                self._open()
        raise problem

    def check(self, *tables: str, deeply: bool) -> None:
        """Compare each table's pages with each other, and ``deeply`` its rows with its indexes.

        A flipped bit makes SQLite return other rows, or fewer, without an error. The check of one table needs SQLite
        3.33; an older one checks the whole file. https://www.sqlite.org/pragma.html#pragma_integrity_check

        Raises:
            UnreadableError: it found damage, or ended with an error.
        """
        pragma = "integrity_check" if deeply else "quick_check"
        for table in tables:
            if [row[0] for row in self.rows(f"PRAGMA {pragma}({table})")] != ["ok"]:
                raise UnreadableError(
                    f"{self._system}: {self.path} is damaged: table {table} fails SQLite's check. Restore the file, or "
                    f"see `sqlite3 FILE 'PRAGMA {pragma}({table})'`."
                )

    def remember(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        """Fill temporary tables in memory, which replace indexes that the file lacks.

        They are filled again whenever the file is opened again. Raises like ``rows``.
        """
        for sql, parameters in statements:
            self.rows(sql, parameters)
        with self._lock:
            self._remembered += statements

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> None:
        mode = self._choose_mode()
        problem: ConnectorError | None = None
        try:
            connection = sqlite_file.connect(self.path, mode, self._timeout)
            # An error of sqlite3's own decoding would quote the text, which may be payload.
            connection.text_factory = lambda content: content.decode("utf-8", "replace")
            self._connection = connection
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
            self._deadline = time.monotonic() + self._timeout
            connection.set_progress_handler(lambda: time.monotonic() > self._deadline, _INSTRUCTIONS)
            # Sorting must not spill payload into a temporary file.
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("SELECT count(*) FROM sqlite_master")
            for sql, parameters in self._remembered:
                connection.execute(sql, parameters)
        except sqlite3.Error as error:
            problem = self._explain_error(error)
        if problem is not None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise problem

    def _choose_mode(self) -> str:
        self._frozen = None
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                # Opening a pipe waits for somebody who writes into it.
                raise UnreachableError(f"{self._system}: {self.path} is not a regular file. Check path.")
            with self.path.open("rb") as file:
                header = file.read(100)
        except PermissionError:
            raise DeniedError(
                f"{self._system}: no permission to read {self.path}. Run as a user who may read it; writing is not "
                "needed."
            ) from None
        except OSError:
            raise UnreachableError(f"{self._system}: {self.path} cannot be read.") from None
        if len(header) < 100 or not header.startswith(sqlite_file.HEADER):
            raise UnreachableError(
                f"{self._system}: {self.path} is not an SQLite file, or a truncated one. Check path, or restore it."
            )
        if header[19] != _WAL:
            return sqlite_file.READ_ONLY
        log, shared = (sqlite_file.beside(self.path, suffix) for suffix in ("-wal", "-shm"))
        if log.exists() and shared.exists():
            return f"{sqlite_file.READ_ONLY}&readonly_shm=1"
        if sqlite_file.has_log(self.path):
            raise UnreachableError(
                f"{self._system}: {self.path} was left by a writer that crashed. Open it once with {self._system}, "
                "which repairs it: that needs writing, so it is not done here."
            )
        self._frozen = self._read_state()
        return sqlite_file.IMMUTABLE

    def _read_state(self) -> tuple[int, int]:
        try:
            if sqlite_file.beside(self.path, "-wal").exists():
                return (-1, -1)
            stat = self.path.stat()
        except OSError:
            return (-1, -1)
        return (stat.st_size, stat.st_mtime_ns)

    def _explain_error(self, error: sqlite3.Error) -> ConnectorError:
        problem = sqlite_file.classify(error)
        if problem is Problem.LOCKED:
            return UnreadableError(
                f"{self._system}: {self.path} was locked by a writer for {self._timeout:g} s. Run again, or raise "
                "timeout_sec."
            )
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return UnreadableError(
                f"{self._system}: {self.path}: a statement took longer than {self._timeout:g} s. Raise timeout_sec, or "
                "check the file if it is small: damage can make SQLite read without an end."
            )
        if problem is Problem.READ_ONLY:
            return UnreachableError(
                f"{self._system}: {self.path} was left by a writer that crashed. Open it once with {self._system}, "
                "which repairs it: that needs writing, so it is not done here."
            )
        if problem is Problem.NOT_A_DATABASE:
            return UnreachableError(
                f"{self._system}: {self.path} is not an SQLite file, or an encrypted one. Check path."
            )
        return UnreadableError(
            f"{self._system}: {self.path} could not be read ({sqlite_file.error_name(error)}). Check it with "
            "`sqlite3 FILE 'PRAGMA integrity_check'`, and restore it if it is damaged."
        )
