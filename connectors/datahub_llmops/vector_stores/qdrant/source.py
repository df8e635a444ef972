"""`llm-qdrant`: collections of a Qdrant server.

https://qdrant.tech/documentation/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from datahub.configuration.common import AllowDenyPattern, TransparentSecretStr
from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from pydantic import Field
from typing_extensions import override

from datahub_llmops.ingestion.capabilities import Fact, always
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.vector_stores.qdrant.reader import QdrantReader, absent


class QdrantConfig(VectorStoreConfig, HttpOptions):
    """Recipe options of `llm-qdrant`."""

    url: str = Field(
        description="Root of the server's REST API, for example `http://localhost:6333` or "
        "`https://<cluster>.cloud.qdrant.io:6333`."
    )
    api_key: TransparentSecretStr | None = Field(
        default=None,
        description="API key or token (JWT), if the server requires one, for example `${QDRANT_API_KEY}`. Read access "
        "is enough.",
    )
    exact_count: bool = Field(
        default=True,
        description="Let the server count every point. `false` takes the server's estimate and marks it as one; use it "
        "for collections that take longer than `timeout_sec` to count.",
    )
    collection_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Collections to read, for example `{deny: ['test_.*']}`.",
    )

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        return {} if self.api_key is None else {"api-key": self.api_key.get_secret_value().strip()}


@platform_name("Qdrant", id="qdrant")
@config_class(QdrantConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.CONTAINERS, "Server")
@capability(SourceCapability.SCHEMA_METADATA, "Payload fields and the vectors")
@capability(SourceCapability.DESCRIPTIONS, "The key `description` of a collection's metadata")
class QdrantSource(VectorStoreSource[QdrantConfig]):
    """Reads vector collections of Qdrant."""

    platform: ClassVar[str] = "qdrant"
    config_type: ClassVar[type[QdrantConfig]] = QdrantConfig
    declares: ClassVar[Mapping[Fact, str]] = {
        **always("dimension", "metric", "index type", "index parameters", "element type", "quantization"),
        **always("several vectors", "sparse vectors", "multivectors", "created", "aliases"),
        "embedding model": "if the metadata names one",
        "payload fields": "indexed fields, others from a sample",
        "text field": "recognised by the layouts of LangChain and LlamaIndex",
        "count": "exact, or an estimate with `exact_count: false`",
        "partitions": "shard keys",
        "description": "from the metadata",
        "sources of chunks": "facets if an index allows it, otherwise a scan",
    }

    @classmethod
    @override
    def open(cls, config: QdrantConfig) -> StoreReader:
        client = HttpClient.of(
            config,
            system="Qdrant",
            base_url=config.url,
            headers=config.headers(),
            absent=absent,
            ports="Qdrant serves REST at port 6333 by default, and gRPC at 6334.",
        )
        return QdrantReader(
            client,
            provenance_fields=config.counted_fields,
            max_rows=config.provenance.max_rows,
            max_values=config.provenance.max_values,
            exact_count=config.exact_count,
        )
