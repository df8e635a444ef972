"""The source ``llm-runs`` turns what the hooks recorded on this host into lineage and usage in the catalog.

At least once, with keys that make repeats harmless: a day with a new answer is emitted again as a whole. How far the
store was read moves only when the sink has confirmed, by DataHub's own checkpoint; without stateful ingestion every
run emits everything that the store holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import ClassVar

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub.ingestion.source.state.stateful_ingestion_base import StatefulIngestionSourceBase
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_answer, load_writes
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer
from datahub_llmops.answers.resolver import Ambiguous, Resolver
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.errors import CatalogError, StoreError
from datahub_llmops.ingestion.emitter import Emission, RunEmitter
from datahub_llmops.ingestion.recipe_catalog import recipe_catalog
from datahub_llmops.ingestion.run_target import RunTarget
from datahub_llmops.ingestion.source import PatchingSource
from datahub_llmops.mapping import applications as mapping
from datahub_llmops.runs.applications import Applications
from datahub_llmops.runs.config import RunsConfig, RunsReport
from datahub_llmops.runs.daily_totals import DAY, Built, Rollup, built_with, mismatch, roll_up
from datahub_llmops.runs.embedding_runs import EmbeddingRuns
from datahub_llmops.runs.watermark import Watermark, store_key


@platform_name("LLM application runs", id="langchain")
@config_class(RunsConfig)
@support_status(SupportStatus.ALPHA)
class RunsSource(PatchingSource, StatefulIngestionSourceBase):
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
        self._target = RunTarget(ctx, config.custom_aspects, self.report)
        self.report.custom_aspects = self._target.decision.message

    @override
    def emissions(self) -> Iterator[Emission]:
        with ExitStack() as resources:
            try:
                catalog = recipe_catalog(self.ctx, self.config.catalog).catalog
                if catalog is not None:
                    resources.callback(catalog.close)
                emitter = RunEmitter(self.ctx, catalog, self._target, self.report, self.config.env)
                store = Store.read(self.config.store)
                resources.callback(store.close)
                yield from self._read(store, catalog, emitter)
            except (CatalogError, StoreError) as error:
                self.report.failure(
                    title="Cannot read",
                    message="The run ended early; the next one starts from the same place.",
                    context=str(error),
                )

    def _read(self, store: Store, catalog: Catalog | None, emitter: RunEmitter) -> Iterator[Emission]:
        state = self._watermark.last()
        name = store_key(store.path)
        answers_upto, writes_upto = store.watermark()
        answers_from, writes_from = state.answers.get(name, 0), state.writes.get(name, 0)
        if answers_from > answers_upto or writes_from > writes_upto:
            answers_from = writes_from = 0  # Another store has its file's number now.
        self.report.store_counters = store.counters()
        known = Identities(store)
        resolver = Resolver(
            self.config.instances, env=self.config.env, catalog=catalog, ambiguous=self._ambiguous
        )
        fresh = {int(when) // DAY * DAY for when in store.starts_after(answers_from, answers_upto)}
        days = sorted(fresh - _cut(store, fresh))
        self.report.buckets = len(days)
        found = roll_up(self._answers(store, known, days), resolver, self.config)
        self.report.answers_read, self.report.applications = found.answers, len(found.applications)
        for key, count in found.unresolved.items():
            self.report.unresolved_indexes[key] = count
        now = self._now()
        applications = Applications(self.config, emitter, catalog, now)
        yield from applications.emissions(found)
        runs = [load_writes(row, known) for row in store.writes(writes_from)]
        yield from EmbeddingRuns(self.config, self.report, emitter, now).emissions(runs, resolver)
        for model in emitter.used_models:
            yield from emitter.emit_model(model)
        yield from applications.model_usage(found)
        if self.config.incidents:
            writes = (load_writes(row, known) for row in store.writes())
            yield from self._incidents(found, built_with(writes, resolver), emitter)
        self._watermark.reached(state.after(name, answers_upto, writes_upto))

    def _answers(self, store: Store, known: Identities, days: list[int]) -> Iterator[RecordedAnswer]:
        for day in days:
            for row in store.begun_between(day, day + DAY):
                yield load_answer(row, known)

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
    oldest = next(store.begun_between(0, max(days) + DAY), None)
    # A store that holds no more than a day has nothing better to say of it.
    return set() if oldest is None else {int(oldest.started) // DAY * DAY} - {max(days)}
