"""The part of a vector store's source that emits lineage: the jobs that fill a collection, and its upstream data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, Name
from datahub_llmops.errors import CatalogError
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.job_ledger import JobLedger
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.typed_aspects import TypedAspects
from datahub_llmops.ingestion.vector_store_config import VectorStoreConfig, VectorStoreReport
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.declared_jobs import JobLineage, merge_sources, trace_job
from datahub_llmops.lineage.index_fields import nearest
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.lineage.schema_lookup import SchemaLookup
from datahub_llmops.lineage.warning import Kind, LineageWarning
from datahub_llmops.mapping import embedding_jobs as jobs
from datahub_llmops.mapping.collections import PlacedCollection
from datahub_llmops.mapping.edge_properties import key_proposal, payload_upstreams, unseen_upstreams
from datahub_llmops.mapping.properties import PropertyValues
from datahub_llmops.urns import Deployment

_KEPT = " Nothing of the job was written, and what earlier runs found is kept."


@dataclass(kw_only=True)
class CollectionLineage(SourcePart[Collection]):
    """Emits declared jobs and the upstreams that a payload names, and at the end the models of the jobs.

    A job that cannot be resolved is a failure: nothing new of it is written, and its edges stay, marked.
    """

    config: VectorStoreConfig
    deployment: Deployment
    emitter: RunEmitter
    lookup: SchemaLookup
    """The schemas of upstream datasets."""
    typed: TypedAspects
    """Emits the typed aspects of the jobs."""
    ledger: JobLedger
    report: VectorStoreReport
    now: datetime
    """The time of the run, which marks edges that it could not confirm."""

    def __post_init__(self) -> None:
        self._rules = provenance.compile_rules(self.config.provenance, env=self.config.env)
        self._jobs: dict[Name, list[EmbeddingJobConfig]] = {}
        self._names: list[str] = []
        self._nameless: list[EmbeddingJobConfig] = []
        """Jobs whose index no collection has as its name: it may be an alias."""
        self._ambiguous: list[tuple[EmbeddingJobConfig, list[str]]] = []
        self._traced: dict[Name, list[JobLineage]] = {}
        self._by_alias: list[PlacedCollection] = []
        """Collections that a job names by an alias. They wait for the others, which may have the alias too."""
        self._written: set[Name] = set()

    @override
    def prepare(self, names: Sequence[Name]) -> None:
        self._names = [".".join(name) for name in names]
        for job in self.config.embedding_jobs:
            exact = [name for name in names if ".".join(name) == job.index]
            matching = exact or [name for name in names if name[-1] == job.index]
            if len(matching) == 1:
                self._jobs.setdefault(matching[0], []).append(job)
            elif matching:
                self._ambiguous.append((job, [".".join(name) for name in matching]))
            else:
                self._nameless.append(job)

    def declared_properties(self, item: Collection) -> PropertyValues:
        """List what the resolved jobs of a collection declare; where they contradict each other, the first counts.

        What only jobs of other recipes declare is theirs, and this recipe must not take it back.
        """
        try:
            traced = self._trace(item)
        except CatalogError:
            return {}  # ``emissions`` meets it again, and reports it.
        declared: dict[str, str | float | None] = {}
        for lineage in traced:
            if lineage.unresolved:
                continue
            for key, value in jobs.declared_properties(lineage.job).items():
                if value is not None and declared.setdefault(key, value) != value:
                    self.report.warning(
                        title="Embedding jobs contradict each other",
                        message="They fill one collection and declare different values. The first job's was used.",
                        context=f"{'.'.join(item.name)}: {key}",
                    )
        try:
            others = self.ledger.stated_by_others(urns.collection(self.deployment, item.name))
        except CatalogError as error:
            self.report.add_catalog_failure(error)
            return declared
        return {**others, **declared}

    def _trace(self, item: Collection) -> list[JobLineage]:
        """Trace the jobs of a collection once, those too that name it by an alias."""
        if item.name not in self._traced:
            urn = urns.collection(self.deployment, item.name)
            candidates = [
                *self._jobs.get(item.name, ()),
                *(job for job in self._nameless if job.index in _aliases(item)),
            ]
            self._traced[item.name] = [
                trace_job(job, item, urn, self.lookup, self._rules, self.ledger.earlier_columns(job, urn))
                for job in candidates
            ]
        return self._traced[item.name]

    @override
    def emissions(self, placed: PlacedCollection) -> Iterator[Emission]:
        if any(job.index in _aliases(placed.item) for job in self._nameless):
            self._by_alias.append(placed)
            return
        yield from self._lineage_of(placed, self._trace(placed.item))

    def _lineage_of(self, placed: PlacedCollection, traced: Sequence[JobLineage]) -> Iterator[Emission]:
        item = placed.item
        found = provenance.find_upstreams(
            self._rules,
            item.provenance,
            max_upstreams=self.config.provenance.max_upstreams,
            lookup=self.lookup,
        )
        self._count_provenance(item, found)
        self._report_hidden(item)
        joined = merge_sources(traced, found.sources, counts_known=item.hidden is None)
        understood = found.problem is None and not found.left_out
        complete = understood and _was_read(item) and _was_read_completely(item)
        since = None if complete else self.now.isoformat(timespec="seconds")
        unseen = self.ledger.unseen_payload(placed.urn, joined.jobs) if since else []
        seen: set[str] = set()
        for lineage in joined.jobs:
            urn = jobs.job_urn(lineage.job, self.config.env)
            if urn in seen:
                self._report_twice(lineage.job, placed.name)
            else:
                yield from self._job_emissions(lineage, since)
            seen.add(urn)
        for source in joined.rest:
            if not self.lookup.schemas(source.urn) and self.emitter.claim(source.urn):
                yield Emission(key_proposal(source.urn), primary=False)
        present = self.emitter.read_aspect(placed.urn, "upstreamLineage")
        if _was_read(item) and found.problem is None:
            upstreams = payload_upstreams(
                placed.urn, joined.rest, present, not_confirmed_since=since, earlier=unseen
            )
            yield from emit(upstreams, primary=not placed.shared)
        if since is not None:
            kept = [source for source in unseen if source.urn not in {one.urn for one in joined.rest}]
            yield from emit(unseen_upstreams(placed.urn, kept, present, since), primary=not placed.shared)
        self.report.payload_upstreams += len(joined.rest)
        self._written.add(placed.name)

    def _job_emissions(self, lineage: JobLineage, payload_unseen_since: str | None) -> Iterator[Emission]:
        job, env = lineage.job, self.config.env
        self._report_gaps(lineage)
        if lineage.unresolved:
            yield from self.ledger.keep(job, lineage.index_urn)
            return
        urn = jobs.job_urn(job, env)
        self.report.embedding_jobs += 1
        self.report.declared_upstreams += len(lineage.inputs)
        self.report.column_edges += len(lineage.columns)
        described = self.ledger.described(job)
        if job.embedding_model:
            self.emitter.add_model_user(job.embedding_model, urn)
        if job.job_urn is None:
            flow = jobs.flow_urn(job, env)
            if self.emitter.claim(flow) and not self.emitter.read_aspect(flow, "dataFlowInfo"):
                yield from self.emitter.emit_platform(job.orchestrator_name)
                yield from emit(jobs.flow_proposals(job, env), primary=False)
            if self.emitter.claim(urn):
                # What was traced is of this declaration alone.
                whole = lineage.every_row_of if described.upstream == job.upstream else ()
                yield from emit(jobs.job_proposals(described, env, whole))
        yield from self.ledger.declare(lineage, payload_unseen_since)
        yield from self.typed.job_emissions(replace(lineage, job=described, sql=described.statements))

    def _report_gaps(self, lineage: JobLineage) -> None:
        """Report a job that could not be resolved as a failure, and what else there is to say of it as warnings."""
        unresolved = lineage.unresolved
        for gap in unresolved:
            self.report.failure(title=gap.title, message=gap.message + _KEPT, context=gap.context)
        if unresolved:
            self.report.jobs_unresolved.append(lineage.job.name)
        self._report_warnings(one for one in lineage.warnings if one not in unresolved)
        self.report.outputs_without_field += len(lineage.homeless)
        self.report.stopped_at_tables += lineage.stopped_at_tables

    def _report_twice(self, job: EmbeddingJobConfig, name: Name) -> None:
        self.report.failure(
            title="Embedding job declared twice for one index",
            message="Only its first declaration was written. Give both statements in one `upstream` list.",
            context=f"{job.name}: {job.index} is {'.'.join(name)}",
        )

    @override
    def abandoned(self) -> Iterator[Emission]:
        yield from self.report.guard(self._keep_all())
        self.ledger.keep_memory()

    def _keep_all(self) -> Iterator[Emission]:
        for job in self.config.embedding_jobs:
            yield from self.ledger.keep(job)

    @override
    def conclusion(self, reader: Reader[Collection]) -> Iterator[Emission]:
        yield from self.report.guard(self._conclude_aliases())
        yield from self.report.guard(self._conclude_unread())
        if not self.report.failures:
            yield from self.report.guard(self.ledger.withdraw())
        for name in self.emitter.changed_models:
            yield from self.report.guard(self.emitter.emit_model(name))
        self.ledger.keep_memory()

    def _conclude_aliases(self) -> Iterator[Emission]:
        """Emit the collections that jobs name by an alias, and settle the jobs that name nothing, or too much."""
        several: set[str] = set()
        for job in self._nameless:
            holders = [
                ".".join(placed.name) for placed in self._by_alias if job.index in _aliases(placed.item)
            ]
            if len(holders) > 1:
                several.add(job.index)
                self._ambiguous.append((job, holders))
            elif not holders:
                yield from self._keep_without_index(
                    job,
                    "missing_index",
                    "Index of an embedding job was not found",
                    "No collection has this name or alias. Check `index` and the filters of the recipe.",
                    f"{job.name}: {job.index}; {nearest('collections', job.index, self._names)}",
                )
        for placed in self._by_alias:
            traced = [one for one in self._trace(placed.item) if one.job.index not in several]
            yield from self.report.guard(self._lineage_of(placed, traced))
        for job, matching in self._ambiguous:
            yield from self._keep_without_index(
                job,
                "ambiguous_index",
                "Index of an embedding job is ambiguous",
                "Several collections have this name or alias. Write the full name of one in `index`.",
                f"{job.name}: {job.index} may be {', '.join(matching)}",
            )

    def _conclude_unread(self) -> Iterator[Emission]:
        """Keep the jobs whose collection was listed and then could not be read, or was gone."""
        for name, declared in self._jobs.items():
            if name in self._written:
                continue
            for job in declared:
                self._report_index(
                    job,
                    "missing_index",
                    "Index of an embedding job was not read",
                    "The collection was listed and could not be read, or its lineage was not known.",
                    f"{job.name}: {'.'.join(name)}",
                )
                yield from self.ledger.keep(job, urns.collection(self.deployment, name))

    def _keep_without_index(
        self, job: EmbeddingJobConfig, kind: Kind, title: str, message: str, context: str
    ) -> Iterator[Emission]:
        self.report.jobs_without_index.append(job.name)
        self._report_index(job, kind, title, message, context)
        yield from self.ledger.keep(job)

    def _report_index(
        self, job: EmbeddingJobConfig, kind: Kind, title: str, message: str, context: str
    ) -> None:
        accepted = kind in job.accept
        report = self.report.warning if accepted else self.report.failure
        report(title=title, message=message + _KEPT, context=context)
        if not accepted:
            self.report.jobs_unresolved.append(job.name)

    @override
    def close(self) -> None:
        # A run that ended early retracted nothing, and must not forget what there is to retract.
        self.ledger.keep_memory()

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


def _aliases(item: Collection) -> frozenset[str]:
    """The aliases of a collection, alone and with the levels above it."""
    above = item.name[:-1]
    return frozenset(name for alias in item.aliases for name in (alias, ".".join((*above, alias))))
