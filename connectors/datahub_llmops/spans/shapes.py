"""The spans of one trace as a sequence that knows its shape, and makes only those spans that somebody asks for.

The shape of a trace is the classes of its spans (``Span.of_class``) in the order of their starts, with the place of the
parent of each. Answers of traces of one shape need only a few of their spans; the others are only counted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final, overload

from typing_extensions import override

from datahub_llmops.spans.span import Attributes, Span
from datahub_llmops.spans.status import milliseconds

MAX_SPANS: Final = 256
"""Spans of the largest trace that has a shape. Larger ones are hardly ever of the same shape."""
NO_PARENT: Final = -1
"""Place of the parent of a span that has none."""
ABSENT: Final = -2
"""Place of the parent of a span whose parent is not there."""


class ShapedSpans(Sequence[Span]):
    """The spans of one trace in the order of their starts, which differ. Each is made anew whenever it is asked for."""

    shape: int
    """A number that traces of this run have in common if they are of one shape."""

    @property
    @abstractmethod
    def resources(self) -> Sequence[Attributes]:
        """The attributes of the process of each span, or of the only process."""

    @abstractmethod
    def span(self, place: int) -> Span:
        """Return the span at a place."""

    @abstractmethod
    def took(self, place: int) -> int | None:
        """Return how many milliseconds a span took, or ``None`` if its end is not known."""

    @abstractmethod
    def own(self, place: int) -> Attributes:
        """Return the attributes of a span that vary, and perhaps others."""

    @override
    def __iter__(self) -> Iterator[Span]:
        return map(self.span, range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Span: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Span]: ...
    @override
    def __getitem__(self, place: int | slice) -> Span | Sequence[Span]:
        return list(self)[place] if isinstance(place, slice) else self.span(place)


class ListedSpans(ShapedSpans):
    """Spans that are there already."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans

    @override
    def __len__(self) -> int:
        return len(self._spans)

    @property
    @override
    def resources(self) -> Sequence[Attributes]:
        return [span.resource for span in self._spans]

    @override
    def span(self, place: int) -> Span:
        return self._spans[place]

    @override
    def took(self, place: int) -> int | None:
        return milliseconds(self._spans[place])

    @override
    def own(self, place: int) -> Attributes:
        return self._spans[place].attributes
