"""Scores on spans, as history of the application's answer log and of the prompt's version.

A day is counted as a whole, so a repeat replaces it. Scores of an old day that came late do not become the last ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from datahub.metadata.urns import DatasetUrn

from datahub_llmops.assets.observations import Judge, JudgeKind, Scores
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.ingestion.applications.rollup import Application, Rollup, ScoreSums
from datahub_llmops.ingestion.emitter import Emission, RunEmitter
from datahub_llmops.ingestion.report import guard_asset
from datahub_llmops.ingestion.score_options import ScoreOptions
from datahub_llmops.ingestion.score_writer import ScoreWriter
from datahub_llmops.spans.report import SpansReport
from datahub_llmops.urns import Deployment

PLATFORM: Final = "opentelemetry"
MAX_CATEGORIES: Final = 20
"""Different labels of a metric in a day. If there are more, they are free text, and are left out."""
MAX_REMEMBERED: Final = 10_000


class ScoreSeries:
    """Writes the scores of a run. ``last`` maps assets and metrics to the days of their last scores.

    ``last`` is what the run before remembered, and is brought up to date.
    """

    def __init__(
        self,
        options: ScoreOptions,
        env: str,
        emitter: RunEmitter,
        report: SpansReport,
        last: Mapping[str, str],
    ) -> None:
        self._deployment = Deployment(platform=PLATFORM, env=env)
        self._options = options
        self._emitter = emitter
        self._report = report
        self.last = dict(last)

    def emissions(self, found: Rollup) -> Iterator[Emission]:
        """Yield the scores of the days in a roll-up, whose applications have been emitted."""
        writer = ScoreWriter(
            options=self._options,
            deployment=self._deployment,
            emitter=self._emitter,
            report=self._report,
            miss=self._miss,
        )
        for (name, asset, day, metric, judge), sums in sorted(found.scores.items()):
            if writer.wants(metric):
                row = _row(_subject(found.applications[name], asset), day, metric, judge, sums)
                yield from guard_asset(self._report, metric, writer.write(row, asset))
        for asset, newest in sorted(writer.newest.items()):
            for metric, evaluation in list(newest.items()):
                key = f"{asset}\n{metric}"
                if self.last.get(key, "") > evaluation.scores.run:
                    del newest[metric]
                elif key in self.last or len(self.last) < MAX_REMEMBERED:
                    self.last[key] = evaluation.scores.run
            if newest:
                yield from guard_asset(self._report, asset, writer.last(asset))

    def _miss(self, what: str, why: str) -> None:
        self._report.failure(
            title="Scores could not be read",
            message="What the catalog knows of them stays as it is.",
            context=f"{what}: {why}",
        )


def _subject(application: Application, asset: str) -> PromptRef | str:
    if asset == application.log:
        return application.name
    raw = application.facts[asset].raw
    name = raw.get("name") or DatasetUrn.from_string(asset).name
    return PromptRef(name=str(name), version=str(raw.get("version") or ""))


def _row(subject: PromptRef | str, day: int, metric: str, judge: JudgeKind, sums: ScoreSums) -> Scores:
    at = datetime.fromtimestamp(day, UTC)
    few = len(sums.categories) <= MAX_CATEGORIES
    return Scores(
        metric=metric,
        subject=subject,
        kind="numeric" if sums.numbers else "categorical",
        judge=Judge(kind=judge),
        run=at.date().isoformat(),
        at=at,
        count=sums.numbers or sum(sums.categories.values()),
        mean=sums.total / sums.numbers if sums.numbers else None,
        categories=sums.categories if few else {},
        failed=sums.failed,
    )
