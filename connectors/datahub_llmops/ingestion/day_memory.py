"""How far a recipe has read what a tool counts by day: a watermark for each subject.

A day is read again until it is over, and one more time after that, since a tool may count late. A day that could not be
read, and all after it, are read again by the next run.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from datahub.ingestion.source.state.checkpoint import Checkpoint, CheckpointStateBase
from typing_extensions import override

from datahub_llmops.assets.observations import Window
from datahub_llmops.ingestion.recipe_memory import RecipeMemory

_DAY = timedelta(days=1)


class DaysState(CheckpointStateBase):
    """The days that were read without a gap, in ISO form."""

    since: str | None = None
    """The first one; the first run that asked, whether it could read it or not."""
    upto: str | None = None
    """The last one."""
    typed: bool = False
    """Whether the target accepted typed aspects. Those of the past are sent once it does."""


class DayMemory(RecipeMemory[DaysState]):
    """Remembers the days. A subclass names its subject."""

    state_type = DaysState

    @override
    def is_checkpointing_enabled(self) -> bool:
        # What is remembered here removes nothing.
        return bool(self._provider.is_stateful_ingestion_configured())

    @override
    def create_checkpoint(self) -> Checkpoint[DaysState] | None:
        return super().create_checkpoint() if self._ctx.pipeline_name else None

    _begun: Days | None = None

    def begin(self, today: date, first_days: int, *, typed: bool) -> Days:
        """Begin a run: choose the days that it has to read."""
        state = self.read_state()
        since = date.fromisoformat(state.since) if state.since else today - (first_days - 1) * _DAY
        upto = date.fromisoformat(state.upto) if state.upto else None
        if upto is None or upto < since or (typed and not state.typed):
            upto = since
        self._begun = Days(
            window=Window(first=min(upto, today), last=today),
            since=min(since, today),
            typed=state.typed or typed,
        )
        return self._begun

    def reached(self, days: Days, missed: Collection[date]) -> None:
        """Remember what this run read: everything but the days ``missed``."""
        whole = min([days.window.last, *missed]) - _DAY
        state = self.state_to_commit()
        if state is not None:
            state.since = days.since.isoformat()
            state.upto = max(whole, days.window.first).isoformat()
            state.typed = days.typed

    def keep(self) -> None:
        """Remember what the last run read, if this one ended early."""
        if self.committed or not self.is_checkpointing_enabled():
            return
        if self._begun is not None:
            self.reached(self._begun, [self._begun.window.first])
            return
        last = self.read_state()
        state = self.state_to_commit()
        if state is not None:
            state.since, state.upto, state.typed = last.since, last.upto, last.typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The days that a run reads."""

    window: Window
    since: date
    """All days from here to the window were read by earlier runs."""
    typed: bool

    def cover(self, days: int) -> bool:
        """Whether everything of the last ``days`` days is read once the window is."""
        return self.window.last - self.since >= timedelta(days=days)
