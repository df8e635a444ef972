"""The answer store of a host: a SQLite file in WAL mode that only its owner can read, bounded in size and age.

The recorder of every process of the host writes it; ``llm-runs``, ``answers`` and ``explain`` read it. A killed process
loses nothing that was written; a power cut may lose the last transactions, never the file
(https://www.sqlite.org/wal.html). Indexes, models, prompts and sources are stored once, in ``identities``. Ids of
answers begin with their time, so they sort by it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from datahub_llmops.answer_store import sqlite_file, values
from datahub_llmops.answer_store.keys import VERSION, check_version
from datahub_llmops.answer_store.ownership import APPLICATION_ID, check_ours
from datahub_llmops.answer_store.queries import CLOCK_OF, Kind, Queries, dump_sorted
from datahub_llmops.errors import RecordError, StoreError, StoreLockedError

_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "lustre", "ceph", "glusterfs"}
)
_SCHEMA: Final = """
CREATE TABLE identities (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, seen INTEGER NOT NULL,
                         UNIQUE (kind, body));
CREATE TABLE answers (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, ended REAL NOT NULL,
                      application INTEGER NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE texts (digest BLOB NOT NULL, id TEXT NOT NULL, PRIMARY KEY (digest, id)) WITHOUT ROWID;
CREATE TABLE writes (seq INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL UNIQUE, started REAL NOT NULL,
                     ended REAL NOT NULL, application INTEGER NOT NULL, target INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE chunks (target INTEGER NOT NULL, chunk BLOB NOT NULL, run INTEGER NOT NULL,
                     PRIMARY KEY (target, chunk)) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


_CLOCK_PAUSE: Final = 2 * 86_400
"""Seconds without a look at the clock after which a later time is taken for a jump of it."""
_generations: Final = itertools.count()
_dump: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def _today() -> int:
    return int(time.time() // 86400)


def network_file_system(path: str) -> str | None:
    """Return the kind of the network file system that holds ``path``; ``None`` if it is local or unknown."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    real = os.path.realpath(path)
    best, kind = "", None
    for line in lines:
        fields = line.split(" ")
        if len(fields) > 2:
            mount = fields[1].replace("\\040", " ")
            if len(mount) >= len(best) and (real == mount or real.startswith(mount.rstrip("/") + "/")):
                best, kind = mount, fields[2]
    return kind if kind in _NETWORK else None


class Store(Queries):
    """An open store. One object serves one thread at a time."""

    def __init__(self, path: str, connection: sqlite3.Connection, *, note: str | None = None) -> None:
        self.path = path
        self.note = note
        super().__init__(connection)
        self.generation = next(_generations)
        """Changes whenever numbers that ``intern`` has returned may no longer be valid; no two stores share one."""
        self._identities: dict[tuple[Any, ...], int] = {}
        self._day = _today()
        self._answers: dict[str, tuple[Any, ...]] = {}
        self._texts: dict[tuple[bytes, str], tuple[Any, ...]] = {}
        self._pruned = float("-inf")

    @classmethod
    def open(cls, path: str, timeout: float = 5.0) -> Store:
        """Open the store for writing, and create it if there is none.

        ``timeout`` is how many seconds a transaction waits for the lock of another process.

        Raises:
            StoreError: the file cannot be written, it is not a store, or a newer release wrote it.
            sqlite3.DatabaseError: the file was truncated or overwritten; ``open_or_replace`` moves it aside.
        """
        check_ours(path)
        folder = os.path.dirname(path)
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
            with contextlib.suppress(PermissionError):
                if os.stat(path).st_mode & 0o077:
                    os.chmod(path, 0o600)
        except OSError as error:
            raise StoreError(f"answer store {path}: {os.strerror(error.errno or 0)}") from error
        kind = network_file_system(path)
        with sqlite_file.opening(Path(path), sqlite_file.CREATE, timeout) as db:
            note = cls._prepare(db, path, kind)
        return cls(path, db, note=note)

    @staticmethod
    def _prepare(db: sqlite3.Connection, path: str, kind: str | None) -> str | None:
        note = None
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            if _is_empty(db):
                # Before there is a log: the mark has to be in the file itself.
                db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        # WAL shares memory between processes, which network file systems do not offer.
        journal = "DELETE" if kind else "WAL"
        if kind:
            note = f"store on {kind}: slower rollback journal; give store=... a local path"
        db.execute(f"PRAGMA journal_mode={journal}")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA journal_size_limit=16777216")
        db.execute("BEGIN IMMEDIATE")
        try:
            check_version(db.execute("PRAGMA user_version").fetchone()[0], path)
            if _is_empty(db):
                for statement in _SCHEMA.split(";"):
                    if statement.strip():
                        db.execute(statement)
                db.execute(f"PRAGMA user_version={VERSION}")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
        return note

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Store:
        """Open the store for reading.

        Raises:
            StoreError: there is no store, or it is damaged, or a newer release wrote it; the message says what to do.
        """
        path = os.path.abspath(os.fspath(path))
        if not os.path.exists(path):
            raise StoreError(
                f"no answer store at {path}: has an application with lineage.attach() run on this host?"
            )
        check_ours(path)
        # The log that a killed process left has to be applied, so open the file for writing where that is allowed.
        mode = sqlite_file.READ_WRITE if os.access(path, os.W_OK) else sqlite_file.READ_ONLY
        with _as_store_errors(path), sqlite_file.opening(Path(path), mode) as db:
            db.text_factory = _decode
            db.execute("PRAGMA query_only=ON")
            check_version(db.execute("PRAGMA user_version").fetchone()[0], path)
            if _is_empty(db):
                # The process that created the file ended before it created the tables.
                db.close()
                db = sqlite3.connect(":memory:", isolation_level=None)
                db.executescript(_SCHEMA)
            db.execute("SELECT count(*) FROM counters")
        return cls(path, db)

    # Writing

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything inside together, or nothing."""
        self._begin_day()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._put_rows(
                "INSERT OR REPLACE INTO answers (id, ended, application, status, body)", self._answers
            )
            self._put_rows("INSERT OR IGNORE INTO texts", self._texts)
        except BaseException:
            # The identities that were numbered inside do not exist after a rollback.
            self._forget_identities()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._answers, self._texts = {}, {}
        self._db.execute("COMMIT")

    def _put_rows(self, insert: str, rows: Mapping[Any, tuple[Any, ...]]) -> None:
        # Many rows per statement: each statement releases the interpreter twice, and the application waits for it.
        # Few sizes, or each size would take a place in the cache of prepared statements.
        waiting = list(rows.values())
        first = 0
        for size in (64, 16, 4, 1):
            while len(waiting) - first >= size:
                group = waiting[first : first + size]
                first += size
                marks = ",".join(["(" + ",".join("?" * len(group[0])) + ")"] * size)
                self._db.execute(f"{insert} VALUES {marks}", [value for row in group for value in row])

    def intern(self, kind: Kind, body: Mapping[str, Any]) -> int:
        """Return the number of an identity; a new one is stored first."""
        try:
            key: tuple[Any, ...] = (kind, *body.items())
            number = self._identities.get(key)
        except TypeError:  # The identity contains a list.
            key = (kind, _dump(body))
            number = self._identities.get(key)
        return number if number is not None else self._intern(kind, body, key)

    def _begin_day(self) -> None:
        # Once a day everything in use is marked as seen again, so that pruning spares it.
        today = _today()
        if self._day != today:
            self._forget_identities()
            self._day = today

    def _forget_identities(self) -> None:
        self._identities.clear()
        self.generation = next(_generations)

    def _intern(self, kind: Kind, body: Mapping[str, Any], key: tuple[Any, ...]) -> int:
        if len(self._identities) >= 20_000:
            self._identities.clear()
        row = self._db.execute(
            "INSERT INTO identities (kind, body, seen) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, body) DO UPDATE SET seen = excluded.seen RETURNING id",
            (kind, dump_sorted(body), self._day),
        ).fetchone()
        number = int(row[0])
        self._identities[key] = number
        return number

    def put_answer(
        self,
        answer_id: str,
        ended: float,
        application: int,
        status: str,
        body: str,
        digests: Iterable[bytes],
    ) -> None:
        """Store an answer with the transaction, replacing its former row. ``body`` is JSON."""
        self._answers[answer_id] = (answer_id, ended, application, status, body)
        for digest in digests:
            self._texts[digest, answer_id] = (digest, answer_id)

    def write_body(self, run: int) -> tuple[float, dict[str, Any]] | None:
        """Return start and body of the stored row of a run."""
        row = self._db.execute("SELECT started, body FROM writes WHERE run = ?", (run,)).fetchone()
        if row is None:
            return None
        try:
            return values.moment(row[0]), values.parse(row[1])
        except RecordError:
            return None  # Damaged: earlier counts are lost; later ones are kept.

    def put_write(
        self, run: int, started: float, ended: float, application: int, target: int, body: Mapping[str, Any]
    ) -> None:
        """Store what a run wrote, replacing its former row."""
        self._db.execute(
            "INSERT OR REPLACE INTO writes (run, started, ended, application, target, body) VALUES (?, ?, ?, ?, ?, ?)",
            (run, started, ended, application, target, _dump(body)),
        )

    def put_chunks(self, target: int, chunks: Iterable[bytes], run: int) -> None:
        """Store which run wrote the chunks last."""
        self._put_rows("INSERT OR REPLACE INTO chunks", {chunk: (target, chunk, run) for chunk in chunks})

    def forget_chunks(self, target: int, chunks: Iterable[bytes]) -> None:
        """Remove chunks that were deleted from the index."""
        self._db.executemany(
            "DELETE FROM chunks WHERE target = ? AND chunk = ?", ((target, c) for c in chunks)
        )

    def count(self, name: str, more: int) -> None:
        """Add to a counter that outlives the process, and note the time."""
        if more:
            self._set(f"{CLOCK_OF}{name}", int(time.time()))
            self._db.execute(
                "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, more),
            )

    def prune(self, max_bytes: int, max_days: float, *, every: float = 10.0) -> None:
        """Delete and count the oldest answers beyond the bounds. It checks once in ``every`` seconds at most."""
        if time.monotonic() - self._pruned < every:
            return
        self._pruned = time.monotonic()
        now = time.time()
        oldest = f"{int(max(0.0, now - max_days * 86400) * 1000):012x}"
        if (
            self._clock_is_steady(int(now))
            and self._db.execute("SELECT 1 FROM answers WHERE id < ? LIMIT 1", (oldest,)).fetchone()
        ):
            with self.transaction():
                self._drop("id < ?", (oldest,), "expired")
                self._db.execute("DELETE FROM identities WHERE seen < ?", (int(now // 86400 - max_days - 2),))
        while self.used_bytes() > max_bytes and self._drop_oldest_tenth():
            pass
        self._db.execute("PRAGMA incremental_vacuum(2000)").fetchall()

    def _clock_is_steady(self, now: int) -> bool:
        """Return whether the clock has run without a jump for at least an hour. Until then nothing expires.

        The clock that was seen last is kept in the store, for processes that start while it is wrong.
        """
        last = self._counter("clock", now)
        since = self._counter("clock_since", 0)
        jumped = not -3_600 <= now - last <= _CLOCK_PAUSE
        if jumped or now - last > 600 or last == now:
            with self.transaction():
                self._set("clock", now)
                if jumped:
                    self._set("clock_since", now)
        return not jumped and now - since >= 3_600

    def _counter(self, name: str, default: int) -> int:
        row = self._db.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
        return default if row is None else int(row[0])

    def _set(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (name, value))

    def _drop_oldest_tenth(self) -> bool:
        with self.transaction():
            count = self._db.execute("SELECT count(*) FROM answers").fetchone()[0]
            if count:
                edge = self._db.execute(
                    "SELECT id FROM answers ORDER BY id LIMIT 1 OFFSET ?", (max(1, count // 10) - 1,)
                ).fetchone()
                self._drop("id <= ?", (edge[0],), "dropped")
                return True
            runs = [row[0] for row in self._db.execute("SELECT run FROM writes ORDER BY seq LIMIT 10")]
            for run in runs:
                self._db.execute("DELETE FROM chunks WHERE run = ?", (run,))
                self._db.execute("DELETE FROM writes WHERE run = ?", (run,))
            self.count("writes_dropped", len(runs))
            return bool(runs)

    def _drop(self, where: str, values: Sequence[object], counter: str) -> None:
        self._db.execute(f"DELETE FROM texts WHERE {where}", values)
        done = self._db.execute(f"DELETE FROM answers WHERE {where}", values)
        self.count(f"answers_{counter}", done.rowcount)

    def used_bytes(self) -> int:
        """Return the bytes of pages in use. Free pages are returned to the system bit by bit."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._db.close()


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[Store]:
    """Open the store for reading, and close it at the end of the block.

    Raises:
        StoreError: as ``Store.read``; or a part of the file that the block reads is damaged.
        StoreLockedError: another process keeps it locked.
    """
    with contextlib.closing(Store.read(path)) as store, _as_store_errors(store.path):
        yield store


@contextlib.contextmanager
def _as_store_errors(path: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if isinstance(error, sqlite3.Error) and sqlite_file.classify(error) is sqlite_file.Problem.LOCKED:
            raise StoreLockedError(
                f"answer store {path}: another process keeps it locked; try again later"
            ) from None
        # SQLite's message may quote a damaged name, which Python's module then cannot decode.
        name = sqlite_file.error_name(error) if isinstance(error, sqlite3.Error) else "SQLITE_CORRUPT"
        problem = sqlite_file.classify(error) if isinstance(error, sqlite3.Error) else None
        if problem in (sqlite_file.Problem.CANNOT_OPEN, sqlite_file.Problem.READ_ONLY):
            raise StoreError(
                f"answer store {path} cannot be opened ({name}): it, its folder or a file beside it is read-only or "
                "belongs to another user; copy the store and its -wal file to a folder that you may write in"
            ) from None
        # The text of the error may quote a row, so it is not part of the chain either.
        raise StoreError(
            f"answer store {path} cannot be read ({name}); an application moves a damaged one aside by itself"
        ) from None


def _decode(text: bytes) -> str:
    """Decode a text; what is no UTF-8 becomes halves of surrogate pairs, which ``values.parse`` refuses.

    By default SQLite's module fails in the middle of a query, with an error that quotes the text.
    """
    return text.decode("utf-8", "surrogateescape")


def _is_empty(db: sqlite3.Connection) -> bool:
    return not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
