"""Queries of the answer store, for ``llm-runs``, ``answers`` and ``explain``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal[
    "application", "index", "retriever", "embedding", "prompt", "model", "tool", "source", "run"
]

dump_sorted: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
"""Dumps an identity so that equal ones have the same text."""


class AnswerRow(NamedTuple):
    """One answer as stored. ``body`` has the keys of ``AnswerKey``, and identities by number."""

    seq: int
    id: str
    ended: float
    application: int
    status: str
    body: dict[str, Any]

    @property
    def started(self) -> float:
        """Return the start in seconds since the epoch, from the id."""
        return int(self.id[:12], 16) / 1000


class WriteRow(NamedTuple):
    """One run of writes as stored. ``body`` has the keys of ``WritesKey``, and identities by number."""

    seq: int
    run: str
    started: float
    ended: float
    application: int
    target: int
    body: dict[str, Any]


class Queries:
    """The queries of an open store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def answer(self, answer_id: str) -> AnswerRow | None:
        """Return the answer with this id, or the only one whose id begins with it (at least eight characters)."""
        row = self._db.execute(f"{_ANSWER} WHERE id = ?", (answer_id,)).fetchone()
        if row is None and len(answer_id) >= 8:
            rows = self._db.execute(
                f"{_ANSWER} WHERE id >= ? AND id < ? LIMIT 2", (answer_id, f"{answer_id}g")
            ).fetchall()
            row = rows[0] if len(rows) == 1 else None
        return None if row is None else _answer(row)

    def answers(
        self, *, since: float = 0.0, application: str | None = None, limit: int | None = None
    ) -> Iterator[AnswerRow]:
        """Iterate over answers begun at ``since`` (seconds since the epoch) or later, newest first."""
        where, values = "id >= ?", [f"{int(max(0.0, since) * 1000):012x}"]
        numbers: set[int] | None = None
        if application is not None:
            numbers = {n for n, body in self.identities("application") if body.get("name") == application}
        cursor = self._db.execute(f"{_ANSWER} WHERE {where} ORDER BY id DESC", values)
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

    def starts_after(self, seq: int, upto: int) -> Iterator[float]:
        """Iterate over the starts of the answers that were written or rewritten after ``seq``."""
        for (answer_id,) in self._db.execute(
            "SELECT id FROM answers WHERE seq > ? AND seq <= ?", (seq, upto)
        ):
            yield int(answer_id[:12], 16) / 1000

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

    def writes(self, after: int = 0) -> Iterator[WriteRow]:
        """Iterate over runs written or changed after ``after``, in the order of their last change."""
        rows = self._db.execute(
            "SELECT w.seq, i.body, w.started, w.ended, w.application, w.target, w.body FROM writes w"
            " JOIN identities i ON i.id = w.run WHERE w.seq > ? ORDER BY w.seq",
            (after,),
        )
        for seq, run, started, ended, application, target, body in rows:
            yield WriteRow(seq, json.loads(run)["run"], started, ended, application, target, json.loads(body))

    def writer_of(self, target: int, chunk: bytes) -> WriteRow | None:
        """Return the run that wrote a chunk of an index last."""
        row = self._db.execute(
            "SELECT w.seq, i.body, w.started, w.ended, w.application, w.target, w.body FROM chunks c"
            " JOIN writes w ON w.run = c.run JOIN identities i ON i.id = w.run WHERE c.target = ? AND c.chunk = ?",
            (target, chunk),
        ).fetchone()
        if row is None:
            return None
        return WriteRow(row[0], json.loads(row[1])["run"], row[2], row[3], row[4], row[5], json.loads(row[6]))

    def run(self, run: str) -> WriteRow | None:
        """Return a run by its id."""
        identity = self._db.execute(
            "SELECT id FROM identities WHERE kind = 'run' AND body = ?", (dump_sorted({"run": run}),)
        ).fetchone()
        if identity is None:
            return None
        row = self._db.execute(
            "SELECT seq, started, ended, application, target, body FROM writes WHERE run = ?", identity
        ).fetchone()
        if row is None:
            return None
        return WriteRow(row[0], run, row[1], row[2], row[3], row[4], json.loads(row[5]))

    def identity(self, number: int) -> dict[str, Any]:
        """Return the identity behind a number in a body; it is empty if it was pruned."""
        row = self._db.execute("SELECT body FROM identities WHERE id = ?", (number,)).fetchone()
        return json.loads(row[0]) if row else {}

    def identities(self, kind: Kind) -> Iterator[tuple[int, dict[str, Any]]]:
        """Iterate over numbers and identities of a kind."""
        for number, body in self._db.execute("SELECT id, body FROM identities WHERE kind = ?", (kind,)):
            yield number, json.loads(body)

    def counters(self) -> dict[str, int]:
        """Return all counters by name."""
        return dict(self._db.execute("SELECT name, value FROM counters").fetchall())


_ANSWER: Final = "SELECT seq, id, ended, application, status, body FROM answers"


def _answer(row: tuple[Any, ...]) -> AnswerRow:
    return AnswerRow(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]))
