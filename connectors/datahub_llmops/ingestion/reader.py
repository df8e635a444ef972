"""The one contract between a system and the rest of the package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from datahub_llmops.assets.collections import Name, Unlisted

ItemT_co = TypeVar("ItemT_co", covariant=True)


class Reader(Protocol[ItemT_co]):
    """Read-only view of one external system.

    Methods raise only ``ConnectorError``. ``read`` is called from several threads at once.
    """

    def names(self) -> Iterable[Name | Unlisted]:
        """List what there is, in a stable order, without a call for each item.

        A scope that cannot be listed is yielded as ``Unlisted``, so that the others still are.

        Raises:
            AccessError: the system cannot be reached or refuses.
            UnreadableError: the listing broke off; what was yielded before stands.
        """
        ...

    def read(self, name: Name) -> ItemT_co:
        """Read one item in full.

        Raises:
            VanishedError: it was deleted since it was listed.
            UnreadableError: it could not be read this time.
            AccessError: the system is gone, or refuses this item (``DeniedError``).
        """
        ...

    def close(self) -> None:
        """Give back connections and files. May be called twice."""
        ...
