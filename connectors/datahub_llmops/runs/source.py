"""The source ``llm-runs`` turns what the hooks recorded on this host into lineage and usage in the catalog.

At least once, with keys that make repeats harmless: a day with a new answer is emitted again as a whole. How far the
store was read moves only when the sink has confirmed, by DataHub's own checkpoint; without stateful ingestion every
run emits everything that the store holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import ClassVar

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub.ingestion.api.source import CapabilityReport
from datahub.ingestion.source.state.stateful_ingestion_base import StatefulIngestionSourceBase
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.answer_store.database import Store, reading
from datahub_llmops.answer_store.format import load_answer, load_writes
from datahub_llmops.answer_store.queries import start_of
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer, RecordedWrites
from datahub_llmops.answers.daily_totals import roll_up
from datahub_llmops.answers.embedding_runs import EmbeddingRuns
from datahub_llmops.answers.names import HookNames
from datahub_llmops.answers.resolver import Ambiguous, Resolver
from datahub_llmops.answers.served_models import ServedModels
from datahub_llmops.catalog.protocol import Catalog, FullCatalog
from datahub_llmops.errors import CatalogError, RecordError, StoreError
from datahub_llmops.ingestion.applications.emission import Applications
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.ingestion.applications.rollup import DAY, Rollup
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.recipe_catalog import recipe_catalog
from datahub_llmops.ingestion.report import most_frequent
from datahub_llmops.ingestion.run_target import RunTarget
from datahub_llmops.ingestion.source import PatchingSource, TestedSource, no_connection
from datahub_llmops.mapping import applications as mapping
from datahub_llmops.runs.config import RunsConfig, RunsReport
from datahub_llmops.runs.embedding_mismatch import Built, built_with, mismatch
from datahub_llmops.runs.instances import is_day_of, is_run_into, take_edges_back
from datahub_llmops.runs.passed_over import PassedOver
from datahub_llmops.runs.watermark import FORMAT, Watermark, store_key


@platform_name("LLM application runs", id="langchain")
@config_class(RunsConfig)
@support_status(SupportStatus.ALPHA)
class RunsSource(PatchingSource, TestedSource, StatefulIngestionSourceBase):
    """Reads the answer store of the hooks."""

    config_type: ClassVar[type[RunsConfig]] = RunsConfig
    report: RunsReport

    def __init__(
        self, config: RunsConfig, ctx: PipelineContext, now: Callable[[], float] = time.time
    ) -> None:
        """``now`` is the time from which the age of edges is computed, in seconds since the epoch."""
        super().__init__(config, ctx)
        self.config = config
        self.report = RunsReport()
        self._now = now
        self._watermark = Watermark(self, config, ctx)
        self._passed_over = PassedOver(self.report)
        self._target = RunTarget(ctx, config.custom_aspects, self.report)
        self.report.custom_aspects = self._target.decision.message

    @classmethod
    @override
    def try_connection(cls, config: RunsConfig) -> CapabilityReport:
        """Open the answer store, and count its answers."""
        try:
            with reading(config.store) as store:
                seen, _ = store.totals()
        except StoreError as error:
            return no_connection(f"Cannot read: {error}")
        return CapabilityReport(capable=True, mitigation_message=f"Works, sees {seen:,} answers.")

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
                store = resources.enter_context(reading(self.config.store))
                yield from self._read(store, catalog, emitter)
            except (CatalogError, StoreError) as error:
                self.report.failure(
                    title="Cannot read",
                    message="The run ended early; the next one starts from the same place.",
                    context=str(error),
                )

    def _read(self, store: Store, catalog: FullCatalog | None, emitter: RunEmitter) -> Iterator[Emission]:
        state = self._watermark.last()
        name = store_key(store.path)
        answers_upto, writes_upto = store.watermark()
        answers_from, writes_from = state.answers.get(name, 0), state.writes.get(name, 0)
        if answers_from > answers_upto or writes_from > writes_upto:
            answers_from = writes_from = 0  # Another store has its file's number now.
        typed = self._target.decision.enabled
        if state.is_outdated(typed=typed):
            answers_from = writes_from = 0  # What an earlier run sent is sent again in its present form.
        self.report.store_counters = store.counters()
        known = Identities(store)
        resolver = Resolver(
            self.config.instances, env=self.config.env, catalog=catalog, ambiguous=self._ambiguous
        )
        new = set(store.written_after(answers_from, answers_upto))
        self._passed_over.expect(new)
        fresh = set(self._days(new))
        days = sorted(fresh - _cut(store, fresh))
        self.report.buckets = len(days)
        found = roll_up(
            self._answers(store, known, days),
            HookNames(resolver),
            self.config,
            lambda answer, error: self._passed_over.record("answer", answer.id, error),
            Places(catalog, self.config.env),
        )
        served = ServedModels(state.served, found)
        self._report_totals(found, served)
        now = self._now()
        applications = Applications(
            env=self.config.env,
            currency=self.config.currency,
            emitter=emitter,
            catalog=catalog,
            guard=self._passed_over.guard,
            now=now,
            served=served.changes,
        )
        yield from applications.emissions(found)
        runs = list(self._writes(store, known, writes_from, self._passed_over.record))
        embedding = EmbeddingRuns(self.config, self.report, emitter, self._passed_over.guard, now)
        yield from embedding.emissions(runs, resolver)
        if catalog is not None and state.format < FORMAT:
            indexes = {index for one in runs if (index := resolver.index(one.index)) is not None}
            yield from self._instances_without_edges(catalog, found, indexes)
        for model in emitter.changed_models:
            yield from self._passed_over.guard("a model", emitter.emit_model(model))
        yield from applications.model_usage(found)
        if self.config.incidents:
            writes = self._writes(
                store, known, 0, lambda *_: None
            )  # The run that saw one first has reported it.
            yield from self._passed_over.guard(
                "an incident", self._incidents(found, built_with(writes, resolver), emitter)
            )
        self._watermark.reached(
            state.after(name, answers_upto, writes_upto, typed=typed, served=served.state)
        )

    def _instances_without_edges(
        self, catalog: Catalog, found: Rollup, indexes: set[str]
    ) -> Iterator[Emission]:
        for name, application in found.applications.items():
            days = take_edges_back(catalog, application.log, is_day_of(application.job))
            yield from self._passed_over.guard(f"days of {name}", emit(days, primary=False))
        for index in sorted(indexes):
            runs = take_edges_back(catalog, index, is_run_into(index))
            yield from self._passed_over.guard(f"runs into {index}", emit(runs, primary=False))

    def _report_totals(self, found: Rollup, served: ServedModels) -> None:
        self.report.answers_read, self.report.applications = found.answers, len(found.applications)
        self.report.models_that_changed = len(served.changes)
        self.report.models_not_observable = served.not_observable
        self.report.unnamed_parts = found.unnamed
        self.report.unresolved_indexes = most_frequent(found.unresolved)
        if found.unnamed:
            self.report.warning(
                title="Parts without a usable name",
                message="The name of a prompt, retriever or model cannot be part of a URN. The rest of its answer "
                "was counted.",
                context=f"{found.unnamed} parts",
            )

    def _days(self, answers: Iterable[str]) -> Iterator[int]:
        for answer in answers:
            try:
                yield int(start_of(answer)) // DAY * DAY
            except RecordError as error:
                self._passed_over.record("answer", answer, error)

    def _answers(self, store: Store, known: Identities, days: list[int]) -> Iterator[RecordedAnswer]:
        for day in days:
            for row in store.begun_between(day, day + DAY):
                try:
                    yield load_answer(row, known)
                except RecordError as error:
                    self._passed_over.record("answer", row.id, error)

    @staticmethod
    def _writes(
        store: Store, known: Identities, after: int, passed_over: Callable[[str, int, RecordError], None]
    ) -> Iterator[RecordedWrites]:
        for row in store.writes(after):
            try:
                yield load_writes(row, known)
            except RecordError as error:
                passed_over("run of writes", row.seq, error)

    def _incidents(self, found: Rollup, built: dict[str, Built], emitter: RunEmitter) -> Iterator[Emission]:
        now = self._now()
        for index, queried in sorted(found.query_models.items()):
            known = built.get(index)
            if known is None:
                continue
            wrong = mismatch(known, queried)
            info = emitter.read_aspect(urns.embedding_mismatch(index), "incidentInfo")
            active = (info.get("status") or {}).get("state") == "ACTIVE"
            solved = active and any(mapping.seen_on(info, host) for host in wrong.right_on)
            if wrong.models and not active:
                yield Emission(
                    mapping.mismatch_proposal(
                        index, known.model, wrong.models, wrong.hosts, now, solved=False
                    ),
                    primary=False,
                )
            elif solved and not wrong.models:
                yield Emission(
                    mapping.mismatch_proposal(index, known.model, (), (), now, solved=True), primary=False
                )

    def _ambiguous(self, found: Ambiguous) -> None:
        self.report.warning(
            title="Several indexes of this name",
            message="None was taken. Say which is meant with a rule of `instances`.",
            context=f"{found.shown}: {', '.join(found.candidates)}",
        )


def _cut(store: Store, days: set[int]) -> set[int]:
    """Return the oldest day of a store that dropped answers. Its rest would replace the totals of the whole day."""
    counters = store.counters()
    if not days or not (counters.get("answers_expired") or counters.get("answers_dropped")):
        return set()
    oldest = next(_starts(store, max(days) + DAY), None)
    # A store that holds no more than a day has nothing better to say of it.
    return set() if oldest is None else {int(oldest) // DAY * DAY} - {max(days)}


def _starts(store: Store, end: float) -> Iterator[float]:
    for row in store.begun_between(0, end):
        with suppress(RecordError):
            yield row.started
