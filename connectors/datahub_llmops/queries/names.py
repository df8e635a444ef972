"""Finds what a name means that a person typed: an asset, a model as recipes write it, or a glossary term."""

from __future__ import annotations

from datahub_llmops.catalog.open import resolve
from datahub_llmops.catalog.protocol import Catalog, FullCatalog
from datahub_llmops.catalog.urn_text import entity_type, term_urn
from datahub_llmops.errors import AmbiguousNameError, UnknownAssetError


def resolve_affecting(catalog: Catalog, typed: str) -> str:
    """Find the asset. ``provider/model`` is a model, as recipes write it.

    Raises:
        UnknownAssetError: no asset has this name, or several do, or it is that of a glossary term.
    """
    try:
        found = resolve(catalog, typed)
    except UnknownAssetError:
        provider, slash, model = typed.partition("/")
        if not slash or typed.startswith("urn:li:"):
            raise
        try:
            return resolve(catalog, f"{provider}:{model}")
        except UnknownAssetError:
            pass
        raise
    if entity_type(found) == "glossaryTerm":
        raise UnknownAssetError(
            f"{typed} is a glossary term, which nothing depends on; to see what carries it: datahub-llmops show {typed}"
        )
    return found


def resolve_term(catalog: FullCatalog, typed: str) -> str:
    """Find the URN of a term by its URN, its name, or the part of the URN after ``urn:li:glossaryTerm:``.

    A term may be attached without being described in the catalog.

    Raises:
        UnknownAssetError: there is no such term.
    """
    if typed.startswith("urn:li:"):
        return typed
    named = term_urn(typed)
    if catalog.nodes([named]) or _is_carried(catalog, named):
        return named
    found = [urn for urn in catalog.candidates(typed) if entity_type(urn) == "glossaryTerm"]
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousNameError(typed, found)
    raise UnknownAssetError(
        f"no term in the catalog is named {typed!r}, and nothing carries it; give the part of its URN after "
        "urn:li:glossaryTerm:"
    )


def resolve_shown(catalog: FullCatalog, typed: str) -> str:
    """Find an asset for ``show``. A name that no asset has may be that of a term that something carries.

    Raises:
        UnknownAssetError: there is neither.
    """
    try:
        return resolve(catalog, typed)
    except UnknownAssetError:
        named = typed if typed.startswith("urn:li:") else term_urn(typed)
        if entity_type(named) == "glossaryTerm" and _is_carried(catalog, named):
            return named
        raise


def _is_carried(catalog: FullCatalog, term: str) -> bool:
    return any(True for _ in catalog.carrying(term))
