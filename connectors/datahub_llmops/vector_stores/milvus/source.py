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

from datahub_llmops.assets.collections import Collection
from datahub_llmops.errors import AccessError
from datahub_llmops.ingestion.capabilities import Fact, yes
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource


class MilvusConfig(VectorStoreConfig):
    """Recipe options of `llm-milvus`."""

    url: str = Field(
        description="The server's gRPC port, for example `http://localhost:19530`, or the public endpoint of a Zilliz "
        "Cloud cluster, `https://<cluster>.zillizcloud.com`."
    )
    token: TransparentSecretStr | None = Field(
        default=None,
        description="API key, or `user:password`, for a server that asks for one; a user that may only read is "
        "enough, for example `${MILVUS_TOKEN}`.",
    )
    database: str | None = Field(
        default=None,
        description="Database to read, without asking for the others, for example `kb`. Default: all of the server.",
    )
    database_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Databases to read where all are, for example `{deny: ['test_.*']}`.",
    )
    collection_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Collections to read, by their name without the database, for example `{deny: ['test_.*']}`.",
    )
    exact_count: bool = Field(
        default=True,
        description="Have the server count the rows of loaded collections. `false` takes its statistics, marked as an "
        "estimate, which are taken of other collections anyway.",
    )
    timeout_sec: float = Field(
        default=30.0,
        gt=0,
        description="Seconds that one call may take in all: connecting, waiting and its repetitions.",
    )
    retry_max_times: int = Field(
        default=3,
        ge=0,
        le=20,
        description="How often a call is tried again where the server is busy, or the connection broke.",
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
    tells: ClassVar[Mapping[Fact, str]] = {
        **yes("dimension", "index parameters", "element type", "quantization"),
        **yes("several vectors", "sparse vectors", "multivectors", "created", "aliases", "description"),
        "metric": "where there is an index",
        "index type": "where there is an index",
        "embedding model": "of a function that embeds texts",
        "payload fields": "columns; dynamic fields and keys of JSON by a sample, where loaded",
        "text field": "input of a function, or by a framework's layout",
        "count": "exact where loaded",
        "estimated count": "the statistics, where not loaded",
        "partitions": "where there is no partition key",
        "sources of chunks": "a scan, where loaded",
    }

    @classmethod
    @override
    def open(cls, config: MilvusConfig) -> Reader[Collection]:
        try:
            # Only who reads Milvus needs it.
            from datahub_llmops.vector_stores.milvus.client import MilvusGrpcClient
            from datahub_llmops.vector_stores.milvus.reader import MilvusReader
        except ImportError as error:
            raise AccessError(
                "Milvus: its package is not installed. Install it with `pip install 'datahub-llmops[milvus]'`."
            ) from error
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
            provenance_fields=config.provenance.fields,
            max_rows=config.provenance.max_rows,
            max_values=config.provenance.max_values,
            exact_count=config.exact_count,
        )
