"""`llm-weaviate`: collections of a Weaviate server.

https://docs.weaviate.io/weaviate
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
from datahub_llmops.vector_stores.weaviate.client import WeaviateServer, absent
from datahub_llmops.vector_stores.weaviate.reader import WeaviateReader


class WeaviateConfig(VectorStoreConfig, HttpOptions):
    """Recipe options of `llm-weaviate`."""

    url: str = Field(
        description="Root of the server's REST API, without `/v1`, for example `http://localhost:8080` or "
        "`https://<cluster>.weaviate.cloud`."
    )
    api_key: TransparentSecretStr | None = Field(
        default=None,
        description="API key or OIDC token, if the server requires one, for example `${WEAVIATE_API_KEY}`. A role with "
        "read access is enough.",
    )
    exact_count: bool = Field(
        default=True,
        description="Let the server count the objects. `false` takes the counts of its nodes, which lag behind writes "
        "and are marked as an estimate. Use it with `provenance.fields: []` for servers whose idle shards should not "
        "be loaded.",
    )
    max_tenants: int = Field(
        default=100,
        ge=0,
        description="Maximum number of tenants of one collection that are named and counted, in order of their names, "
        "for example `100`; `0` reads none. Inactive tenants are never activated, so they are not counted.",
    )
    collection_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Collections to read, for example `{deny: ['Test_.*']}`.",
    )

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        key = self.api_key
        return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value().strip()}"}


@platform_name("Weaviate", id="weaviate")
@config_class(WeaviateConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.CONTAINERS, "Server")
@capability(SourceCapability.SCHEMA_METADATA, "Properties and the vectors")
@capability(SourceCapability.DESCRIPTIONS, "Of collections and properties")
class WeaviateSource(VectorStoreSource[WeaviateConfig]):
    """Reads vector collections of Weaviate."""

    platform: ClassVar[str] = "weaviate"
    config_type: ClassVar[type[WeaviateConfig]] = WeaviateConfig
    declares: ClassVar[Mapping[Fact, str]] = {
        **always(
            "metric", "index type", "index parameters", "quantization", "several vectors", "multivectors"
        ),
        **always("payload fields", "aliases", "description"),
        "dimension": "from the first object's vectors, or from the vectorizer",
        "embedding model": "if the vectorizer's configuration names it",
        "text field": "the field that the vectorizers embed or a framework writes",
        "count": "exact, or an estimate if the key may not use GraphQL; none while a tenant is inactive",
        "partitions": "tenants",
        "sources of chunks": "grouped by the server, otherwise a scan",
    }

    @classmethod
    @override
    def open(cls, config: WeaviateConfig) -> StoreReader:
        client = HttpClient.of(
            config,
            system="Weaviate",
            base_url=config.url,
            headers=config.headers(),
            absent=absent,
            ports="Weaviate serves REST at port 8080 by default, and gRPC at 50051.",
        )
        return WeaviateReader(
            WeaviateServer(client),
            provenance_fields=config.counted_fields,
            max_rows=config.provenance.max_rows,
            max_values=config.provenance.max_values,
            max_tenants=config.max_tenants,
            exact_count=config.exact_count,
        )
