"""The part of a tool's source that brings what the tool observed of applications into the catalog.

A tool that cannot be read, or an application or a day of it, is a failure: what the catalog knows of it stays, and the
next run reads it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

from datahub.utilities.urns.error import InvalidUrnError
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing, ProvenanceCount
from datahub_llmops.assets.observations import RetrievedSource, Window
from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.catalog.protocol import Catalog, FullCatalog
from datahub_llmops.catalog.usage_records import hosts_days
from datahub_llmops.errors import ConnectorError, DeniedError, PatternError
from datahub_llmops.ingestion.applications.emission import Applications, Witness
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.ingestion.applications.rollup import Application, Rollup
from datahub_llmops.ingestion.applications.tool_totals import Seen, Tool, add_up, leave_out_counted, seconds
from datahub_llmops.ingestion.day_memory import DayMemory, Days
from datahub_llmops.ingestion.emitter import Emission, RunEmitter
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_reader import UsageReader
from datahub_llmops.ingestion.prompt_registry_config import (
    ApplicationsOptions,
    ApplicationsWithSources,
    PromptRegistryReport,
)
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.report import guard_asset, unexpected
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.lineage.schema_lookup import NoCatalog
from datahub_llmops.mapping.observed_edges import RETIRED_DAYS, Sight
from datahub_llmops.mapping.prompts import version_urn
from datahub_llmops.urns import Deployment

_WITHOUT_CURRENCY = "USD"


class ApplicationsMemory(DayMemory):
    """Remembers up to which day the tool's applications were read."""

    subject = "applications"


@dataclass(kw_only=True)
class ObservedApplications(SourcePart[Prompt]):
    """Reads in ``conclusion``, from a reader that is a ``UsageReader``."""

    options: ApplicationsOptions
    deployment: Deployment
    emitter: RunEmitter
    catalog: FullCatalog | None
    report: PromptRegistryReport
    memory: ApplicationsMemory
    now: datetime
    _wanted: dict[str, bool] = field(default_factory=dict)
    _sources: dict[str, _Sources] = field(default_factory=dict)

    @override
    def conclusion(self, reader: Reader[Prompt]) -> Iterator[Emission]:
        if isinstance(reader, UsageReader):
            yield from self.report.guard(self._emissions(reader))

    @override
    def close(self) -> None:
        self.memory.keep()

    def _emissions(self, reader: UsageReader) -> Iterator[Emission]:
        today = self.now.astimezone(UTC).date()
        days = self.memory.begin(today, self.options.first_days, typed=self.emitter.writes_typed)
        seen = self._read(reader, days.window)
        if seen is None:
            self.memory.reached(days, [days.window.first])
            return
        platforms = self._platforms(seen)
        costs = [row.currency for rows in seen.rows.values() for row in rows if row.cost is not None]
        tool = Tool(
            platform=self.deployment.platform,
            env=self.deployment.env,
            currency=costs[0] if costs else _WITHOUT_CURRENCY,
            prompt_urn=lambda ref: version_urn(self.deployment, ref.name, ref.version),
        )
        found = add_up(seen, tool, platforms)
        self._report_totals(seen, found)
        for name, application in found.applications.items():
            self._add_sources(name, application, days.window)
        leave_out_counted(found, self._counted_days(days.window), env=self.deployment.env)
        yield from self._emit(found, tool.currency, self._sight(seen, days))
        self.memory.reached(days, self._missed_days(seen, days.window))

    def _read(self, reader: UsageReader, window: Window) -> Seen | None:
        """Collect what the tool yields; ``None`` if it broke off: then nothing of it is known to be whole."""
        seen = Seen()
        try:
            for row in reader.observed(window):
                if isinstance(row, FailedListing):
                    self._add_failure(row, seen)
                elif not self._is_wanted(row.application, seen):
                    continue
                elif isinstance(row, RetrievedSource):
                    if isinstance(self.options, ApplicationsWithSources):
                        found = self._sources.setdefault(row.application, _Sources())
                        found.add(row, self.options.provenance)
                elif window.first <= row.day <= window.last and row.calls > 0:
                    seen.rows[row.application, row.day].append(row)
        except ConnectorError as error:
            self._report_stop(error)
            return None
        except Exception as error:  # noqa: BLE001 - what it is, is reported
            self._report_stop(unexpected(error))
            return None
        return seen

    def _report_stop(self, error: ConnectorError) -> None:
        denied = isinstance(error, DeniedError)
        self.report.failure(
            title="No right to read traces" if denied else "Cannot read what the tool saw of applications",
            message="Prompts are still written. What the catalog knows of applications stays as it is, and the next "
            "run reads the same days. `applications: false` leaves applications out.",
            context=str(error),
        )

    def _add_failure(self, failed: FailedListing, seen: Seen) -> None:
        *names, last = failed.name
        day = _day(last)
        name = last if day is None else names[0] if names else None
        if name is not None and not self._is_wanted(name, seen):
            return
        if not failed.is_item:
            self.report.warning(
                title="Not an application",
                message="It was left out; everything else is read as usual.",
                context=str(failed.error),
            )
            return
        if name is None and day is not None:
            seen.missed_days.add(day)
        elif name is not None and day is not None:
            seen.missed.add((name, day))
        elif name is not None:
            seen.missed_applications.add(name)
        self._report_unreadable(".".join(failed.name), str(failed.error))

    def _report_unreadable(self, what: str, why: str) -> None:
        self.report.items_unreadable += 1
        self.report.failure(
            title="Usage could not be read",
            message="What the catalog knows of it stays as it is, and the next run reads it again.",
            context=f"{what}: {why}",
        )

    def _is_wanted(self, application: str, seen: Seen) -> bool:
        if application not in self._wanted:
            try:
                self._wanted[application] = is_allowed(self.options.pattern, application)
            except PatternError as error:
                self._wanted[application] = False
                seen.missed_applications.add(application)
                self._report_unreadable(application, str(error))
        return self._wanted[application]

    def _platforms(self, seen: Seen) -> Mapping[str, str]:
        """Find where each application is drawn. One of which that is not known is missed."""
        places = Places(self.catalog, self.deployment.env)
        found = {}
        for name in sorted({name for name, _ in seen.rows}):
            try:
                urns.flow(urns.DEFAULT_FRAMEWORK, name, env=self.deployment.env)
            except InvalidUrnError:
                self.report.failure(
                    title="Application without a usable name",
                    message="Its name cannot be part of a URN, so it was left out. All others were written.",
                    context=name or "(none)",
                )
                continue
            drawn = (self.options.platform,) if self.options.platform else places.of(name)
            if len(drawn) > 1:
                seen.missed_applications.add(name)
                reason = f"it is drawn on {' and '.join(drawn)}. Choose one with `applications.platform`"
                self._report_unreadable(name, f"{reason}, or filter it out.")
            else:
                found[name] = drawn[0] if drawn else urns.DEFAULT_FRAMEWORK
        return found

    def _report_totals(self, seen: Seen, found: Rollup) -> None:
        self.report.applications_observed = len(found.applications)
        self.report.days_observed = len({day for _, day, _ in found.whole})
        if found.unnamed:
            self.report.warning(
                title="Parts without a usable name",
                message="The name of a prompt or model cannot be part of a URN. The rest of its application was "
                "counted.",
                context=f"{found.unnamed} parts",
            )

    def _add_sources(self, name: str, application: Application, window: Window) -> None:
        sources = self._sources.get(name)
        if sources is None or not isinstance(self.options, ApplicationsWithSources):
            return
        options = self.options.provenance
        rules = provenance.compile_rules(options, env=self.deployment.env)
        found = provenance.find_upstreams(
            rules,
            sources.counts(),
            max_upstreams=options.max_upstreams,
            lookup=self.catalog or NoCatalog(),
        )
        if found.problem is not None:
            self.report.failure(
                title="A provenance rule takes too long",
                message="The sources of the application's documents were left out.",
                context=f"{name}: {found.problem}",
            )
            return
        self.report.sources_unmatched += found.unmatched_values
        if found.left_out or sources.dropped:
            self.report.warning(
                title="Too many sources",
                message="The application's most frequent sources were taken. Raise `applications.provenance`'s "
                "`max_upstreams` or `max_values`.",
                context=f"{name}: {found.left_out} sources and {sources.dropped} values left out",
            )
        for warning in found.warnings:
            self.report.warning(title=warning.title, message=warning.message, context=warning.context)
        when = sources.last or application.last
        application.sources.update({source.urn: when for source in found.sources})

    def _counted_days(self, window: Window) -> _CountedDays:
        return _CountedDays(catalog=self.catalog, first=window.first, typed=self.emitter.writes_typed)

    def _sight(self, seen: Seen, days: Days) -> Sight:
        failed = seen.missed_applications or seen.missed_days or seen.missed
        return Sight(way="trace", retires=not failed and days.cover(RETIRED_DAYS))

    def _missed_days(self, seen: Seen, window: Window) -> set[date]:
        missed = seen.missed_days | {day for _, day in seen.missed}
        return missed | {window.first} if seen.missed_applications else missed

    def _emit(self, found: Rollup, currency: str, sight: Sight) -> Iterator[Emission]:
        applications = Applications(
            env=self.deployment.env,
            currency=currency,
            emitter=self.emitter,
            catalog=self.catalog,
            guard=partial(guard_asset, self.report),
            now=self.now.timestamp(),
            witness=Witness(counts_as="source", sight=sight, registry=self.deployment.platform),
        )
        yield from applications.emissions(found)
        for model in self.emitter.changed_models:
            yield from guard_asset(self.report, "a model", self.emitter.emit_model(model))
        yield from applications.model_usage(found)


