"""A source in parts: each emits one kind of facts about every asset, and none knows the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from datahub_llmops.assets.collections import Name
from datahub_llmops.ingestion.emitter import Emission
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.mapping.proposals import PlacedAsset

ItemT = TypeVar("ItemT")


class SourcePart(Generic[ItemT]):
    """One part of a source; the source calls its methods in the order in which they stand here."""

    def prepare(self, names: Sequence[Name]) -> None:
        """Take note of the names of all items that will be read."""

    def opening(self) -> Iterator[Emission]:
        """Emit what has to be in the catalog before the first item. May raise ``CatalogError``."""
        yield from ()

    def emissions(self, placed: PlacedAsset[ItemT]) -> Iterator[Emission]:
        """Emit what belongs to one asset. May raise ``CatalogError``, which leaves out the rest of it."""
        yield from ()

    def conclusion(self, reader: Reader[ItemT]) -> Iterator[Emission]:
        """Emit what follows from having read every item; the reader is still open."""
        yield from ()

    def abandoned(self) -> Iterator[Emission]:
        """Emit what follows from having read nothing, because the system could not be opened."""
        yield from ()

    def close(self) -> None:
        """End the run, which may have broken off at any point."""
