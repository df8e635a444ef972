"""How `llm-pgvector` is put through the fault matrix, on a real server."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from faults.matrix import Cell, Config, Faults
from vector_stores.pgvector.stores import PASSWORD, Postgres, running

_NAME = "faults"
_KB = """
CREATE EXTENSION vector;
CREATE TABLE "Two" (id int, title vector(4), body halfvec(6));
CREATE TABLE docs (id bigint PRIMARY KEY, source text, body text, metadata jsonb, embedding vector(8));
INSERT INTO docs SELECT i, 's3://kb/' || i % 2 || '.pdf', 'planted-payload-c0ffee', '{"source": "planted-payload"}',
  '[1,2,3,4,5,6,7,8]' FROM generate_series(1, 50) i;
CREATE TABLE notes (source text, embedding vector(3));
INSERT INTO notes SELECT 'planted-payload-c0ffee', '[1,2,3]' FROM generate_series(1, 5);
ANALYZE;
"""
_GRANT = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO locked"
_DOCS = f"{_NAME}.public.docs"


@dataclass(frozen=True, slots=True)
class _Database:
    server: Postgres

    def connection(self, **change: str) -> dict[str, str]:
        return self.server.parameters(dbname=_NAME, user="locked", password=PASSWORD) | change

    def fill(self) -> None:
        self.server.create(_NAME, f"{_KB}{_GRANT}")

    def execute(self, statements: str) -> None:
        self.server.execute(_NAME, statements)


@contextmanager
def _filled(postgres: Postgres, folder: Path) -> Iterator[_Database]:
    with ExitStack() as stack:
        # A server that is killed does not belong to another cell.
        own = folder.name == "killed"
        server = stack.enter_context(running()) if own else postgres
        if own:
            server.let_in()
        database = _Database(server)
        database.fill()
        yield database


def _connecting(fault: str, /, **change: str) -> Cell:
    @contextmanager
    def harm(database: _Database) -> Iterator[Config]:
        yield {"connection": database.connection(**change), "timeout_sec": 2.0}

    return Cell(fault=fault, place="listing", harm=harm)


def _answered(fault: str, reply: Callable[[socket.socket], None]) -> Cell:
    """Something else is where Postgres should be."""

    @contextmanager
    def harm(database: _Database) -> Iterator[Config]:
        with answering(reply) as port:
            yield {"connection": database.connection(host="127.0.0.1", port=str(port)), "timeout_sec": 1.0}

    return Cell(fault=fault, place="listing", harm=harm)


@contextmanager
def answering(reply: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where something else answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(client,), daemon=True).start()

        def talk(client: socket.socket) -> None:
            with client:
                try:
                    reply(client)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def _silent(client: socket.socket) -> None:
    time.sleep(60)


def _garbage(client: socket.socket) -> None:
    client.recv(100)
    client.sendall(os.urandom(2000))


def _web_page(client: socket.socket) -> None:
    client.recv(100)
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n<html>Log in</html>")


def _half(client: socket.socket) -> None:
    client.recv(100)
    client.sendall(b"N")
    client.recv(500)
    client.sendall(b"R\0\0\0\x17\0\0")


def _slow(client: socket.socket) -> None:
    client.recv(100)
    for byte in b"NR\0\0\0\x08\0\0\0\0" * 20:
        client.sendall(bytes([byte]))
        time.sleep(1)


@contextmanager
def _not_granted(database: _Database) -> Iterator[Config]:
    database.execute("REVOKE SELECT ON docs FROM locked")
    yield {}
    database.execute(_GRANT)


def _while_waiting(
    change: Callable[[_Database, list[int]], None],
    mend: Callable[[_Database], None] = lambda database: None,
    lets_go: bool = True,
    **options: float,
) -> Callable[[_Database], AbstractContextManager[Config]]:
    """Does ``change`` once the run waits for the table ``docs``, which somebody has locked, and lets go of it.

    Without ``lets_go``, the lock ends with the server.
    """

    @contextmanager
    def harm(database: _Database) -> Iterator[Config]:
        with database.server.connected(_NAME) as holder:
            holder.execute("BEGIN; LOCK TABLE docs IN ACCESS EXCLUSIVE MODE")

            def watch() -> None:
                change(database, _waiting(database.server))
                if lets_go and not holder.closed and not holder.broken:
                    with suppress(psycopg.Error):
                        holder.execute("ROLLBACK")

            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            yield dict(options)
            watcher.join(60)
        mend(database)

    return harm


def _waiting(postgres: Postgres) -> list[int]:
    """The processes of our sessions, as soon as one of them waits for a lock."""
    asked = "SELECT pid, wait_event_type FROM pg_stat_activity WHERE datname = %s AND application_name = %s"
    with postgres.connected() as connection:
        while True:
            rows = connection.execute(asked, (_NAME, "datahub-llmops")).fetchall()
            if any(kind == "Lock" for _, kind in rows):
                return [pid for pid, _ in rows]
            time.sleep(0.02)


def _drop_notes(database: _Database, pids: list[int]) -> None:
    database.execute("DROP TABLE notes")


def _kill(database: _Database, pids: list[int]) -> None:
    os.kill(database.server.server.get_pid(), signal.SIGQUIT)


@contextmanager
def _locked(database: _Database) -> Iterator[Config]:
    with database.server.connected(_NAME) as holder:
        holder.execute("BEGIN; LOCK TABLE docs IN ACCESS EXCLUSIVE MODE")
        yield {"timeout_sec": 1.0}


@contextmanager
def _frozen(database: _Database) -> Iterator[Config]:
    """The processes that serve us stop in the middle and say nothing any more."""
    stopped: list[int] = []

    def freeze(_: _Database, pids: list[int]) -> None:
        stopped.extend(pids)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    with _while_waiting(freeze, timeout_sec=1.0)(database) as change:
        try:
            yield change
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


FAULTS = (
    Faults(
        title="pgvector",
        system="pgvector",
        store="Postgres at",
        fixture="postgres",
        arena=_filled,
        recipe=lambda database: {
            "connection": database.connection(),
            "timeout_sec": 20.0,
            "max_workers": 1,
        },
        cells=(
            _connecting("wrong password", password=f"not {PASSWORD}"),
            _connecting("no such user", user="no_such_user"),
            _connecting("no rule lets the user in", user="barred"),
            _connecting("no such database", dbname="no_such_database"),
            _connecting("refused", host="127.0.0.1", port="1"),
            _connecting("no such host", host="no-such-host.invalid"),
            _connecting(
                "certificate", host="127.0.0.1", port="1", sslmode="verify-full", sslrootcert="/no.pem"
            ),
            _answered("accepts and never answers", _silent),
            _answered("a byte a second", _slow),
            _answered("half an answer", _half),
            _answered("garbage", _garbage),
            _answered("login page", _web_page),
            Cell(fault="no permission on one table", place="counting", harm=_not_granted, item=_DOCS),
            Cell(fault="locked", place="counting", harm=_locked, item=_DOCS),
            Cell(
                fault="table dropped in between",
                place="reading",
                harm=_while_waiting(_drop_notes, _Database.fill),
                item=f"{_NAME}.public.notes",
            ),
            Cell(fault="freezes in the middle", place="counting", harm=_frozen, item=_DOCS),
            Cell(
                fault="killed",
                place="counting",
                harm=_while_waiting(_kill, lets_go=False),
                item=_DOCS,
                alone=True,
            ),
        ),
    ),
)
