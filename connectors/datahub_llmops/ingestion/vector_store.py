"""The source of every vector store: collections, the jobs that fill them, and where their data comes from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from datahub.ingestion.api.decorators import SourceCapability, capability
from typing_extensions import override

from datahub_llmops.assets import platforms
from datahub_llmops.assets.collections import Collection
from datahub_llmops.ingestion.assigned_facts import AssignedFacts
from datahub_llmops.ingestion.capabilities import Fact
from datahub_llmops.ingestion.collection_facts import CollectionFacts
from datahub_llmops.ingestion.collection_lineage import CollectionLineage
from datahub_llmops.ingestion.emitter import Emission
from datahub_llmops.ingestion.job_ledger import DeclaredMemory, JobLedger
from datahub_llmops.ingestion.key_counts import separate_keys
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.retraction import Retraction
from datahub_llmops.ingestion.source import CatalogSource
from datahub_llmops.ingestion.typed_aspects import TypedAspects
from datahub_llmops.ingestion.vector_store_config import VectorStoreConfig, VectorStoreReport
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from datahub_llmops.mapping.collections import (
    PlacedCollection,
    described_assets,
    place_collection,
    shared_proposals,
)
from datahub_llmops.mapping.index_aspects import empty_index_aspects
from datahub_llmops.mapping.proposals import Proposal

__all__ = ["VectorStoreConfig", "VectorStoreReport", "VectorStoreSource"]

VectorStoreConfigT = TypeVar("VectorStoreConfigT", bound=VectorStoreConfig)


@capability(SourceCapability.LINEAGE_COARSE, "By declared embedding jobs and by payload provenance")
@capability(SourceCapability.LINEAGE_FINE, "By the SQL of declared embedding jobs")
@capability(SourceCapability.DELETION_DETECTION, "By stateful ingestion")
@capability(SourceCapability.DOMAINS, "By the option `domain`")
@capability(SourceCapability.PLATFORM_INSTANCE, "By the option `platform_instance`")
@capability(
    SourceCapability.TEST_CONNECTION, "Distinguishes a server that cannot be reached from one that refuses"
)
class VectorStoreSource(CatalogSource[VectorStoreConfigT, Collection]):
    """What a connector of a vector store extends: it sets ``platform``, ``config_type``, ``declares`` and ``open``.

    ``noun`` and ``name_filters`` follow from the platform's entry in ``assets.platforms``, unless the class sets them.
    """

    noun: ClassVar[str] = "collection"
    declares: ClassVar[Mapping[Fact, str]]
    """The facts that the store states, each with a remark or `yes`. The contract test compares it with the reader."""
    unasked: ClassVar[str] = ""
    """What the store does not tell any reader: the report of every run says that it is not known."""
    report: VectorStoreReport

    @override
    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = vars(cls)
        if "platform" in own:
            entry = platforms.find(cls.platform)
            if "noun" not in own:
                cls.noun = entry.noun or entry.levels[-1]
            if "name_filters" not in own:
                cls.name_filters = tuple(f"{level}_pattern" for level in entry.levels)

    @classmethod
    @abstractmethod
    @override
    def open(cls, config: VectorStoreConfigT) -> StoreReader:
        """Connect. Raises ``AccessError``."""

    @classmethod
    @override
    def new_report(cls) -> VectorStoreReport:
        return VectorStoreReport()

    @override
    def emissions(self) -> Iterator[Emission]:
        if self.unasked:
            self.report.info(title="Not known", message=self.unasked)
        yield from super().emissions()

    @property
    def lookup(self) -> SchemaLookup:
        """The schemas of datasets that the catalog knows."""
        return self.catalog or NoCatalog()

    @override
    def build_parts(self) -> Sequence[SourcePart[Collection]]:
        config, emitter = self.config, self.emitter
        assigned = AssignedFacts(self.state_provider, config.stateful_ingestion, self.ctx, self.platform)
        retraction = Retraction(
            assigned=assigned,
            target=self.target,
            report=self.report,
            is_shared=self.is_shared,
            is_wanted=self.is_wanted,
            list_assets=described_assets,
            empty_aspects=empty_index_aspects(self.platform),
        )
        facts = CollectionFacts(
            platform=self.platform,
            emitter=emitter,
            now=self.now,
            shared_facts=self.shared_facts,
            domains=config.domain,
            graph=self.ctx.graph,
        )
        typed = TypedAspects(emitter, config.env, self.report)
        ledger = JobLedger(
            recipe=self.ctx.pipeline_name or "",
            platform=self.platform,
            env=config.env,
            now=self.now,
            declared=config.embedding_jobs,
            emitter=emitter,
            memory=DeclaredMemory(self.state_provider, config.stateful_ingestion, self.ctx, self.platform),
        )
        self._lineage = CollectionLineage(
            config=config,
            deployment=self.deployment,
            emitter=emitter,
            lookup=self.lookup,
            typed=typed,
            ledger=ledger,
            report=self.report,
            now=self.now,
        )
        # The retraction comes last: it has to know of every failure.
        return (facts, self._lineage, typed, retraction)

    @override
    def place(self, item: Collection) -> PlacedCollection:
        item = separate_keys(item, self.config.key_fields, self.config.provenance.fields)
        return place_collection(
            item,
            self.deployment,
            shared=self.is_shared(item.name),
            declared=self._lineage.declared_properties(item),
        )

    def shared_facts(self, placed: PlacedCollection) -> Iterator[Proposal]:
        """Build what is added to a dataset that another source describes. May raise ``CatalogError``."""
        present = self.catalog.latest(placed.urn) if self.catalog else {}
        yield from shared_proposals(placed, now=self.now, present_profile=present.get("datasetProfile"))
