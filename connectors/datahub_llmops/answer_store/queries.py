"""Queries of the answer store, for ``llm-runs``, ``answers`` and ``explain``."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from datahub_llmops.answer_store import sqlite_file, values
from datahub_llmops.errors import RecordError

Kind: TypeAlias = Literal[
    "application", "index", "retriever", "embedding", "prompt", "model", "tool", "source", "run"
]

CLOCK_OF: Final = "clock of "
"""Before the name of a counter: when something was added to it last, in seconds since the epoch."""

dump_sorted: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
"""Dumps an identity so that equal ones have the same text."""


class AnswerRow(NamedTuple):
    """One answer as stored. ``body`` has the keys of ``AnswerKey``, and identities by number.

    ``fault`` says why the body cannot be understood. The other values may have any type if the file is damaged.
    """

    seq: int
    id: str
    ended: float
    application: int
    status: str
    body: dict[str, Any]
    fault: str | None = None

    @property
    def started(self) -> float:
        """Return the start in seconds since the epoch, from the id.

        Raises:
            RecordError: the id has no time.
        """
        return start_of(self.id)


class WriteRow(NamedTuple):
    """One run of writes as stored. ``body`` has the keys of ``WritesKey``, and identities by number.

    ``fault`` is that of ``AnswerRow``.
    """

    seq: int
    run: str
    started: float
    ended: float
    application: int
    target: int
    body: dict[str, Any]
    fault: str | None = None


class Queries:
    """The queries of an open store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def answer(self, answer_id: str) -> AnswerRow | None:
        """Return the answer with this id, or the only one whose id begins with it."""
        row = self._db.execute(f"{_ANSWER} WHERE id = ?", (answer_id,)).fetchone()
        if row is None and len(whole := self.ids_from(answer_id, 2)) == 1:
            row = self._db.execute(f"{_ANSWER} WHERE id = ?", (whole[0],)).fetchone()
        return None if row is None else _answer(row)

    def ids_from(self, beginning: str, limit: int) -> list[str]:
        """Return the newest ids that begin with these characters; none if there are no characters."""
        if not beginning:
            return []
        rows = self._db.execute(
            "SELECT id FROM answers WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?",
            (beginning, f"{beginning}g", limit),
        )
        return [row[0] for row in rows]

    def answers(
        self, *, since: float = 0.0, application: str | None = None, limit: int | None = None
    ) -> Iterator[AnswerRow]:
        """Iterate over answers begun at ``since`` (seconds since the epoch) or later, newest first."""
        edge = f"{int(max(0.0, since) * 1000):012x}"
        numbers: set[int] | None = None
        if application is not None:
            numbers = {n for n, body in self.identities("application") if body.get("name") == application}
        cursor = self._db.execute(f"{_ANSWER} WHERE id >= ? ORDER BY id DESC", (edge,))
        left = limit
        for row in cursor:
            if numbers is not None and row[3] not in numbers:
                continue
            if left is not None:
                if left <= 0:
                    return
                left -= 1
            yield _answer(row)

    def begun_between(self, start: float, end: float) -> Iterator[AnswerRow]:
        """Iterate over the answers begun in a period, oldest first."""
        edges = [f"{int(edge * 1000):012x}" for edge in (start, end)]
        for row in self._db.execute(f"{_ANSWER} WHERE id >= ? AND id < ? ORDER BY id", edges):
            yield _answer(row)

    def written_after(self, seq: int, upto: int) -> Iterator[str]:
        """Iterate over the ids of the answers that were written or rewritten after ``seq``."""
        for (answer_id,) in self._db.execute(
            "SELECT id FROM answers WHERE seq > ? AND seq <= ?", (seq, upto)
        ):
            yield answer_id

    def answers_after(self, seq: int, upto: int) -> Iterator[AnswerRow]:
        """Iterate over the answers that were written or rewritten after ``seq``, in the order of their last change."""
        for row in self._db.execute(f"{_ANSWER} WHERE seq > ? AND seq <= ? ORDER BY seq", (seq, upto)):
            yield _answer(row)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything inside from one state of the file, whatever is written meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def with_text(self, digest: bytes) -> list[str]:
        """Return ids of the answers whose text has this digest, newest first."""
        rows = self._db.execute("SELECT id FROM texts WHERE digest = ? ORDER BY id DESC LIMIT 100", (digest,))
        return [row[0] for row in rows]

    def watermark(self) -> tuple[int, int]:
        """Return the last sequence numbers of answers and writes."""
        answers, writes = (
            self._db.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0]
            for table in ("answers", "writes")
        )
        return int(answers), int(writes)

    def writes(self, after: int = 0, upto: int = 2**63 - 1) -> Iterator[WriteRow]:
        """Iterate over runs written or changed after ``after``, in the order of their last change."""
        rows = self._db.execute(
            "SELECT w.seq, i.body, w.started, w.ended, w.application, w.target, w.body FROM writes w"
            " JOIN identities i ON i.id = w.run WHERE w.seq > ? AND w.seq <= ? ORDER BY w.seq",
            (after, upto),
        )
        for row in rows:
            yield _write(row)

    def writer_of(self, target: int, chunk: bytes) -> WriteRow | None:
        """Return the run that wrote a chunk of an index last."""
        row = self._db.execute(
            "SELECT w.seq, i.body, w.started, w.ended, w.application, w.target, w.body FROM chunks c"
            " JOIN writes w ON w.run = c.run JOIN identities i ON i.id = w.run WHERE c.target = ? AND c.chunk = ?",
            (target, chunk),
        ).fetchone()
        return None if row is None else _write(row)

    def run(self, run: str) -> WriteRow | None:
        """Return a run by its id."""
        identity = self._db.execute(
            "SELECT id FROM identities WHERE kind = 'run' AND body = ?", (dump_sorted({"run": run}),)
        ).fetchone()
        if identity is None:
            return None
        row = self._db.execute(
            "SELECT w.seq, i.body, w.started, w.ended, w.application, w.target, w.body FROM writes w"
            " JOIN identities i ON i.id = w.run WHERE w.run = ?",
            identity,
        ).fetchone()
        return None if row is None else _write(row)

    def identity(self, number: int) -> dict[str, Any]:
        """Return the identity behind a number in a body; it is empty if it was pruned.

        Raises:
            RecordError: it is damaged.
        """
        row = self._db.execute("SELECT body FROM identities WHERE id = ?", (number,)).fetchone()
        return _identity(row[0]) if row else {}

    def identities(self, kind: Kind) -> Iterator[tuple[int, dict[str, Any]]]:
        """Iterate over numbers and identities of a kind, without the damaged ones."""
        for number, body in self._db.execute("SELECT id, body FROM identities WHERE kind = ?", (kind,)):
            with contextlib.suppress(RecordError):
                yield number, _identity(body)

    def totals(self) -> tuple[int, int]:
        """Return how many answers and runs of writes there are."""
        answers, writes = (
            self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("answers", "writes")
        )
        return int(answers), int(writes)

    def format_version(self) -> int:
        """Return the version of the file's format."""
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def is_whole(self, seconds: float) -> bool | None:
        """Whether every page of the file is well-formed; ``None`` if checking took longer than ``seconds``."""
        return sqlite_file.is_whole(self._db, seconds)

    def counters(self) -> dict[str, int]:
        """Return all counters by name."""
        rows = self._db.execute("SELECT name, value FROM counters WHERE name NOT LIKE 'clock%'").fetchall()
        return {str(name): value for name, value in rows if isinstance(value, int)}

    def counted_at(self, name: str) -> int | None:
        """Return when a counter last grew, in seconds since the epoch. Earlier releases noted no time."""
        row = self._db.execute("SELECT value FROM counters WHERE name = ?", (f"{CLOCK_OF}{name}",)).fetchone()
        return row[0] if row and isinstance(row[0], int) else None


