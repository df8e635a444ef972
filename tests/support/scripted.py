"""A vector store that answers what a test wrote down: for the source and what it makes of answers, not for readers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import ClassVar

from datahub.configuration.common import AllowDenyPattern
from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from pydantic import Field
from typing_extensions import override

from datahub_llmops.assets.collections import Collection, Container, FailedListing, Name, Vector
from datahub_llmops.errors import VanishedError
from datahub_llmops.ingestion.chunk_ids import find_ids, parse_keys, parse_text
from datahub_llmops.ingestion.reader import StoreReader
from datahub_llmops.ingestion.vector_store import VectorStoreConfig, VectorStoreSource

Answer = Collection | Exception
Script = dict[Name, Answer | FailedListing]

STORE: Script = {}
"""What the scripted system holds; each test fills it."""

UNLISTED: set[Name] = set()
"""Names that it leaves out of its list, as a system does with what a role may not see."""

IDS: dict[Name, frozenset[str] | Exception] = {}
"""Ids of the chunks of collections; each test that asks for them fills it."""

SOURCE = f"{__name__}.ScriptedSource"
"""Type of the source in a recipe."""


def collection(*name: str) -> Collection:
    return Collection(
        name=name,
        containers=(Container(kind="Database", name=name[0]),),
        vectors=(Vector(name="embedding", dimension=3),),
        count=1,
    )


class ScriptedConfig(VectorStoreConfig):
    database_pattern: AllowDenyPattern = Field(default=AllowDenyPattern.allow_all(), description="Databases.")
    collection_pattern: AllowDenyPattern = Field(
        default=AllowDenyPattern.allow_all(), description="Collections."
    )


class ScriptedReader:
    busy: ClassVar[int] = 0
    most_busy: ClassVar[int] = 0
    lock: ClassVar[threading.Lock] = threading.Lock()
    pause: ClassVar[float] = 0.0

    def names(self) -> Iterable[Name | FailedListing]:
        for name, answer in STORE.items():
            if name == ("broken listing",) and isinstance(answer, Exception):
                raise answer
            if name not in UNLISTED:
                yield answer if isinstance(answer, FailedListing) else name

    def read(self, name: Name) -> Collection:
        cls = type(self)
        with cls.lock:
            cls.busy += 1
            cls.most_busy = max(cls.most_busy, cls.busy)
        time.sleep(cls.pause)
        with cls.lock:
            cls.busy -= 1
        answer = STORE.get(name, VanishedError("gone"))
        if isinstance(answer, Collection):
            return answer
        assert isinstance(answer, Exception)
        raise answer

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        keys = parse_keys(ids, parse_text)
        answer = IDS.get(name, VanishedError("gone"))
        if isinstance(answer, Exception):
            raise answer
        return find_ids(keys, answer)

    def close(self) -> None:
        pass


@platform_name("Scripted", id="scripted")
@config_class(ScriptedConfig)
@support_status(SupportStatus.ALPHA)
class ScriptedSource(VectorStoreSource[ScriptedConfig]):
    platform = "scripted"
    config_type = ScriptedConfig
    name_filters = ("database_pattern", "collection_pattern")

    @classmethod
    @override
    def open(cls, config: ScriptedConfig) -> StoreReader:
        return ScriptedReader()
