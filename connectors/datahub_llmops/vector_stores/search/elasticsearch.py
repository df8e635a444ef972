"""`llm-elasticsearch`: indexes with vectors of Elasticsearch, on the datasets of DataHub's `elasticsearch` source.

https://www.elastic.co/docs/solutions/search/vector
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import ClassVar

from datahub.configuration.common import TransparentSecretStr
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
from datahub_llmops.ingestion.shared_dataset import SharedStoreSource
from datahub_llmops.vector_stores.search.config import SearchConfig, open_reader
from datahub_llmops.vector_stores.search.reader import ELASTICSEARCH


class ElasticsearchConfig(SearchConfig):
    """Recipe options of `llm-elasticsearch`."""

    api_key: TransparentSecretStr | None = Field(
        default=None,
        description="API key in place of a user, as Elasticsearch shows it when it is made (encoded), or as `id:key`, "
        "for example `${ELASTICSEARCH_API_KEY}`.",
    )
    inference_endpoints: bool = Field(
        default=True,
        description="Ask which model makes the vectors of `semantic_text` fields: one request an inference endpoint, "
        "which takes the cluster privilege `monitor_inference`.",
    )

    @override
    def _ways(self) -> list[tuple[str, object]]:
        return [*super()._ways(), ("api_key", self.api_key)]

    @override
    def headers(self) -> dict[str, str]:
        if self.api_key is None:
            return super().headers()
        key = self.api_key.get_secret_value().strip()
        # Base64 has no colon.
        encoded = base64.b64encode(key.encode()).decode() if ":" in key else key
        return {"Authorization": f"ApiKey {encoded}"}


@platform_name("Elasticsearch", id="elasticsearch")
@config_class(ElasticsearchConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.SCHEMA_METADATA, "The mapping, unless DataHub's own source writes it")
@capability(SourceCapability.DESCRIPTIONS, "The key `description` of a mapping's `_meta`")
class ElasticsearchSource(SharedStoreSource[ElasticsearchConfig]):
    """Reads indexes with vectors of Elasticsearch."""

    platform: ClassVar[str] = "elasticsearch"
    config_type: ClassVar[type[ElasticsearchConfig]] = ElasticsearchConfig
    tells: ClassVar[Mapping[Fact, str]] = {
        **yes("dimension", "metric", "index type", "index parameters", "element type", "quantization"),
        **yes("several vectors", "sparse vectors", "multivectors", "payload fields", "count", "aliases"),
        "embedding model": "of `semantic_text`, else where the mapping's `_meta` names one",
        "text field": "as LangChain and LlamaIndex call it",
        "size": "not on Serverless",
        "created": "not of data streams",
        "description": "of the mapping's `_meta`",
        "sources of chunks": "by an aggregation where the mapping allows it, else by a page of documents",
    }

    @classmethod
    @override
    def open(cls, config: ElasticsearchConfig) -> Reader[Collection]:
        return open_reader(config, ELASTICSEARCH, ask_endpoints=config.inference_endpoints)
