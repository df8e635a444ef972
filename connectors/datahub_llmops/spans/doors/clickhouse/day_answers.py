"""The answers of one day: shapes of traces with their sums, and traces that are looked at one by one."""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias, cast

from datahub_llmops.answer_store.recorded import Chunk, RecordedAnswer, Retrieval, SampledChunks
from datahub_llmops.assets.usage import ChunkSet, Totals
from datahub_llmops.errors import TooLargeError
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans import chunks, twins
from datahub_llmops.spans.assemble import REPEATED, UNSCORED, Assembled
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.apart import Apart
from datahub_llmops.spans.doors.clickhouse import classes, shapes
from datahub_llmops.spans.doors.clickhouse.classes import Documents, SpanClass
from datahub_llmops.spans.doors.clickhouse.client import Statement
from datahub_llmops.spans.doors.clickhouse.documents import forms
from datahub_llmops.spans.doors.clickhouse.shapes import Odd, Shape, Skeleton
from datahub_llmops.spans.doors.clickhouse.statements import MAX_SOURCES, Day, Place, Slice
from datahub_llmops.spans.doors.clickhouse.traces import MAX_SPANS, read_traces, select_spans
from datahub_llmops.spans.doors.clickhouse.wanted import Wanted
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.span import Span
from datahub_llmops.spans.twins import Inference

Ask: TypeAlias = Callable[[Statement], Sequence[Sequence[Any]]]
Assemble: TypeAlias = Callable[[Sequence[Span]], Assembled]

SLICE_SPANS: Final = 20_000_000
"""Spans of a day that one statement handles, about 100 bytes of the server's memory each."""
MOST_SLICES: Final = 1_024
_BATCH_SPANS: Final = 20_000
"""Spans of traces that come back as rows at once."""
_BATCH_CLASSES: Final = 2_000
_BATCH_DOCUMENTS: Final = 50
"""Classes whose documents are asked for at once: each may have many sources."""
MAX_EXCLUDED: Final = 5_000
"""Traces that are left out of the engine's count of documents by name. Beyond that the number is not known."""
_FEW: Final = 0.3


