"""Writes scores as history: an assertion where a threshold is known, a time series, and the last score of each metric.

Only our own assertions are written, and none is ever removed: a judge that changed begins another one, and what the old
one said stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from datahub_llmops.assets.observations import Limit, Scores
from datahub_llmops.errors import PatternError
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.score_options import ScoreOptions
from datahub_llmops.lineage.patterns import full_match, is_allowed
from datahub_llmops.mapping import scores
from datahub_llmops.mapping.scores import Evaluation
from datahub_llmops.urns import Deployment


class ScoreReport(Protocol):
    """What a report has to count."""

    scores_read: int
    assertions: int

    def warning(self, message: Any, context: str | None = None, *, title: str) -> None:
        """Take up a warning."""
        ...


@dataclass(kw_only=True)
class ScoreWriter:
    """Writes the scores of one run. ``miss`` is called with what could not be written, and why."""

    options: ScoreOptions
    deployment: Deployment
    emitter: RunEmitter
    report: ScoreReport
    miss: Callable[[str, str], None]
    newest: dict[str, dict[str, Evaluation]] = field(default_factory=dict)
    """Asset -> metric -> its last score."""
    _without_mean: set[str] = field(default_factory=set)
    """Metrics of categories that the recipe has a threshold for."""
    _metrics: dict[str, bool] = field(default_factory=dict)

    def write(self, row: Scores, asset: str) -> Iterator[Emission]:
        """Emit the scores of one metric that ``asset`` got in one run, or on one day."""
        self.report.scores_read += 1
        evaluation = Evaluation(asset=asset, scores=row, limit=self._limit(row), tool=self.deployment)
        if evaluation.limit is not None:
            yield from self._assertion(evaluation)
        yield from self.emitter.emit_typed(asset, [scores.scores_aspect(evaluation)])
        newest = self.newest.setdefault(asset, {})
        before = newest.get(row.metric)
        if before is None or before.milliseconds <= evaluation.milliseconds:
            newest[row.metric] = evaluation

    def last(self, asset: str) -> Iterator[Emission]:
        """Emit the last score of each metric of an asset."""
        present = self.emitter.read_aspect(asset, "structuredProperties")
        yield from emit(scores.last_scores(asset, self.newest[asset].values(), present), primary=False)

    def _assertion(self, evaluation: Evaluation) -> Iterator[Emission]:
        if self.emitter.claim(evaluation.urn):
            self.report.assertions += 1
            present = self.emitter.read_aspect(evaluation.urn, "assertionInfo")
            # Shared, so that stale removal does not retire one that had no scores for a while.
            yield from emit(scores.assertion_proposals(evaluation, present), primary=False)
        yield Emission(scores.run_event(evaluation), primary=False)

    def wants(self, metric: str) -> bool:
        """Whether the recipe wants the scores of a metric."""
        if metric not in self._metrics:
            try:
                self._metrics[metric] = is_allowed(self.options.metric_pattern, metric)
            except PatternError as error:
                self._metrics[metric] = False
                self.miss(metric, str(error))
        return self._metrics[metric]

    def _warn_of_categories(self, row: Scores) -> None:
        named = any(threshold.metric == row.metric for threshold in self.options.thresholds)
        if named and row.metric not in self._without_mean:
            self._without_mean.add(row.metric)
            self.report.warning(
                title="Threshold without effect",
                message="The metric's scores are categories, which have no mean to compare. Its history is kept, and "
                "it gets no assertion. Take the metric out of `evaluations.thresholds`.",
                context=row.metric,
            )

    def _limit(self, row: Scores) -> Limit | None:
        """Find the threshold of a metric: the recipe's first one that fits, else the tool's. Categories have none."""
        if row.kind == "categorical":
            self._warn_of_categories(row)
            return None
        name = row.subject if isinstance(row.subject, str) else row.subject.name
        for threshold in self.options.thresholds:
            if threshold.metric == row.metric:
                try:
                    if full_match(threshold.prompt, name) is not None:
                        return threshold.limit
                except PatternError as error:
                    self.miss(row.metric, str(error))
                    return None
        return row.limit
