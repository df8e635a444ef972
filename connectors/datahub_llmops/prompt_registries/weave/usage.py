"""Reads what applications did, by day, out of the calls of a project.

Weave adds up only the calls below one call, so the first call of each answer is read, up to a bound for each day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Literal, TypeAlias

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import ConnectorError, UnreadableError
from datahub_llmops.prompt_registries.weave.calls import CallRow, Calls, ModelUse, add_tokens
from datahub_llmops.prompt_registries.weave.client import WeaveServer
from datahub_llmops.prompt_registries.weave.days import MOST, Day, midnight
from datahub_llmops.prompt_registries.weave.feedback import Feedback

Naming: TypeAlias = Literal["project", "op"]
"""What an application is: the project, or the op that began the trace."""


@dataclass(frozen=True, slots=True)
class Namer:
    """Names the application that made a first call."""

    server: WeaveServer
    by: Naming

    @property
    def page(self) -> str:
        """The page of all applications of the project."""
        return f"{self.server.pages}/traces"

    def application(self, root: CallRow) -> str:
        return root.op if self.by == "op" else self.server.project.partition("/")[2]


class Usage:
    """A ``UsageReader`` of one project."""

    def __init__(self, calls: Calls, feedback: Feedback, namer: Namer) -> None:
        self._calls = calls
        self._feedback = feedback
        self._namer = namer

    def observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        """Yield the usage of each day, application by application.

        Raises:
            ConnectorError: the answers cannot be read, so that nothing is known of the window.
        """
        applications: dict[date, dict[str, str]] = {}
        scorers = {ref for day in self._feedback.by_day(window) for row in day.rows for ref in row.scored_by}
        for day in self._calls.roots(window):
            answers = [row for row in day.rows if not row.is_evaluation and row.id not in scorers]
            named = {row.trace: self._namer.application(row) for row in answers}
            if day.whole:
                applications[day.day] = named
                yield from self._totals(day.day, answers)
            else:
                yield from self._cut(day.day, set(named.values()))
        yield from self._prompts(window, applications)

    def _totals(self, day: date, answers: Iterable[CallRow]) -> Iterator[Observed]:
        by_application: dict[str, list[CallRow]] = defaultdict(list)
        for row in answers:
            by_application[self._namer.application(row)].append(row)
        for name, rows in sorted(by_application.items()):
            start = partial(Observed, application=name, day=day, definition=self._namer.page)
            yield _add_up(start, rows)
            uses: dict[str, list[ModelUse]] = defaultdict(list)
            for row in rows:
                for model, use in row.models.items():
                    uses[model].append(use)
            last = max(row.at for row in rows)
            for model, found in sorted(uses.items()):
                yield start(
                    model=model,
                    calls=sum(use.calls for use in found),
                    tokens=add_tokens(use.tokens for use in found),
                    cost=_cost(found),
                    last=last,
                )

    def _prompts(
        self, window: Window, applications: dict[date, dict[str, str]]
    ) -> Iterator[Observed | FailedListing]:
        if not applications:
            return
        for ref in self._calls.used(midnight(window.first)):
            try:
                for day in list(self._calls.given(ref, window)):
                    if day.day in applications:
                        yield from self._of_version(ref, day, applications[day.day])
            except ConnectorError as error:
                # The version's use is not part of any total, but without it an application would seem not to run it.
                yield from (FailedListing(name=(day.isoformat(),), error=error) for day in applications)
                return

    def _of_version(
        self, ref: PromptRef, day: Day[CallRow], named: dict[str, str]
    ) -> Iterator[Observed | FailedListing]:
        if not day.whole:
            yield self._too_many(f"{ref.name} {ref.version}", day.day)
            return
        by_application: dict[str, list[CallRow]] = defaultdict(list)
        for row in innermost(day.rows):
            # The trace of an evaluation or of a scorer is not an answer; one that began before midnight is of another
            # day.
            if row.trace in named:
                by_application[named[row.trace]].append(row)
        for name, rows in sorted(by_application.items()):
            start = partial(Observed, application=name, day=day.day, prompt=ref, definition=self._namer.page)
            yield _add_up(start, rows)

    def _cut(self, day: date, names: Iterable[str]) -> Iterator[FailedListing]:
        for name in sorted(names):
            yield self._too_many(name, day)

    def _too_many(self, name: str, day: date) -> FailedListing:
        error = UnreadableError(
            f"{self._calls.name}: {name} had more than {MOST:,} calls on {day}. Its usage of that day is left out."
        )
        return FailedListing(name=(name, day.isoformat()), error=error, is_item=False)


def innermost(rows: Sequence[CallRow]) -> list[CallRow]:
    """Return the calls that used a version themselves, out of all calls that were given it.

    Who is given a version hands it on to the calls below, and Weave counts their tokens in both. Of calls within each
    other, the last one that used a model counts; if none did, the first one.
    """
    traces: dict[str, list[CallRow]] = defaultdict(list)
    for row in rows:
        traces[row.trace].append(row)
    found: list[CallRow] = []
    for calls in traces.values():
        using = [row for row in calls if row.models]
        if using:
            found += [row for row in using if not any(_is_within(other, row) for other in using)]
        else:
            found += [row for row in calls if not any(_is_within(row, other) for other in calls)]
    return found


def _is_within(inner: CallRow, outer: CallRow) -> bool:
    if inner.id == outer.id or outer.parent == inner.id:
        return False
    if inner.parent == outer.id:
        return True
    # Weave tells the parent only, and calls in between may not have been given the version.
    if inner.ended is None or outer.ended is None:
        return False
    return (
        outer.at <= inner.at
        and inner.ended <= outer.ended
        and (outer.at, inner.ended) != (inner.at, outer.ended)
    )


def _add_up(start: Callable[..., Observed], rows: Sequence[CallRow]) -> Observed:
    uses = [use for row in rows for use in row.models.values()]
    times = [row.milliseconds for row in rows]
    known = [time for time in times if time is not None]
    return start(
        calls=len(rows),
        errors=sum(row.failed for row in rows),
        tokens=add_tokens(use.tokens for use in uses),
        cost=_cost(uses),
        milliseconds=sum(known) if len(known) == len(times) else None,
        last=max(row.at for row in rows),
    )


def _cost(uses: Sequence[ModelUse]) -> float | None:
    """Add costs up; ``None`` if that of one model is not known."""
    costs = [use.cost for use in uses]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known and len(known) == len(costs) else None
