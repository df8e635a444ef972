"""`llm-pinecone`: namespaces of Pinecone indexes, on the datasets that DataHub's own `pinecone` source writes.

https://docs.pinecone.io/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from datahub.configuration.common import AllowDenyPattern, TransparentSecretStr
from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from pydantic import Field, field_validator
from typing_extensions import override

from datahub_llmops.assets.collections import Collection
from datahub_llmops.errors import PatternError
from datahub_llmops.ingestion.capabilities import Fact, always
from datahub_llmops.ingestion.emitter import Emission
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.reader import Reader, StoreReader
from datahub_llmops.ingestion.shared_dataset import SharedStoreConfig, SharedStoreSource
from datahub_llmops.ingestion.vector_store import VectorStoreReport
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.mapping.collections import PlacedCollection, schema_proposal, shared_proposals
from datahub_llmops.mapping.proposals import Proposal
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.vector_stores.pinecone.reader import API_VERSION, PineconeReader, absent


class PineconeConfig(SharedStoreConfig, HttpOptions):
    """Recipe options of `llm-pinecone`."""

    url: str = Field(
        default="https://api.pinecone.io",
        description="Root of the control plane, which names the host of each index.",
    )
    api_key: TransparentSecretStr = Field(
        description="API key of one project, for example `${PINECONE_API_KEY}`. The role `ProjectViewer` is enough."
    )
    index_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Indexes to read; the hosts of other indexes are not contacted. For example `{deny: ['test-.*']}`.",
    )
    namespace_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Namespaces to read; the default one is `__default__`. For example `{allow: ['tenant-.*']}`.",
    )
    private_endpoints: bool = Field(
        default=False, description="Use the private endpoint of each index that has one."
    )
    describe_namespaces: bool = Field(
        default=False,
        description="Request the size and the filterable fields of each namespace. This takes one more request per "
        "index and 100 namespaces. Pod-based indexes do not state them.",
    )
    sample_rows: int = Field(
        default=0,
        ge=0,
        description="Number of records of each namespace whose metadata is read for payload fields and provenance, "
        "for example `1000`. Reading costs read units; `0` reads no records.",
    )

    @field_validator("api_key")
    @classmethod
    def _given(cls, value: TransparentSecretStr) -> TransparentSecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("api_key is empty: set the variable that it names, or the key itself")
        return value

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        return {
            "Api-Key": self.api_key.get_secret_value().strip(),
            "X-Pinecone-Api-Version": API_VERSION,
        }


@dataclass
class PineconeReport(VectorStoreReport):
    read_units: int = 0
    """Read units that Pinecone charged for reading records."""


@platform_name("Pinecone", id="pinecone")
@config_class(PineconeConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.CONTAINERS, "Index, unless DataHub's own source writes it")
@capability(SourceCapability.SCHEMA_METADATA, "The vectors, and payload fields with the option `sample_rows`")
class PineconeSource(SharedStoreSource[PineconeConfig]):
    """Reads namespaces of Pinecone's indexes."""

    platform: ClassVar[str] = "pinecone"
    config_type: ClassVar[type[PineconeConfig]] = PineconeConfig
    declares: ClassVar[Mapping[Fact, str]] = {
        **always("dimension", "metric", "several vectors", "sparse vectors", "region"),
        "embedding model": "of indexes with integrated embedding",
        "payload fields": "declared fields, others with `sample_rows`",
        "text field": "of indexes with integrated embedding, or recognised by the layouts of LangChain and LlamaIndex",
        "count": "Pinecone's own count, which may lag",
        "size": "with `describe_namespaces`",
        "sources of chunks": "with `sample_rows`",
    }
    report: PineconeReport

    @classmethod
    @override
    def open(cls, config: PineconeConfig) -> StoreReader:
        client = HttpClient.of(
            config,
            system="Pinecone",
            base_url=config.url,
            headers=config.headers(),
            absent=absent,
            pool_size=config.max_workers,
        )
        return PineconeReader(
            client,
            wanted=lambda name: _is_wanted(config, name),
            workers=config.max_workers,
            private=config.private_endpoints,
            describe_namespaces=config.describe_namespaces,
            sample_rows=min(config.sample_rows, config.provenance.max_rows),
            provenance_fields=config.counted_fields,
            max_values=config.provenance.max_values,
        )

    @classmethod
    @override
    def new_report(cls) -> PineconeReport:
        return PineconeReport()

    @override
    def shared_facts(self, placed: PlacedCollection) -> Iterator[Proposal]:
        # DataHub's source writes no profile: the newest one is ours, or older than its description of the dataset.
        yield from shared_proposals(placed, now=self.now, present_profile=None)
        schema = self.datasets.read(placed.urn).get("schemaMetadata")
        # It finds no fields on serverless indexes, and never the vectors. The fields that it did find stay.
        if self.catalog is not None and (schema is None or _is_ours(schema)):
            yield schema_proposal(placed)

    @override
    def build_parts(self) -> Sequence[SourcePart[Collection]]:
        return (_ReadUnits(self.report), *super().build_parts())


@dataclass(slots=True)
class _ReadUnits(SourcePart[Collection]):
    report: PineconeReport

    @override
    def conclusion(self, reader: Reader[Collection]) -> Iterator[Emission]:
        if isinstance(reader, PineconeReader):
            self.report.read_units = reader.read_units
        yield from ()


def _is_wanted(config: PineconeConfig, name: str) -> bool:
    try:
        return is_allowed(config.index_pattern, name)
    except PatternError:
        # The source, which asks again before it reads anything, reports it.
        return False


def _is_ours(schema: Mapping[str, Any]) -> bool:
    """DataHub's source writes a schema as schemaless."""
    return any(kind.endswith("OtherSchema") for kind in schema.get("platformSchema") or {})
