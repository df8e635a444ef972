"""Reads one object: finds out what it is, and passes on its spans or recorded answers without any content."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

import orjson

from datahub_llmops.answer_store.recorded import RecordedAnswer, RecordedWrites
from datahub_llmops.answer_store.segments import load_line
from datahub_llmops.errors import RecordError
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors import langfuse
from datahub_llmops.spans.doors.compression import BrokenOffError, is_compressed, plain, plain_message
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.otlp_json import JsonDecoder
from datahub_llmops.spans.doors.otlp_proto import ProtoDecoder
from datahub_llmops.spans.doors.problems import NO_FORMAT
from datahub_llmops.spans.doors.records import Framing, cut, framing_of
from datahub_llmops.spans.doors.rows import LONGEST_RECORD, Row
from datahub_llmops.spans.doors.span_classes import SpanClasses

_CHUNK: Final = 2**20
_HEAD: Final = 64
_OTLP: Final = b'{"resourceSpans"'
_ONE_RECORD: Final = {
    Framing.WHOLE: "it is an incomplete message, or not one of OpenTelemetry",
    Framing.DOCUMENT: "it is an incomplete JSON document, or not JSON",
}
_OTHER_SIGNALS: Final = ("resourceLogs", "resourceMetrics", "resourceProfiles")


class Readable(Protocol):
    """An object that is open."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which bytes of an object are read. ``start`` and ``stop`` are ends of records; a compressed object has none."""

    start: int = 0
    stop: int | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of reading one object."""

    end: int = 0
    """Bytes up to which it was read and understood, as they are when they are not compressed."""
    compressed: bool = False
    format: str = ""
    spans: int = 0
    answers: int = 0
    writes: int = 0
    """Runs of writes, in sealed segments."""
    others: int = 0
    """Records of another kind, such as logs or metrics."""
    unreadable: int = 0
    too_long: int = 0
    unfinished: int = 0
    broken: str | None = None
    """Why it could not be read to its end."""


class ObjectReader:
    """Reads objects of one run. ``take`` gets their spans, ``take_answer`` the records of sealed segments."""

    def __init__(
        self,
        selection: Selection,
        counts: ReadCounts,
        take: Callable[[list[Row]], None],
        take_answer: Callable[[RecordedAnswer | RecordedWrites], None],
        classes: SpanClasses | None = None,
    ) -> None:
        self._selection = selection
        self._counts = counts
        self._take = take
        self._take_answer = take_answer
        self.classes = SpanClasses() if classes is None else classes
        """What the numbers in rows mean."""
        self._proto = ProtoDecoder(selection, counts, self.classes)
        self._json = JsonDecoder(selection, counts, self.classes)
        self._langfuse = langfuse.LangfuseDecoder(selection, counts)

    def read(self, file: Readable, part: Part = Part()) -> Outcome:
        """Read an open object, or a part of it.

        Raises:
            StorageError: it cannot be read to its end; what was passed on before stays.
        """
        outcome = Outcome(end=part.start)
        head = file.read(_HEAD)
        if framing_of(head) is Framing.PARQUET:
            outcome.compressed = True
            self._parquet(file, outcome)
            return outcome
        outcome.compressed = is_compressed(head)
        framing = None
        file.seek(part.start)
        if part.start:
            framing = framing_of(head)
        left = None if part.stop is None else part.stop - part.start
        try:
            self._records(plain(self._chunks(file, left), head), outcome, framing)
        except BrokenOffError as error:
            outcome.broken = str(error)
        return outcome

    def _chunks(self, file: Readable, left: int | None) -> Iterator[bytes]:
        while chunk := file.read(_CHUNK if left is None else min(_CHUNK, left)):
            self._counts.bytes_read += len(chunk)
            yield chunk
            if left is not None:
                left -= len(chunk)

    def _records(self, stream: Iterator[bytes], outcome: Outcome, framing: Framing | None) -> None:
        if framing is None:
            first = b""
            for piece in stream:
                first += piece
                if len(first) >= _HEAD:
                    break
            framing = framing_of(first)
            stream = chain([first], stream)
        outcome.format = framing.value
        if framing is Framing.EMPTY:
            return
        if framing in (Framing.UNKNOWN, Framing.PARQUET):
            outcome.broken = NO_FORMAT
            return
        read = {Framing.LINES: self._line, Framing.DOCUMENT: self._document}.get(framing, self._message)
        start = outcome.end
        for record, end, finished in cut(stream, framing):
            if record is None:
                outcome.too_long += 1
            elif not finished and (framing is Framing.MESSAGES or not _is_whole(record)):
                outcome.unfinished += 1
                break
            elif record.strip():
                try:
                    read(record, outcome)
                except ValueError:
                    if framing in _ONE_RECORD:
                        # The object is this one record. Perhaps it is still being written.
                        outcome.broken = _ONE_RECORD[framing]
                        return
                    outcome.unreadable += 1
            outcome.end = start + end

    def _message(self, record: bytes, outcome: Outcome) -> None:
        record = plain_message(record, LONGEST_RECORD)
        if record[:1] == b"{":  # The collector compresses its JSON lines as messages too.
            self._line(record, outcome)
            return
        before = self._counts.spans_unusable
        rows = self._proto.decode(record)
        if not rows and self._counts.spans_unusable > before:
            # Logs and metrics are alike up to here, but have no ids of sixteen and eight bytes in these places.
            self._counts.spans_unusable = before
            outcome.others += 1
            return
        self._hand_on(rows, outcome)

    def _document(self, record: bytes, outcome: Outcome) -> None:
        data = orjson.loads(record)
        for one in data if isinstance(data, list) else [data]:
            try:
                self._parsed(one, record, outcome)
            except ValueError:
                outcome.unreadable += 1

    def _line(self, record: bytes, outcome: Outcome) -> None:
        if record.startswith(_OTLP):
            try:
                rows = self._json.decode(record)
            except (ValueError, RecursionError):
                pass  # Parts of it may have been understood.
            else:
                self._hand_on(rows, outcome)
                return
        self._parsed(orjson.loads(record), record, outcome)

    def _parsed(self, data: Any, record: bytes, outcome: Outcome) -> None:
        if not isinstance(data, dict):
            raise ValueError("it is not a JSON object")
        if "resourceSpans" in data:
            if not isinstance(data["resourceSpans"], list | None):
                raise ValueError("it is not OTLP")
            self._hand_on(self._json.decode_parsed(data), outcome)
        elif "segment" in data:
            self._segment_line(record, outcome)
        elif langfuse.is_observation(data):
            self._hand_on(self._langfuse.decode(data), outcome)
        elif any(name in data for name in _OTHER_SIGNALS) or langfuse.is_export(data) or not data:
            outcome.others += 1
        else:
            raise ValueError("its kind is not known")

    def _segment_line(self, record: bytes, outcome: Outcome) -> None:
        try:
            found = load_line(record)
        except RecordError:
            raise ValueError("it is not a line of a segment that this release reads") from None
        if isinstance(found, RecordedAnswer):
            outcome.answers += 1
            self._take_answer(found)
        else:
            outcome.writes += 1
            self._take_answer(found)

    def _parquet(self, file: Readable, outcome: Outcome) -> None:
        from datahub_llmops.spans.doors import columns  # Its library is an extra of its own.

        outcome.format = Framing.PARQUET.value
        for rows in columns.read(file, self._selection, self._counts, outcome):
            self._hand_on(rows, outcome)

    def _hand_on(self, rows: list[Row], outcome: Outcome) -> None:
        outcome.spans += len(rows)
        self._counts.spans_read += len(rows)
        self._take(rows)


def _is_whole(record: bytes) -> bool:
    """Whether a line is written to its end. Python writes ``NaN`` and ``Infinity`` too, which are no JSON."""
    try:
        orjson.loads(record)
    except ValueError:
        try:
            json.loads(record)
        except (ValueError, RecursionError):
            return False
    return True
