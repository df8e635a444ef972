"""What every door to recorded spans offers the source: which days have anything new, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from datahub_llmops.answer_store.recorded import Raw, RecordedAnswer, RecordedWrites
from datahub_llmops.spans.span import Span

if TYPE_CHECKING:  # It loads DataHub, which takes a hundred megabytes.
    from datahub_llmops.ingestion.applications.rollup import Application, Rollup

Days: TypeAlias = tuple[int, ...]
"""Days in UTC, oldest first: the times of their starts, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that the report of the run has to say.

    A ``failure`` means that spans were not understood or not seen; nothing may be retired then. ``info`` means the same
    for something that an earlier run reported as a failure and that nobody can repair any more.
    """

    kind: Literal["failure", "warning", "info"]
    title: str
    """Constant words, because DataHub's report groups by them."""
    message: str
    """What to do about it."""
    context: str
    """The object, table or day that it is about, and the reason. Never a value of an attribute."""
    days: Days = ()
    """Days that were left out of the totals, because only a part of them could be read."""


Tell: TypeAlias = Callable[[Problem], None]


@dataclass(slots=True, kw_only=True)
class ReadCounts:
    """What a door has read so far. The source shows it in its report while the run goes on."""

    objects_listed: int = 0
    objects_read: int = 0
    objects_read_again: int = 0
    """Read by an earlier run, and again because something new belongs to their days; also the beginning of a file that
    has grown."""
    objects_unchanged: int = 0
    objects_vanished: int = 0
    """Listed, and deleted before they were read."""
    objects_failed: int = 0
    objects_too_old: int = 0
    """Older than ``max_days``, so they were not opened."""
    objects_without_spans: int = 0
    """Of another kind, such as logs or metrics."""
    bytes_read: int = 0
    """As stored, mostly compressed."""
    spans_read: int = 0
    spans_too_old: int = 0
    """Older than ``max_days``."""
    spans_in_future: int = 0
    """Begun more than a day after the run, by their clock; also answers of segments."""
    spans_unusable: int = 0
    """Without a trace, an id or a start."""
    records_unreadable: int = 0
    """Lines or messages that are not spans."""
    records_unfinished: int = 0
    """Half-written lines or messages at the end of an object. The next run reads them."""
    values_too_long: int = 0
    """Values of wanted attributes that are too long to be an identifier."""
    duplicates: int = 0
    orphans: int = 0
    """Spans whose parent was not seen."""
    traces: int = 0
    traces_without_answer: int = 0
    traces_cut: int = 0
    """Traces of which only the first spans were kept, because they have too many."""
    segments: int = 0
    """Sealed segments of ``ship``."""
    answers: int = 0
    days_left: int = 0
    """Days that were not counted again because some of their objects cannot be read any more."""
    statements: int = 0
    """Statements that a database answered."""
    others: dict[str, int] = field(default_factory=dict)
    """What only one door counts, by a name for a person."""

    def add_others(self, more: Mapping[str, int]) -> None:
        """Add what there is of ``more`` to ``others``."""
        for word, number in more.items():
            if number:
                self.others[word] = self.others.get(word, 0) + number


class Counting(Protocol):
    """What the source gives to a door that counts: identities become URNs, answers become totals."""

    def roll_up(self, answers: Iterable[RecordedAnswer], recorded: Iterable[RecordedAnswer] = ()) -> Rollup:
        """Return the totals of answers. Those of a day come together, the oldest day first.

        ``answers`` were put together from spans; ``recorded`` are those of sealed segments, which are read first.
        """
        ...

    def index(self, raw: Raw | None) -> str | None:
        """Return the URN of an index, or a key under which it is counted until it is known."""
        ...

    def prompt(self, raw: Raw, application: str) -> str | None:
        """Return the URN of a prompt version."""
        ...

    def model(self, raw: Raw | None) -> str | None:
        """Return the name of a model, as ``urns.model`` takes it."""
        ...

    def application(self, name: str) -> Application | None:
        """Return the application of this name, or ``None`` if the name cannot be part of a URN."""
        ...


@runtime_checkable
class HoldsWrites(Protocol):
    """A door to sealed segments, which hold runs of writes too."""

    writes: dict[object, RecordedWrites]
    """What ``days`` has read of new runs of writes, the newest state of each."""


@runtime_checkable
class HoldsAnswers(Protocol):
    """A door to sealed segments."""

    def sealed(self, answer_id: str, at: datetime | None) -> tuple[RecordedAnswer | None, list[str]]:
        """Return an answer that a segment has, and the segments that could not be read.

        Raises:
            AccessError: the place cannot be listed.
        """
        ...


class Door(Protocol):
    """One place where spans are stored.

    Whole days are counted again whenever something new belongs to them, so a kill, a repeat or a late span is
    harmless: the totals of a day are replaced, never added to.
    """

    counts: ReadCounts

    def days(self, position: Mapping[str, Any]) -> Days:
        """Return the days that have anything new since ``position``, which is empty in a first run.

        Raises:
            AccessError: the place cannot be listed or asked; the message says what to do.
        """
        ...

    def count(self, days: Sequence[int], counting: Counting) -> Rollup:
        """Return the totals of whole days, which ``days`` returned before.

        Raises:
            ConnectorError: the place does not answer any more.
        """
        ...

    def position(self, *, again: bool = False) -> dict[str, Any]:
        """Return how far the door has read, as JSON. It is committed once the sink has confirmed the totals.

        With ``again``, the next run counts the days of this one again, even if nothing new belongs to them.
        """
        ...

    def trace(self, trace_id: str, at: datetime | None) -> list[Span]:
        """Return all spans of a trace, or of the trace that has the answer of this id; empty if there is none.

        ``at`` is a time at which it ran: then only spans recorded around that time are read.

        Raises:
            AccessError: the place cannot be listed or asked.
        """
        ...

    def check(self) -> None:
        """Find out whether the place can be read.

        Raises:
            ConnectorError: it cannot; the message says what to do.
        """
        ...

    def close(self) -> None:
        """Free files and connections. May be called twice."""
        ...
