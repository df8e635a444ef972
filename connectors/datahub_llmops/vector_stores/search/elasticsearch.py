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

from datahub_llmops.ingestion.capabilities import Fact, always
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.shared_dataset import SharedStoreSource
from datahub_llmops.vector_stores.search.config import HIDDEN_DOCUMENTS, SearchConfig, open_reader
from datahub_llmops.vector_stores.search.reader import ELASTICSEARCH


class ElasticsearchConfig(SearchConfig):
    """Recipe options of `llm-elasticsearch`."""

    api_key: TransparentSecretStr | None = Field(
        default=None,
        description="API key instead of a user, encoded as Elasticsearch shows it on creation, or as `id:key`, for "
        "example `${ELASTICSEARCH_API_KEY}`.",
    )
    inference_endpoints: bool = Field(
        default=True,
        description="Request the model behind `semantic_text` fields: one request per inference endpoint, which needs "
        "the cluster privilege `monitor_inference`.",
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
    unasked: ClassVar[str] = HIDDEN_DOCUMENTS
    declares: ClassVar[Mapping[Fact, str]] = {
        **always("dimension", "metric", "index type", "index parameters", "element type", "quantization"),
        **always("several vectors", "sparse vectors", "multivectors", "payload fields", "count", "aliases"),
        "embedding model": "of `semantic_text`, otherwise if the mapping's `_meta` names one",
        "text field": "recognised by the layouts of LangChain and LlamaIndex",
        "size": "not on Serverless",
        "created": "not of data streams",
        "description": "from the mapping's `_meta`",
        "sources of chunks": "an aggregation if the mapping allows it, otherwise a page of documents",
    }

    @classmethod
    @override
    def open(cls, config: ElasticsearchConfig) -> StoreReader:
        return open_reader(config, ELASTICSEARCH, ask_endpoints=config.inference_endpoints)
