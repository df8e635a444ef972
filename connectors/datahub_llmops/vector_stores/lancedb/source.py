"""`llm-lancedb`: tables of a LanceDB database, in a folder or in an object store.

https://lancedb.github.io/lancedb/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

from datahub.configuration.common import AllowDenyPattern, TransparentSecretStr
from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from pydantic import Field, model_validator
from typing_extensions import override

from datahub_llmops.assets.collections import Name
from datahub_llmops.assets.extras import not_installed
from datahub_llmops.ingestion.capabilities import Fact, always
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource
from datahub_llmops.lineage.patterns import is_allowed


class LanceConfig(VectorStoreConfig):
    """Recipe options of `llm-lancedb`."""

    path: Path | None = Field(
        default=None,
        description="Folder of the database, as given to `lancedb.connect`, for example `./lancedb`. It is read and "
        "not changed. Give this or `uri`.",
    )
    uri: str | None = Field(
        default=None,
        description="Location of the database in an object store, for example `s3://bucket/lancedb`. Give this or "
        "`path`.",
    )
    storage_options: dict[str, TransparentSecretStr] = Field(
        default_factory=dict,
        description="Credentials and region for `uri`, under LanceDB's names, for example "
        "`{aws_access_key_id: '${KEY}', aws_secret_access_key: '${SECRET}', region: eu-west-1}`. If there "
        "are none, those of the environment are used.",
    )
    timeout_sec: float = Field(
        default=300.0,
        gt=0,
        description="Seconds for listing all tables, or for reading one table and counting its sources, in an object "
        "store. All requests and their retries are included; each of them may take 30 seconds at most.",
    )
    table_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Tables to read, by dotted name including their namespaces, for example "
        "`{deny: ['scratch\\\\..*']}`.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.uri is None):
            raise ValueError(
                "give either path (a folder) or uri (an object store), for example path: ./lancedb"
            )
        if self.path is not None and self.storage_options:
            raise ValueError("storage_options belong to a uri; a folder read by path needs none")
        return self


@platform_name("LanceDB", id="lancedb")
@config_class(LanceConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.CONTAINERS, "Database and namespaces")
@capability(SourceCapability.SCHEMA_METADATA, "Columns and vectors, with Arrow's types")
@capability(SourceCapability.DESCRIPTIONS, "The key `description` of the metadata of a schema or column")
class LanceSource(VectorStoreSource[LanceConfig]):
    """Reads tables of LanceDB."""

    platform: ClassVar[str] = "lancedb"
    config_type: ClassVar[type[LanceConfig]] = LanceConfig
    declares: ClassVar[Mapping[Fact, str]] = {
        **always(
            "dimension", "index parameters", "element type", "quantization", "several vectors", "multivectors"
        ),
        **always("payload fields", "size", "modified", "description"),
        "metric": "if there is an index",
        "index type": "if there is an index",
        "embedding model": "from the recorded embedding function",
        "text field": "what an embedding function reads, or recognised by the layouts of LangChain and LlamaIndex",
        "count": "exact",
        "created": "time of the oldest version that exists",
        "sources of chunks": "all rows, counted by SQL in the engine",
    }

    @override
    def allowed(self, name: Name) -> bool:
        # A table may be in any number of namespaces, so there is no pattern for each level.
        return is_allowed(self.config.table_pattern, ".".join(name))

    @classmethod
    @override
    def open(cls, config: LanceConfig) -> StoreReader:
        try:
            # Imported here because only LanceDB needs it, and its engine is large.
            from datahub_llmops.vector_stores.lancedb.reader import LanceReader
        except ImportError as error:
            raise not_installed("LanceDB", "lancedb", error) from error
        return LanceReader(
            path=config.path,
            uri=config.uri,
            storage_options={key: value.get_secret_value() for key, value in config.storage_options.items()},
            timeout=config.timeout_sec,
            provenance_fields=config.counted_fields,
            max_rows=config.provenance.max_rows,
            max_values=config.provenance.max_values,
        )
