"""Where lineage looks up which datasets exist and which columns they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from typing_extensions import override


class SchemaLookup(Protocol):
    """The part of a catalog that lineage needs; every ``Catalog`` fits."""

    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        """Every live dataset whose URN equals ``urn`` without regard to case, with its columns.

        Columns are field path -> native type, in the order of the table; ``None`` where no schema is known.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        ...


class NoCatalog(SchemaLookup):
    """Stands in where no catalog is configured: nothing can be checked, names stay as they are written.

    An empty catalog is something else: it knows that a table does not exist.
    """

    @override
    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        return {}
