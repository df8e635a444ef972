"""Reads what applications did, by day. An application is a tracing project; experiments are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.errors import ConnectorError, UnreadableError
from datahub_llmops.prompt_registries.langsmith.sessions import Session, Sessions, midnight
from datahub_llmops.prompt_registries.langsmith.traffic import COMMIT, MODEL, Span, Stats, Traffic, holds


class Usage:
    """A ``UsageReader`` of one workspace."""

    def __init__(self, sessions: Sessions, traffic: Traffic) -> None:
        self._sessions = sessions
        self._traffic = traffic

    def observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        """Yield the usage of each day, application by application."""
        for session in self._sessions.all():
            if not session.is_experiment:
                for day in session.days(window):
                    try:
                        yield from list(self._observe(session, day))
                    except ConnectorError as error:
                        yield FailedListing(name=(session.name, day.isoformat()), error=error)

    def _observe(self, session: Session, day: date) -> Iterator[Observed | FailedListing]:
        span = day_of(session, day)
        answers = self._traffic.stats(span, is_root=True)
        if not answers.runs:
            return
        row = partial(Observed, application=session.name, day=day, definition=session.page)
        yield _counted(row, answers)
        models = self._traffic.models(span)
        for name, shown in models.models.items():
            calls = self._traffic.stats(span, run_type="llm", filter=holds(MODEL, name))
            yield _counted(partial(row, model=shown), calls)
        prompts = self._traffic.prompts(span)
        for ref in prompts.prompts:
            only = holds(COMMIT, ref.version)
            calls = self._traffic.stats(span, run_type="llm", filter=only)
            if calls.runs:
                yield _counted(partial(row, prompt=ref), calls)
                continue
            # The prompt is a step of its own: it tells how often it was used, but not what the model after it cost.
            steps = self._traffic.stats(span, run_type="prompt", filter=only)
            if steps.runs:
                yield row(prompt=ref, calls=steps.runs, errors=steps.errors, last=steps.last)
        if not (models.whole and prompts.whole):
            yield FailedListing(
                name=(session.name, day.isoformat()),
                error=_too_many(self._traffic, session, day),
                is_item=False,
            )


def day_of(session: Session, day: date) -> Span:
    """The runs of one session on one day."""
    return Span(session=session.id, start=midnight(day), end=midnight(day + timedelta(days=1)))


def _counted(row: Callable[..., Observed], stats: Stats) -> Observed:
    """Build a row. A cost of 0 is none: LangSmith has it too where it knows no price."""
    spent = bool(stats.tokens.input or stats.tokens.output)
    return row(
        calls=stats.runs,
        errors=stats.errors,
        tokens=stats.tokens if spent else Tokens(),
        cost=stats.cost or None,
        last=stats.last,
    )


def _too_many(traffic: Traffic, session: Session, day: date) -> UnreadableError:
    return UnreadableError(
        f"{traffic.name}: {session.name} had more runs on {day} than are looked at for the names of prompts and "
        "models. The totals are of all runs; a version or model that only older runs of that day name is missing."
    )
