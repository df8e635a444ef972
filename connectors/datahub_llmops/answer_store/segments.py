"""Segments: files of recorded answers that explain themselves, as ``attach(segments=...)`` seals them for a bucket.

A segment is ``<application>/<day>/<hour>/<host>-<ulid>.jsonl.zst``: one zstd frame of JSON lines, one line an answer or
a run of writes. Day and hour (UTC) are those in which they began. It is written once and never changed. A line is a row
of the answer store beside the identities that its numbers mean, so it needs no other line::

    {"segment":1,"answer":{"id":"...","ended":1.5,"application":0,"status":"ok","body":{...}},"identities":[{...}]}

A record that changes after it was sealed is sealed again in a later segment. Of the segments of one host, the one whose
name sorts last has the newest state of an answer, by its id, and of a run of writes, by its run and index.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Final, TypeAlias, cast
from urllib.parse import quote, unquote

from datahub_llmops.answer_store import format as rows
from datahub_llmops.answer_store import values
from datahub_llmops.answer_store.queries import AnswerRow, Kind, WriteRow, dump_sorted
from datahub_llmops.answer_store.recorded import Identities, Raw, RecordedAnswer, RecordedWrites
from datahub_llmops.assets.extras import pip_install
from datahub_llmops.errors import RecordError, StoreError

VERSION: Final = 1
"""The format of a line, in its first member."""
SUFFIX: Final = ".jsonl.zst"
MAX_LINE_BYTES: Final = 64 * 2**20
"""A longer line is skipped."""
_READ_BYTES: Final = 2**20
_MESSAGES: Final = "messages"
"""The texts of a prompt's template in its identity."""

Record: TypeAlias = RecordedAnswer | RecordedWrites

_dump: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def dump_line(record: Record, *, texts: bool = False) -> bytes:
    """Build the line of an answer or a run of writes, with its line feed.

    Without ``texts``, the texts of question, answer and prompts are left out, even if they were captured.

    Raises:
        RecordError: the record holds what JSON cannot.
    """
    numbers: dict[str, int] = {}
    identities: list[Mapping[str, Any]] = []

    def intern(kind: Kind, raw: Raw) -> int:
        kept = raw if texts or kind != "prompt" else {key: raw[key] for key in raw if key != _MESSAGES}
        number = numbers.setdefault(dump_sorted(kept), len(identities))
        if number == len(identities):
            identities.append(kept)
        return number

    members: dict[str, Any]
    try:
        if isinstance(record, RecordedAnswer):
            answer = rows.dump_answer(record, intern)
            body = {key: one for key, one in answer.body.items() if texts or key not in rows.TEXT_KEYS}
            members = {
                "answer": {
                    "id": answer.id,
                    "ended": answer.ended,
                    "application": answer.application,
                    "status": answer.status,
                    "body": body,
                }
            }
        else:
            writes = rows.dump_writes(record, intern)
            members = {
                "writes": {
                    "run": writes.run,
                    "started": writes.started,
                    "ended": writes.ended,
                    "application": writes.application,
                    "target": writes.target,
                    "body": writes.body,
                }
            }
        return _dump({"segment": VERSION, **members, "identities": identities}).encode("ascii") + b"\n"
    except (TypeError, ValueError, RecursionError):
        raise RecordError("it holds what JSON cannot") from None


def load_line(line: bytes) -> Record:
    """Read a line. Its ``index_number`` is a position in this line: that of another line is another index.

    Raises:
        RecordError: it cannot be understood, or a newer release wrote it.
    """
    members = values.parse(line.decode("utf-8", "surrogateescape"))
    version = values.optional_count(members.get("segment"))
    if version is None or version < 1:
        raise RecordError("it is not a line of a segment")
    if version > VERSION:
        raise RecordError(
            f"it has format {version}, this release reads format {VERSION}: upgrade datahub-llmops"
        )
    identities = Identities(_Inlined(values.items(members.get("identities"))))
    if "answer" in members:
        return _load_answer(values.fields(members["answer"]), identities)
    if "writes" in members:
        return _load_writes(values.fields(members["writes"]), identities)
    raise RecordError("it has neither an answer nor writes")


def _load_answer(one: Mapping[str, Any], identities: Identities) -> RecordedAnswer:
    # The types of the other members are checked where the row is loaded.
    row = AnswerRow(
        0,
        values.name(one.get("id")),
        cast("float", one.get("ended")),
        cast("int", one.get("application")),
        cast("str", one.get("status")),
        dict(values.fields(one.get("body"))),
    )
    return rows.load_answer(row, identities)


def _load_writes(one: Mapping[str, Any], identities: Identities) -> RecordedWrites:
    row = WriteRow(
        0,
        values.name(one.get("run")),
        cast("float", one.get("started")),
        cast("float", one.get("ended")),
        cast("int", one.get("application")),
        cast("int", one.get("target")),
        dict(values.fields(one.get("body"))),
    )
    return rows.load_writes(row, identities)


class _Inlined:
    """The identities of one line, by their position."""

    def __init__(self, raws: Any) -> None:
        self._raws = raws

    def identity(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self._raws):
            raise RecordError("an identity is missing")
        found: dict[str, Any] = values.mend(dict(values.fields(self._raws[number])))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentName:
    """What the path of a segment says. ``hour`` is the start of an hour (UTC), in seconds since the epoch."""

    application: str
    hour: int
    host: str
    ulid: str

    @property
    def path(self) -> str:
        """The path below the folder of all segments.

        >>> SegmentName(application="a/b", hour=7200, host="pod-1", ulid="0" * 26).path
        'a%2Fb/1970-01-01/02/pod-1-00000000000000000000000000.jsonl.zst'
        """
        begun = datetime.fromtimestamp(self.hour, UTC)
        folder = f"{_quote(self.application)}/{begun:%Y-%m-%d/%H}"
        return f"{folder}/{_quote(self.host)}-{self.ulid}{SUFFIX}"


