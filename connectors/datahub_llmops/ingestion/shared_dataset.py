"""The source of a vector store that DataHub has a source for too: who describes a dataset is looked up, one by one.

``docs/decisions/0006-pinecone-described-by-whom.md`` says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.source.state.entity_removal_state import GenericCheckpointState
from datahub.ingestion.source.state.stale_entity_removal_handler import StaleEntityRemovalHandler
from datahub.utilities.urns.urn import guess_entity_type
from pydantic import Field
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, Name
from datahub_llmops.errors import CatalogError
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.source import workunit
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource
from datahub_llmops.mapping.collections import Proposal
from datahub_llmops.mapping.edge_properties import key_proposal


class SharedStoreConfig(VectorStoreConfig):
    """Options of a store whose datasets DataHub's own source may describe."""

    described_elsewhere: bool | None = Field(
        default=None,
        description="Does DataHub's own source for the store describe the same datasets? `true`: only facts that it "
        "has no place for are added. `false`: all is written. Default: as the catalog says of each; `true` without "
        "a catalog.",
    )


SharedStoreConfigT = TypeVar("SharedStoreConfigT", bound=SharedStoreConfig)


class SharedStoreSource(VectorStoreSource[SharedStoreConfigT]):
    """What a connector extends where DataHub's own source writes the same URNs, and may or may not run."""

    def __init__(self, config: SharedStoreConfigT, ctx: PipelineContext) -> None:
        super().__init__(config, ctx)
        self._known: tuple[str, Mapping[str, Mapping[str, Any]]] = ("", {})

    @override
    def owned_elsewhere(self, name: Name) -> bool:
        return self._described_elsewhere(urns.collection(self.deployment, name))

    def in_catalog(self, urn: str) -> Mapping[str, Mapping[str, Any]]:
        """What the catalog has of a dataset: description, schema, status. The last one asked for is remembered.

        Raises:
            CatalogError: it cannot be read.
        """
        if self._known[0] != urn:
            wanted = ["datasetProperties", "schemaMetadata", "status"]
            self._known = (urn, self._catalog.aspects(urn, wanted) if self._catalog else {})
        return self._known[1]

    def _described_elsewhere(self, urn: str) -> bool:
        """Has somebody else described this dataset, and not removed it since?"""
        if self.config.described_elsewhere is not None:
            return self.config.described_elsewhere
        if self._catalog is None:
            return not self._nothing_there
        try:
            there = self.in_catalog(urn)
        except CatalogError as error:
            self._catalog_failed(error)
            return True
        described, status = there.get("datasetProperties"), there.get("status") or {}
        if described is None or status.get("removed"):
            return False
        # DataHub's sources of vector stores give no qualified name.
        name = described.get("qualifiedName")
        return not name or urns.collection(self.deployment, (name,)) != urn

    @override
    def concluding_proposals(self, reader: Reader[Collection]) -> Iterator[Proposal | MetadataWorkUnit]:
        yield from self._handed_over()
        yield from super().concluding_proposals(reader)

    def _handed_over(self) -> Iterator[MetadataWorkUnit]:
        """Datasets that were ours until DataHub's source described them: they are not ours to retire any more.

        They stay in the state of stale removal, which would take it for a failure when most of what it knew is not
        mentioned, and are named as somebody else's, which it never removes.
        """
        job = StaleEntityRemovalHandler.compute_job_id(self.platform)
        last = self.state_provider.get_last_checkpoint(job, GenericCheckpointState)
        for urn in last.state.urns if last is not None else ():
            if guess_entity_type(urn) == "dataset" and self._described_elsewhere(urn):
                yield workunit(key_proposal(urn), primary=True)
                yield workunit(key_proposal(urn), primary=False)
