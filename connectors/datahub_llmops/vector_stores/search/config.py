"""Options that `llm-opensearch` and `llm-elasticsearch` share; one reader serves both."""

from __future__ import annotations

import base64
from typing import Final, Self

from datahub.configuration.common import AllowDenyPattern, TransparentSecretStr
from pydantic import Field, model_validator

from datahub_llmops.ingestion.shared_dataset import SharedStoreConfig
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.vector_stores.search.reader import Product, SearchReader, absent

HIDDEN_DOCUMENTS: Final = (
    "Whether document-level or field-level security hides anything from this role: the engine tells no reader. If it "
    "does, counts and sources are those of the documents that the role may see. Use a role without such a filter."
)


class SearchConfig(SharedStoreConfig, HttpOptions):
    """The address of the cluster, the credentials, and what to read."""

    url: str = Field(
        description="Root of the cluster's REST API, for example `https://search.example:9200`. Include the path if "
        "the cluster is behind a gateway."
    )
    username: str | None = Field(
        default=None, description="User, for example `datahub`; requires `password`."
    )
    password: TransparentSecretStr | None = Field(
        default=None, description="The user's password, for example `${SEARCH_PASSWORD}`."
    )
    token: TransparentSecretStr | None = Field(
        default=None,
        description="Bearer token (JWT, OAuth) instead of a user, for example `${SEARCH_TOKEN}`.",
    )
    indices: str = Field(
        default="*",
        min_length=1,
        description="Index expression for requests, for a role that may not see other indexes, for example "
        "`kb-*,docs`. Indexes that it leaves out are treated as deleted.",
    )
    index_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Indexes and data streams to read, by name, for example `{deny: ['test-.*']}`.",
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = [name for name, value in self._ways() if value is not None]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} are alternative credentials: give one of them")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        return self

    def _ways(self) -> list[tuple[str, object]]:
        return [("username", self.username), ("token", self.token)]

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token.get_secret_value().strip()}"}
        if self.username is None or self.password is None:
            return {}
        login = f"{self.username}:{self.password.get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def open_reader(config: SearchConfig, product: Product, *, ask_endpoints: bool = False) -> SearchReader:
    """Open a reader of the cluster that the recipe names."""
    client = HttpClient.of(
        config,
        system=product.name,
        base_url=config.url,
        headers=config.headers(),
        absent=absent,
        pool_size=config.max_workers,
        ports=f"{product.name} serves REST at port 9200 by default, and its nodes talk at 9300.",
    )
    return SearchReader(
        client,
        product,
        indices=config.indices,
        provenance_fields=config.counted_fields,
        max_rows=config.provenance.max_rows,
        max_values=config.provenance.max_values,
        ask_endpoints=ask_endpoints,
    )
