"""The part of a vector store's source that describes the collections: containers, schema, vectors, domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from datahub.configuration.common import AllowDenyPattern
from datahub.ingestion.graph.client import DataHubGraph
from datahub.metadata.schema_classes import DomainAssociationClass
from datahub.utilities.registries.domain_registry import DomainRegistry
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.mapping.collections import (
    PlacedCollection,
    collection_proposals,
    container_proposals,
    vector_proposals,
)
from datahub_llmops.mapping.properties import AssetPatch
from datahub_llmops.mapping.proposals import Proposal


@dataclass(kw_only=True)
class CollectionFacts(SourcePart[Collection]):
    """Emits what the store says about each collection, except its lineage."""

    platform: str
    emitter: RunEmitter
    now: datetime
    """Dates the profiles."""
    shared_facts: Callable[[PlacedCollection], Iterator[Proposal]]
    """Builds what is added to a dataset that another source describes."""
    domains: Mapping[str, AllowDenyPattern]
    """Domain -> which collections belong to it, by their dotted name."""
    graph: DataHubGraph | None
    """Finds a domain by its name."""

    def __post_init__(self) -> None:
        self._registry = DomainRegistry(list(self.domains), self.graph) if self.domains else None

    @override
    def opening(self) -> Iterator[Emission]:
        yield from self.emitter.emit_platform(self.platform)
        yield from self.emitter.emit_definitions()

    @override
    def emissions(self, placed: PlacedCollection) -> Iterator[Emission]:
        own = not placed.shared
        yield from emit(self._own_facts(placed) if own else self.shared_facts(placed), primary=own)
        yield from emit(vector_proposals(placed), primary=False)
        yield from emit(self._domain_of(placed), primary=own)

    def _own_facts(self, placed: PlacedCollection) -> Iterator[Proposal]:
        for level in range(1, len(placed.item.containers) + 1):
            path = placed.item.containers[:level]
            if self.emitter.claim(urns.container(placed.deployment, path)):
                yield from container_proposals(path, placed.deployment)
        yield from collection_proposals(placed, now=self.now)

    def _domain_of(self, placed: PlacedCollection) -> Iterator[Proposal]:
        name = ".".join(placed.name)
        for domain, pattern in self.domains.items():
            if self._registry is not None and is_allowed(pattern, name):
                urn = urns.domain(self._registry.get_domain_urn(domain))
                yield from AssetPatch(placed.urn).add_domain(DomainAssociationClass(domain=urn)).build()
                return