@dataclass(slots=True)
class DayAnswers:
    """Reads the answers of one day, then counts their chunks."""

    day: Day
    ask: Ask
    selection: Selection
    assemble: Assemble
    counts: ReadCounts
    fields: Sequence[str] = ()
    """Fields of the documents' metadata that name sources."""
    cut: int = 0
    """Traces of which only the earliest spans were read."""
    _wanted: Wanted | None = None
    _excluded: list[int] = field(default_factory=list)
    _indexes: dict[Hashable, set[str]] = field(default_factory=dict)
    _places: dict[int, Place] = field(default_factory=dict)
    """Of the classes of spans with documents."""
    _forms: Sequence[str] = ()
    _digests: dict[Hashable, frozenset[int]] = field(default_factory=dict)
    """Of the ids of the documents of a class in a form, unless they are too many."""

    def read(self) -> list[RecordedAnswer]:
        """Return the answers that began on the day. Those of traces of one shape are one.

        Raises:
            ConnectorError: a statement was not answered.
        """
        ((spans, ours, present, tracers, evaluations),) = self.ask(self.day.overview())
        spans, ours = int(spans), int(ours)
        if not ours:
            return []
        wanted = self._wanted = Wanted.of(present, self.day.plain, int(evaluations))
        few = ours < spans * _FEW
        parts = [Slice()]
        while parts[0].of * SLICE_SPANS < (ours if few else spans):
            parts = [one for part in parts for one in part.split()]
        found: list[Shape] = []
        odd: list[Odd] = []
        for part in parts:
            self._read_part(wanted, part, few, found, odd)
        known = self._classes(wanted, found)
        again = self._in_time(known, found)
        if again:
            odd += self._members(wanted, parts, again, few)
            found = [shape for shape in found if shape.key not in again]
        mixed = twins.mixed_services(one.split("\n", 1) for one in tracers)
        apart = Apart(self.day.start, mixed) if mixed else None
        alone = self._alone(known, found, mixed)
        # They have no documents, so that the engine's count of documents need not leave them out.
        lonely = list(self._members(wanted, parts, alone, few)) if alone else []
        found = [shape for shape in found if shape.key not in alone]
        self._excluded = [one.hash for one in odd] if len(odd) <= MAX_EXCLUDED else []
        documents = self._documents(wanted, known)
        answers = [
            *self._summed(found, known, documents),
            *self._of_rows(wanted, odd, apart),
            *self._of_rows(wanted, lonely, apart),
        ]
        if apart is not None and apart.holds_any:
            apart.note(self._of_frameworks(wanted, known, mixed))
            answers += apart.kept()
            self.counts.answers -= apart.left_out
            self.counts.add_others({REPEATED: apart.left_out, UNSCORED: apart.unscored})
        self.counts.traces_cut += self.cut
        if len(odd) > MAX_EXCLUDED:
            answers = [_without_chunk_counts(one) for one in answers]
        return answers

    def count_chunks(self, totals: Sequence[Totals]) -> None:
        """Count the different chunks of totals of the day; let the engine do it where they are too many.

        Raises:
            ConnectorError: a statement was not answered.
        """
        if self._wanted is None:
            return
        assets: dict[tuple[int, int], list[int]] = {}
        more: list[tuple[int, int]] = []
        asked: dict[int, Totals] = {}
        for number, total in enumerate(totals, 1):
            sets = total.chunk_sets
            if sets is None:
                continue
            # A set of chunks has any key; ours are those of shapes: classes of spans with forms of documents.
            keys = cast("Collection[tuple[int, str]]", sets.key)
            if any(len(self._indexes.get(one, ())) > 1 for one in keys):
                total.count_chunks(None)
                continue
            digests = [found for one in keys if (found := self._digests.get(one)) is not None]
            if len(digests) == len(keys):
                total.count_chunks(len(sets.more.union(*digests)))
                continue
            asked[number] = total
            more += [(number, one) for one in sets.more]
            for key, form in keys:
                assets.setdefault((key, self._forms.index(form)), []).append(number)
        statement = self.day.distinct(self._wanted, assets, self._places, more, self._excluded)
        rows = [] if statement is None else self.ask(statement)
        counted = {int(number): int(ids) for number, ids in rows}
        for number, total in asked.items():
            total.count_chunks(counted.get(number, 0))

    def _read_part(self, wanted: Wanted, part: Slice, few: bool, found: list[Shape], odd: list[Odd]) -> None:
        try:
            rows = self.ask(self.day.shapes(wanted, part, few=few))
        except TooLargeError:
            if part.of * 4 > MOST_SLICES:
                raise
            for smaller in part.split():
                self._read_part(wanted, smaller, few, found, odd)
            return
        read, alone = shapes.parse(rows)
        odd += alone
        self.counts.traces += len(alone) + sum(shape.times for shape in read)
        self.counts.spans_read += sum(one.size for one in alone)
        self.counts.spans_read += sum(shape.times * len(shape.places) for shape in read)
        by_key = {shape.key: shape for shape in found}
        for shape in read:
            known = by_key.get(shape.key)
            by_key[shape.key] = shape if known is None else known.plus(shape)
        found[:] = by_key.values()

    def _classes(self, wanted: Wanted, found: Sequence[Shape]) -> dict[int, SpanClass]:
        """Read what the classes of these shapes are."""
        at: dict[int, int] = {}
        for shape in found:
            for one in shape.places:
                if one.span_class:
                    at.setdefault(one.span_class, one.first)
        bits = [form.name for form in forms(self.day.table, wanted)]
        known: dict[int, SpanClass] = {}
        for batch in _batches(list(at.items()), _BATCH_CLASSES):
            statement = self.day.classes(
                wanted, sorted({when for _, when in batch}), [key for key, _ in batch]
            )
            for row in self.ask(statement):
                key, described = classes.parse(row, wanted, self.selection, self.day.application, bits)
                known[key] = described
        if len(known) != len(at):
            raise TooLargeError("spans were deleted while they were read. Run again.")
        return known

    def _in_time(self, known: Mapping[int, SpanClass], found: Iterable[Shape]) -> set[int]:
        """Return the shapes whose answers depend on when spans began and ended."""
        again = set()
        for shape in found:
            skeleton = Skeleton(shape, known, lambda key, form: None, set())
            apart, nested = self.assemble(skeleton.spans).answers, self.assemble(skeleton.nested).answers
            if [len(one.models) for one in apart] != [len(one.models) for one in nested]:
                again.add(shape.key)
        return again

    def _alone(
        self, known: Mapping[int, SpanClass], found: Iterable[Shape], mixed: frozenset[str]
    ) -> set[int]:
        """Return the shapes that are one inference of an SDK, in services where a framework may report it too."""
        return {
            shape.key
            for shape in found
            if any(known[one.span_class].service in mixed for one in shape.places if one.span_class)
            and twins.alone(Skeleton(shape, known, lambda key, form: None, set()).spans) is not None
        }

    def _of_frameworks(
        self, wanted: Wanted, known: Mapping[int, SpanClass], mixed: frozenset[str]
    ) -> Iterator[Inference]:
        """Yield the inferences that frameworks report in the shapes of these services."""
        asked = {key: one for key, one in known.items() if one.service in mixed and one.is_of_framework}
        for batch in _batches(list(asked), _BATCH_CLASSES):
            for key, host, started, ended, numbers in self.ask(self.day.inferences(wanted, batch)):
                one = asked[int(key)]
                attributes = one.with_numbers([float(number) for number in numbers], lambda form: None, "")
                resource = {**one.resource, **({names.HOST[0]: host} if host else {})}
                yield twins.inference(attributes, resource, int(started) / 1e9, int(ended) / 1e9)

    def _members(
        self, wanted: Wanted, parts: Iterable[Slice], again: Iterable[int], few: bool
    ) -> Iterator[Odd]:
        for part in parts:
            for key, size, first, last in self.ask(self.day.members(wanted, part, again, few=few)):
                yield Odd(hash=int(key), size=int(size), first=int(first), last=int(last))

    def _documents(self, wanted: Wanted, known: Mapping[int, SpanClass]) -> dict[tuple[int, str], Documents]:
        found: dict[tuple[int, str], Documents] = {}
        parsed: dict[str, Chunk] = {}
        listed = self._forms = [form.name for form in forms(self.day.table, wanted)]
        self._places = {key: (one.service, one.name) for key, one in known.items() if one.forms}
        for batch in _batches(list(self._places), _BATCH_DOCUMENTS):
            places = {key: self._places[key] for key in batch}
            statement = self.day.documents(wanted, places, self.fields, self._excluded)
            for key, place, whole, ids, digests, sources in self.ask(statement):
                form = listed[int(place)]
                if digests or not ids:
                    self._digests[int(key), form] = _read_digests(digests)
                if len(sources) > MAX_SOURCES:
                    self.counts.add_others({"classes of spans with more sources than are read": 1})
                for one in sources[:MAX_SOURCES]:
                    if one not in parsed:  # Classes and forms have the same ones.
                        parsed[one] = chunks.chunk_of(self.selection.metadata(one) or {})
                read = [parsed[one] for one in sources[:MAX_SOURCES]]
                found[int(key), form] = Documents(
                    whole=bool(whole),
                    has_ids=bool(ids),
                    ids=tuple(ids),
                    sources=tuple(one for one in read if one.source is not None),
                )
        return found

    def _summed(
        self,
        found: Iterable[Shape],
        known: Mapping[int, SpanClass],
        documents: Mapping[tuple[int, str], Documents],
    ) -> Iterator[RecordedAnswer]:
        told: set[tuple[str, int, tuple[int, str] | None]] = set()
        for shape in found:
            skeleton = Skeleton(shape, known, lambda key, form: documents.get((key, form)), told)
            assembled = self.assemble(skeleton.spans)
            self._note(assembled, shape.times)
            for answer in skeleton.summed(assembled.answers):
                self._note_indexes(answer)
                yield answer

    def _note_indexes(self, answer: RecordedAnswer) -> None:
        """Note which index the documents of a class come from; several share one where another span tells it."""
        for one in answer.retrievals:
            if isinstance(one.chunks, SampledChunks) and one.chunks.of.key is not None:
                self._indexes.setdefault(one.chunks.of.key, set()).add(
                    json.dumps([one.index, one.retriever, answer.application], sort_keys=True)
                )

    def _of_rows(self, wanted: Wanted, odd: Sequence[Odd], apart: Apart | None) -> Iterator[RecordedAnswer]:
        """Yield the answers of traces that are looked at by themselves.

        They are read in the order of their starts, because the table is in that order for each name of spans: a batch
        reads a part of the day, and not the whole of it.
        """
        batch: list[Odd] = []
        spans = 0
        for one in sorted(odd, key=lambda one: one.first):
            if batch and spans + one.size > _BATCH_SPANS:
                yield from self._of_batch(wanted, batch, apart)
                batch, spans = [], 0
            batch.append(one)
            spans += one.size
            self.cut += one.size > MAX_SPANS
        if batch:
            yield from self._of_batch(wanted, batch, apart)

    def _of_batch(
        self, wanted: Wanted, batch: Sequence[Odd], apart: Apart | None
    ) -> Iterator[RecordedAnswer]:
        day = self.day
        where = day.of_traces([one.hash for one in batch])
        sql = select_spans(day.table, wanted, self.selection, day.application, where)
        rows = self.ask(day.statement(sql, batch[0].first, max(one.last for one in batch)))
        for spans in read_traces(rows, self.selection, day.application):
            assembled = self.assemble(spans)
            kept = [one for one in assembled.answers if day.start <= one.started < day.start + 86_400]
            self._note(assembled, 1)
            if apart is None or not apart.takes(spans, kept):
                yield from map(_with_digests, kept)

    def _note(self, assembled: Assembled, times: int) -> None:
        counts = self.counts
        counts.orphans += assembled.orphans * times
        counts.duplicates += assembled.duplicates * times
        counts.answers += len(assembled.answers) * times
        counts.traces_without_answer += times * (not assembled.answers)
        counts.add_others({word: number * times for word, number in assembled.others().items()})


