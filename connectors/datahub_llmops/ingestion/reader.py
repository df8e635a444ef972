"""The contract between an external system and the rest of the package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from datahub_llmops.assets.collections import FailedListing, Name

ItemT_co = TypeVar("ItemT_co", covariant=True)


class Reader(Protocol[ItemT_co]):
    """Read-only view of one external system.

    Methods raise only ``ConnectorError``. ``read`` is called from several threads at once.
    """

    def names(self) -> Iterable[Name | FailedListing]:
        """List all items, in a stable order, without one call per item.

        A scope that cannot be listed is yielded as a ``FailedListing``; the other scopes are still listed.

        Raises:
            AccessError: the system cannot be reached, or denies access.
            UnreadableError: the listing broke off. Names that were yielded before it are valid.
        """
        ...

    def read(self, name: Name) -> ItemT_co:
        """Read one item in full.

        Raises:
            VanishedError: the item was deleted after it was listed.
            UnreadableError: the item exists and could not be read.
            AccessError: the system cannot be reached, or denies access to this item (``DeniedError``).
        """
        ...

    def close(self) -> None:
        """Close connections and files. May be called twice."""
        ...
