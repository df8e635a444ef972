"""The spans of one trace that came in one record, put away as one row.

Most traces come in one record or a few. What such a piece of a trace has in common with others is its shape, which is
kept once; its own are ids, times, and the attributes that vary. Nobody looks at a span again unless an answer is made
of it.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any, Final, TypeAlias

from typing_extensions import override

from datahub_llmops.spans.doors.keys import HOUR
from datahub_llmops.spans.doors.rows import Row, as_spans
from datahub_llmops.spans.doors.span_classes import SpanClasses
from datahub_llmops.spans.doors.spool import area_of
from datahub_llmops.spans.shapes import ABSENT, MAX_SPANS, NO_PARENT, ShapedSpans
from datahub_llmops.spans.span import Attributes, Span
from datahub_llmops.spans.status import duration

Bundle: TypeAlias = tuple[Any, ...]
"""Trace, number of spans, ids, number of the shape, first start, times, attributes that vary, processes, parents.

Ids are one text. Times are the starts and then the ends, as bytes. Attributes that vary are a mapping by place, and so
are the ids of parents that are in no span of the bundle; ``None`` if there are none. Processes are a number, or one for
each span. A bundle without a shape has ``0`` for its number and its rows for its ids, and ends after the first start.
"""

MAX_CELLS: Final = 1_000_000
"""Spans in all shapes that a run keeps, some twenty bytes each. Bundles of other shapes are put away as rows."""
_ID: Final = 16
_start: Final = itemgetter(4)
_NOTHING: Final[Attributes] = {}


def size_of(bundle: Bundle) -> int:
    """Return how many spans a bundle has."""
    spans: int = bundle[1]
    return spans


class Bundles:
    """Makes bundles of the rows of a run, and spans of bundles."""

    def __init__(self, classes: SpanClasses) -> None:
        self._classes = classes
        self._numbers: dict[tuple[int, ...], int] = {}
        self._shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), ())]
        """Classes and places of parents, by the number of the shape."""
        self._cells = 0

    def pack(self, rows: Iterable[Row]) -> list[Bundle]:
        """Return rows as bundles, each of one trace and one area of the spool."""
        traces: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            traces[row[0]].append(row)
        found = []
        for listed in traces.values():
            listed.sort(key=_start)
            first, last = listed[0][4], listed[-1][4]
            if first // HOUR == last // HOUR or area_of(first) == area_of(last):
                found.append(self._bundle(listed))
            else:
                areas: dict[int, list[Row]] = {}
                for row in listed:
                    areas.setdefault(area_of(row[4]), []).append(row)
                found += map(self._bundle, areas.values())
        return found

    def _bundle(self, rows: list[Row]) -> Bundle:
        """Return a bundle of rows in the order of their starts."""
        traces, owns, parents, classes, starts, ends, rests, processes = zip(*rows, strict=True)
        count = len(rows)
        ids = "".join(owns)
        places = dict(zip(owns, range(count), strict=True))
        if (
            count > MAX_SPANS
            or len(ids) != _ID * count
            or len(places) < count
            or 0 in classes
            or len(set(starts)) < count
        ):
            return traces[0], count, rows, 0, starts[0]
        places[""] = NO_PARENT
        above = tuple(map(places.get, parents, repeat(ABSENT)))
        shape = self._numbers.get(classes + above) or self._shape(classes, above)
        if not shape:
            return traces[0], count, rows, 0, starts[0]
        varying = {place: rest for place, rest in enumerate(rests) if rest}
        one = processes[0]
        absent = None
        if ABSENT in above:
            absent = {place: parents[place] for place, found in enumerate(above) if found == ABSENT}
        return (
            traces[0],
            count,
            ids,
            shape,
            starts[0],
            array("d", starts + ends).tobytes(),
            varying or None,
            one if processes.count(one) == count else processes,
            absent,
        )

    def _shape(self, classes: tuple[int, ...], above: tuple[int, ...]) -> int:
        self._cells += len(classes)
        if self._cells > MAX_CELLS:
            return 0
        number = self._numbers[classes + above] = len(self._shapes)
        self._shapes.append((classes, above))
        return number

    def spans(self, bundles: Sequence[Bundle], limit: int) -> Sequence[Span]:
        """Return the spans of the bundles of one trace, no more than ``limit``."""
        if len(bundles) == 1 and bundles[0][3]:
            bundle = bundles[0]
            return _Bundled(bundle, *self._shapes[bundle[3]], self._classes)
        return as_spans(islice(chain.from_iterable(map(self._rows, bundles)), limit), self._classes)

    def _rows(self, bundle: Bundle) -> Iterator[Row]:
        if not bundle[3]:
            yield from bundle[2]
            return
        trace, count, ids, shape, _, packed, varying, processes, absent = bundle
        times = memoryview(packed).cast("d")
        known = {**(absent or {}), NO_PARENT: ""}
        for place, (number, parent) in enumerate(zip(*self._shapes[shape], strict=True)):
            yield (
                trace,
                _id(ids, place),
                known[place] if parent == ABSENT else known[parent] if parent < 0 else _id(ids, parent),
                number,
                times[place],
                times[count + place],
                varying.get(place) if varying else None,
                processes if type(processes) is int else processes[place],
            )


def _id(ids: str, place: int) -> str:
    return ids[_ID * place : _ID * place + _ID]


class _Bundled(ShapedSpans):
    """The spans of a trace that is one bundle."""

    __slots__ = ("_above", "_bundle", "_classes", "_numbers", "_times", "shape")

    def __init__(
        self, bundle: Bundle, numbers: tuple[int, ...], above: tuple[int, ...], classes: SpanClasses
    ) -> None:
        self.shape = bundle[3]
        self._bundle = bundle
        self._numbers = numbers
        self._above = above
        self._classes = classes
        self._times = memoryview(bundle[5]).cast("d")

    @override
    def __len__(self) -> int:
        return len(self._numbers)

    @property
    @override
    def resources(self) -> Sequence[Attributes]:
        processes, known = self._bundle[7], self._classes.processes
        return [known[processes]] if type(processes) is int else [known[one] for one in processes]

    @override
    def took(self, place: int) -> int | None:
        times = self._times
        return duration(times[place], times[len(self._numbers) + place])

    @override
    def own(self, place: int) -> Attributes:
        varying = self._bundle[6]
        return varying.get(place, _NOTHING) if varying else _NOTHING

    @override
    def span(self, place: int) -> Span:
        trace, count, ids, _, _, _, varying, processes, absent = self._bundle
        parent = self._above[place]
        number = self._numbers[place]
        name, error, attributes, scope, weight = self._classes.listed[number]
        if varying and place in varying:
            attributes = {**attributes, **varying[place]}
        fields = (
            trace,
            ids[_ID * place : _ID * place + _ID],
            ids[_ID * parent : _ID * parent + _ID]
            if parent >= 0
            else ""
            if parent == NO_PARENT
            else absent[place],
            name,
            self._times[place],
            self._times[count + place],
            error,
            attributes,
            self._classes.processes[processes if type(processes) is int else processes[place]],
            scope,
            weight,
            number,
        )
        return tuple.__new__(Span, fields)
