"""Opens the catalog that a person names, and finds an asset in it. Imports DataHub only for a server's URL."""

from __future__ import annotations

import os
import re
from typing import Final

from datahub_llmops.answer_store.location import CATALOG_VARIABLE, default_catalog
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import Catalog, FullCatalog
from datahub_llmops.errors import AmbiguousNameError, CatalogError, UnknownAssetError
from datahub_llmops.net.shown import without_login

_SHOWN_CANDIDATES: Final = 20
_LOGIN: Final = re.compile(r":.*@")


def open_catalog(where: str | None = None) -> FullCatalog:
    """Open the catalog at ``where``: the path of a local file, or the URL of a DataHub server.

    ``None`` means the one in ``DATAHUB_LLMOPS_CATALOG``, else the file that the sink ``llm-local`` writes by default.

    Raises:
        CatalogError: its name is empty, or it does not exist, cannot be read, or does not answer.
    """
    where = os.environ.get(CATALOG_VARIABLE) if where is None else where
    if where is not None and not where.strip():
        # A variable that a script or a pipeline does not have must not mean another catalog.
        raise CatalogError(
            f"the name of the catalog is empty: name a file or a server's URL, or unset {CATALOG_VARIABLE}"
        )
    if where and where.lower().startswith(("http://", "https://")):
        from datahub_llmops.catalog.server.catalog import ServerCatalog

        return ServerCatalog.at(where)
    if where and "://" in where:
        raise CatalogError(
            f"{without_login(where)}: name a catalog by the path of a file, or by a server's URL with http:// or "
            "https://"
        )
    if where and _LOGIN.search(where) and not os.path.lexists(where):
        raise CatalogError(
            "the name of the catalog is not shown, because it looks like an address with a login; name a catalog by "
            "the path of a file, or by a server's URL with http:// or https://"
        )
    from datahub_llmops.catalog.local.catalog import LocalCatalog

    return LocalCatalog(where or default_catalog())


def resolve(catalog: Catalog, typed: str) -> str:
    """Find the URN that ``typed`` means: a URN itself, or a short name, with ``#column`` for one of its columns.

    A match of platform and whole name (``chroma:default_database.docs``) wins over names that merely end in it, a name
    in the URN over a display name, and a job over the flow of its own name.

    Raises:
        UnknownAssetError: no asset has this name, or several do; the message lists them.
    """
    if typed.startswith("urn:li:"):
        return typed
    asset, _, column = typed.rpartition("#")
    if asset and (holder := _one(catalog, asset)):
        return urn_text.schema_field(holder, column)
    if found := _one(catalog, typed):
        return found
    raise UnknownAssetError(
        f"no asset in the catalog is named {typed!r}; search for it: datahub-llmops search WORDS"
    )


def _one(catalog: Catalog, short: str) -> str | None:
    """The asset with this short name, or ``None``."""
    found = list(catalog.candidates(short, _SHOWN_CANDIDATES + 1))
    exact = [
        urn
        for urn in found
        if f"{urn_text.platform(urn)}:{urn_text.full_name(urn)}".casefold() == short.casefold()
    ]
    if len(exact) == 1:
        return exact[0]
    found = _without_flows_of_jobs(_named_in_urn(found, short))
    if len(found) == 1:
        return found[0]
    if not found:
        return None
    raise AmbiguousNameError(short, found[:_SHOWN_CANDIDATES], more=len(found) > _SHOWN_CANDIDATES)


def _named_in_urn(found: list[str], short: str) -> list[str]:
    """Keep the assets whose URN has the name, if there are any: a retriever is shown under the name of its index."""
    return [urn for urn in found if urn_text.matches_short(short, urn)] or found


def _without_flows_of_jobs(found: list[str]) -> list[str]:
    """Leave out a flow whose job of the same name is found too: an application is both, and the job has the edges."""
    flows = {
        urn_text.key_parts(urn)[0]
        for urn in found
        if urn_text.entity_type(urn) == "dataJob"
        and urn_text.full_name(urn) == urn_text.full_name(urn_text.key_parts(urn)[0])
    }
    return [urn for urn in found if urn not in flows]
