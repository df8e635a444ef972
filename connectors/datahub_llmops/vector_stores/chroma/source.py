"""`llm-chroma`: collections of a Chroma server (``url``), or of the folder that Chroma writes to (``path``).

https://docs.trychroma.com/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

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

from datahub_llmops.ingestion.capabilities import Fact, always
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.vector_stores.chroma.file_reader import ChromaFileReader
from datahub_llmops.vector_stores.chroma.rest_reader import ChromaRestReader, absent


class ChromaConfig(VectorStoreConfig, HttpOptions):
    """Recipe options of `llm-chroma`."""

    path: Path | None = Field(
        default=None,
        description="Folder of a persistent Chroma, for example `./chroma`. It is read without Chroma and not changed. "
        "Give this or `url`.",
    )
    url: str | None = Field(
        default=None,
        description="Root of a Chroma server, for example `http://localhost:8000`. Give this or `path`.",
    )
    tenant: str = Field(
        default="default_tenant",
        description="Tenant to read, for example `default_tenant`. A server does not list its tenants: use one "
        "recipe for each.",
    )
    token: TransparentSecretStr | None = Field(
        default=None, description="Token, if the server requires one, for example `${CHROMA_TOKEN}`."
    )
    token_header: Literal["Authorization", "X-Chroma-Token"] = Field(
        default="Authorization",
        description="Header that contains the token: `Authorization` (as `Bearer`) or `X-Chroma-Token` (Chroma Cloud).",
    )
    exact_count: bool = Field(
        default=True,
        description="Let the server count the rows. It opens each collection and keeps about 2.5 MB of memory for "
        "it. For thousands of collections set `false` and `provenance: {fields: []}`: there is no count then, because "
        "Chroma has no estimate. With `path` the rows are always counted.",
    )
    database_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Databases to read, for example `{allow: ['prod_.*']}`.",
    )
    collection_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Collections to read, by name without the database, for example `{deny: ['test_.*']}`.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("give either path (a folder) or url (a server), for example path: ./chroma")
        if self.path is not None and self.token is not None:
            raise ValueError("a token belongs to a url; a folder read by path needs none")
        return self

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        if self.token is None:
            return {}
        secret = self.token.get_secret_value().strip()
        return {self.token_header: f"Bearer {secret}" if self.token_header == "Authorization" else secret}


@platform_name("Chroma", id="chroma")
@config_class(ChromaConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.CONTAINERS, "Server, tenant and database")
@capability(SourceCapability.SCHEMA_METADATA, "Payload fields and the vector")
@capability(SourceCapability.DESCRIPTIONS, "The key `description` of a collection's metadata")
class ChromaSource(VectorStoreSource[ChromaConfig]):
    """Reads vector collections of Chroma."""

    platform: ClassVar[str] = "chroma"
    config_type: ClassVar[type[ChromaConfig]] = ChromaConfig
    declares: ClassVar[Mapping[Fact, str]] = {
        **always(
            "dimension",
            "metric",
            "index type",
            "index parameters",
            "payload fields",
            "text field",
            "description",
        ),
        "embedding model": "if the embedding function names one",
        "count": "exact",
        "size": "of the vector index, with `path`",
        "created": "time of the first insert, with `path`",
        "modified": "with `path`",
        "sources of chunks": "all rows with `path`, a scan with `url`",
    }

    @classmethod
    @override
    def open(cls, config: ChromaConfig) -> StoreReader:
        fields, most = config.counted_fields, config.provenance.max_values
        if config.path is not None:
            return ChromaFileReader(
                config.path,
                tenant=config.tenant,
                timeout=config.timeout_sec,
                provenance_fields=fields,
                max_values=most,
            )
        client = HttpClient.of(
            config,
            system="Chroma",
            base_url=config.url or "",
            headers=config.headers(),
            absent=absent,
            ports="Chroma serves REST at port 8000 by default.",
        )
        return ChromaRestReader(
            client,
            tenant=config.tenant,
            provenance_fields=fields,
            max_rows=config.provenance.max_rows,
            max_values=most,
            exact_count=config.exact_count,
        )
