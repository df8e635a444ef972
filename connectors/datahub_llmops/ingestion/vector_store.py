"""The source of every vector store: collections, the jobs that fill them, and where their data comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from datahub.configuration.common import AllowDenyPattern
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import SourceCapability, capability
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.metadata.schema_classes import DomainAssociationClass
from datahub.utilities.registries.domain_registry import DomainRegistry
from pydantic import Field, field_validator
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, Name
from datahub_llmops.errors import CatalogError, ConnectorError, VanishedError
from datahub_llmops.ingestion.capabilities import Fact
from datahub_llmops.ingestion.emitter import RunWriter
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.recipe_catalog import RecipeCatalog, recipe_catalog
from datahub_llmops.ingestion.retraction import Assigned, AssignedDataset
from datahub_llmops.ingestion.source import CatalogConfig, CatalogReport, CatalogSource, workunit
from datahub_llmops.lineage import declared_jobs as declared
from datahub_llmops.lineage import provenance as rules
from datahub_llmops.lineage.declared_jobs import JobLineage
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.lineage.provenance import ProvenanceConfig
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from datahub_llmops.lineage.warning import LineageWarning
from datahub_llmops.mapping import embedding_jobs as jobs
from datahub_llmops.mapping import index_aspects
from datahub_llmops.mapping.collections import (
    Proposal,
    assignments,
    collection_proposals,
    container_proposals,
    shared_proposals,
    vector_field,
    vector_proposals,
)
from datahub_llmops.mapping.edge_properties import key_proposal, payload_upstreams
from datahub_llmops.mapping.properties import AssetPatch, PropertyValues, definitions


class VectorStoreConfig(CatalogConfig):
    """Options that every vector store shares; a connector adds where the store is and its filters."""

    domain: dict[str, AllowDenyPattern] = Field(
        default_factory=dict,
        description="Domain (URN, id, or name on a server) -> which collections belong to it, by their dotted name, "
        "for example `{'urn:li:domain:support': {allow: ['.*docs']}}`.",
    )
    embedding_jobs: list[EmbeddingJobConfig] = Field(
        default_factory=list, description="The jobs that fill the collections, and what they read."
    )
    provenance: ProvenanceConfig = Field(
        default_factory=ProvenanceConfig, description="How upstream datasets are found in the payload."
    )

    @field_validator("embedding_jobs")
    @classmethod
    def _told_apart(cls, value: list[EmbeddingJobConfig]) -> list[EmbeddingJobConfig]:
        seen: set[str] = set()
        for job in value:
            urn = jobs.job_urn(job, "PROD")
            if urn in seen:
                raise ValueError(
                    f"embedding_jobs: two jobs are called {job.name!r} in the same flow; the catalog could not tell "
                    "them apart. Rename one"
                )
            seen.add(urn)
        return value


VectorStoreConfigT = TypeVar("VectorStoreConfigT", bound=VectorStoreConfig)


@dataclass
class VectorStoreReport(CatalogReport):
    """Counts of what was found; no value of a payload is ever among them."""

    embedding_jobs: int = 0
    declared_upstreams: int = 0
    payload_upstreams: int = 0
    column_edges: int = 0
    provenance_rows_scanned: int = 0
    provenance_rows_total: int = 0
    provenance_values_unmatched: int = 0
    provenance_chunks_unmatched: int = 0
    facts_taken_back: int = 0
    catalog: str = "none"
    jobs_without_index: list[str] = field(default_factory=list)


@capability(SourceCapability.LINEAGE_COARSE, "By declared embedding jobs and by payload provenance")
@capability(SourceCapability.LINEAGE_FINE, "By the SQL of declared embedding jobs")
@capability(SourceCapability.DELETION_DETECTION, "By stateful ingestion")
@capability(SourceCapability.DOMAINS, "By the option `domain`")
@capability(SourceCapability.PLATFORM_INSTANCE, "By the option `platform_instance`")
@capability(SourceCapability.TEST_CONNECTION, "Tells apart what cannot be reached and what is not allowed")
class VectorStoreSource(CatalogSource[VectorStoreConfigT, Collection]):
    """What a connector of a vector store extends: ``platform``, ``config_type``, ``name_filters``, ``open``."""

    noun: ClassVar[str] = "collection"
    tells: ClassVar[Mapping[Fact, str]]
    """Which facts the store tells, and how where that wants saying; the reader's contract checks it."""
    report: VectorStoreReport

    def __init__(self, config: VectorStoreConfigT, ctx: PipelineContext) -> None:
        super().__init__(config, ctx)
        self._now = datetime.now(UTC)
        self._resources = ExitStack()
        self._rules = rules.compile(config.provenance, env=config.env)
        self._domains = DomainRegistry(list(config.domain), ctx.graph) if config.domain else None
        opened = self._open_catalog()
        self._catalog, self._nothing_there = opened.catalog, opened.unwritten
        self._writer = RunWriter(ctx, self._catalog, self.target, self.report, env=config.env)
        self._jobs: dict[Name, list[EmbeddingJobConfig]] = {}
        self._assigned = Assigned(self.state_provider, config.stateful_ingestion, ctx, self.platform)

    @classmethod
    @override
    def new_report(cls) -> VectorStoreReport:
        return VectorStoreReport()

    @override
    def close(self) -> None:
        # A run that broke off has taken nothing back, and must not forget what there is to be taken back.
        self._assigned.carry_over()
        self._resources.close()
        super().close()

    def owned_elsewhere(self, name: Name) -> bool:
        """Does another DataHub source describe this dataset?

        Then only facts that it has no place for are added, nothing of it is retired, and what does not hold any more
        is taken back one by one.
        """
        return False

    def _open_catalog(self) -> RecipeCatalog:
        try:
            opened = recipe_catalog(self.ctx, self.config.catalog)
        except CatalogError as error:
            self._catalog_failed(error)
            return RecipeCatalog()
        if opened.catalog is not None:
            self._resources.callback(opened.catalog.close)
            self.report.catalog = type(opened.catalog).__name__
        return opened

    @property
    def _lookup(self) -> SchemaLookup:
        return self._catalog or NoCatalog()

    def _present(self, urn: str, aspect: str) -> Mapping[str, Any]:
        return self._writer.present(urn, aspect)

    @override
    def opening_proposals(self) -> Iterator[Proposal | MetadataWorkUnit]:
        try:
            yield from self._writer.platform(self.platform)
            yield from self._definitions()
        except CatalogError as error:
            self._catalog_failed(error)

    def _definitions(self) -> Iterator[MetadataWorkUnit]:
        for urn, proposals in definitions():
            if self._present(urn, "propertyDefinition"):
                continue
            for proposal in proposals:
                # A server shows no assignment whose definition came after it.
                yield from self._writer.first(proposal)

    @override
    def listed(self, names: Sequence[Name]) -> None:
        for job in self.config.embedding_jobs:
            whole = [name for name in names if ".".join(name) == job.index]
            meant = whole or [name for name in names if name[-1] == job.index]
            if len(meant) == 1:
                self._jobs.setdefault(meant[0], []).append(job)
            else:
                self._no_index(job, meant)

    def _no_index(self, job: EmbeddingJobConfig, meant: Sequence[Name]) -> None:
        self.report.jobs_without_index.append(job.name)
        if meant:
            self.report.warning(
                title="Index of an embedding job is ambiguous",
                message="Several collections are called so; the job was left out. Write the whole name in `index`.",
                context=f"{job.name}: {job.index} may be {', '.join('.'.join(name) for name in meant)}",
            )
        else:
            self.report.warning(
                title="Index of an embedding job was not found",
                message="The job was left out. Check `index` and the filters of the recipe.",
                context=f"{job.name}: {job.index}",
            )

    @override
    def item_proposals(self, item: Collection) -> Iterator[Proposal | MetadataWorkUnit]:
        shared = self.owned_elsewhere(item.name)
        mine = self._jobs.get(item.name, [])
        declared = self._agreed(item, mine)
        self._assigned.note(
            urns.collection(self.deployment, item.name),
            item.name,
            assignments(item, self.deployment, declared),
            typed=self.target.decision.enabled,
        )
        for part in (
            self._facts_of(item, declared, shared=shared),
            self._lineage_of(item, mine),
            self._typed_of(item, declared, shared=shared),
        ):
            try:
                yield from part
            except CatalogError as error:
                self._catalog_failed(error)

    def _facts_of(
        self, item: Collection, declared: PropertyValues, *, shared: bool
    ) -> Iterator[MetadataWorkUnit]:
        for proposal in self.shared_facts(item, declared) if shared else self._own(item, declared):
            yield workunit(proposal, primary=not shared)
        for proposal in vector_proposals(item, self.deployment):
            yield workunit(proposal, primary=False)
        for proposal in self._domain_of(item):
            yield workunit(proposal, primary=not shared)

    def _own(self, item: Collection, declared: PropertyValues) -> Iterator[Proposal]:
        for level in range(1, len(item.containers) + 1):
            path = item.containers[:level]
            if self._writer.first_time(urns.container(self.deployment, path)):
                yield from container_proposals(path, self.deployment)
        yield from collection_proposals(item, self.deployment, now=self._now, declared=declared)

    def shared_facts(self, item: Collection, declared: PropertyValues) -> Iterator[Proposal]:
        """What is added to a dataset that another source describes."""
        present = self._catalog.latest(urns.collection(self.deployment, item.name)) if self._catalog else {}
        profile = present.get("datasetProfile")
        yield from shared_proposals(
            item, self.deployment, now=self._now, declared=declared, present_profile=profile
        )

    @override
    def concluding_proposals(self, reader: Reader[Collection]) -> Iterator[Proposal | MetadataWorkUnit]:
        vanished = self._look_again(reader) if not self.report.failures else []
        if self.report.failures:
            self._assigned.carry_over()
            return
        for urn in self._assigned.emptied(vanished):
            for empty in self.target.admitted(urn, index_aspects.emptied(self.platform)):
                self.report.facts_taken_back += 1
                yield workunit(empty, primary=False)
        for asset, names in self._assigned.taken_back(vanished):
            for proposal in AssetPatch(asset).take_back(names).build():
                self.report.facts_taken_back += len(names)
                yield workunit(proposal, primary=False)

    def _look_again(self, reader: Reader[Collection]) -> list[str]:
        """Ask the store about every dataset of another source that an earlier run described and this one did not.

        Returns the URNs of those that are gone. A collection of our own is retired by stale removal, with its facts.
        """
        vanished: list[str] = []
        for urn, old in self._assigned.before().items():
            name = tuple(old.name)
            if urn in self._assigned.now or not self.owned_elsewhere(name):
                continue
            try:
                self._still_there(urn, old, reader.read(name))
            except VanishedError:
                vanished.append(urn)
            except ConnectorError as error:
                self.report.failure(
                    title="Could not be read",
                    message="Whether what earlier runs wrote about it still holds is not known, so it was kept.",
                    context=f"{'.'.join(name)}: {error}",
                )
        if self._assigned.too_many(len(vanished)):
            self.report.failure(
                title="Too much is gone at once",
                message="Facts about it were kept. If it is meant, raise stateful_ingestion.fail_safe_threshold.",
                context=", ".join(vanished[:10]),
            )
        return vanished

    def _still_there(self, urn: str, old: AssignedDataset, item: Collection) -> None:
        """Filtered out, or without its vectors: keep the facts of those vectors that it has."""
        assets = {vector_field(urn, vector) for vector in item.vectors}
        if item.vectors:
            assets.add(urn)
        kept = {asset: names for asset, names in old.properties.items() if asset in assets}
        self._assigned.note(urn, item.name, kept, typed=old.typed and bool(item.vectors))

    @override
    def closing_proposals(self) -> Iterator[Proposal | MetadataWorkUnit]:
        for name in self._writer.models:
            try:
                yield from self._writer.model(name)
            except CatalogError as error:
                self._catalog_failed(error)

    def _agreed(self, item: Collection, mine: Sequence[EmbeddingJobConfig]) -> PropertyValues:
        """What the jobs of one index declare, where they do not contradict each other."""
        agreed: dict[str, str | float | None] = {}
        for job in mine:
            for name, value in jobs.declared_properties(job).items():
                if value is not None and agreed.setdefault(name, value) != value:
                    self.report.warning(
                        title="Embedding jobs contradict each other",
                        message="They fill one collection and declare different values; the first one's was taken.",
                        context=f"{'.'.join(item.name)}: {name}",
                    )
        return agreed

    def _domain_of(self, item: Collection) -> Iterator[Proposal]:
        name = ".".join(item.name)
        for domain, pattern in self.config.domain.items():
            if self._domains is not None and pattern.allowed(name):
                urn = urns.domain(self._domains.get_domain_urn(domain))
                patch = AssetPatch(urns.collection(self.deployment, item.name))
                yield from patch.add_domain(DomainAssociationClass(domain=urn)).build()
                return

    def _lineage_of(
        self, item: Collection, mine: Sequence[EmbeddingJobConfig]
    ) -> Iterator[Proposal | MetadataWorkUnit]:
        index = urns.collection(self.deployment, item.name)
        found = rules.upstreams(
            self._rules,
            item.provenance,
            max_upstreams=self.config.provenance.max_upstreams,
            lookup=self._lookup,
        )
        self._count_provenance(item, found)
        resolved = [declared.resolve(job, item, index, self._lookup, self._rules) for job in mine]
        joined = declared.join(resolved, found.sources)
        for lineage in joined.jobs:
            yield from self._job(lineage)
        for source in joined.rest:
            if not self._lookup.schemas(source.urn) and self._writer.first_time(source.urn):
                yield workunit(key_proposal(source.urn), primary=False)
        if _was_looked_at(item):
            for proposal in payload_upstreams(index, joined.rest, self._present(index, "upstreamLineage")):
                yield workunit(proposal, primary=not self.owned_elsewhere(item.name))
        self.report.payload_upstreams += len(joined.rest)

    def _job(self, lineage: JobLineage) -> Iterator[Proposal | MetadataWorkUnit]:
        job, env = lineage.job, self.config.env
        self._warn(lineage.warnings)
        self.report.embedding_jobs += 1
        self.report.declared_upstreams += len(lineage.inputs)
        self.report.column_edges += len(lineage.columns)
        if job.embedding_model:
            self._writer.uses(job.embedding_model, jobs.job_urn(job, env))
        if job.job_urn is not None:
            present = self._present(job.job_urn, "dataJobInputOutput")
            for proposal in jobs.foreign_job_proposals(lineage, present):
                yield workunit(proposal, primary=False)
            yield from self._typed_job(lineage)
            return
        flow = jobs.flow_urn(job, env)
        if self._writer.first_time(flow) and not self._present(flow, "dataFlowInfo"):
            yield from self._writer.platform(job.orchestrator_name)
            for proposal in jobs.flow_proposals(job, env):
                yield workunit(proposal, primary=False)
        urn = jobs.job_urn(job, env)
        yield from jobs.job_proposals(lineage, env, self._present(urn, "dataJobInputOutput"))
        yield from self._typed_job(lineage)

    def _typed_of(
        self, item: Collection, agreed: PropertyValues, *, shared: bool
    ) -> Iterator[MetadataWorkUnit]:
        if not self.target.decision.enabled:
            return
        models = index_aspects.embedding_models(item, agreed)
        yield from self._writer.models_known(models)
        aspects = index_aspects.index_aspects(
            item,
            engine=self.platform,
            declared=agreed,
            models={name: self._model_urn(name) for name in models},
        )
        index = urns.collection(self.deployment, item.name)
        yield from self._writer.typed(index, aspects, primary=not shared)

    def _typed_job(self, lineage: JobLineage) -> Iterator[Proposal | MetadataWorkUnit]:
        if not self.target.decision.enabled:
            return
        job, model = jobs.job_urn(lineage.job, self.config.env), lineage.job.embedding_model
        yield from self._writer.models_known([model] if model else [])
        aspect = index_aspects.job_aspect(lineage, self._model_urn(model) if model else None)
        yield from self._writer.typed(job, [aspect], primary=lineage.job.job_urn is None)

    def _model_urn(self, name: str) -> str:
        return urns.model(name, env=self.config.env)

    def _count_provenance(self, item: Collection, found: rules.Provenance) -> None:
        self._warn(found.warnings)
        for count in item.provenance:
            self.report.provenance_rows_scanned += count.rows_scanned
            self.report.provenance_rows_total += count.rows_total or count.rows_scanned
        self.report.provenance_values_unmatched += found.unmatched_values
        self.report.provenance_chunks_unmatched += found.unmatched_chunks
        if found.left_out:
            self.report.warning(
                title="More sources than max_upstreams",
                message="Sources without a folder in common were left out. Raise `provenance.max_upstreams`.",
                context=f"{'.'.join(item.name)}: {found.left_out} left out",
            )

    def _warn(self, warnings: Iterable[LineageWarning]) -> None:
        for warning in warnings:
            self.report.warning(title=warning.title, message=warning.message, context=warning.context)

    def _catalog_failed(self, error: CatalogError) -> None:
        self.report.failure(
            title="Cannot read the catalog",
            message="Lineage went without what it holds, and nothing is deleted in this run.",
            context=str(error),
        )


def _was_looked_at(item: Collection) -> bool:
    """Rows that could not be asked for this time say nothing about the edges that they showed before."""
    return not item.provenance or any(count.rows_scanned or count.values for count in item.provenance)
