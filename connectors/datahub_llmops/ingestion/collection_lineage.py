"""The part of a vector store's source that emits lineage: the jobs that fill a collection, and its upstream data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from typing_extensions import override

from datahub_llmops.assets.collections import Collection, Name
from datahub_llmops.errors import CatalogError
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.typed_aspects import TypedAspects
from datahub_llmops.ingestion.vector_store_config import VectorStoreConfig, VectorStoreReport
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.declared_jobs import JobLineage, merge_sources, trace_job
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.lineage.warning import LineageWarning
from datahub_llmops.mapping import embedding_jobs as jobs
from datahub_llmops.mapping.collections import PlacedCollection
from datahub_llmops.mapping.edge_properties import key_proposal, payload_upstreams
from datahub_llmops.mapping.properties import PropertyValues


@dataclass(kw_only=True)
class CollectionLineage(SourcePart[Collection]):
    """Emits declared jobs and the upstreams that a payload names, and at the end the models of the jobs."""

    config: VectorStoreConfig
    emitter: RunEmitter
    lookup: SchemaLookup
    """The schemas of upstream datasets."""
    typed: TypedAspects
    """Emits the typed aspects of the jobs."""
    report: VectorStoreReport
    now: datetime
    """The time of the run, which marks edges that it could not confirm."""

    def __post_init__(self) -> None:
        self._rules = provenance.compile_rules(self.config.provenance, env=self.config.env)
        self._jobs: dict[Name, list[EmbeddingJobConfig]] = {}

    @override
    def prepare(self, names: Sequence[Name]) -> None:
        for job in self.config.embedding_jobs:
            exact = [name for name in names if ".".join(name) == job.index]
            matching = exact or [name for name in names if name[-1] == job.index]
            if len(matching) == 1:
                self._jobs.setdefault(matching[0], []).append(job)
            else:
                self._report_no_index(job, matching)

    def _report_no_index(self, job: EmbeddingJobConfig, matching: Sequence[Name]) -> None:
        self.report.jobs_without_index.append(job.name)
        if matching:
            self.report.warning(
                title="Index of an embedding job is ambiguous",
                message="Several collections have this name; the job was left out. Write the full name in `index`.",
                context=f"{job.name}: {job.index} may be {', '.join('.'.join(name) for name in matching)}",
            )
        else:
            self.report.warning(
                title="Index of an embedding job was not found",
                message="The job was left out. Check `index` and the filters of the recipe.",
                context=f"{job.name}: {job.index}",
            )

    def declared_properties(self, name: Name) -> PropertyValues:
        """List what the jobs of a collection declare; where they contradict each other, the first one counts."""
        declared: dict[str, str | float | None] = {}
        for job in self._jobs.get(name, ()):
            for key, value in jobs.declared_properties(job).items():
                if value is not None and declared.setdefault(key, value) != value:
                    self.report.warning(
                        title="Embedding jobs contradict each other",
                        message="They fill one collection and declare different values. The first job's was used.",
                        context=f"{'.'.join(name)}: {key}",
                    )
        return declared

    @override
    def emissions(self, placed: PlacedCollection) -> Iterator[Emission]:
        item = placed.item
        found = provenance.find_upstreams(
            self._rules,
            item.provenance,
            max_upstreams=self.config.provenance.max_upstreams,
            lookup=self.lookup,
        )
        self._count_provenance(item, found)
        self._report_hidden(item)
        traced = [
            trace_job(job, item, placed.urn, self.lookup, self._rules)
            for job in self._jobs.get(placed.name, ())
        ]
        joined = merge_sources(traced, found.sources, counts_known=item.hidden is None)
        for lineage in joined.jobs:
            yield from self._job_emissions(lineage)
        for source in joined.rest:
            if not self.lookup.schemas(source.urn) and self.emitter.claim(source.urn):
                yield Emission(key_proposal(source.urn), primary=False)
        if _was_read(item) and found.problem is None:
            present = self.emitter.read_aspect(placed.urn, "upstreamLineage")
            upstreams = payload_upstreams(
                placed.urn,
                joined.rest,
                present,
                not_confirmed_since=None
                if _was_read_completely(item)
                else self.now.isoformat(timespec="seconds"),
            )
            yield from emit(upstreams, primary=not placed.shared)
        self.report.payload_upstreams += len(joined.rest)

    def _job_emissions(self, lineage: JobLineage) -> Iterator[Emission]:
        job, env = lineage.job, self.config.env
        urn = jobs.job_urn(job, env)
        self._report_warnings(lineage.warnings)
        self.report.embedding_jobs += 1
        self.report.declared_upstreams += len(lineage.inputs)
        self.report.column_edges += len(lineage.columns)
        self.report.stopped_at_tables += lineage.stopped_at_tables
        if job.embedding_model:
            self.emitter.add_model_user(job.embedding_model, urn)
        if job.job_urn is not None:
            yield from emit(jobs.foreign_job_proposals(lineage, self._present_edges(urn)), primary=False)
        else:
            flow = jobs.flow_urn(job, env)
            if self.emitter.claim(flow) and not self.emitter.read_aspect(flow, "dataFlowInfo"):
                yield from self.emitter.emit_platform(job.orchestrator_name)
                yield from emit(jobs.flow_proposals(job, env), primary=False)
            yield from emit(jobs.job_proposals(lineage, env, self._present_edges(urn)))
        yield from self.typed.job_emissions(lineage)

    def _present_edges(self, job: str) -> Mapping[str, Any]:
        return self.emitter.read_aspect(job, "dataJobInputOutput")

    @override
    def conclusion(self, reader: Reader[Collection]) -> Iterator[Emission]:
        for name in self.emitter.used_models:
            try:
                yield from self.emitter.emit_model(name)
            except CatalogError as error:
                self.report.add_catalog_failure(error)

    def _count_provenance(self, item: Collection, found: provenance.Provenance) -> None:
        self._report_warnings(found.warnings)
        for count in item.provenance:
            self.report.provenance_rows_scanned += count.rows_scanned
            self.report.provenance_rows_total += count.rows_total or count.rows_scanned
        self.report.provenance_values_unmatched += found.unmatched_values
        self.report.provenance_chunks_unmatched += found.unmatched_chunks
        if found.problem is not None:
            self.report.failure(
                title="A provenance rule takes too long",
                message="The edges that the payload of the collection gave before stay, and nothing is deleted in this "
                "run.",
                context=f"{'.'.join(item.name)}: {found.problem}",
            )
        if found.left_out:
            self.report.warning(
                title="More sources than max_upstreams",
                message="Sources without a folder in common were left out. Raise `provenance.max_upstreams`.",
                context=f"{'.'.join(item.name)}: {found.left_out} left out",
            )

    def _report_hidden(self, item: Collection) -> None:
        if item.hidden is not None:
            self.report.collections_with_hidden_rows += 1
            self.report.warning(
                title="Rows may be hidden from this role",
                message="How many rows there are and where they came from is not known. Edges of earlier runs stay.",
                context=f"{'.'.join(item.name)}: {item.hidden}",
            )

    def _report_warnings(self, warnings: Iterable[LineageWarning]) -> None:
        for warning in warnings:
            self.report.warning(title=warning.title, message=warning.message, context=warning.context)


def _was_read(item: Collection) -> bool:
    """Whether any row was asked for its source; if none was, the edges of earlier runs stay."""
    return not item.provenance or any(count.rows_scanned or count.values for count in item.provenance)


def _was_read_completely(item: Collection) -> bool:
    """Whether every row was asked for its source, so that a source that none of them names is gone."""
    return item.hidden is None and all(
        count.rows_total is not None and count.rows_scanned >= count.rows_total and not count.values_dropped
        for count in item.provenance
    )
