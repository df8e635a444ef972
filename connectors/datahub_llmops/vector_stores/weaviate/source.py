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

from datahub_llmops.assets.collections import Collection
from datahub_llmops.ingestion.capabilities import Fact, yes
from datahub_llmops.ingestion.reader import Reader
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
        description="API key or OIDC token for a server that asks for one; one whose role may only read is enough, "
        "for example `${WEAVIATE_API_KEY}`.",
    )
    exact_count: bool = Field(
        default=True,
        description="Have the server count the objects. `false` takes what its nodes say of their shards, which lags "
        "behind writes and is marked as an estimate, where no sources are counted either (`provenance.fields: []`): "
        "for servers whose idle shards are not to be loaded.",
    )
    max_tenants: int = Field(
        default=100,
        ge=0,
        description="Tenants of one collection that are named and counted, the first ones by name; `0` asks for none. "
        "Tenants that are not active are never activated, so not counted, for example `100`.",
    )
    collection_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Collections to read, for example `{deny: ['Test_.*']}`.",
    )

    def headers(self) -> dict[str, str]:
        """What a request carries to be let in."""
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
    tells: ClassVar[Mapping[Fact, str]] = {
        **yes("metric", "index type", "index parameters", "quantization", "several vectors", "multivectors"),
        **yes("payload fields", "aliases", "description"),
        "dimension": "of the first object's vectors, or of the vectorizer",
        "embedding model": "where the vectorizer's configuration names it",
        "text field": "that the vectorizers embed, or a framework writes",
        "count": "exact, or an estimate where the key may not use GraphQL; not where a tenant sleeps",
        "partitions": "tenants",
        "sources of chunks": "grouped by the server, else a scan",
    }

    @classmethod
    @override
    def open(cls, config: WeaviateConfig) -> Reader[Collection]:
        client = HttpClient.of(
            config, system="Weaviate", base_url=config.url, headers=config.headers(), absent=absent
        )
        return WeaviateReader(
            WeaviateServer(client),
            provenance_fields=config.provenance.fields,
            max_rows=config.provenance.max_rows,
            max_values=config.provenance.max_values,
            max_tenants=config.max_tenants,
            exact_count=config.exact_count,
        )
