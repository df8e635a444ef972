"""What the commands show of a glossary term: everything that carries it, and the way that it came by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from datahub_llmops.catalog.open import resolve
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.catalog.urn_text import asset_of, entity_type, term_urn
from datahub_llmops.cli.render import Labels, kind
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.governance.term_holders import Holder
from datahub_llmops.net.shown import clean


def resolve_term(catalog: FullCatalog, typed: str) -> str:
    """Find the URN of a term by its URN, its name, or what stands behind ``urn:li:glossaryTerm:``.

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
        raise UnknownAssetError("\n".join((f"{typed!r} is ambiguous; use one of these URNs:", *found)))
    raise UnknownAssetError(
        f"no term in the catalog is named {typed!r}, and nothing carries it; give what stands behind "
        "urn:li:glossaryTerm: in its URN"
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


def holders_json(holders: Sequence[Holder]) -> list[dict[str, Any]]:
    """Return what carries a term as plain JSON."""
    return [one.to_obj() for one in holders]


def holders_table(holders: Sequence[Holder], labels: Labels) -> Table:
    """Build the table of what carries a term."""
    labels.learn_nodes([one.asset for one in holders])
    labels.learn(
        asset_of(urn) for one in holders for urn in (*one.path, *([one.origin] if one.origin else ()))
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Carried by", "Kind", "Platform", "Owners", "Came from"):
        table.add_column(title, overflow="fold")
    for one in holders:
        column = entity_type(one.urn) == "schemaField"
        table.add_row(
            Text(labels.column(one.urn) if column else clean(one.asset.name), style="bold"),
            Text("Column" if column else kind(one.asset), style="cyan"),
            Text(clean(one.asset.platform or "")),
            Text(", ".join(map(labels.of, one.asset.owners)), style="green"),
            Text(_way(one, labels)),
        )
    return table


def _way(holder: Holder, labels: Labels) -> str:
    if holder.origin is None:
        return "set here"
    if not holder.path:
        return f"{_named(holder.origin, labels)}, by a way that lineage does not show"
    return " → ".join(_named(urn, labels) for urn in holder.path)


def _named(urn: str, labels: Labels) -> str:
    return labels.column(urn) if entity_type(urn) == "schemaField" else labels.of(urn)
