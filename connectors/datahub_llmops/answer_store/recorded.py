"""What the hooks recorded, as plain values: an answer with its parts, a run of writes.

``format`` reads and writes them as rows. Raw identities are mappings as the hooks saw them (``platform``, ``host`` or
``path``, ``tenant``, ``database``, ``schema``, ``collection``, or ``urn``); ``answers.resolver`` turns them into URNs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from datahub_llmops.assets.usage import ChunkSet, Latencies, Tokens

if TYPE_CHECKING:
    from datahub_llmops.assets.observations import JudgeKind

Raw: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk that a retrieval found.

    ``key`` is the key of its source row in the form that ``source_keys`` allows; ``place`` holds ``page`` and ``row``.
    """

    id: str | None
    score: float | None = None
    source: Raw | None = None
    key: str | None = None
    run: str | None = None
    place: Mapping[str, int] = field(default_factory=dict)


class SampledChunks(tuple[Chunk, ...]):
    """Some of the chunks that equal retrievals found. An engine counts all of them."""

    of: ChunkSet
    """All of them."""
    times: int
    """Number of the retrievals."""

    @classmethod
    def build(cls, chunks: Iterable[Chunk], of: ChunkSet, times: int) -> Self:
        found = cls(chunks)
        found.of, found.times = of, times
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """One search of an index, or a composite retriever, which itself reads nothing.

    ``within`` is the position of the composite retrieval that made it.
    """

    retriever: Raw
    index: Raw | None
    index_number: int | None
    embedding: Raw | None
    chunks: tuple[Chunk, ...]
    milliseconds: int | None
    status: str
    composite: bool = False
    within: int | None = None
    chunks_cut: int = 0

    @property
    def times(self) -> int:
        """Number of equal retrievals that this one stands for, all of which were seen."""
        return self.chunks.times if isinstance(self.chunks, SampledChunks) else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One call of a model. Tokens are those that the provider reported; a cache hit has none.

    ``cost`` is what a gateway or a tracer has computed, in US dollars. ``fingerprint`` names the configuration of the
    model that served, as OpenAI's ``system_fingerprint``.
    """

    asked: Raw
    served: Raw | None
    prompt: int | None
    milliseconds: int | None
    status: str
    error: str | None
    cached: bool
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    tokens_cache_write: int | None = None
    tokens_reasoning: int | None = None
    cost: float | None = None
    fingerprint: str | None = None

    @property
    def tokens(self) -> Tokens:
        """Return the token counts in the form that can be added up."""
        return Tokens(
            input=self.tokens_in,
            cached=self.tokens_cached,
            cache_write=self.tokens_cache_write,
            output=self.tokens_out,
            reasoning=self.tokens_reasoning,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool."""

    name: str
    milliseconds: int | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a judge said of an answer: a number, or a category. Without both, the judge gave no score.

    ``value`` is the sum of ``times`` scores.
    """

    metric: str
    judge: JudgeKind
    value: float | None = None
    category: str | None = None
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswer:
    """One answer. Times are in seconds since the epoch.

    ``weight`` is the number of answers that it stands for where the application records a sample.
    """

    id: str
    application: str
    version: str | None
    framework: str | None
    framework_version: str | None
    root: str | None
    host: str | None
    started: float
    ended: float
    status: str
    error: str | None
    weight: float
    retrievals: tuple[Retrieval, ...]
    prompts: tuple[Raw, ...]
    models: tuple[ModelCall, ...]
    tools: tuple[ToolCall, ...]
    parts_cut: int = 0
    query_text: str | None = None
    answer_text: str | None = None
    recorded_on: str | None = None
    """The host whose answer store has this answer as well. Spans say so; an answer store does not keep it."""
    scores: tuple[Score, ...] = ()
    """Evaluations and verdicts that spans carry; an answer store has none."""

    @property
    def times(self) -> int:
        """Number of equal answers that this one stands for, all of which were seen."""
        return self.count if isinstance(self, SummedAnswer) else 1

    @property
    def milliseconds(self) -> int:
        """The latency."""
        if isinstance(self, SummedAnswer):
            return self.latencies
        return round((self.ended - self.started) * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SummedAnswer(RecordedAnswer):
    """Equal answers, added up by an engine.

    ``weight`` is that of all of them, tokens and costs are sums, latencies are ``Latencies``. ``started`` is the first
    start, ``ended`` the last end.
    """

    count: int
    latencies: Latencies


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWrites:
    """What one run of a job wrote into one index.

    ``counts`` has ``added``, ``deleted``, ``updated``, ``skipped`` and ``failed``. Times: seconds since the epoch.
    """

    run: str
    application: str
    index: Raw
    index_number: int
    embedding: Raw | None
    started: float
    ended: float
    framework: str
    host: str | None
    job: str | None
    flow: str | None
    orchestrator: str | None
    counts: Mapping[str, int]
    sources: tuple[tuple[Raw, int], ...]
    sources_unknown: int
    splitter: Raw | None
    facts: Raw
    error: str | None


class Numbered(Protocol):
    """What has identities by number: an open store, or one line of a segment."""

    def identity(self, number: int) -> Raw:
        """Return an identity; it is empty if it was pruned.

        Raises:
            RecordError: it is damaged.
        """


class Identities:
    """Maps the numbers of one store to identities, reading each at most once."""

    def __init__(self, store: Numbered) -> None:
        self._store = store
        self._read: dict[int, Raw] = {}

    def __getitem__(self, number: int) -> Raw:
        raw = self._read.get(number)
        if raw is None:
            raw = self._read[number] = self._store.identity(number)
        return raw

    def get(self, number: int | None) -> Raw | None:
        """Return the identity, or ``None`` for ``None``."""
        return None if number is None else self[number]
