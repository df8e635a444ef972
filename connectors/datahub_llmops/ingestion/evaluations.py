"""The part of a tool's source that brings scores into the catalog as history.

Each run of a metric is whole in itself, so what was read before a failure is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

from datahub.configuration.common import AllowDenyPattern
from datahub.metadata.urns import DatasetUrn
from datahub.utilities.urns.error import InvalidUrnError
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Scores, Window
from datahub_llmops.assets.prompts import Prompt, PromptRef
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.errors import ConnectorError, DeniedError, PatternError
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.ingestion.day_memory import DayMemory
from datahub_llmops.ingestion.emitter import Emission, RunEmitter
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_reader import ScoreReader
from datahub_llmops.ingestion.prompt_registry_config import EvaluationsOptions, PromptRegistryReport
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.report import guard_asset, unexpected
from datahub_llmops.ingestion.score_writer import ScoreWriter
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.mapping import applications
from datahub_llmops.mapping.prompts import version_urn
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
    _assets: dict[PromptRef | str, str | None] = field(default_factory=dict)
    """The asset of each subject; ``None`` if its scores are left out."""

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
        first = days.window.first
        writer = ScoreWriter(
            options=self.options,
            deployment=self.deployment,
            emitter=self.emitter,
            report=self.report,
            miss=partial(self._miss, first),
        )
        for row in self._read(reader, days.window):
            yield from guard_asset(self.report, row.metric, self._scores(row, writer, days.window))
        for asset in sorted(writer.newest):
            yield from guard_asset(self.report, asset, writer.last(asset))
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

    def _scores(self, row: Scores, writer: ScoreWriter, window: Window) -> Iterator[Emission]:
        if not writer.wants(row.metric):
            return
        if row.subject not in self._assets:
            self._assets[row.subject] = self._find(row.subject, window)
        asset = self._assets[row.subject]
        if asset is not None:
            yield from self._described(row.subject, asset)
            yield from writer.write(row, asset)

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
