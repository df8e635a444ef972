"""Reads scores: those of traffic as aggregates by day, those of experiments by the experiment.

https://langfuse.com/docs/evaluation/overview
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import ScoreKind, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.json_values import plain, text
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer
from datahub_llmops.prompt_registries.langfuse.experiments import Experiments
from datahub_llmops.prompt_registries.langfuse.judges import Judges
from datahub_llmops.prompt_registries.langfuse.metrics import (
    MOST_ROWS,
    Metrics,
    Query,
    Row,
    midnight,
    windows,
)
from datahub_llmops.prompt_registries.langfuse.usage import Usage, is_internal

_NUMBERS: Final = "scores-numeric"
"""Booleans are among them."""
_CATEGORIES: Final = "scores-categorical"
_PROMPT: Final = ("observationPromptName", "observationPromptVersion")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    subject: PromptRef | str
    metric: str
    kind: ScoreKind
    source: str
    day: date


@dataclass(slots=True)
class _Sum:
    count: int = 0
    total: float = 0.0
    categories: dict[str, int] = field(default_factory=dict)


class ScoreAggregates:
    """A ``ScoreReader`` of one project. ``usage`` says what an application is."""

    def __init__(
        self, server: LangfuseServer, metrics: Metrics, usage: Usage, judges: Judges, experiments: Experiments
    ) -> None:
        self._server = server
        self._metrics = metrics
        self._usage = usage
        self._judges = judges
        self._experiments = experiments

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores of each day, then those of each experiment, month by month."""
        for month in windows(window):
            yield from self._of_traffic(month)
            yield from self._experiments.scores(month)

    def _of_traffic(self, window: Window) -> Iterator[Scores | FailedListing]:
        full: set[date] = set()
        internal = self._read_internal_names(window, full)
        found: defaultdict[_Series, _Sum] = defaultdict(_Sum)
        # A dimension of the observation leaves out the scores without one, and so does one of the trace. So both are
        # asked for: scores of a version's calls, and scores of an application's traces with all of their calls.
        for dimensions, subjects in (
            (_PROMPT, _prompt_of),
            (self._usage.dimensions_of_scores, self._usage.applications_of),
        ):
            if dimensions is not None:
                self._read_numbers(dimensions, subjects, internal, window, full, found)
                self._read_categories(dimensions, subjects, internal, window, full, found)
        for day in sorted(full):
            yield FailedListing(name=(day.isoformat(),), error=self._too_many(day))
        for series, total in found.items():
            if series.day not in full:
                yield self._build(series, total)

    def _read_internal_names(self, window: Window, full: set[date]) -> set[str]:
        """Return the names of traces that were only seen in evaluators and experiments.

        A score does not tell the environment of its trace; its own is another one.
        """
        query = Query(
            view="observations", dimensions=("traceName", "environment"), measures=(("count", "count"),)
        )
        names: dict[str, bool] = {}
        for row in self._metrics.rows(query, window, full):
            if name := text(row.values.get("traceName")):
                names[name] = names.get(name, True) and is_internal(row)
        return {name for name, only_internal in names.items() if only_internal}

    def _read_numbers(
        self,
        dimensions: tuple[str, ...],
        subjects: Callable[[Row], list[PromptRef] | list[str]],
        internal: set[str],
        window: Window,
        full: set[date],
        found: defaultdict[_Series, _Sum],
    ) -> None:
        query = Query(
            view=_NUMBERS,
            dimensions=tuple(
                dict.fromkeys(("name", "source", "dataType", "environment", "traceName", *dimensions))
            ),
            measures=(("value", "avg"), ("count", "count")),
        )
        for row in self._metrics.rows(query, window, full):
            kind: ScoreKind = "boolean" if row.values.get("dataType") == "BOOLEAN" else "numeric"
            for series, count in _series(row, kind, subjects, internal):
                mean = row.number("avg_value")
                if mean is None:
                    continue
                found[series].count += count
                found[series].total += mean * count

    def _read_categories(
        self,
        dimensions: tuple[str, ...],
        subjects: Callable[[Row], list[PromptRef] | list[str]],
        internal: set[str],
        window: Window,
        full: set[date],
        found: defaultdict[_Series, _Sum],
    ) -> None:
        """Count the categories of scores with a configuration. Those of others are free text, so they stay unread."""
        query = Query(
            view=_CATEGORIES,
            dimensions=tuple(
                dict.fromkeys(
                    ("name", "source", "configId", "stringValue", "environment", "traceName", *dimensions)
                )
            ),
            measures=(("count", "count"),),
            present=("configId",),
        )
        for row in self._metrics.rows(query, window, full):
            category = text(row.values.get("stringValue"))
            if category is None or not text(row.values.get("configId")):
                continue
            for series, count in _series(row, "categorical", subjects, internal):
                total = found[series]
                total.count += count
                total.categories[category] = total.categories.get(category, 0) + count

    def _build(self, series: _Series, total: _Sum) -> Scores:
        return Scores(
            metric=series.metric,
            subject=series.subject,
            kind=series.kind,
            judge=self._judges.judge(series.metric, series.source, series.day),
            run=series.day.isoformat(),
            at=midnight(series.day),
            count=total.count,
            mean=None if series.kind == "categorical" else total.total / total.count,
            categories=total.categories,
        )

    def _too_many(self, day: date) -> UnreadableError:
        return UnreadableError(
            f"{self._server.name}: an hour of {day} has more than {MOST_ROWS:,} combinations of metric, prompt and "
            "application, which is more than Langfuse returns. None of its scores was read."
        )


def _series(
    row: Row,
    kind: ScoreKind,
    subjects: Callable[[Row], list[PromptRef] | list[str]],
    internal: set[str],
) -> Iterator[tuple[_Series, int]]:
    """Yield the series that a row belongs to; days without data have rows too, without a name."""
    metric, source = text(row.values.get("name")), text(row.values.get("source"))
    count = round(row.number("count_count") or 0)
    if metric is None or source is None or not count or is_internal(row):
        return
    if text(row.values.get("traceName")) in internal:
        return
    for subject in subjects(row):
        yield _Series(subject=subject, metric=metric, kind=kind, source=source, day=row.day), count


def _prompt_of(row: Row) -> list[PromptRef]:
    values: Mapping[str, object] = row.values
    name, version = text(values.get(_PROMPT[0])), plain(values.get(_PROMPT[1]))
    return [PromptRef(name=name, version=version)] if name and version else []
