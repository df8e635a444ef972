"""The part of a catalog that lineage asks for datasets and their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from typing_extensions import override


class SchemaLookup(Protocol):
    """Looks up schemas. Every ``Catalog`` satisfies this protocol."""

    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        """Return the existing datasets whose URN equals ``urn`` apart from case, with their columns.

        The columns map field paths to native types, in the order of the table. They are ``None`` if the schema is
        unknown.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        ...

    def describes(self, platform: str) -> bool:
        """Whether any existing dataset of this platform has a schema.

        If none has, nothing has described the platform's tables yet, and a table that is missing says nothing.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        ...


class NoCatalog(SchemaLookup):
    """Replaces the catalog if none is configured. Names cannot be checked and stay as written."""

    @override
    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        return {}

    @override
    def describes(self, platform: str) -> bool:
        return False