_ANSWER: Final = "SELECT seq, id, ended, application, status, body FROM answers"


def start_of(answer_id: object) -> float:
    """Return the start in seconds since the epoch from the id of an answer.

    Raises:
        RecordError: the id has no time.
    """
    if not isinstance(answer_id, str) or not _TIME.match(answer_id):
        raise RecordError("its id has no time")
    return values.moment(int(answer_id[:12], 16) / 1000)


_TIME: Final = re.compile(r"[0-9a-f]{12}")


def _answer(row: tuple[Any, ...]) -> AnswerRow:
    seq, answer_id, ended, application, status, text = row
    body, fault = _parse(text)
    return AnswerRow(seq, answer_id, ended, application, status, body, fault)


def _write(row: tuple[Any, ...]) -> WriteRow:
    seq, identity, started, ended, application, target, text = row
    (run, fault), (body, other) = _parse(identity), _parse(text)
    run_id = run.get("run")
    if not isinstance(run_id, str):
        return WriteRow(seq, "", started, ended, application, target, body, fault or "its run has no id")
    return WriteRow(seq, run_id, started, ended, application, target, body, other)


def _identity(text: object) -> dict[str, Any]:
    found: dict[str, Any] = values.mend(values.parse(text))
    return found


def _parse(text: object) -> tuple[dict[str, Any], str | None]:
    try:
        return values.parse(text), None
    except RecordError as error:
        return {}, str(error)
