"""The part of a tool's source that brings scores into the catalog as history.

Each run of a metric is whole in itself, so what was read before a failure is written. Only our own assertions are
written, and none is ever removed: a judge that changed begins another one, and what the old one said stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from datahub.configuration.common import AllowDenyPattern
from datahub.metadata.urns import DatasetUrn
from datahub.utilities.urns.error import InvalidUrnError
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Limit, Scores, Window
from datahub_llmops.assets.prompts import Prompt, PromptRef
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.errors import ConnectorError, DeniedError, PatternError
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.ingestion.day_memory import DayMemory
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_reader import ScoreReader
from datahub_llmops.ingestion.prompt_registry_config import EvaluationsOptions, PromptRegistryReport
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.report import guard_asset, unexpected
from datahub_llmops.lineage.patterns import full_match, is_allowed
from datahub_llmops.mapping import applications, scores
from datahub_llmops.mapping.prompts import version_urn
from datahub_llmops.mapping.scores import Evaluation
from datahub_llmops.urns import Deployment


class EvaluationsMemory(DayMemory):
    """Remembers up to which day the tool's scores were read."""

    subject = "evaluations"


@dataclass(kw_only=True)
class Evaluations(SourcePart[Prompt]):
    """Reads in ``conclusion``, from a reader that is a ``ScoreReader``."""

    options: EvaluationsOptions
    application_pattern: AllowDenyPattern
    application_platform: str | None
    """Platform that applications are drawn on; ``None`` leaves it to the catalog."""
    is_prompt_wanted: Callable[[Name], bool]
    deployment: Deployment
    emitter: RunEmitter
    catalog: Catalog | None
    report: PromptRegistryReport
    memory: EvaluationsMemory
    now: datetime
    _missed: set[date] = field(default_factory=set)
    _without_mean: set[str] = field(default_factory=set)
    """Metrics of categories that the recipe has a threshold for."""
    _assets: dict[PromptRef | str, str | None] = field(default_factory=dict)
    """The asset of each subject; ``None`` if its scores are left out."""
    _metrics: dict[str, bool] = field(default_factory=dict)
    _newest: dict[str, dict[str, Evaluation]] = field(default_factory=dict)
    """Asset -> metric -> its last score."""

    @override
    def conclusion(self, reader: Reader[Prompt]) -> Iterator[Emission]:
        if isinstance(reader, ScoreReader):
            yield from self.report.guard(self._emissions(reader))

    @override
    def close(self) -> None:
        self.memory.keep()

    def _emissions(self, reader: ScoreReader) -> Iterator[Emission]:
        today = self.now.astimezone(UTC).date()
        days = self.memory.begin(today, self.options.first_days, typed=self.emitter.writes_typed)
        for row in self._read(reader, days.window):
            yield from guard_asset(self.report, row.metric, self._scores(row, days.window))
        for asset, newest in sorted(self._newest.items()):
            yield from guard_asset(self.report, asset, self._last(asset, newest))
        self.memory.reached(days, self._missed)

    def _read(self, reader: ScoreReader, window: Window) -> Iterator[Scores]:
        try:
            for row in reader.scores(window):
                if isinstance(row, FailedListing):
                    self._add_failure(row, window)
                elif row.count or row.failed:
                    yield row
        except ConnectorError as error:
            self._report_stop(error, window)
        except Exception as error:  # noqa: BLE001 - what it is, is reported
            self._report_stop(unexpected(error), window)

    def _report_stop(self, error: ConnectorError, window: Window) -> None:
        self._missed.add(window.first)
        denied = isinstance(error, DeniedError)
        self.report.failure(
            title="No right to read scores" if denied else "Cannot read the tool's scores",
            message="What was read before is written, and the next run reads the same days. `evaluations: false` "
            "leaves scores out.",
            context=str(error),
        )

    def _add_failure(self, failed: FailedListing, window: Window) -> None:
        if not failed.is_item:
            self.report.warning(
                title="No scores",
                message="It was left out; everything else is read as usual.",
                context=str(failed.error),
            )
            return
        try:
            day = date.fromisoformat(failed.name[-1])
        except ValueError:
            day = window.first
        self._miss(max(day, window.first), ".".join(failed.name), str(failed.error))

    def _miss(self, day: date, what: str, why: str) -> None:
        self._missed.add(day)
        self.report.items_unreadable += 1
        self.report.failure(
            title="Scores could not be read",
            message="What the catalog knows of them stays as it is, and the next run reads them again.",
            context=f"{what}: {why}",
        )

    def _scores(self, row: Scores, window: Window) -> Iterator[Emission]:
        asset = self._asset(row.subject, window) if self._is_wanted(row.metric, window) else None
        if asset is None:
            return
        self.report.scores_read += 1
        evaluation = Evaluation(asset=asset, scores=row, limit=self._limit(row, window), tool=self.deployment)
        yield from self._described(row.subject, asset)
        if evaluation.limit is not None:
            yield from self._assertion(evaluation)
        yield from self.emitter.emit_typed(asset, [scores.scores_aspect(evaluation)])
        newest = self._newest.setdefault(asset, {})
        before = newest.get(row.metric)
        if before is None or before.milliseconds <= evaluation.milliseconds:
            newest[row.metric] = evaluation

    def _assertion(self, evaluation: Evaluation) -> Iterator[Emission]:
        if self.emitter.claim(evaluation.urn):
            self.report.assertions += 1
            present = self.emitter.read_aspect(evaluation.urn, "assertionInfo")
            # Shared, so that stale removal does not retire one that had no scores for a while.
            yield from emit(scores.assertion_proposals(evaluation, present), primary=False)
        yield Emission(scores.run_event(evaluation), primary=False)

    def _last(self, asset: str, newest: dict[str, Evaluation]) -> Iterator[Emission]:
        present = self.emitter.read_aspect(asset, "structuredProperties")
        yield from emit(scores.last_scores(asset, newest.values(), present), primary=False)

    def _is_wanted(self, metric: str, window: Window) -> bool:
        if metric not in self._metrics:
            try:
                self._metrics[metric] = is_allowed(self.options.metric_pattern, metric)
            except PatternError as error:
                self._metrics[metric] = False
                self._miss(window.first, metric, str(error))
        return self._metrics[metric]

    def _asset(self, subject: PromptRef | str, window: Window) -> str | None:
        if subject not in self._assets:
            self._assets[subject] = self._find(subject, window)
        return self._assets[subject]

    def _find(self, subject: PromptRef | str, window: Window) -> str | None:
        """Find the asset that a subject is; report one that cannot be told."""
        name = subject if isinstance(subject, str) else subject.name
        try:
            if isinstance(subject, PromptRef):
                wanted = self.is_prompt_wanted((subject.name,))
                return version_urn(self.deployment, subject.name, subject.version) if wanted else None
            if not is_allowed(self.application_pattern, subject):
                return None
            drawn = self._drawn(subject)
            if len(drawn) > 1:
                reason = f"it is drawn on {' and '.join(drawn)}. Choose one with `applications.platform`"
                self._miss(window.first, name, f"{reason}, or filter it out.")
                return None
            platform = drawn[0] if drawn else urns.DEFAULT_FRAMEWORK
            return applications.application_urns(subject, platform, self.deployment.env)[2]
        except PatternError as error:
            self._miss(window.first, name, str(error))
        except InvalidUrnError:
            self.report.failure(
                title="Scores of an asset without a usable name",
                message="Its name cannot be part of a URN, so they were left out. All others were written.",
                context=name or "(none)",
            )
        return None

    def _drawn(self, application: str) -> tuple[str, ...]:
        if self.application_platform:
            return (self.application_platform,)
        return Places(self.catalog, self.deployment.env).of(application)

    def _described(self, subject: PromptRef | str, asset: str) -> Iterator[Emission]:
        """Emit the asset if nobody has, so that nothing is said of a missing one."""
        if isinstance(subject, PromptRef):
            yield from self.emitter.emit_missing_datasets([asset])
        elif self.emitter.claim(f"scores of {asset}"):
            platform = DatasetUrn.from_string(asset).get_data_platform_urn().platform_name
            job = applications.application_urns(subject, platform, self.deployment.env)[1]
            url = self.emitter.read_aspect(job, "dataJobInfo").get("externalUrl")
            yield from self.emitter.emit_platform(platform)
            yield from self.emitter.emit_new(
                applications.application_proposals(subject, platform, self.deployment.env, url)
            )

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

    def _limit(self, row: Scores, window: Window) -> Limit | None:
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
                    self._miss(window.first, row.metric, str(error))
                    return None
        return row.limit
