"""Lineage of the local catalog: each hop of a walk is a query or two."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import ColumnPair, Direction, Edge, Node
from datahub_llmops.catalog.walk import (
    AssetStep,
    ColumnStep,
    EdgeFacts,
    EdgeKey,
    join_columns,
    sort_edges,
    walk_assets,
    walk_columns,
)

_T = TypeVar("_T")
_Found: TypeAlias = tuple[tuple[Node, ...], tuple[Edge, ...]]

NODE_COLUMNS = "id, urn, type, platform, subtype, edited_name, name, owners, terms, tags"
_CHUNK = 500


def chunks(values: Iterable[_T]) -> Iterator[list[_T]]:
    """Parts small enough for one query's variables."""
    listed = list(values)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]


def node_of(row: Sequence[Any], hops: int = 0) -> Node:
    """A node of a row of ``NODE_COLUMNS``."""
    _, urn, kind, platform, subtype, edited_name, name, owners, terms, tags = row[:10]
    return Node(
        urn=urn,
        type=kind,
        subtype=subtype,
        platform=platform or urn_text.platform(urn),
        name=edited_name or name or urn_text.full_name(urn),
        owners=tuple(owners.split("\n")) if owners else (),
        terms=tuple(terms.split("\n")) if terms else (),
        tags=tuple(tags.split("\n")) if tags else (),
        hops=hops,
    )


def asset_lineage(
    connection: sqlite3.Connection, root: int, direction: Direction, hops: int, *, through_removed: bool
) -> _Found:
    """Assets up or down of ``root`` within ``hops``, and the edges on the way; mostly without removed assets."""
    near, far = ("down", "up") if direction == "up" else ("up", "down")
    live = "" if through_removed else "and removed = 0"
    found: dict[EdgeKey[int], tuple[int, str]] = {}

    def neighbours(assets: Sequence[int]) -> list[AssetStep[int]]:
        rows = _select(
            connection,
            "select edge.up, edge.down, aspect, emitted, owner, found_by from edge "
            f"join asset on asset.id = {far} where {near} in (?) {live}",
            assets,
        )
        found.update((row[:3], row[4:]) for row in rows)
        return [AssetStep._make(row[:4]) for row in rows]

    walked = walk_assets(root, direction, hops, neighbours)
    nodes = _nodes(connection, {asset: hop for asset, hop in walked.hops.items() if asset in walked.known})
    keys = {step[:3] for step in walked.steps}
    urns = _urns(connection, {end for key in keys for end in key[:2]})
    owners = {found[key][0] for key in keys}
    pairs = _pairs(connection, owners)
    marks = _marks(connection, owners)
    edges = sort_edges(
        Edge(
            upstream=urns[up],
            downstream=urns[down],
            aspect=aspect,
            found_by=_split(found[up, down, aspect][1]),
            columns=tuple(sorted(pairs.get((found[up, down, aspect][0], up, down, aspect), ()))),
            not_confirmed_since=marks.get((up, down, aspect)),
        )
        for up, down, aspect in keys
    )
    return nodes, edges


def column_lineage(connection: sqlite3.Connection, root: int, direction: Direction, hops: int) -> _Found:
    """Datasets and jobs that the column ``root`` comes from or goes to, as a server groups them; itself first.

    Edges join assets; at the root's end stands the column itself. Pairs are those that the walk went over.
    """
    near, far = ("down", "up") if direction == "up" else ("up", "down")
    owners: set[int] = set()

    def neighbours(columns: Sequence[int]) -> Iterator[ColumnStep[int]]:
        for up, down, up_asset, down_asset, owner, aspect, emitted, owner_emitted in _select(
            connection,
            "select up, down, up_asset, down_asset, owner, aspect, end.emitted, via.emitted from column_edge "
            f"join asset as end on end.id = {far}_asset join asset as via on via.id = owner "
            f"where {near} in (?) and end.removed = 0 and via.removed = 0",
            columns,
        ):
            owners.add(owner)
            via = None if owner in (up_asset, down_asset) else owner
            yield ColumnStep(up, down, up_asset, down_asset, via, aspect, emitted, owner_emitted)

    walked = walk_columns(root, direction, hops, neighbours)
    urns = _urns(connection, {end for step in walked.steps for end in step[:5] if end is not None} | {root})
    ways: dict[EdgeKey[int], str] = {
        row[:3]: row[3]
        for row in _select(
            connection, "select up, down, aspect, found_by from edge where owner in (?)", owners
        )
    }
    marks = _marks(connection, owners)
    edges = join_columns(
        root,
        direction,
        walked.steps,
        urns.__getitem__,
        lambda key: EdgeFacts(_split(ways.get(key, "")), marks.get(key)),
    )
    known = {asset: hop for asset, hop in walked.hops.items() if asset in walked.known}
    return _nodes(connection, {**known, root: 0}), edges


