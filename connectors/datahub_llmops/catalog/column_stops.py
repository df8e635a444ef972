"""Finds where the walk of a column ends although lineage goes on from table to table. Pure.

A walk over columns follows values. It does not see that a job joins or filters by the column, and it ends where only
the tables of an edge are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from datahub_llmops.catalog.protocol import Edge, Lineage
from datahub_llmops.catalog.untraced import Untraced
from datahub_llmops.catalog.urn_text import asset_of, entity_type

_PROCESSES: Final = frozenset({"dataJob", "dataProcessInstance"})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnStop:
    """An asset that the walk of a column reached, and one beside it that it did not.

    ``columns_known``: the edge has columns, and the column is not among them. Otherwise nobody knows: the edge has no
    columns, or ``partly``, because the job between the two could not trace all of them.
    """

    reached: str
    beyond: str
    columns_known: bool
    partly: bool = False


def find_stops(columns: Lineage, assets: Lineage, untraced: Untraced | None = None) -> tuple[ColumnStop, ...]:
    """Compare the walk of a column with the walk of its asset, in the same direction and over as many hops.

    Upstream, an edge whose columns are known is not a stop: the values of the column come from elsewhere. ``untraced``
    is what the jobs beside the two walks could not trace.
    """
    down = columns.direction == "down"
    reached = {asset_of(columns.root)} | {asset_of(node.urn) for node in columns.nodes}
    pairs = {
        (asset_of(pair.upstream), _job(edge), asset_of(pair.downstream))
        for edge in assets.edges
        for pair in edge.columns
    }
    found = {
        ColumnStop(reached=asset, beyond=job, columns_known=False, partly=True)
        for (job, index), tables in (untraced or {}).items()
        if job not in reached
        for asset in (tables if down else (index,))
        if asset in reached
    }
    partly = {(stop.reached, stop.beyond) for stop in found}
    for edge in assets.edges:
        near, far = (edge.upstream, edge.downstream) if down else (edge.downstream, edge.upstream)
        if near not in reached or far in reached or entity_type(far) == "dataProcessInstance":
            continue
        if (near, far) in partly:
            continue
        known = any(_runs_along(edge, start, job, end) for start, job, end in pairs)
        if not known or (down and entity_type(near) not in _PROCESSES):
            found.add(ColumnStop(reached=near, beyond=far, columns_known=known))
    return tuple(sorted(found))


def edges_within(walk: Lineage, above: Iterable[Edge]) -> tuple[Edge, ...]:
    """Of the edges ``above`` the table of a walk down, those along which its columns feed others of its columns.

    Only those that the walk of the table did not find, with only these columns.
    """
    passed = {node.urn for node in walk.nodes}
    found = []
    for edge in above:
        pairs = tuple(
            pair for pair in edge.columns if asset_of(pair.upstream) == asset_of(pair.downstream) == walk.root
        )
        if pairs and (edge.upstream == walk.root or edge.upstream not in passed):
            found.append(replace(edge, columns=pairs))
    return tuple(found)


def _job(edge: Edge) -> str | None:
    return edge.upstream if entity_type(edge.upstream) in _PROCESSES else None


def _runs_along(edge: Edge, start: str, job: str | None, end: str) -> bool:
    """Return whether columns from ``start`` to ``end``, by way of a job or not, run along the edge."""
    way = [(start, job), (job, end)] if job else [(start, end)]
    return (edge.upstream, edge.downstream) in way
