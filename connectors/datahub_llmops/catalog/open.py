"""From what a person types to a catalog and an asset in it; DataHub is imported for a server's URL only."""

from __future__ import annotations

from typing import Final

from datahub_llmops.answer_store.location import default_catalog, environment
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import Catalog, FullCatalog
from datahub_llmops.errors import CatalogError, UnknownAssetError

_SHOWN_CANDIDATES: Final = 20


def open_catalog(where: str | None = None) -> FullCatalog:
    """The catalog at ``where``: a local file's path or a DataHub server's URL.

    ``None`` is what ``DATAHUB_LLMOPS_CATALOG`` says, else the one file that the sink ``llm-local`` writes by default.

    Raises:
        CatalogError: it is not there, cannot be read, or does not answer.
    """
    where = where or environment("CATALOG")
    if where and where.lower().startswith(("http://", "https://")):
        from datahub_llmops.catalog.server.catalog import ServerCatalog

        return ServerCatalog.at(where)
    if where and "://" in where:
        raise CatalogError(f"{where}: a catalog is a file's path, or a server's URL with http:// or https://")
    from datahub_llmops.catalog.local.catalog import LocalCatalog

    return LocalCatalog(where or default_catalog())


def resolve(catalog: Catalog, typed: str) -> str:
    """The one asset that ``typed`` means: a URN as it is, else a short name, with ``#column`` for one of its columns.

    A platform and the whole name (``chroma:default_database.docs``) win over names that merely end so.

    Raises:
        UnknownAssetError: nothing answers to it, or more than one asset does; the message lists those.
    """
    if typed.startswith("urn:li:"):
        return typed
    asset, _, column = typed.rpartition("#")
    if asset and (holder := _one(catalog, asset)):
        return urn_text.schema_field(holder, column)
    if found := _one(catalog, typed):
        return found
    raise UnknownAssetError(
        f"nothing in the catalog is called {typed!r}; look for it: datahub-llmops search WORDS"
    )


def _one(catalog: Catalog, short: str) -> str | None:
    """The asset of this short name, ``None`` where there is none."""
    found = list(catalog.candidates(short, _SHOWN_CANDIDATES + 1))
    exact = [
        urn
        for urn in found
        if f"{urn_text.platform(urn)}:{urn_text.full_name(urn)}".casefold() == short.casefold()
    ]
    if len(exact) == 1 or len(found) == 1:
        return (exact if len(exact) == 1 else found)[0]
    if not found:
        return None
    listed = "\n".join(f"  {urn}" for urn in found[:_SHOWN_CANDIDATES])
    more = f"\n  and more than {_SHOWN_CANDIDATES} in all" if len(found) > _SHOWN_CANDIDATES else ""
    raise UnknownAssetError(f"{short!r} may mean more than one asset; say which:\n{listed}{more}")
