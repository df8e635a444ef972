"""Seals what an answer store has recorded since the last time into segments, in a process of its own.

What is about to be sealed is planned, and the plan is kept beside the store, before the first segment is written. After
a crash the same rows are sealed again, under the same names. A plan is bounded, so memory is too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from datahub_llmops.answer_store import segments, values
from datahub_llmops.answer_store.bucket import Bucket
from datahub_llmops.answer_store.database import Store, reading
from datahub_llmops.answer_store.format import load_answer, load_writes
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer
from datahub_llmops.errors import RecordError, StoreError

MAX_RECORDS: Final = 5_000
"""Answers and runs of writes in one plan."""
MAX_BYTES: Final = 16 * 2**20
"""Bytes of the lines of one plan, beyond which no further record is added. No segment is longer than a plan."""
_HOUR: Final = 3_600
_LEVEL: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Sequence numbers of the last answer and the last run of writes."""

    answers: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far one file was sealed for one target, and what comes next. ``at`` is in milliseconds since the epoch."""

    target: str
    file: int
    done: Position = Position()
    plan: Position | None = None
    at: int = 0
    dropped: int = 0
    """Answers that the store itself had dropped when the last plan was done."""


@dataclass(slots=True, kw_only=True)
class Sealed:
    """What a run has done."""

    segments: int = 0
    records: int = 0
    passed_over: int = 0
    dropped: int = 0
    """At most so many answers were dropped by the store before they were sealed."""


def seal(store: str, target: str, *, texts: bool, say: Callable[[str], None]) -> Sealed:
    """Seal everything that ``store`` has recorded and that is not at ``target`` yet.

    ``say`` takes what a person should know: records that cannot be understood, answers that were dropped unsealed.

    Raises:
        StoreError: the store cannot be read, its folder or the target cannot be written, or a package is missing.
    """
    try:
        import zstandard
    except ImportError:
        raise segments.missing() from None
    bucket = Bucket(target)
    compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress
    sealed = Sealed()
    key = hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()
    with reading(store) as opened:
        state = _current_state(store, opened, key)
        while True:
            with opened.snapshot():
                plan = _Plan(opened, state, texts)
                dropped = _count_dropped(opened)
            if plan.upto == state.done:
                break
            if state.plan is None:
                state = State(
                    target=key,
                    file=state.file,
                    done=state.done,
                    plan=plan.upto,
                    at=max(int(time.time() * 1000), state.at + 1),
                    dropped=state.dropped,
                )
                _write_state(store, state)
            for name, lines in plan.segments(state.at):
                bucket.put(name, compress(b"".join(lines)))
                sealed.segments += 1
                sealed.records += len(lines)
            _note(plan, dropped - state.dropped, sealed, say)
            state = State(
                target=key, file=state.file, done=plan.upto, plan=None, at=state.at, dropped=dropped
            )
            _write_state(store, state)
    return sealed


def _note(plan: _Plan, dropped: int, sealed: Sealed, say: Callable[[str], None]) -> None:
    for name, error in plan.faults:
        sealed.passed_over += 1
        say(f"segments: {name} cannot be understood and was skipped: {error}")
    # A rewritten answer leaves a gap too, so the gaps alone say nothing.
    missing = min(plan.gaps, max(0, dropped))
    if missing:
        sealed.dropped += missing
        say(
            f"segments: up to {missing} answers were dropped by the store before they were sealed:"
            " raise max_bytes, or lower ship_every"
        )


class _Plan:
    """The lines of the next records, by application and hour."""

    def __init__(self, store: Store, state: State, texts: bool) -> None:
        self.faults: list[tuple[str, RecordError]] = []
        self.gaps = 0
        self._texts = texts
        self._size = self._count = 0
        self._groups: dict[tuple[str, int], list[tuple[str, bytes]]] = {}
        identities = Identities(store)
        done = state.done
        last_answer, last_run = store.watermark()
        end = state.plan or Position(answers=last_answer, writes=last_run)
        answers, writes = done.answers, done.writes
        for answer in store.answers_after(done.answers, end.answers):
            self.gaps += answer.seq - answers - 1
            answers = answer.seq
            with self._passing_over(f"answer {answer.id}"):
                self._add(answer.seq, load_answer(answer, identities))
            if state.plan is None and self._is_full():
                break
        else:
            answers = end.answers
            for run in store.writes(done.writes, end.writes):
                writes = run.seq
                with self._passing_over(f"run of writes {run.run}"):
                    self._add(run.seq, load_writes(run, identities))
                if state.plan is None and self._is_full():
                    break
            else:
                writes = end.writes
        self.upto = Position(answers=answers, writes=writes)

    def _is_full(self) -> bool:
        return self._count >= MAX_RECORDS or self._size >= MAX_BYTES

    @contextlib.contextmanager
    def _passing_over(self, name: str) -> Iterator[None]:
        try:
            yield
        except RecordError as error:
            self.faults.append((name[:80], error))

    def _add(self, seq: int, record: segments.Record) -> None:
        line = segments.dump_line(record, texts=self._texts)
        name = record.id if isinstance(record, RecordedAnswer) else record.run
        hour = int(record.started) // _HOUR * _HOUR
        self._groups.setdefault((record.application, hour), []).append((f"{seq} {name}", line))
        self._size += len(line)
        self._count += 1

    def segments(self, at: int) -> Iterator[tuple[str, list[bytes]]]:
        """Iterate over path and lines of each segment. The same records at the same time have the same path."""
        host = socket.gethostname()
        for (application, hour), found in self._groups.items():
            key = json.dumps([application, hour, *(name for name, _ in found)])
            name = segments.SegmentName(
                application=application, hour=hour, host=host, ulid=segments.build_ulid(at, key.encode())
            )
            yield name.path, [line for _, line in found]


def _count_dropped(store: Store) -> int:
    counters = store.counters()
    return counters.get("answers_expired", 0) + counters.get("answers_dropped", 0)


# The state, beside the store


def _current_state(path: str, store: Store, target: str) -> State:
    """Return the state that was kept for this target, or a new one for another target or another file."""
    try:
        file = os.stat(path).st_ino
    except OSError as error:
        raise StoreError(f"answer store {path}: {os.strerror(error.errno or 0)}") from error
    kept = _read_state(path)
    answers, writes = store.watermark()
    if kept is None or kept.target != target:
        return State(target=target, file=file)
    last = kept.plan or kept.done
    if kept.file != file or answers < last.answers or writes < last.writes:
        # Another store of this name: its rows are numbered anew.
        return State(target=target, file=file, at=kept.at)
    return kept


def _state_path(store: str) -> str:
    return f"{store}.segments.json"


def _read_state(store: str) -> State | None:
    try:
        handle = os.open(_state_path(store), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, encoding="utf-8", errors="replace") as file:
            members = values.parse(file.read(10_000))
        plan = members.get("plan")
        return State(
            target=values.name(members.get("target")),
            file=values.count(members.get("file")),
            done=_position(members.get("done")),
            plan=None if plan is None else _position(plan),
            at=values.count(members.get("at")),
            dropped=values.count(members.get("dropped")),
        )
    except (OSError, RecordError):
        return None  # Nothing is lost without it: everything is sealed again.


def _position(value: object) -> Position:
    found: Mapping[str, Any] = values.fields(value)
    return Position(answers=values.count(found.get("answers")), writes=values.count(found.get("writes")))


def _write_state(store: str, state: State) -> None:
    path = _state_path(store)
    part = f"{path}.part"
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise StoreError(
            f"segments: {path} cannot be written ({os.strerror(error.errno or 0)}), so nothing is sealed: this file "
            "records how far the store was sealed"
        ) from error
