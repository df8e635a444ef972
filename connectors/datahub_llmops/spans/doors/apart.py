"""Answers that may repeat a framework's in another trace, set aside until all inferences of their day are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeAlias

from datahub_llmops.answer_store.recorded import RecordedAnswer, Score
from datahub_llmops.answer_store.segments import dump_line, load_line
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans import twins
from datahub_llmops.spans.doors.spool import Spool
from datahub_llmops.spans.span import Span
from datahub_llmops.spans.twins import Inference

_Row: TypeAlias = tuple[str, int, bytes, tuple[dict[str, Any], ...], float]


class Apart:
    """The answers of one day, in a temporary file."""

    def __init__(self, day: int, services: frozenset[str]) -> None:
        """``services`` are those in which a framework is traced and something else as well."""
        self._day = day
        self._services = services
        self._twins = twins.Twins()
        self._spool: Spool[_Row] | None = None
        self.left_out = 0
        """Answers that ``kept`` has left out."""
        self.unscored = 0
        """Scores of those."""

    def note(self, inferences: Iterable[Inference]) -> None:
        """Note inferences that a framework reports."""
        self._twins.note(inferences)

    @property
    def holds_any(self) -> bool:
        """Whether an answer was put aside."""
        return self._spool is not None

    def takes(self, spans: Sequence[Span], answers: Sequence[RecordedAnswer]) -> bool:
        """Note what a trace says of its inferences, and return whether its answers are put aside."""
        if not any(str(span.resource.get(names.SERVICE[0])) in self._services for span in spans):
            return False
        self.note(twins.of_frameworks(spans))
        one = twins.alone(spans) if len(answers) == 1 and answers[0].recorded_on is None else None
        if one is None:
            return False
        if self._spool is None:
            self._spool = Spool()
        [answer] = answers
        scores = tuple(map(asdict, answer.scores))
        self._spool.put([(answer.id, self._twins.hold(one), dump_line(answer), scores, answer.started)])
        return True

    def kept(self) -> Iterator[RecordedAnswer]:
        """Yield what was put aside and no framework reports too."""
        if self._spool is None:
            return
        repeated = self._twins.repeated()
        for rows in self._spool.groups(self._day, len(repeated), []):
            for row in rows:
                answer = load_line(row[2])
                if repeated[row[1]]:
                    self.left_out += 1
                    self.unscored += len(row[3])
                elif isinstance(answer, RecordedAnswer):
                    yield replace(answer, scores=tuple([Score(**one) for one in row[3]]))
        self._spool.close()
