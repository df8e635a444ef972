"""Totals of usage: calls, errors, latency, tokens, cost. A number that was not reported stays unknown in a sum too.

The weight of a sampled answer counts the answers that sampling left out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

MAX_CHUNKS: Final = 250_000
"""Maximum number of different chunks in one sum. They are kept in memory, about 17 MiB at this limit."""
LATENCY_BOUNDS: Final = (10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 40960, 81920)
"""Upper bounds in milliseconds, as in OpenTelemetry's `gen_ai.client.operation.duration`.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens of one call as the provider reports them; ``None`` if it does not.

    ``cached`` and ``cache_write`` are part of ``input``, ``reasoning`` is part of ``output``.
    """

    input: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None

    def items(self) -> Iterator[tuple[str, int]]:
        """Yield kind and number of the tokens that were reported."""
        if self.input is not None:
            yield "input", self.input
        if self.cached is not None:
            yield "cached", self.cached
        if self.cache_write is not None:
            yield "cache_write", self.cache_write
        if self.output is not None:
            yield "output", self.output
        if self.reasoning is not None:
            yield "reasoning", self.reasoning


class Latencies(int):
    """The latencies of several calls, as an engine has added them up. As a number it is their mean in milliseconds."""

    total: float
    """Sum in milliseconds."""
    by_bound: Mapping[int | None, int]
    """Calls by the upper bound of their latency, ``None`` for those beyond all bounds."""

    @classmethod
    def of(cls, total: float, by_bound: Mapping[int | None, int]) -> Self:
        """Build it of at least one call. The bounds are those of ``LATENCY_BOUNDS``."""
        found = cls(round(total / sum(by_bound.values())))
        found.total, found.by_bound = total, by_bound
        return found


@dataclass(frozen=True, slots=True)
class ChunkSet:
    """Chunks that an engine counts, because it has their ids.

    ``key`` is the engine's name for them, ``None`` for none; ``more`` are digests of ids that are not among them.
    """

    key: Hashable
    more: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True)
class Totals:
    """Sums over calls, or over answers. Times in seconds since the epoch."""

    calls: float = 0.0
    first: float = float("inf")
    last: float = 0.0
    tokens: dict[str, float] = field(default_factory=dict)
    """By kind, as in ``Tokens``; only kinds that a call reported."""
    _errors: float | None = None
    _errors_unknown: bool = False
    _milliseconds: float = 0.0
    _timed: float = 0.0
    _latencies: dict[int | None, float] = field(default_factory=dict)
    _cost: float | None = None
    _cost_unknown: bool = False
    _chunks: set[int] = field(default_factory=set)
    _chunks_counted: int | None = None
    _chunks_unknown: bool = False
    _chunk_sets: set[Hashable] = field(default_factory=set)
    _more_chunks: set[int] = field(default_factory=set)

    def add(self, *, weight: float, started: float, ended: float) -> None:
        """Add one call or answer."""
        self.calls += weight
        if started < self.first:
            self.first = started
        if ended > self.last:
            self.last = ended

    def add_end(self, *, weight: float, milliseconds: int | None, failed: bool) -> None:
        """Add the end of a call that can fail, with its latency."""
        self._errors = (self._errors or 0.0) + (weight if failed else 0.0)
        if isinstance(milliseconds, Latencies):
            share = weight / sum(milliseconds.by_bound.values())
            self._milliseconds += milliseconds.total * share
            self._timed += weight
            for bound, calls in milliseconds.by_bound.items():
                self._latencies[bound] = self._latencies.get(bound, 0.0) + calls * share
        elif milliseconds is not None:
            self._milliseconds += milliseconds * weight
            self._timed += weight
            place = bisect_left(LATENCY_BOUNDS, milliseconds)
            bound = LATENCY_BOUNDS[place] if place < len(LATENCY_BOUNDS) else None
            self._latencies[bound] = self._latencies.get(bound, 0.0) + weight

    def add_tokens(self, *, weight: float, tokens: Tokens, cost: float | None) -> None:
        """Add the tokens of one model call. ``cost`` is ``None`` if it is unknown."""
        for kind, number in tokens.items():
            self.tokens[kind] = self.tokens.get(kind, 0.0) + number * weight
        if cost is None:
            self._cost_unknown = True
        else:
            self._cost = (self._cost or 0.0) + cost * weight

    def add_sums(
        self,
        *,
        calls: int,
        started: float,
        ended: float,
        errors: int | None,
        tokens: Tokens,
        cost: float | None,
        milliseconds: float | None,
    ) -> None:
        """Add what a tool has added up already. A number that it does not state is ``None``."""
        self.add(weight=calls, started=started, ended=ended)
        if errors is None:
            self._errors_unknown = True
        else:
            self._errors = (self._errors or 0.0) + errors
        if milliseconds is not None:
            self._milliseconds += milliseconds
            self._timed += calls
        self.add_tokens(weight=1.0, tokens=tokens, cost=cost)

    def merge(self, other: Totals) -> None:
        """Add another sum over other calls of the same kind."""
        self.add(weight=other.calls, started=other.first, ended=other.last)
        if other._errors is not None:
            self._errors = (self._errors or 0.0) + other._errors
        self._errors_unknown |= other._errors_unknown
        self._milliseconds += other._milliseconds
        self._timed += other._timed
        for bound, calls in other._latencies.items():
            self._latencies[bound] = self._latencies.get(bound, 0.0) + calls
        for kind, number in other.tokens.items():
            self.tokens[kind] = self.tokens.get(kind, 0.0) + number
        if other._cost is not None:
            self._cost = (self._cost or 0.0) + other._cost
        self._cost_unknown |= other._cost_unknown
        if self._chunks_unknown or other._chunks_unknown:
            self._forget_chunks()
        elif self._chunks_counted is None and other._chunks_counted is None:
            self._chunks |= other._chunks
            if len(self._chunks) > MAX_CHUNKS:
                self._forget_chunks()
        elif other.distinct_chunks and self.distinct_chunks:
            self._forget_chunks()  # How many are in both is not known any more.
        elif other.distinct_chunks:
            self._chunks, self._chunks_counted = set(), other.distinct_chunks

    def _forget_chunks(self) -> None:
        self._chunks_unknown, self._chunks = True, set()

    @property
    def errors(self) -> float | None:
        """Number of calls that failed; ``None`` unless it is known of every call that can fail."""
        return None if self._errors_unknown else self._errors

    @property
    def cost(self) -> float | None:
        """Cost in the currency of the prices; ``None`` unless the cost of every call is known."""
        return None if self._cost_unknown else self._cost

    @property
    def milliseconds(self) -> float | None:
        """Sum of all latencies; ``None`` unless the latency of every call is known."""
        return self._milliseconds if self.calls and self._timed == self.calls else None

    def add_chunks(self, ids: Iterable[str] | ChunkSet | None) -> None:
        """Add retrieved chunks. ``ids`` is ``None`` if not all of them are known."""
        if self._chunks_unknown:
            return
        if isinstance(ids, ChunkSet):
            self._chunk_sets.add(ids.key)
            self._more_chunks |= ids.more
            if len(self._more_chunks) <= MAX_CHUNKS:
                return
            ids = None
        if ids is not None and self._chunks_counted is None:
            self._chunks.update(map(hash, ids))
            if len(self._chunks) <= MAX_CHUNKS:
                return
        self._forget_chunks()

    def close(self) -> None:
        """Keep only the number of the chunks. No more will be added."""
        if self._chunks_counted is None:
            self._chunks_counted, self._chunks = len(self._chunks), set()

    @property
    def chunk_sets(self) -> ChunkSet | None:
        """The chunks that an engine has to count: ``key`` is the set of their keys. ``None`` if there are none."""
        if self._chunks_unknown or not (self._chunk_sets or self._more_chunks):
            return None
        return ChunkSet(frozenset(self._chunk_sets - {None}), frozenset(self._more_chunks))

    def count_chunks(self, number: int | None) -> None:
        """Take the number of the chunks from the engine; ``None`` if it does not know."""
        self._chunk_sets, self._more_chunks = set(), set()
        self._chunks_counted, self._chunks_unknown = number or 0, number is None

    @property
    def distinct_chunks(self) -> int | None:
        """Number of different chunks; ``None`` if there are none or too many, or not all are known."""
        counted = len(self._chunks) if self._chunks_counted is None else self._chunks_counted
        return counted if counted and not self._chunks_unknown else None

    @property
    def histogram(self) -> list[tuple[int | None, int]]:
        """Calls by the upper bound of their latency, lowest first, ``None`` last. Empty ranges are left out."""
        rounded = ((bound, round(self._latencies.get(bound, 0.0))) for bound in (*LATENCY_BOUNDS, None))
        return [(bound, calls) for bound, calls in rounded if calls]


def model_name(raw: Mapping[str, Any] | None) -> str | None:
    """``provider/model``, or the model alone, as recipes write it."""
    if not raw:
        return None
    name, provider = raw.get("name") or raw.get("model"), raw.get("provider")
    if not isinstance(name, str):
        return None
    return f"{provider}/{name}" if provider else name


def moves(name: str) -> bool:
    """Whether a provider moves the name of a model to a newer version from time to time.

    >>> moves("openai/chatgpt-4o-latest"), moves("ollama/llama3:latest"), moves("openai/gpt-4o-2024-08-06")
    (True, True, False)
    """
    return _MOVES.search(name) is not None


_MOVES: Final = re.compile(r"(^|[-:@/.])latest$")
