"""`llm-milvus`: collections of a Milvus server.

https://milvus.io/docs
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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

from datahub_llmops.assets.extras import not_installed
from datahub_llmops.ingestion.capabilities import Fact, always
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource


class MilvusConfig(VectorStoreConfig):
    """Recipe options of `llm-milvus`."""

    url: str = Field(
        description="The server's gRPC port, for example `http://localhost:19530`, or the public endpoint of a Zilliz "
        "Cloud cluster, `https://<cluster>.zillizcloud.com`."
    )
    token: TransparentSecretStr | None = Field(
        default=None,
        description="API key or `user:password`, if the server requires one, for example `${MILVUS_TOKEN}`. Read "
        "access is enough.",
    )
    database: str | None = Field(
        default=None,
        description="Database to read, for example `kb`; the others are not listed. Default: all databases.",
    )
    database_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Databases to read if `database` is not set, for example `{deny: ['test_.*']}`.",
    )
    collection_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Collections to read, by name without the database, for example `{deny: ['test_.*']}`.",
    )
    exact_count: bool = Field(
        default=True,
        description="Let the server count the rows of loaded collections. `false` takes the number from its "
        "statistics and marks it as an estimate. Collections that are not loaded always get the estimate.",
    )
    timeout_sec: float = Field(
        default=30.0,
        gt=0,
        description="Seconds for one call, including connecting, waiting and retries.",
    )
    retry_max_times: int = Field(
        default=3,
        ge=0,
        le=20,
        description="How often a call is retried when the server is busy or the connection breaks.",
    )
    ca_certificate_path: Path | None = Field(
        default=None,
        description="File with the certificate authority that signed the server's certificate, "
        "for example `/etc/ssl/internal-ca.pem`.",
    )


@platform_name("Milvus", id="milvus")
@config_class(MilvusConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.CONTAINERS, "Server and database")
@capability(SourceCapability.SCHEMA_METADATA, "Columns, dynamic fields and the vectors")
@capability(SourceCapability.DESCRIPTIONS, "Of collections and their columns")
class MilvusSource(VectorStoreSource[MilvusConfig]):
    """Reads vector collections of Milvus."""

    platform: ClassVar[str] = "milvus"
    config_type: ClassVar[type[MilvusConfig]] = MilvusConfig
    declares: ClassVar[Mapping[Fact, str]] = {
        **always("dimension", "index parameters", "element type", "quantization"),
        **always("several vectors", "sparse vectors", "multivectors", "created", "aliases", "description"),
        "metric": "if there is an index",
        "index type": "if there is an index",
        "embedding model": "from a function that embeds texts",
        "payload fields": "columns; dynamic fields and JSON keys from a sample, if loaded",
        "text field": "the input of a function, or recognised by a framework's layout",
        "count": "exact if loaded",
        "estimated count": "from the statistics, if not loaded",
        "partitions": "if there is no partition key",
        "sources of chunks": "a scan, if loaded",
    }

    @classmethod
    @override
    def open(cls, config: MilvusConfig) -> StoreReader:
        try:
            # Imported here because only Milvus needs it.
            from datahub_llmops.vector_stores.milvus.client import MilvusGrpcClient
            from datahub_llmops.vector_stores.milvus.reader import MilvusReader
        except ImportError as error:
            raise not_installed("Milvus", "milvus", error) from error
        calls = MilvusGrpcClient(
            config.url,
            token=config.token.get_secret_value() if config.token else None,
            timeout=config.timeout_sec,
            retries=config.retry_max_times,
            authorities=config.ca_certificate_path,
        )
        return MilvusReader(
            calls,
            database=config.database,
            provenance_fields=config.counted_fields,
            max_rows=config.provenance.max_rows,
            max_values=config.provenance.max_values,
            exact_count=config.exact_count,
        )
