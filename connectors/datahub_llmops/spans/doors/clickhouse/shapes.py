"""Shapes of traces, and the answers in all traces of a shape.

A shape is assembled once, as if it were one trace. Its spans begin one after the other and last one millisecond more
than the one before, so that each part of an answer tells by its latency which span it was made of. Then the sums of
that span take the place of the latency.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from datahub_llmops.answer_store.recorded import (
    Chunk,
    ModelCall,
    RecordedAnswer,
    Retrieval,
    SampledChunks,
    SummedAnswer,
)
from datahub_llmops.assets.usage import LATENCY_BOUNDS, ChunkSet, Latencies
from datahub_llmops.spans import chunks
from datahub_llmops.spans.doors.clickhouse.classes import Documents, SpanClass
from datahub_llmops.spans.doors.clickhouse.span_rows import BINS
from datahub_llmops.spans.doors.clickhouse.statements import ORPHAN
from datahub_llmops.spans.retrievals import without_database
from datahub_llmops.spans.span import Attributes, Span

_STEP: Final = 1_000.0
"""Seconds between the starts of two spans of a shape."""
_BOUNDS: Final = (*LATENCY_BOUNDS, None)
_NOTHING: Final[Attributes] = {}

DocumentsOf: TypeAlias = Callable[[int, str], Documents | None]
"""Returns what is known of the documents of a class in a form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Traces of one shape. All lists have a place for each span."""

    key: int
    times: int
    spans: int
    """Spans of all its traces."""
    classes: Sequence[int]
    places: Sequence[int]
    """Place of the parent from 1 on, 0 for none, ``ORPHAN`` for one that is not there."""
    at: Sequence[int]
    """Starts of the spans of one trace, in nanoseconds."""
    first: Sequence[int]
    """Earliest start, in nanoseconds."""
    last: Sequence[int]
    """Latest end."""
    milliseconds: Sequence[float]
    bins: Sequence[int]
    """For each span with a class: calls by latency."""
    numbers: Sequence[float]

    def plus(self, other: Shape) -> Shape:
        """Return the sum of this and other traces of the same shape."""
        return replace(
            self,
            times=self.times + other.times,
            spans=self.spans + other.spans,
            first=[min(pair) for pair in zip(self.first, other.first, strict=True)],
            last=[max(pair) for pair in zip(self.last, other.last, strict=True)],
            milliseconds=[sum(pair) for pair in zip(self.milliseconds, other.milliseconds, strict=True)],
            bins=[sum(pair) for pair in zip(self.bins, other.bins, strict=True)],
            numbers=[sum(pair) for pair in zip(self.numbers, other.numbers, strict=True)],
        )


def parse(row: Sequence[Any]) -> Shape:
    """Read a shape from a row of ``Day.shapes``."""
    lists = [json.loads(one) for one in row[5:]]
    return Shape(
        key=int(row[4]),
        times=int(row[1]),
        spans=int(row[3]),
        classes=lists[0],
        places=lists[1],
        at=lists[2],
        first=lists[3],
        last=lists[4],
        milliseconds=lists[5],
        bins=lists[6],
        numbers=lists[7],
    )


class Skeleton:
    """One trace that stands for all of a shape."""

    def __init__(
        self,
        shape: Shape,
        classes: Mapping[int, SpanClass],
        documents: DocumentsOf,
        told: set[tuple[str, int, tuple[int, str] | None]],
    ) -> None:
        """``told`` notes of which documents the sources stand in an answer already: once is enough."""
        self.shape = shape
        self._classes = classes
        self._documents = documents
        self._told = told
        self._latencies: dict[int, Latencies] = {}
        self.spans: list[Span] = []
        resources: dict[str, Attributes] = {}
        used = described = 0
        for place, (key, parent) in enumerate(zip(shape.classes, shape.places, strict=True)):
            known = classes.get(key)
            started = place * _STEP
            attributes, resource = _NOTHING, _NOTHING
            if known is not None:
                count = len(known.numbers)
                attributes = known.with_numbers(
                    [float(one) for one in shape.numbers[used : used + count]],
                    lambda form, key=key: documents(key, form),  # type: ignore[misc]
                    str(place),
                )
                used += count
                resource = resources.setdefault(repr(known.resource), known.resource)
                by_bound = {
                    bound: number
                    for bound, number in zip(_BOUNDS, shape.bins[described : described + BINS], strict=True)
                    if number
                }
                described += BINS
                self._latencies[place] = Latencies.of(shape.milliseconds[place], by_bound)
            self.spans.append(
                Span(
                    trace="",
                    id=str(place + 1),
                    parent="" if parent == 0 else "absent" if parent == ORPHAN else str(parent),
                    name=known.name if known else "",
                    started=started,
                    ended=started + (place + 1) / 1_000,
                    error=known.error if known else None,
                    attributes=attributes,
                    resource=resource,
                    scope=known.scope if known else "",
                    weight=known.weight if known else 1.0,
                )
            )

    @property
    def nested(self) -> list[Span]:
        """The same spans without numbers, each within the time of all that began before it.

        If that gives other answers, the times of spans decide which tracer's inference is part of another's, and a
        shape has no times: its traces have to be looked at one by one.
        """
        end = len(self.spans) * 2 * _STEP
        plain = []
        for place, span in enumerate(self.spans):
            known = self._classes.get(self.shape.classes[place])
            attributes = span.attributes if known is None else known.attributes
            plain.append(span._replace(started=place / 1e3, ended=end - place * _STEP, attributes=attributes))
        return plain

    def summed(self, answers: Sequence[RecordedAnswer]) -> Iterator[SummedAnswer]:
        """Yield the answers of this skeleton as those of all traces of its shape."""
        shape = self.shape
        for answer in answers:
            place = round(answer.started / _STEP)
            common = {name: getattr(answer, name) for name in _COMMON}
            yield SummedAnswer(
                **common,
                started=shape.first[place] / 1e9,
                ended=shape.last[place] / 1e9,
                weight=answer.weight * shape.times,
                retrievals=tuple([self._retrieval(one, answer.application) for one in answer.retrievals]),
                models=tuple([self._call(one) for one in answer.models]),
                scores=tuple([replace(one, times=shape.times) for one in answer.scores]),
                count=shape.times,
                latencies=self._latencies[place],
            )

    def _latency(self, milliseconds: int | None) -> tuple[int, Latencies]:
        assert milliseconds is not None, "a span of a shape has ended"
        return milliseconds - 1, self._latencies[milliseconds - 1]

    def _call(self, call: ModelCall) -> ModelCall:
        return replace(call, milliseconds=self._latency(call.milliseconds)[1])

    def _retrieval(self, retrieval: Retrieval, application: str) -> Retrieval:
        place, latencies = self._latency(retrieval.milliseconds)
        if not retrieval.chunks:
            found = SampledChunks.build((), ChunkSet(None), self.shape.times)
            return replace(retrieval, milliseconds=latencies, chunks=found, chunks_cut=0)
        own = self.shape.classes[place]
        sets = [self._marked(chunk) for chunk in retrieval.chunks[:1] if chunk.id is not None]
        sampled: list[Chunk] = []
        key: tuple[int, str] | None = None
        whole = False
        for where, form in sets:
            key = self.shape.classes[where], form
            known = self._documents(*key)
            if known is not None:
                sampled += [Chunk(id=identity) for identity in known.ids]
                whole = known.whole
        if (application, own, key) not in self._told:
            self._told.add((application, own, key))
            of_own = [(own, form) for form in self._classes[own].forms]
            for one in dict.fromkeys([*of_own, *([key] if key is not None else [])]):
                known = self._documents(*one)
                store_class = (retrieval.index or {}).get("class")
                sampled += without_database(sources(known), store_class) if known is not None else ()
        return replace(
            retrieval,
            milliseconds=latencies,
            chunks=SampledChunks.build(sampled, ChunkSet(key), self.shape.times),
            chunks_cut=0 if whole else 1,
        )

    @staticmethod
    def _marked(chunk: Chunk) -> tuple[int, str]:
        place, _, form = (chunk.id or "").partition("/")
        return int(place), form


_COMMON: Final = (
    "id",
    "application",
    "version",
    "framework",
    "framework_version",
    "root",
    "host",
    "status",
    "error",
    "prompts",
    "tools",
    "parts_cut",
    "recorded_on",
)


def sources(documents: Documents) -> list[Chunk]:
    """Return a chunk for each source of documents."""
    found: list[Chunk] = []
    for begin in range(0, len(documents.sources), chunks.MAX_CHUNKS):
        part = documents.sources[begin : begin + chunks.MAX_CHUNKS]
        attributes = {f"retrieval.documents.{place}.document.metadata": one for place, one in enumerate(part)}
        found += [one for one in chunks.read_chunks(attributes)[0] if one.source is not None]
    return found
