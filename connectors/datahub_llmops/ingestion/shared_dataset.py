"""The source of a vector store that DataHub has a source for too: it looks up who describes each dataset.

``docs/decisions/0006-pinecone-described-by-whom.md`` says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from datahub.ingestion.source.state.entity_removal_state import GenericCheckpointState
from datahub.ingestion.source.state.stale_entity_removal_handler import StaleEntityRemovalHandler
from datahub.ingestion.source.state.stateful_ingestion_base import StateProviderWrapper
from datahub.utilities.urns.urn import guess_entity_type
from pydantic import Field
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, Name
from datahub_llmops.errors import CatalogError
from datahub_llmops.ingestion.emitter import Emission
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.recipe_catalog import RecipeCatalog
from datahub_llmops.ingestion.source import CatalogReport
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource
from datahub_llmops.mapping.edge_properties import key_proposal
from datahub_llmops.urns import Deployment


class SharedStoreConfig(VectorStoreConfig):
    """Options of a store whose datasets DataHub's own source may describe."""

    described_elsewhere: bool | None = Field(
        default=None,
        description="Does DataHub's own source for the store describe the same datasets? `true`: only facts that it "
        "has no place for are added. `false`: everything is written. Default: as the catalog says of each dataset; "
        "`true` without a catalog.",
    )


SharedStoreConfigT = TypeVar("SharedStoreConfigT", bound=SharedStoreConfig)


class SharedStoreSource(VectorStoreSource[SharedStoreConfigT]):
    """What a connector extends where DataHub's own source writes the same URNs, and may or may not run."""

    @override
    def build_parts(self) -> Sequence[SourcePart[Collection]]:
        self.datasets = SharedDatasets(
            deployment=self.deployment,
            opened=self.opened,
            report=self.report,
            state=self.state_provider,
            described_elsewhere=self.config.described_elsewhere,
        )
        return (self.datasets, *super().build_parts())

    @override
    def is_shared(self, name: Name) -> bool:
        return self.datasets.is_shared(self.asset_urn(name))


@dataclass(kw_only=True)
class SharedDatasets(SourcePart[Collection]):
    """Knows which datasets DataHub's own source describes, and hands those over that were ours before."""

    deployment: Deployment
    opened: RecipeCatalog
    report: CatalogReport
    state: StateProviderWrapper
    """Holds the state of stale removal."""
    described_elsewhere: bool | None
    """The recipe's option."""
    _last_read: tuple[str, Mapping[str, Mapping[str, Any]]] = field(default=("", {}))

    def read(self, urn: str) -> Mapping[str, Mapping[str, Any]]:
        """Read description, schema and status of a dataset from the catalog, or from the cache of the last one.

        Raises:
            CatalogError: the catalog cannot be read.
        """
        if self._last_read[0] != urn:
            wanted = ["datasetProperties", "schemaMetadata", "status"]
            catalog = self.opened.catalog
            self._last_read = (urn, catalog.aspects(urn, wanted) if catalog else {})
        return self._last_read[1]

    def is_shared(self, urn: str) -> bool:
        """Whether somebody else has described this dataset, and not removed it since."""
        if self.described_elsewhere is not None:
            return self.described_elsewhere
        if self.opened.catalog is None:
            return not self.opened.unwritten
        try:
            present = self.read(urn)
        except CatalogError as error:
            self.report.add_catalog_failure(error)
            return True
        description, status = present.get("datasetProperties"), present.get("status") or {}
        if description is None or status.get("removed"):
            return False
        # DataHub's sources of vector stores write no qualified name.
        name = description.get("qualifiedName")
        return not name or urns.collection(self.deployment, (name,)) != urn

    @override
    def conclusion(self, reader: Reader[Collection]) -> Iterator[Emission]:
        """Hand over the datasets that were ours until DataHub's source described them.

        We may not retire them any more. Stale removal counts a run as failed that does not mention most of what it
        knew, so they stay in its state; emitted as somebody else's as well, they are never removed.
        """
        job = StaleEntityRemovalHandler.compute_job_id(self.deployment.platform)
        last = self.state.get_last_checkpoint(job, GenericCheckpointState)
        for urn in last.state.urns if last is not None else ():
            if guess_entity_type(urn) == "dataset" and self.is_shared(urn):
                yield Emission(key_proposal(urn), primary=True)
                yield Emission(key_proposal(urn), primary=False)
