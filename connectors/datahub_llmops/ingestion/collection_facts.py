"""The part of a vector store's source that describes the collections: containers, schema, vectors, domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
from datahub_llmops.mapping.collections import (
    PlacedCollection,
    collection_proposals,
    container_proposals,
    vector_proposals,
)
from datahub_llmops.mapping.properties import AssetPatch, definitions
from datahub_llmops.mapping.proposals import Proposal


class CollectionFacts(SourcePart[Collection]):
    """Emits what the store says about each collection, except its lineage."""

    def __init__(
        self,
        platform: str,
        emitter: RunEmitter,
        *,
        now: datetime,
        shared_facts: Callable[[PlacedCollection], Iterator[Proposal]],
        domains: Mapping[str, AllowDenyPattern],
        graph: DataHubGraph | None,
    ) -> None:
        """
        Args:
            platform: that of the store.
            emitter: the run's.
            now: dates the profiles.
            shared_facts: builds what is added to a dataset that another source describes.
            domains: domain -> which collections belong to it, by their dotted name.
            graph: finds a domain by its name.
        """
        self._platform = platform
        self._emitter = emitter
        self._now = now
        self._shared_facts = shared_facts
        self._patterns = domains
        self._domains = DomainRegistry(list(domains), graph) if domains else None

    @override
    def opening(self) -> Iterator[Emission]:
        yield from self._emitter.emit_platform(self._platform)
        for urn, proposals in definitions():
            if not self._emitter.read_aspect(urn, "propertyDefinition"):
                for proposal in proposals:
                    # A server does not show an assignment whose definition came after it.
                    yield from self._emitter.emit_first(proposal)

    @override
    def emissions(self, placed: PlacedCollection) -> Iterator[Emission]:
        own = not placed.shared
        yield from emit(self._own_facts(placed) if own else self._shared_facts(placed), primary=own)
        yield from emit(vector_proposals(placed), primary=False)
        yield from emit(self._domain_of(placed), primary=own)

    def _own_facts(self, placed: PlacedCollection) -> Iterator[Proposal]:
        for level in range(1, len(placed.item.containers) + 1):
            path = placed.item.containers[:level]
            if self._emitter.claim(urns.container(placed.deployment, path)):
                yield from container_proposals(path, placed.deployment)
        yield from collection_proposals(placed, now=self._now)

    def _domain_of(self, placed: PlacedCollection) -> Iterator[Proposal]:
        name = ".".join(placed.name)
        for domain, pattern in self._patterns.items():
            if self._domains is not None and pattern.allowed(name):
                urn = urns.domain(self._domains.get_domain_urn(domain))
                yield from AssetPatch(placed.urn).add_domain(DomainAssociationClass(domain=urn)).build()
                return
