"""Finds where the walk of a column ends although lineage goes on from table to table. Pure.

A walk over columns follows values. It does not see that a job joins or filters by the column, and it ends where only
the tables of an edge are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from datahub_llmops.catalog.protocol import Edge, Lineage
from datahub_llmops.catalog.urn_text import asset_of, entity_type

_PROCESSES: Final = frozenset({"dataJob", "dataProcessInstance"})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnStop:
    """An asset that the walk of a column reached, and one beside it that it did not.

    ``columns_known``: the edge has columns, and the column is not among them. Otherwise nobody knows.
    """

    reached: str
    beyond: str
    columns_known: bool


def find_stops(columns: Lineage, assets: Lineage) -> tuple[ColumnStop, ...]:
    """Compare the walk of a column with the walk of its asset, in the same direction and over as many hops.

    Upstream, an edge whose columns are known is no stop: the values of the column come from elsewhere.
    """
    down = columns.direction == "down"
    reached = {asset_of(columns.root)} | {asset_of(node.urn) for node in columns.nodes}
    pairs = {
        (asset_of(pair.upstream), _job(edge), asset_of(pair.downstream))
        for edge in assets.edges
        for pair in edge.columns
    }
    found = set()
    for edge in assets.edges:
        near, far = (edge.upstream, edge.downstream) if down else (edge.downstream, edge.upstream)
        if near not in reached or far in reached or entity_type(far) == "dataProcessInstance":
            continue
        known = any(_runs_along(edge, start, job, end) for start, job, end in pairs)
        if not known or (down and entity_type(near) not in _PROCESSES):
            found.add(ColumnStop(reached=near, beyond=far, columns_known=known))
    return tuple(sorted(found))


def _job(edge: Edge) -> str | None:
    return edge.upstream if entity_type(edge.upstream) in _PROCESSES else None


def _runs_along(edge: Edge, start: str, job: str | None, end: str) -> bool:
    """Return whether columns from ``start`` to ``end``, by way of a job or not, run along the edge."""
    way = [(start, job), (job, end)] if job else [(start, end)]
    return (edge.upstream, edge.downstream) in way
