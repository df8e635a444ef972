"""Client of a Postgres server: read-only statements with time limits, and errors that say what they mean.

Every read is one message: a read-only transaction with its own timeouts around one statement. So nothing is set on a
session that a pooler may give to another user, and an idle connection holds no snapshot.
"""

from __future__ import annotations

import math
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from datahub_llmops.errors import (
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.net.attempts import watchdog

Row: TypeAlias = tuple[Any, ...]

MAX_CONNECTIONS: Final = 4
"""Maximum number of connections to one server, whatever the number of threads: busy servers have few slots."""

_GRACE: Final = 2.0
"""Seconds that the server has to report its own timeout before the connection is cut off."""

_LIMITS: Final = (
    "BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit};"
    " SET LOCAL search_path = pg_catalog; {statement}; COMMIT"
)

# A refused connection has no SQLSTATE, only the server's text, which is never shown.
_REFUSALS: Final[Sequence[tuple[str, type[ConnectorError], str]]] = (
    (
        r"password authentication failed|no password supplied|authentication failed",
        DeniedError,
        "user or password is wrong. Check user and password of `connection`",
    ),
    (
        r"pg_hba\.conf",
        DeniedError,
        "its pg_hba.conf rejects this user and host. Add a line, or set sslmode in `connection`",
    ),
    (
        r"role .* does not exist|not permitted to log in",
        DeniedError,
        "there is no such user. Check user of `connection`",
    ),
    (
        r"permission denied for database",
        DeniedError,
        "the user may not connect to this database: GRANT CONNECT, or filter it out by database_pattern",
    ),
    (r"database .* does not exist", VanishedError, "there is no such database. Check dbname and `database`"),
    (
        r"not currently accepting connections",
        DeniedError,
        "this database accepts no connections. Filter it out",
    ),
    (
        r"too many (clients|connections)|connection slots",
        UnreachableError,
        "no connection is free. Try again later",
    ),
    (
        r"starting up|shutting down|recovery mode",
        UnreachableError,
        "it is starting or stopping. Try again later",
    ),
    (
        r"server closed the connection|terminating connection|reset by peer",
        UnreachableError,
        "it closed the connection. Try again later",
    ),
    (r"certificate|SSL|GSSAPI", UnreachableError, "no TLS with it. Check sslmode and sslrootcert"),
    (
        r"translate host name|resolve host|Name or service",
        UnreachableError,
        "the host is not known. Check host",
    ),
    (r"refused|No such file", UnreachableError, "the connection was refused. Check host and port"),
    (
        r"time(d )?out",
        UnreachableError,
        "it did not answer in time. Check host and port, or raise timeout_sec",
    ),
)


class Connections:
    """Connections to the databases of one server, opened when they are needed. Thread-safe.

    ``parameters`` are those of libpq. ``timeout`` limits each statement and each attempt to connect, in seconds.
    """

    def __init__(self, parameters: Mapping[str, str], *, timeout: float) -> None:
        self._parameters = dict(parameters)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._idle: list[tuple[str, psycopg.Connection[Row]]] = []
        self._busy = 0
        self._closed = False
        self.queries = 0
        """Number of statements sent so far."""

    @property
    def server(self) -> str:
        """Host and port, without user and password."""
        host = self._parameters.get("host") or self._parameters.get("hostaddr") or "localhost"
        return f"{host}:{self._parameters.get('port') or 5432}"

    def check(self, database: str) -> None:
        """Connect, and keep the connection for the first statement.

        Raises:
            ConnectorError: the server cannot be reached, refuses, or has no such database.
        """
        self._give_back(database, self._open(database))

    def query(
        self, database: str, statement: sql.Composable, parameters: Sequence[object] = (), *, what: str
    ) -> list[Row]:
        """Return the rows of one statement. Messages name ``what`` is read: ``table public.docs``.

        Raises:
            VanishedError: there is no such table, schema or database.
            UnreadableError: timeout, lock, or another problem of this statement only.
            AccessError: the server is unreachable, or denies access.
        """
        with self._slot():
            connection, fresh = self._take(database)
            try:
                return self._run(connection, database, statement, parameters, what)
            except _LostError as error:
                if fresh:
                    raise error.meaning from None
            # The server also closes idle connections, so try once more on a new one.
            connection = self._open(database)
            try:
                return self._run(connection, database, statement, parameters, what)
            except _LostError as error:
                raise error.meaning from None

    def close(self) -> None:
        """Close idle connections; others are closed when they are given back. May be called twice."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        with self._slots:
            with self._lock:
                self._busy += 1
            try:
                yield
            finally:
                with self._lock:
                    self._busy -= 1

    def _take(self, database: str) -> tuple[psycopg.Connection[Row], bool]:
        with self._lock:
            for position, (name, connection) in reversed(list(enumerate(self._idle))):
                if name == database:
                    del self._idle[position]
                    return connection, False
            full = self._idle and len(self._idle) + self._busy > MAX_CONNECTIONS
            surplus = self._idle.pop(0)[1] if full else None
        if surplus is not None:
            surplus.close()
        return self._open(database), True

    def _give_back(self, database: str, connection: psycopg.Connection[Row]) -> None:
        with self._lock:
            keep = not self._closed
            if keep:
                self._idle.append((database, connection))
        if not keep:
            connection.close()

    def _open(self, database: str) -> psycopg.Connection[Row]:
        parameters = {
            "connect_timeout": str(max(2, math.ceil(self._timeout))),
            "application_name": "datahub-llmops",
            "client_encoding": "utf8",
            **self._parameters,
            "dbname": database,
        }
        try:
            return psycopg.connect(
                make_conninfo(**parameters),
                autocommit=True,
                prepare_threshold=None,
                cursor_factory=psycopg.ClientCursor,
            )
        except (psycopg.Error, UnicodeError, ValueError) as error:
            raise self._explain_refusal(database, str(error)) from None

    def _explain_refusal(self, database: str, text: str) -> ConnectorError:
        for pattern, kind, meaning in _REFUSALS:
            if re.search(pattern, text):
                return kind(f"Postgres at {self.server}, database {database}: {meaning}.")
        return UnreachableError(
            f"Postgres at {self.server}, database {database}: no connection could be made. Check `connection`."
        )

    def _run(
        self,
        connection: psycopg.Connection[Row],
        database: str,
        statement: sql.Composable,
        parameters: Sequence[object],
        what: str,
    ) -> list[Row]:
        limit = sql.Literal(int(self._timeout * 1000))
        whole = sql.SQL(_LIMITS).format(limit=limit, statement=statement)
        self.queries += 1
        sound = False
        try:
            # The server is to keep its own timeout. It cannot when it hangs, or when the network does.
            with watchdog(self._timeout + _GRACE, lambda: _shut_down(connection)) as expired:
                rows = _fetch_rows(connection, whole, parameters)
            sound = True
            return rows
        except (psycopg.Error, UnicodeError) as error:
            # Not `from error`: the server's text may contain a value.
            meaning = self._explain_error(error, f"database {database}, {what}", expired.is_set())
            if connection.broken and not expired.is_set():
                raise _LostError(meaning) from None
            raise meaning from None
        finally:
            # After an error its transaction is still open, after a cut it is dead: neither is worth a round trip.
            if sound:
                self._give_back(database, connection)
            else:
                connection.close()

    def _explain_error(self, error: Exception, what: str, expired: bool) -> ConnectorError:
        where = f"Postgres at {self.server}, {what}"
        state = getattr(error, "sqlstate", None) or ""
        if expired:
            return UnreachableError(
                f"{where}: no answer within {self._timeout + _GRACE:g} s. Check the server, or raise timeout_sec."
            )
        if state in ("42P01", "3F000", "42703"):
            return VanishedError(f"{where}: it is gone.")
        if state == "42501":
            return DeniedError(f"{where}: permission denied. GRANT SELECT on it, or filter it out.")
        if state == "57014":
            return UnreadableError(
                f"{where}: not read within {self._timeout:g} s. Raise timeout_sec, or lower sample_rows."
            )
        if state == "55P03":
            return UnreadableError(f"{where}: another session has locked it. Try again later.")
        if state[:2] in ("57", "08", "") and isinstance(error, psycopg.OperationalError):
            return UnreachableError(f"{where}: the server closed the connection. Try again later.")
        return UnreadableError(f"{where}: it could not be read (SQLSTATE {state or 'none'}).")


class _LostError(Exception):
    """The connection broke; ``meaning`` is the error to raise if it breaks again."""

    def __init__(self, meaning: ConnectorError) -> None:
        super().__init__()
        self.meaning = meaning


def _shut_down(connection: psycopg.Connection[Row]) -> None:
    """Shut down a duplicate of the socket: the connection itself belongs to another thread, which closes it."""
    with (
        suppress(OSError, psycopg.Error),
        socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as double,
    ):
        double.shutdown(socket.SHUT_RDWR)


def _fetch_rows(
    connection: psycopg.Connection[Row], statement: sql.Composed, parameters: Sequence[object]
) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        while cursor.description is None and cursor.nextset():
            pass
        return cursor.fetchall()
