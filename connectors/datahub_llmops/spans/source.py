"""The source ``llm-spans`` turns the spans that tracing records into lineage and usage, without an application's help.

It emits the assets and edges of ``llm-runs``, by the same code. Whole days are counted again whenever anything new
belongs to them, so a repeat is harmless. The position advances only when the sink has confirmed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from datahub.ingestion.api.source import CapabilityReport
from datahub.ingestion.source.state.stateful_ingestion_base import StatefulIngestionSourceBase
from typing_extensions import override

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.answers.embedding_runs import EmbeddingRuns
from datahub_llmops.answers.resolver import Ambiguous, Resolver
from datahub_llmops.answers.served_models import ServedModels
from datahub_llmops.errors import (
    CatalogError,
    ConnectorError,
    DeniedError,
    LlmopsError,
    RecipeError,
    RecordError,
)
from datahub_llmops.ingestion.applications.emission import Applications, Witness
from datahub_llmops.ingestion.applications.rollup import Rollup
from datahub_llmops.ingestion.emitter import Emission, RunEmitter
from datahub_llmops.ingestion.id_probe import StoreProbe
from datahub_llmops.ingestion.recipe_catalog import RecipeCatalog, recipe_catalog
from datahub_llmops.ingestion.report import guard_asset, shown, unexpected
from datahub_llmops.ingestion.run_target import RunTarget
from datahub_llmops.ingestion.source import PatchingSource, TestedSource, no_connection
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.schema_lookup import NoCatalog
from datahub_llmops.mapping.edge_properties import BY_SPANS
from datahub_llmops.mapping.observed_edges import RETIRED_DAYS, Sight
from datahub_llmops.spans.assemble import UNNAMED
from datahub_llmops.spans.config import SpansConfig
from datahub_llmops.spans.counting import SpanCounting
from datahub_llmops.spans.doors.door import Door, HoldsWrites, ReadCounts
from datahub_llmops.spans.doors.keys import date_of
from datahub_llmops.spans.doors.opening import open_door
from datahub_llmops.spans.memory import FORMAT, SpansMemory, SpansState
from datahub_llmops.spans.moved import take_back
from datahub_llmops.spans.report import SpansReport
from datahub_llmops.spans.resolve import SpanNames
from datahub_llmops.spans.score_series import PLATFORM, ScoreSeries
from datahub_llmops.spans.settling import Settling


@platform_name("Spans of LLM applications", id=PLATFORM)
@config_class(SpansConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.LINEAGE_COARSE, "From applications to retrievers, indexes and prompt versions")
@capability(SourceCapability.USAGE_STATS, "Calls, tokens and cost by day")
@capability(
    SourceCapability.TEST_CONNECTION, "Distinguishes a place that cannot be reached from one that refuses"
)
class SpansSource(PatchingSource, TestedSource, StatefulIngestionSourceBase):
    """Reads spans of folders, buckets and ClickHouse."""

    config_type: ClassVar[type[SpansConfig]] = SpansConfig
    report: SpansReport

    def __init__(self, config: SpansConfig, ctx: PipelineContext) -> None:
        super().__init__(config, ctx)
        self.config = config
        self.report = SpansReport()
        self.now = datetime.now(UTC)
        stateful = config.stateful_ingestion
        self._memory = SpansMemory(self.state_provider, bool(stateful and stateful.ignore_new_state), ctx)
        self._target = RunTarget(ctx, config.custom_aspects, self.report)
        self.report.custom_aspects = self._target.decision.message

    @override
    def emissions(self) -> Iterator[Emission]:
        with ExitStack() as resources:
            try:
                opened = recipe_catalog(self.ctx, self.config.catalog)
                catalog = opened.catalog
                if catalog is not None:
                    resources.callback(catalog.close)
                emitter = RunEmitter(
                    self.ctx, catalog, self._target, self.report, self.config.env, opened.is_new
                )
                door = resources.enter_context(
                    closing(open_door(self.config, self.report.tell, self.report.read))
                )
                probe = resources.enter_context(
                    closing(StoreProbe(self.config.stores, seconds=self.config.probe_seconds))
                )
                yield from self._read(door, probe, opened, emitter)
            except (CatalogError, ConnectorError, RecipeError) as error:
                self._report_stop(error)

    def _report_stop(self, error: LlmopsError) -> None:
        self.report.understood_less = True
        denied = isinstance(error, DeniedError)
        self.report.failure(
            title="No right to read spans" if denied else "Cannot read",
            message="The run ended early; the next one starts from the same place, and no edge is retired.",
            context=str(error),
        )

    def _read(
        self, door: Door, probe: StoreProbe, opened: RecipeCatalog, emitter: RunEmitter
    ) -> Iterator[Emission]:
        catalog = opened.catalog
        state = self._memory.last()
        typed = self._target.decision.enabled
        outdated = state.is_outdated(place_of(self.config), typed=typed)
        resolver = Resolver(
            self.config.instances, env=self.config.env, catalog=catalog, ambiguous=self._ambiguous
        )
        names = SpanNames(
            resolver,
            data_sources=self.config.data_source_ids,
            rules=self.config.indexes,
        )
        days = door.days({} if outdated else state.position)
        counting = SpanCounting(names, self.config, catalog, self._pass_over)
        found = door.count(days, counting)
        today = self.now.date()
        settling = Settling(
            probe=probe,
            known=state.found if state.stores == self.config.stores else {},
            today=today,
            source_rules=provenance.compile_rules(
                provenance.ProvenanceConfig(rules=self.config.source_rules), env=self.config.env
            ),
            lookup=catalog or NoCatalog(),
            report=self.report,
        )
        settling.settle(found, names)
        take_back(found, counting.recorded, catalog, self.config.env, typed=typed)
        if catalog is None and not opened.unwritten and counting.recorded:
            self._say_unseen(counting.recorded)
        served = ServedModels(state.served, found)
        self._report_totals(found, names, served, len(days))
        since = None if self.report.understood_less else (state.whole_since or today.isoformat())
        applications = Applications(
            env=self.config.env,
            currency=self.config.currency,
            emitter=emitter,
            catalog=catalog,
            guard=partial(guard_asset, self.report),
            now=self.now.timestamp(),
            witness=Witness(counts_as=None, sight=_sight(since, today)),
            served=served.changes,
        )
        yield from applications.emissions(found)
        if isinstance(door, HoldsWrites):
            guard = partial(guard_asset, self.report)
            runs = EmbeddingRuns(self.config, self.report, emitter, guard, self.now.timestamp())
            yield from runs.emissions(list(door.writes.values()), resolver)
        for model in emitter.changed_models:
            yield from guard_asset(self.report, "a model", emitter.emit_model(model))
        yield from applications.model_usage(found)
        last_scores = state.scored
        if self.config.evaluations:
            series = ScoreSeries(self.config.evaluations, self.config.env, emitter, self.report, state.scored)
            yield from series.emissions(found)
            last_scores = series.last
        self._memory.reached(
            SpansState(
                format=FORMAT,
                typed=state.typed or typed,
                place=place_of(self.config),
                position=door.position(again=not settling.is_final),
                whole_since=since,
                stores=self.config.stores,
                found=settling.known,
                served=served.state,
                scored=last_scores,
            )
        )

    def _report_totals(self, found: Rollup, names: SpanNames, served: ServedModels, days: int) -> None:
        report = self.report
        report.days, report.answers, report.applications = days, found.answers, len(found.applications)
        report.unnamed_parts = found.unnamed
        report.models_that_changed = len(served.changes)
        report.models_not_observable = served.not_observable
        unnamed = report.read.others.get(UNNAMED)
        if unnamed:
            report.understood_less = True
            report.failure(
                title="Answers without an application",
                message="Nothing names their application, so they were left out. Set `OTEL_SERVICE_NAME` where they "
                "are traced, `application.attribute` to the attribute that names it, or `application.default` "
                "to its name.",
                context=f"{unnamed} answers",
            )
        if names.too_many:
            report.warning(
                title="Too many retrievers without an index",
                message="Their indexes are not known. Name them by `indexes`, or read fewer applications at a time.",
                context=f"{names.too_many} retrievals",
            )
        if found.scores_left_out:
            report.warning(
                title="Too many metrics",
                message="Scores of some metrics were left out. A name that differs in each answer is not the name of a "
                "metric: check what names it, or set `evaluations: false`.",
                context=f"{found.scores_left_out} scores",
            )
        if found.unnamed:
            report.warning(
                title="Parts without a usable name",
                message="The name of a prompt, retriever or model cannot be part of a URN. The rest of its answer "
                "was counted.",
                context=f"{found.unnamed} parts",
            )

    def _say_unseen(self, recorded: Collection[tuple[str, int]]) -> None:
        name, day = min(recorded)
        self.report.warning(
            title="Earlier totals cannot be looked up",
            message="Hosts recorded answers of these days too. If they were counted as `source=spans` before that was "
            "known, they count twice now. Set `catalog`, or `datahub_api` of the recipe.",
            context=f"{len(recorded)} days of applications, such as {date_of(day)} of {shown(name)}",
        )

    def _pass_over(self, answer: RecordedAnswer, error: RecordError) -> None:
        self.report.answers_passed_over += 1
        self.report.warning(
            title="Application without a usable name",
            message="Its answers were left out. All others were counted. Choose another attribute with "
            "`application.attribute`.",
            context=f"{shown(answer.application)}: {error}",
        )

    def _ambiguous(self, found: Ambiguous) -> None:
        self.report.warning(
            title="Several indexes of this name",
            message="None was taken. Say which is meant with a rule of `instances`.",
            context=f"{found.shown}: {', '.join(found.candidates)}",
        )

    @override
    def close(self) -> None:
        self._memory.keep()
        super().close()

    @classmethod
    @override
    def try_connection(cls, config: Any) -> CapabilityReport:
        """Distinguish "cannot reach", "not allowed" and "works"."""
        try:
            with closing(open_door(config, lambda _: None, ReadCounts())) as door:
                door.check()
        except DeniedError as error:
            return no_connection(f"Not allowed: {error}")
        except (ConnectorError, RecipeError) as error:
            return no_connection(f"Cannot reach: {error}")
        except Exception as error:  # noqa: BLE001 - what it is, is reported
            return no_connection(f"Cannot read: {unexpected(error)}")
        return CapabilityReport(capable=True, mitigation_message="Works: the spans can be read.")


def place_of(config: SpansConfig) -> str:
    """Identify what a recipe reads. A position says nothing about another place, or about another name of applications.

    It is a digest, because an address may hold something private.
    """
    where = config.clickhouse
    parts = (
        ("clickhouse", where.url, where.database, where.table)
        if where is not None
        else ("files", *config.patterns)
    )
    named = config.application
    text = "\n".join((*parts, named.attribute, config.env, config.application_platform or ""))
    if named.default is not None:
        text += f"\n{named.default}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _sight(since: str | None, today: date) -> Sight:
    """An edge is retired only if every run of the last ``RETIRED_DAYS`` days understood everything."""
    whole = since is not None and today - date.fromisoformat(since) >= timedelta(days=RETIRED_DAYS)
    return Sight(way="trace", retires=whole, also=BY_SPANS)
