"""`llm-jsonlines`: collections of JSON lines, one file each, in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from datahub.configuration.common import AllowDenyPattern
from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub_llmops.vector_stores.jsonlines.reader import JsonLinesReader
from pydantic import Field
from typing_extensions import override

from datahub_llmops.ingestion import Fact, StoreReader, VectorStoreConfig, VectorStoreSource, always


class JsonLinesConfig(VectorStoreConfig):
    """Recipe options of `llm-jsonlines`."""

    folder: Path = Field(description="Folder that holds the files, for example `./vectors`.")
    collection_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Collections to read, by file name without its ending, for example `{deny: ['test_.*']}`.",
    )


@platform_name("JSON lines", id="jsonlines")
@config_class(JsonLinesConfig)
@support_status(SupportStatus.ALPHA)
class JsonLinesSource(VectorStoreSource[JsonLinesConfig]):
    """Reads vector collections of JSON lines."""

    platform: ClassVar[str] = "jsonlines"
    config_type: ClassVar[type[JsonLinesConfig]] = JsonLinesConfig
    declares: ClassVar[Mapping[Fact, str]] = {
        **always("dimension", "size", "modified"),
        "payload fields": "by a sample",
        "count": "exact",
        "sources of chunks": "all rows",
    }

    @classmethod
    @override
    def open(cls, config: JsonLinesConfig) -> StoreReader:
        return JsonLinesReader(
            config.folder,
            provenance_fields=config.counted_fields,
            max_values=config.provenance.max_values,
        )
