"""What the commands show of a glossary term: everything that carries it, and the way that it came by."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.cli.render import cell, kind
from datahub_llmops.governance.term_holders import Holder
from datahub_llmops.net.shown import clean, clean_name
from datahub_llmops.queries.labels import Labels


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
            cell(labels.column(one.urn) if column else clean_name(one.asset.name), "bold"),
            cell("Column" if column else kind(one.asset), "cyan"),
            cell(clean(one.asset.platform or "")),
            cell(", ".join(map(labels.of, one.asset.owners)), "green"),
            Text(_way(one, labels)),
        )
    return table


def _way(holder: Holder, labels: Labels) -> str:
    if holder.origin is None:
        return "set here"
    if not holder.path:
        return f"{_named(holder.origin, labels)}, by a path that lineage does not show"
    return " → ".join(_named(urn, labels) for urn in holder.path)


def _named(urn: str, labels: Labels) -> str:
    return labels.column(urn) if entity_type(urn) == "schemaField" else labels.of(urn)
