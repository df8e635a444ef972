"""What the commands show of the columns that jobs use besides selecting them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from datahub_llmops.catalog.column_stops import ColumnStop
from datahub_llmops.catalog.column_uses import ColumnUse, uses_of
from datahub_llmops.catalog.protocol import FullCatalog, Lineage
from datahub_llmops.catalog.urn_text import asset_of, entity_type


def uses_below(catalog: FullCatalog, walk: Lineage) -> tuple[ColumnUse, ...]:
    """The uses of a column and of those that its values reach; nothing for other walks.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    if walk.direction == "up" or asset_of(walk.root) == walk.root:
        return ()
    return uses_of(catalog, {walk.root, *(pair.downstream for edge in walk.edges for pair in edge.columns)})


def open_stops(stops: Sequence[ColumnStop], uses: Collection[ColumnUse]) -> tuple[ColumnStop, ...]:
    """The stops that are left: a job that says which columns its SQL uses is none."""
    silent = {use.job for use in uses if not use.used_in}
    return tuple(
        stop
        for stop in stops
        if not stop.columns_known or entity_type(stop.beyond) != "dataJob" or stop.beyond in silent
    )


def use_json(use: ColumnUse) -> dict[str, Any]:
    """Return a use as plain JSON."""
    shown = {**asdict(use), "used_in": list(use.used_in)}
    if use.not_confirmed_since is None:
        del shown["not_confirmed_since"]
    return shown


def named(uses: Iterable[ColumnUse]) -> Iterator[str]:
    """The URNs whose names ``use_lines`` shows."""
    return (urn for use in uses for urn in (asset_of(use.column), use.job, use.index) if urn)