def parse_path(path: str) -> SegmentName | None:
    """Read the path of a segment, with or without the folder of all of them; ``None`` for any other path.

    >>> parse_path("s3://bucket/answers/a%2Fb/1970-01-01/02/pod-1-00000000000000000000000000.jsonl.zst").host
    'pod-1'
    """
    found = _PATH.search(path)
    if found is None:
        return None
    application, day, hour, host, ulid = found.groups()
    try:
        begun = datetime.strptime(f"{day} {hour} +0000", "%Y-%m-%d %H %z")
    except ValueError:
        return None
    return SegmentName(
        application=unquote(application), hour=int(begun.timestamp()), host=unquote(host), ulid=ulid
    )


_PATH: Final = re.compile(
    r"(?:^|/)([^/]+)/(\d{4}-\d\d-\d\d)/(\d\d)/([^/]+)-([0-7][0-9A-HJKMNP-TV-Z]{25})\.jsonl\.zst$", re.ASCII
)
_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def build_ulid(milliseconds: int, key: bytes) -> str:
    """Build a ULID of a time since the epoch and of 80 bits of a digest. https://github.com/ulid/spec

    >>> build_ulid(1469918176385, b"")[:10]
    '01ARYZ6S41'
    """
    number = milliseconds << 80 | int.from_bytes(hashlib.sha256(key).digest()[:10], "big")
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def _quote(name: str) -> str:
    # A name of dots only would be another folder.
    return quote(name, safe=" ", errors="replace") if name.strip(".") else name.replace(".", "%2E") or "%00"


PassedOver: TypeAlias = Callable[[int, RecordError], None]
"""Takes the number of a line, from 1 on, and why it could not be understood."""


def iterate(path: str, passed_over: PassedOver, **storage_options: Any) -> Iterator[Record]:
    """Iterate over the records of the segment at an fsspec path, in bounded memory.

    What ``fsspec`` needs to get at the bucket comes from its own configuration, or from ``storage_options``.

    Raises:
        StoreError: the segment cannot be read, or ends too early; what was iterated over so far is sound.
    """
    try:
        import fsspec
    except ImportError:
        raise missing() from None
    try:
        with fsspec.open(path, "rb", **storage_options) as file:
            yield from read(cast("IO[bytes]", file), shown(path), passed_over)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - the client of any bucket has errors of its own
        raise StoreError(f"segment {shown(path)}: {describe(error)}") from None


def read(file: IO[bytes], name: str, passed_over: PassedOver) -> Iterator[Record]:
    """Iterate over the records of an open segment. ``name`` is for the message of an error.

    Raises:
        StoreError: the segment is damaged or ends too early; what was iterated over so far is sound.
    """
    try:
        import zstandard
    except ImportError:
        raise missing() from None
    try:
        for number, line in enumerate(_lines(_decompress(file, name)), 1):
            try:
                if line is None:
                    raise RecordError(f"it is longer than {MAX_LINE_BYTES} bytes")
                record = load_line(line)
            except RecordError as error:
                passed_over(number, error)
            else:
                yield record
    except zstandard.ZstdError:
        raise StoreError(f"segment {name} is damaged: remove it, and have its host seal it again") from None


def _decompress(file: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the content piece by piece. A frame that was cut off just ends, so its announced size is compared."""
    import zstandard

    head = file.read(_HEAD_BYTES)
    expected = zstandard.frame_content_size(head)
    found = 0
    with zstandard.ZstdDecompressor().stream_reader(
        cast("IO[bytes]", _Rest(head, file)), read_size=_READ_BYTES
    ) as reader:
        while piece := reader.read(_READ_BYTES):
            found += len(piece)
            yield piece
    if found < expected:
        raise StoreError(f"segment {name} ends too early: copy it again")


_HEAD_BYTES: Final = 18
"""The longest header of a frame. https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1.1"""


class _Rest:
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self._head = head
        self._file = file

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head or self._file.read(size)


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes | None]:
    """Yield each line; ``None`` for one that is too long."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for part in ended:
            yield None if size + len(part) > MAX_LINE_BYTES else b"".join((*waiting, part))
            waiting, size = [], 0
        size += len(rest)
        if size > MAX_LINE_BYTES:
            waiting = []  # It is counted on, and nothing of it is kept.
        elif rest:
            waiting.append(rest)
    if size:
        yield None if size > MAX_LINE_BYTES else b"".join(waiting)


def missing() -> StoreError:
    """Return the error that the packages for segments are missing."""
    return StoreError(f"segments need fsspec and zstandard: {pip_install('segments')}")


def shown(path: str) -> str:
    """Return a path as it may be printed.

    >>> shown("sftp://user:secret@host/answers?key=1")
    'sftp://host/answers'
    """
    return re.sub(r"//[^/]*@", "//", path.partition("?")[0])


def describe(error: Exception) -> str:
    """Say what a file system's client complains about, without its text, which may quote an address or a key."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    if isinstance(error, (ImportError, ValueError)):
        return (
            f"{type(error).__name__}: check the address, and install fsspec's package for it (such as s3fs)"
        )
    return f"{type(error).__name__}: check the address, the credentials and the permissions"
