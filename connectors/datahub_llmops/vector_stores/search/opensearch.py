"""`llm-opensearch`: indexes with vectors of OpenSearch, on the datasets of DataHub's `elasticsearch` source.

https://docs.opensearch.org/latest/vector-search/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from typing_extensions import override

from datahub_llmops.ingestion.capabilities import Fact, always
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.shared_dataset import SharedStoreSource
from datahub_llmops.vector_stores.search.config import HIDDEN_DOCUMENTS, SearchConfig, open_reader
from datahub_llmops.vector_stores.search.reader import OPENSEARCH


class OpenSearchConfig(SearchConfig):
    """Recipe options of `llm-opensearch`."""


@platform_name("OpenSearch", id="opensearch")
@config_class(OpenSearchConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.SCHEMA_METADATA, "The mapping, unless DataHub's own source writes it")
@capability(SourceCapability.DESCRIPTIONS, "The key `description` of a mapping's `_meta`")
class OpenSearchSource(SharedStoreSource[OpenSearchConfig]):
    """Reads indexes with vectors of OpenSearch."""

    platform: ClassVar[str] = "elasticsearch"
    config_type: ClassVar[type[OpenSearchConfig]] = OpenSearchConfig
    unasked: ClassVar[str] = HIDDEN_DOCUMENTS
    declares: ClassVar[Mapping[Fact, str]] = {
        **always("dimension", "metric", "index type", "index parameters", "element type", "quantization"),
        **always(
            "several vectors", "sparse vectors", "payload fields", "count", "size", "created", "aliases"
        ),
        "embedding model": "if the mapping's `_meta` names one",
        "text field": "recognised by the layouts of LangChain and LlamaIndex",
        "description": "from the mapping's `_meta`",
        "sources of chunks": "an aggregation if the mapping allows it, otherwise a page of documents",
    }

    @classmethod
    @override
    def open(cls, config: OpenSearchConfig) -> StoreReader:
        return open_reader(config, OPENSEARCH)
