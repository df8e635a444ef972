"""Shapes of traces, and the answers in all traces of a shape.

A shape is assembled once, as if it were one trace. Its spans begin one after the other and last one millisecond more
than the one before, so that each part of an answer tells by its latency which span it was made of. Then the sums of
that span take the place of the latency.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from datahub_llmops.spans.doors.clickhouse.classes import Documents, SpanClass
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
class Place:
    """The spans at one place in all traces of a shape."""

    span_class: int
    """0 if the spans only link others."""
    parent: int
    """Place of the parent from 1 on, 0 for none, ``ORPHAN`` for one that is not there."""
    first: int
    """Earliest start, in nanoseconds."""
    last: int
    """Latest end."""
    milliseconds: float
    bins: Mapping[int, int]
    """Number of a bound of latency -> calls."""
    numbers: Sequence[float]
    """Sums of the numbers of the spans."""

    def plus(self, other: Place) -> Place:
        """Return the sum of this and other spans at the same place in the same shape."""
        return replace(
            self,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            milliseconds=self.milliseconds + other.milliseconds,
            bins=Counter(self.bins) + Counter(other.bins),
            numbers=[sum(pair) for pair in zip(self.numbers, other.numbers, strict=True)],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Traces of one shape."""

    key: int
    times: int
    places: Sequence[Place]

    def plus(self, other: Shape) -> Shape:
        """Return the sum of this and other traces of the same shape."""
        places = [one.plus(two) for one, two in zip(self.places, other.places, strict=True)]
        return replace(self, times=self.times + other.times, places=places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """A trace that is looked at by itself."""

    hash: int
    size: int
    """Number of its spans."""
    first: int
    """Start of its first span, in nanoseconds."""
    last: int
    """Start of its last span."""


def parse(rows: Iterable[Sequence[Any]]) -> tuple[list[Shape], list[Odd]]:
    """Read shapes, and the traces that have none, from the rows of ``Day.shapes``."""
    odd = []
    found: dict[int, dict[int, Place]] = {}
    for row in rows:
        key, place, number, times, size, low, high, span_class, parent, first, last, milliseconds, numbers = (
            row
        )
        if int(place) == 0:
            odd.append(Odd(hash=int(key), size=int(size), first=int(low), last=int(high)))
            continue
        one = Place(
            span_class=int(span_class),
            parent=int(parent),
            first=int(first),
            last=int(last),
            milliseconds=float(milliseconds),
            bins={int(number): int(times)},
            numbers=[float(each) for each in numbers],
        )
        places = found.setdefault(int(key), {})
        known = places.get(int(place))
        places[int(place)] = one if known is None else known.plus(one)
    shapes = [
        Shape(key=key, times=sum(of[1].bins.values()), places=[of[place] for place in sorted(of)])
        for key, of in found.items()
    ]
    return shapes, odd


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
        for place, one in enumerate(shape.places):
            key, parent = one.span_class, one.parent
            known = classes.get(key)
            started = place * _STEP
            attributes, resource = _NOTHING, _NOTHING
            if known is not None:
                attributes = known.with_numbers(
                    one.numbers,
                    lambda form, key=key: documents(key, form),  # type: ignore[misc]
                    str(place),
                )
                resource = resources.setdefault(repr(known.resource), known.resource)
                by_bound = {_BOUNDS[number]: calls for number, calls in sorted(one.bins.items())}
                self._latencies[place] = Latencies.of(one.milliseconds, by_bound)
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
            known = self._classes.get(self.shape.places[place].span_class)
            attributes = span.attributes if known is None else known.attributes
            plain.append(span._replace(started=place / 1e3, ended=end - place * _STEP, attributes=attributes))
        return plain

    def summed(self, answers: Sequence[RecordedAnswer]) -> Iterator[SummedAnswer]:
        """Yield the answers of this skeleton as those of all traces of its shape."""
        shape = self.shape
        for answer in answers:
            place = round(answer.started / _STEP)
            at = shape.places[place]
            common = {name: getattr(answer, name) for name in _COMMON}
            yield SummedAnswer(
                **common,
                started=at.first / 1e9,
                ended=at.last / 1e9,
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
        own = self.shape.places[place].span_class
        sets = [self._marked(chunk) for chunk in retrieval.chunks[:1] if chunk.id is not None]
        sampled: list[Chunk] = []
        key: tuple[int, str] | None = None
        whole = False
        for where, form in sets:
            key = self.shape.places[where].span_class, form
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
                sampled += without_database(known.sources, store_class) if known is not None else ()
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
