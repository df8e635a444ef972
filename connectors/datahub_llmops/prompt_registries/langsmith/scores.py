"""Reads feedback: that of traffic by day, that of an experiment as a whole. LangSmith adds it up.

https://docs.langchain.com/langsmith/evaluation-concepts
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import ConnectorError, DeniedError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.json_values import mapping, strings, text, whole
from datahub_llmops.prompt_registries.langsmith.client import V1, V2, LangSmithServer
from datahub_llmops.prompt_registries.langsmith.sessions import Session, Sessions, midnight
from datahub_llmops.prompt_registries.langsmith.traffic import COMMIT, Names, Span, Traffic, holds, number
from datahub_llmops.prompt_registries.langsmith.usage import day_of

_EVALUATORS: Final = f"{V1}/platform/evaluators"
_DATA_SETS: Final = f"{V2}/datasets"


class SessionScores:
    """A ``ScoreReader`` of one workspace."""

    def __init__(self, server: LangSmithServer, sessions: Sessions, traffic: Traffic) -> None:
        self._server = server
        self._sessions = sessions
        self._traffic = traffic
        self._judges = Once(self._read_judges)
        self._data_sets = Once(self._read_data_sets)

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores of each project by day, and those of each experiment that ended in ``window``."""
        for session in self._sessions.all():
            if session.is_experiment:
                if window.first <= session.last.date() <= window.last:
                    yield from self._caught((session.name,), self._of_experiment(session))
            else:
                for day in session.days(window):
                    yield from self._caught((session.name, day.isoformat()), self._of_day(session, day))

    def _caught(
        self, name: tuple[str, ...], found: Iterator[Scores | FailedListing]
    ) -> Iterator[Scores | FailedListing]:
        try:
            yield from list(found)
        except ConnectorError as error:
            yield FailedListing(name=name, error=error)

    def _of_day(self, session: Session, day: date) -> Iterator[Scores | FailedListing]:
        """Yield the scores of all traces of one day, and of those that used a version."""
        span = day_of(session, day)
        whole_day = self._traffic.stats(span)
        if not whole_day.feedback:
            return
        more: dict[str, Any] = {"run": day.isoformat(), "at": midnight(day), "url": session.page}
        yield from self._build(session.name, whole_day.feedback, **more)
        names = self._traffic.prompts(span)
        for ref in names.prompts:
            feedback = self._traffic.stats(span, tree_filter=holds(COMMIT, ref.version)).feedback
            yield from self._build(ref, feedback, **more)
        yield from self._missed(session, names)

    def _of_experiment(self, session: Session) -> Iterator[Scores | FailedListing]:
        if not session.feedback:
            return
        start, end = midnight(session.start.date()), midnight(session.last.date() + timedelta(days=1))
        names = self._traffic.prompts(Span(session=session.id, start=start, end=end))
        if not names.prompts:
            error = UnreadableError(
                f"{self._server.name}: the experiment {session.name} used no prompt of LangSmith, so it is not known "
                "what its scores belong to. Pull the prompt in the target of the experiment."
            )
            yield FailedListing(name=(session.name,), error=error, is_item=False)
        for ref in names.prompts:
            yield from self._build(
                ref,
                session.feedback,
                run=session.id,
                at=session.last,
                data_set=self._data_set(session.data_set),
                url=session.page,
            )
        yield from self._missed(session, names)

    def _build(self, subject: PromptRef | str, feedback: Mapping[str, Any], **more: Any) -> Iterator[Scores]:
        """Build the scores of each metric. The names of categories are left out: anybody may type one."""
        for metric, stat in sorted(feedback.items()):
            told = mapping(stat)
            count, mean = whole(told.get("n")), number(told.get("avg"))
            failed = whole(told.get("errors")) or 0
            if (
                not metric
                or not (count or failed)
                or (mean is None and not told.get("values") and not failed)
            ):
                continue
            yield Scores(
                metric=metric,
                subject=subject,
                kind="categorical" if mean is None and told.get("values") else "numeric",
                judge=self._judges().get(metric, Judge(kind="code")),
                count=count or 0,
                mean=mean,
                failed=failed,
                **more,
            )

    def _missed(self, session: Session, names: Names) -> Iterator[FailedListing]:
        if not names.whole:
            error = UnreadableError(
                f"{self._server.name}: {session.name} had more runs than are looked at for the names of prompts, so "
                "scores of a version that few runs used may be missing."
            )
            yield FailedListing(name=(session.name,), error=error, is_item=False)

    def _read_judges(self) -> Mapping[str, Judge]:
        """Return LangSmith's own evaluators by the metric that each gives; metrics of two are nobody's."""
        try:
            entries = list(self._server.entries(_EVALUATORS, "evaluators", {}))
        except (VanishedError, DeniedError):
            return {}  # Not every key may see them.
        found: dict[str, list[Judge]] = {}
        for entry in entries:
            kind = text(entry.get("type"))
            for metric in strings(entry.get("feedback_keys")):
                judge = Judge(kind="llm" if kind == "llm" else "code", name=text(entry.get("name")))
                found.setdefault(metric, []).append(judge)
        return {metric: judges[0] for metric, judges in found.items() if len(judges) == 1}

    def _data_set(self, id: str | None) -> str | None:
        return None if id is None else self._data_sets().get(id, id)

    def _read_data_sets(self) -> Mapping[str, str]:
        entries = self._server.cursors(_DATA_SETS, {"page_size": 100})
        return {str(entry.get("id")): text(entry.get("name")) or str(entry.get("id")) for entry in entries}
