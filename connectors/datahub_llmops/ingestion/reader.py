"""The contract between an external system and the rest of the package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeVar, runtime_checkable

from datahub_llmops.assets.collections import Collection, FailedListing, Name

MAX_IDS: Final = 20
"""Maximum number of ids in one call of ``IdProbe.has``."""

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


@runtime_checkable
class IdProbe(Protocol):
    """Tells whether a collection holds chunks with certain ids, as a span or a hook recorded them."""

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        """Return those of ``ids``, at most ``MAX_IDS``, that the collection holds.

        One or a few requests by key, whose answers contain no payload, text or vector wherever the store allows that.
        Called from several threads at once. An id that no chunk of this store can have is not there, and is not sent.
        Ids that the store itself takes for the same are: a UUID with and without dashes.

        Raises:
            ValueError: there are more than ``MAX_IDS`` of them.
            VanishedError: there is no such collection.
            UnreadableError: it could not be asked for an id: whether it holds that one is not known.
            AccessError: the system cannot be reached, or denies access to this collection (``DeniedError``).
        """
        ...


class StoreReader(Reader[Collection], IdProbe, Protocol):
    """Reads the collections of a vector store."""
