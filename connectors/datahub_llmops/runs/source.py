"""The source ``llm-runs``: what the hooks stored on this host becomes lineage and usage in the catalog.

At least once, with keys that make repeats harmless: a bucket with a new answer is emitted again as a whole. How far the
store was read moves only when the sink has confirmed, by DataHub's own checkpoint; without stateful ingestion every
run emits everything that the store holds.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datahub.configuration.source_common import EnvConfigMixin
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub.ingestion.api.ingestion_job_checkpointing_provider_base import JobId
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.api.workunit_processor import WorkunitProcessor
from datahub.ingestion.source.state.checkpoint import Checkpoint, CheckpointStateBase
from datahub.ingestion.source.state.stateful_ingestion_base import (
    StatefulIngestionConfig,
    StatefulIngestionConfigBase,
    StatefulIngestionReport,
    StatefulIngestionSourceBase,
)
from datahub.ingestion.source.state.use_case_handler import StatefulIngestionUsecaseHandlerBase
from datahub.metadata.urns import DatasetUrn
from datahub.utilities.lossy_collections import LossyDict
from pydantic import Field
from typing_extensions import override

from datahub_llmops import recorded
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.catalog.recipe import recipe_catalog
from datahub_llmops.catalog.target import RunTarget
from datahub_llmops.custom_aspects import Mode
from datahub_llmops.errors import CatalogError, StoreError
from datahub_llmops.hooks.store import Store, default_path
from datahub_llmops.instances import Ambiguous, InstanceConfig, Resolver, model_name
from datahub_llmops.lineage import rules
from datahub_llmops.lineage.rules import RuleConfig
from datahub_llmops.mapping import runs as mapping
from datahub_llmops.recorded import Identities, RecordedAnswer, RecordedWrites
from datahub_llmops.runs.rollup import HOUR, Application, Rollup, built_with, prompts_drawn, roll_up
from datahub_llmops.source import workunit
from datahub_llmops.writer import RunWriter


class RunsConfig(StatefulIngestionConfigBase[StatefulIngestionConfig], EnvConfigMixin):
    """Recipe options of `llm-runs`."""

    store: Path = Field(
        default_factory=lambda: Path(default_path()),
        description="The store that the hooks write, for example `/var/lib/bot/answers.db`. Default: that of this "
        "user, as in `attach`.",
    )
    instances: list[InstanceConfig] = Field(
        default_factory=list,
        description="Which platform instance and environment a store is, first match wins; without a match the "
        "catalog is asked, for example `[{platform: chroma, at: 'chroma\\.eu:8000', platform_instance: eu}]`.",
    )
    source_rules: list[RuleConfig] = Field(
        default_factory=list,
        description="Rules that turn the sources of chunks into dataset URNs, before the built-in ones, for example "
        "`[{match: 'kb/(?P<t>.+)', urn: 'urn:li:dataset:(urn:li:dataPlatform:postgres,kb.{t},PROD)'}]`.",
    )
    application_platform: str | None = Field(
        default=None,
        description="Platform that applications are drawn on, for example `langchain`. Default: their framework.",
    )
    catalog: str | None = Field(
        default=None,
        description="Catalog to look indexes and models up in: a local file such as `./catalog.db`, or a server's "
        "URL. Default: the server of the recipe's sink, else the file of its `llm-local` sink.",
    )
    custom_aspects: Mode = Field(
        default="auto",
        description="Whether typed aspects are written, which a server takes only with the model plugin. `auto`: into "
        "a local catalog, and to a server as far as it has loaded the plugin; not into a file.",
    )
    incidents: bool = Field(
        default=True,
        description="Whether an index whose queries are embedded with another model than it was built with gets an "
        "incident, for example `false`.",
    )
    max_embedding_runs: int = Field(
        default=100,
        ge=0,
        description="Newest runs of embedding jobs that become process instances, for example `10`.",
    )


@dataclass
class RunsReport(StatefulIngestionReport):
    """What a run did."""

    event_not_produced_warn: bool = False
    answers_read: int = 0
    buckets: int = 0
    embedding_runs: int = 0
    applications: int = 0
    unresolved_indexes: LossyDict[str, int] = field(default_factory=LossyDict)
    unmatched_sources: int = 0
    custom_aspects: str = ""
    """What was decided about typed aspects, and why."""
    store_counters: dict[str, int] = field(default_factory=dict)


class RunsState(CheckpointStateBase):
    """How far the store was read, by its path: last sequence numbers of answers and of writes."""

    answers: dict[str, int] = Field(default_factory=dict)
    writes: dict[str, int] = Field(default_factory=dict)


class _Watermark(StatefulIngestionUsecaseHandlerBase[RunsState]):
    """Keeps ``RunsState`` by DataHub's checkpoint, which is committed after the sink's flush."""

    def __init__(self, source: RunsSource, config: RunsConfig, ctx: PipelineContext) -> None:
        self._provider = source.state_provider
        self._ignored = config.stateful_ingestion is not None and config.stateful_ingestion.ignore_new_state
        self._pipeline, self._run = ctx.pipeline_name, ctx.run_id
        self._provider.register_stateful_ingestion_usecase_handler(self)

    @property
    @override
    def job_id(self) -> JobId:
        return JobId("llm-runs_watermark")

    @override
    def is_checkpointing_enabled(self) -> bool:
        return bool(self._provider.is_stateful_ingestion_configured())

    @override
    def create_checkpoint(self) -> Checkpoint[RunsState] | None:
        if not self.is_checkpointing_enabled() or self._ignored or self._pipeline is None:
            return None
        return Checkpoint(
            job_name=self.job_id, pipeline_name=self._pipeline, run_id=self._run, state=RunsState()
        )

    def last(self) -> RunsState:
        """Where the last confirmed run ended."""
        if not self.is_checkpointing_enabled():
            return RunsState()
        found = self._provider.get_last_checkpoint(self.job_id, RunsState)
        return found.state if found is not None else RunsState()

    def reached(self, state: RunsState) -> None:
        """What is committed when the sink has confirmed."""
        current = (
            self._provider.get_current_checkpoint(self.job_id) if self.is_checkpointing_enabled() else None
        )
        if current is not None:
            current.state = state


@platform_name("LLM application runs", id="langchain")
@config_class(RunsConfig)
@support_status(SupportStatus.ALPHA)
class RunsSource(StatefulIngestionSourceBase):
    """Reads the store of the hooks; see the module."""

    report: RunsReport

    def __init__(
        self, config: RunsConfig, ctx: PipelineContext, now: Callable[[], float] = time.time
    ) -> None:
        """``now`` is the time in seconds that retirement of edges is reckoned from."""
        super().__init__(config, ctx)
        self.config = config
        self.report = RunsReport()
        self._now = now
        self._watermark = _Watermark(self, config, ctx)
        self._rules = rules.compile(rules.ProvenanceConfig(rules=config.source_rules), env=config.env)
        self._target = RunTarget(ctx, config.custom_aspects, self.report)
        self.report.custom_aspects = self._target.decision.message

    @classmethod
    @override
    def create(cls, config_dict: dict[str, Any], ctx: PipelineContext) -> RunsSource:
        return cls(RunsConfig.model_validate(config_dict), ctx)

    @override
    def get_report(self) -> RunsReport:
        return self.report

    @override
    def get_allowed_workunit_processors(self) -> list[str | type[WorkunitProcessor[Any]]]:
        # Indexes and models belong to others: nothing may be added to what is said of them.
        return ["AutoWorkunitsReporterProcessor"]

    @override
    def get_workunits_internal(self) -> Iterable[MetadataWorkUnit]:
        with ExitStack() as resources:
            try:
                catalog = recipe_catalog(self.ctx, self.config.catalog)
                if catalog is not None:
                    resources.callback(catalog.close)
                self._writer = RunWriter(self.ctx, catalog, self._target, self.report, env=self.config.env)
                store = Store.read(self.config.store)
                resources.callback(store.close)
                yield from self._read(store, catalog)
            except (CatalogError, StoreError) as error:
                self.report.failure(
                    title="Cannot read",
                    message="The run ended early; the next one starts from the same place.",
                    context=str(error),
                )

    def _read(self, store: Store, catalog: Catalog | None) -> Iterator[MetadataWorkUnit]:
        state = self._watermark.last()
        name = store.path
        answers_upto, writes_upto = store.watermark()
        answers_from, writes_from = state.answers.get(name, 0), state.writes.get(name, 0)
        if answers_from > answers_upto or writes_from > writes_upto:
            answers_from = writes_from = 0  # Another store lies at the same path now.
        self.report.store_counters = store.counters()
        known = Identities(store)
        resolver = Resolver(
            self.config.instances, env=self.config.env, catalog=catalog, ambiguous=self._ambiguous
        )
        hours = sorted({int(when) // HOUR for when in store.starts_after(answers_from, answers_upto)})
        self.report.buckets = len(hours)
        logs = _Logs(self)
        found = roll_up(self._answers(store, known, hours, logs), resolver, logs)
        self.report.answers_read = found.answers
        for key, count in found.unresolved.items():
            self.report.unresolved_indexes[key] = count
        yield from self._emit(found, logs)
        writes = [recorded.writes(row, known) for row in store.writes()]
        fresh = [recorded.writes(row, known) for row in store.writes(writes_from)]
        yield from self._embedding(fresh, resolver)
        for model in self._writer.models:
            yield from self._writer.model(model)
        if self.config.incidents:
            yield from self._incidents(found, built_with(writes, resolver))
        self._watermark.reached(
            RunsState(
                answers={**state.answers, name: answers_upto}, writes={**state.writes, name: writes_upto}
            )
        )

    def _answers(
        self, store: Store, known: Identities, hours: list[int], logs: _Logs
    ) -> Iterator[RecordedAnswer]:
        days = sorted({hour * HOUR // 86_400 for hour in hours})
        for day in days:  # Whole days: the process instance of a day counts all of it.
            for row in store.begun_between(day * 86_400, (day + 1) * 86_400):
                answer = recorded.answer(row, known)
                logs.met(answer.application, answer.framework)
                yield answer

    def _emit(self, found: Rollup, logs: _Logs) -> Iterator[MetadataWorkUnit]:
        self.report.applications = len(found.applications)
        for application in found.applications.values():
            yield from self._application(application, logs)
        for (urn, hour, host), total in sorted(found.usage.items()):
            yield workunit(mapping.usage_proposal(urn, hour, host, round(total.calls)), primary=False)
        for (name, version, day, host), total in sorted(found.days.items()):
            _, job, log = mapping.application_urns(name, logs.platform(name), self.config.env)
            counts = {
                "answers": total.calls,
                "errors": total.errors,
                "tokens_in": total.tokens_in,
                "tokens_out": total.tokens_out,
                "tokens_cached": total.tokens_cached,
                "tokens_reasoning": total.tokens_reasoning,
                "mean_milliseconds": total.milliseconds / total.calls if total.calls else 0.0,
            }
            properties = {key: str(round(value)) for key, value in counts.items() if value}
            if version:
                properties["version"] = version
            shown = mapping.day(day)
            for proposal in mapping.instance_proposals(
                {"application": job, "version": version, "day": shown, "host": host},
                f"{name} {version} {shown}".replace("  ", " "),
                job,
                started=total.first,
                ended=total.last,
                properties={**properties, "host": host},
                inputs=(),
                outputs=(log,),
                failed=bool(total.calls) and total.errors == total.calls,
            ):
                yield workunit(proposal, primary=False)

    def _application(self, application: Application, logs: _Logs) -> Iterator[MetadataWorkUnit]:
        env, now, platform = self.config.env, self._now(), logs.platform(application.name)
        _, job, log = mapping.application_urns(application.name, platform, env)
        yield from self._writer.platform(platform)
        yield from self._writer.once(mapping.application_proposals(application.name, platform, env))
        for retriever in application.retrievers:
            own = DatasetUrn.from_string(retriever)
            short = own.name.removeprefix(f"{application.name}.")
            retriever_platform = own.get_data_platform_urn().platform_name
            yield from self._writer.platform(retriever_platform)
            yield from self._writer.once(mapping.retriever_proposals(retriever, short, retriever_platform))
            indexes = application.indexes_of.get(retriever, {})
            yield from self._writer.datasets_known(indexes)
            present = self._writer.present(retriever, "upstreamLineage")
            for proposal in mapping.upstream_edges(retriever, indexes, present, now):
                yield workunit(proposal, primary=False)
        prompts = prompts_drawn(application)
        for prompt in prompts:
            own = DatasetUrn.from_string(prompt)
            prompt_platform = own.get_data_platform_urn().platform_name
            unnamed = prompt in application.unnamed_prompts
            if unnamed or prompt_platform == mapping.NO_REGISTRY:
                # No recipe of a registry catalogs these.
                name = own.name.rpartition(".")[2] if unnamed else own.name
                yield from self._writer.platform(prompt_platform)
                yield from self._writer.once(
                    mapping.dataset_proposals(prompt, name, mapping.PROMPT, (), prompt_platform)
                )
        yield from self._writer.datasets_known(application.prompts)
        inputs = {**application.retrievers, **prompts}
        present = self._writer.present(job, "dataJobInputOutput")
        for proposal in mapping.job_edges(job, inputs, {log: application.last}, present, now):
            yield workunit(proposal, primary=False)
        for model in application.models:
            self._writer.uses(model, job)

    def _embedding(self, runs: list[RecordedWrites], resolver: Resolver) -> Iterator[MetadataWorkUnit]:
        now = self._now()
        edges: dict[str, tuple[dict[str, float], dict[str, float]]] = defaultdict(lambda: ({}, {}))
        newest = sorted(runs, key=lambda one: one.ended)[-self.config.max_embedding_runs :]
        for one in runs:
            index = resolver.index(one.index)
            if index is None:
                continue
            orchestrator = one.orchestrator or one.framework
            job, proposals = mapping.embedding_job_proposals(
                orchestrator,
                one.flow or one.application,
                one.job or f"index {one.index.get('collection', 'documents')}",
                self.config.env,
                self._job_properties(one),
            )
            yield from self._writer.platform(orchestrator)
            if not self._declared(job):
                yield from self._writer.once(proposals)
            sources = self._sources(one)
            yield from self._writer.datasets_known([*sources, index])
            inputs, outputs = edges[job]
            inputs.update(dict.fromkeys(sources, one.ended))
            outputs[index] = one.ended
            model = model_name(one.embedding)
            if model is not None:
                self._writer.uses(model, job)
            if one in newest:
                self.report.embedding_runs += 1
                for proposal in mapping.instance_proposals(
                    {"run": one.run, "index": index},
                    f"{one.job or one.application} {mapping.day(one.started)}",
                    job,
                    started=one.started,
                    ended=one.ended,
                    properties={"run": one.run, **{key: str(count) for key, count in one.counts.items()}},
                    inputs=sources,
                    outputs=(index,),
                    failed=one.error is not None,
                ):
                    yield workunit(proposal, primary=False)
        for job, (inputs, outputs) in edges.items():
            present = self._writer.present(job, "dataJobInputOutput")
            for proposal in mapping.job_edges(job, inputs, outputs, present, now):
                yield workunit(proposal, primary=False)

    def _declared(self, job: str) -> bool:
        """Whether a recipe or an orchestrator's plugin describes the job already, better than what was seen can."""
        info = self._writer.present(job, "dataJobInfo")
        return bool(info) and "application" not in (info.get("customProperties") or {})

    def _job_properties(self, one: RecordedWrites) -> dict[str, str]:
        splitter = one.splitter or {}
        found = {
            "application": one.application,
            "embedding_model": model_name(one.embedding),
            "splitter": splitter.get("class"),
            "chunk_size": splitter.get("size"),
            "chunk_overlap": splitter.get("overlap"),
            "loader": one.facts.get("loader"),
            "record_manager_namespace": one.facts.get("namespace"),
        }
        return {key: str(value) for key, value in found.items() if value is not None}

    def _sources(self, one: RecordedWrites) -> list[str]:
        found: set[str] = set()
        for raw, count in one.sources:
            given = raw.get("urn")
            urn = given if isinstance(given, str) else self._rules.match(str(raw.get("value", "")))
            if urn is None:
                self.report.unmatched_sources += count
            else:
                found.add(urn)
        return sorted(found)

    def _incidents(self, found: Rollup, built: dict[str, str]) -> Iterator[MetadataWorkUnit]:
        now = self._now()
        for index, queried in sorted(found.query_models.items()):
            model = built.get(index)
            if model is None:
                continue
            others = sorted(one for one in queried if one != model)
            urn = mapping.mismatch_urn(index)
            info = self._writer.present(urn, "incidentInfo")
            active = (info.get("status") or {}).get("state") == "ACTIVE"
            if others and not active:
                yield workunit(
                    mapping.mismatch_proposal(index, model, others, now, solved=False), primary=False
                )
            elif active and not others:
                yield workunit(mapping.mismatch_proposal(index, model, (), now, solved=True), primary=False)

    def _ambiguous(self, found: Ambiguous) -> None:
        self.report.warning(
            title="Several indexes of this name",
            message="None was taken. Say which is meant with a rule of `instances`.",
            context=f"{found.shown}: {', '.join(found.candidates)}",
        )


class _Logs(dict[str, str]):
    """Answer log of each application that was met, on the platform of the framework that it was met with first."""

    def __init__(self, source: RunsSource) -> None:
        super().__init__()
        self._config = source.config
        self._platforms: dict[str, str] = {}

    def met(self, name: str, framework: str | None) -> None:
        """An application, perhaps for the first time."""
        if name not in self:
            platform = self._config.application_platform or framework or "langchain"
            self._platforms[name] = platform
            self[name] = mapping.application_urns(name, platform, self._config.env)[2]

    def platform(self, name: str) -> str:
        """Platform of an application."""
        return self._platforms[name]