def stated_edges(connection: sqlite3.Connection, urns: Iterable[str]) -> tuple[Edge, ...]:
    """Every edge that an aspect of one of these assets states."""
    ids = [
        row[0]
        for part in chunks(urns)
        for row in connection.execute(
            f"select id from asset where urn in ({','.join('?' * len(part))})", part
        )
    ]
    rows = _select(connection, "select up, down, aspect, owner, found_by from edge where owner in (?)", ids)
    names = _urns(connection, {end for row in rows for end in row[:2]})
    pairs, marks = _pairs(connection, ids), _marks(connection, ids)
    # Both ends may state the same edge, in the same aspect.
    found = {row[:3]: row for row in rows}
    return sort_edges(
        Edge(
            upstream=names[up],
            downstream=names[down],
            aspect=aspect,
            found_by=_split(found_by),
            columns=tuple(sorted(pairs.get((owner, up, down, aspect), ()))),
            not_confirmed_since=marks.get((up, down, aspect)),
        )
        for up, down, aspect, owner, found_by in found.values()
    )


def _select(connection: sqlite3.Connection, query: str, values: Iterable[int]) -> list[Any]:
    """Rows of a query for many values; its ``(?)`` stands for the list of them."""
    rows: list[Any] = []
    for part in chunks(values):
        rows += connection.execute(query.replace("(?)", f"({','.join('?' * len(part))})"), part)
    return rows


def _nodes(connection: sqlite3.Connection, hops: dict[int, int]) -> tuple[Node, ...]:
    rows = _select(connection, f"select {NODE_COLUMNS} from asset where id in (?)", hops)
    return tuple(sorted((node_of(row, hops[row[0]]) for row in rows), key=lambda node: (node.hops, node.urn)))


def _pairs(
    connection: sqlite3.Connection, owners: Iterable[int]
) -> dict[tuple[int, int, int, str], list[ColumnPair]]:
    """Column pairs by owner and edge that they stand on: into the dataset from the job, or from the other dataset."""
    found: dict[tuple[int, int, int, str], list[ColumnPair]] = {}
    for owner, aspect, up_asset, down_asset, up, down in _select(
        connection,
        "select owner, aspect, up_asset, down_asset, a.urn, b.urn from column_edge "
        "join asset as a on a.id = up join asset as b on b.id = down where owner in (?)",
        owners,
    ):
        start = up_asset if owner == down_asset else owner
        found.setdefault((owner, start, down_asset, aspect), []).append(
            ColumnPair(upstream=up, downstream=down)
        )
    return found


def _marks(connection: sqlite3.Connection, owners: Iterable[int]) -> dict[EdgeKey[int], str]:
    """Since when edges are not confirmed. A catalog that an earlier release wrote last has no such table."""
    if not connection.execute("select 1 from sqlite_master where name = 'edge_not_confirmed'").fetchone():
        return {}
    query = "select up, down, aspect, since from edge_not_confirmed where owner in (?)"
    return {row[:3]: row[3] for row in _select(connection, query, owners)}


def _urns(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, str]:
    return dict(_select(connection, "select id, urn from asset where id in (?)", ids))


def _split(found_by: str) -> tuple[str, ...]:
    return tuple(found_by.split(",")) if found_by else ()