@dataclass(slots=True)
class _Sources:
    """Values that name the sources of one application's documents. They leave as URNs and counts only."""

    values: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """By field."""
    last: float = 0.0
    dropped: int = 0

    def add(self, row: RetrievedSource, options: provenance.ProvenanceConfig) -> None:
        if row.field not in options.fields:
            return
        values = self.values[row.field]
        if row.value not in values and len(values) >= options.max_values:
            self.dropped += 1
            return
        values[row.value] = values.get(row.value, 0) + row.chunks
        if row.last is not None:
            self.last = max(self.last, seconds(row.last))

    def counts(self) -> list[ProvenanceCount]:
        return [
            ProvenanceCount(field=name, values=values, rows_scanned=sum(values.values()))
            for name, values in self.values.items()
        ]


@dataclass(slots=True, kw_only=True)
class _CountedDays:
    """The days of each asset that hosts counted, by the catalog."""

    catalog: Catalog | None
    first: date
    typed: bool
    _known: dict[str, set[int]] = field(default_factory=dict)

    def __call__(self, urn: str) -> set[int]:
        if self.catalog is None:
            return set()
        if urn not in self._known:
            since = int(datetime.combine(self.first, datetime.min.time(), UTC).timestamp()) * 1000
            series = ["datasetUsageStatistics"] if urn.startswith("urn:li:dataset:") else []
            series += ["llmUsage"] if self.typed else []
            records = [one for name in series for one in self.catalog.series(urn, name, since)]
            self._known[urn] = {day // 1000 for day in hosts_days(records)}
        return self._known[urn]


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text else None