def digest(identity: str) -> int:
    """Return ClickHouse's ``halfMD5`` of an id."""
    return int.from_bytes(hashlib.md5(identity.encode(), usedforsecurity=False).digest()[:8])


def _read_digests(text: str) -> frozenset[int]:
    """Read digests of 16 hexadecimal digits each."""
    found = array("Q", bytes.fromhex(text))
    if sys.byteorder == "little":
        found.byteswap()
    return frozenset(found)


def _with_digests(answer: RecordedAnswer) -> RecordedAnswer:
    """Hand the chunks of an answer to the engine to count, together with those that it has itself."""
    return replace(answer, retrievals=tuple([_digested(one) for one in answer.retrievals]))


def _digested(retrieval: Retrieval) -> Retrieval:
    ids = [chunk.id for chunk in retrieval.chunks if chunk.id is not None]
    whole = len(ids) == len(retrieval.chunks) and not retrieval.chunks_cut
    found = SampledChunks.build(retrieval.chunks, ChunkSet(None, frozenset(map(digest, ids))), 1)
    return replace(retrieval, chunks=found, chunks_cut=0 if whole else 1)


def _without_chunk_counts(answer: RecordedAnswer) -> RecordedAnswer:
    return replace(
        answer,
        retrievals=tuple([replace(one, chunks_cut=max(1, one.chunks_cut)) for one in answer.retrievals]),
    )


def _batches(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]
