"""Walks over the edges of the local catalog, level by level, each level a query or two.

Hops are counted as a DataHub server counts its ``degree``: a job is a hop; an asset that was never emitted is walked
through and not returned, so numbers may jump; a walk over columns counts steps from column to column, and the job in
between stands at the hop of the columns that it reads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import ColumnPair, Direction, Edge, Node

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


def walk_assets(connection: sqlite3.Connection, root: int, direction: Direction, hops: int) -> _Found:
    """Assets up or down of ``root`` within ``hops``, and the edges on the way.

    An edge may end at an asset that was never emitted, when the walk goes on behind it.
    """
    near, far = ("down", "up") if direction == "up" else ("up", "down")
    distance = {root: 0}
    real = {root}
    edges: list[tuple[int, str, int, int, str]] = []
    frontier = [root]
    for hop in range(1, hops + 1):
        reached: list[int] = []
        for part in chunks(frontier):
            rows = connection.execute(
                f"select owner, aspect, edge.up, edge.down, found_by, {far}, emitted from edge "
                f"join asset on asset.id = {far} where {near} in ({','.join('?' * len(part))}) and removed = 0",
                part,
            )
            for owner, aspect, up, down, found_by, end, emitted in rows:
                edges.append((owner, aspect, up, down, found_by))
                if emitted:
                    real.add(end)
                if end not in distance:
                    distance[end] = hop
                    reached.append(end)
        frontier = reached
        if not frontier:
            break
    kept = _kept(real, edges, upward=direction == "up")
    nodes = _nodes(connection, {asset: hop for asset, hop in distance.items() if asset in real})
    return nodes, _edges(connection, [edge for edge in edges if edge[2] in kept and edge[3] in kept])


def _kept(real: set[int], edges: Sequence[tuple[int, str, int, int, str]], *, upward: bool) -> set[int]:
    """Real assets, and those never emitted that lead on to one."""
    kept = set(real)
    ways = [(down, up) if upward else (up, down) for _, _, up, down, _ in edges]
    ghosts = [(near, far) for near, far in ways if near not in real]
    grown = bool(ghosts)
    while grown:
        found = {near for near, far in ghosts if far in kept and near not in kept}
        kept |= found
        grown = bool(found)
    return kept


def _nodes(connection: sqlite3.Connection, distance: dict[int, int]) -> tuple[Node, ...]:
    found: list[Node] = []
    for part in chunks(distance):
        rows = connection.execute(
            f"select {NODE_COLUMNS} from asset where id in ({','.join('?' * len(part))})", part
        )
        found.extend(node_of(row, distance[row[0]]) for row in rows)
    return tuple(sorted(found, key=lambda node: (node.hops, node.urn)))


def _edges(
    connection: sqlite3.Connection, edges: Sequence[tuple[int, str, int, int, str]]
) -> tuple[Edge, ...]:
    ids = {asset for edge in edges for asset in (edge[2], edge[3])}
    urns = _urns(connection, ids)
    pairs = _pairs(connection, {edge[0] for edge in edges})
    found = {
        (urns[up], urns[down], aspect): Edge(
            upstream=urns[up],
            downstream=urns[down],
            aspect=aspect,
            found_by=tuple(found_by.split(",")) if found_by else (),
            columns=tuple(sorted(pairs.get((owner, aspect, up, down), ()))),
        )
        for owner, aspect, up, down, found_by in edges
    }
    return tuple(found[key] for key in sorted(found))


def _pairs(
    connection: sqlite3.Connection, owners: Iterable[int]
) -> dict[tuple[int, str, int, int], list[ColumnPair]]:
    """Column pairs by the edge that they stand on: into the dataset from the job, or from the other dataset."""
    found: dict[tuple[int, str, int, int], list[ColumnPair]] = {}
    for part in chunks(owners):
        rows = connection.execute(
            "select owner, aspect, up_asset, down_asset, a.urn, b.urn from column_edge "
            "join asset as a on a.id = up join asset as b on b.id = down "
            f"where owner in ({','.join('?' * len(part))})",
            part,
        )
        for owner, aspect, up_asset, down_asset, up, down in rows:
            start = up_asset if owner == down_asset else owner
            found.setdefault((owner, aspect, start, down_asset), []).append(
                ColumnPair(upstream=up, downstream=down)
            )
    return found


def _urns(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for part in chunks(ids):
        found.update(
            connection.execute(f"select id, urn from asset where id in ({','.join('?' * len(part))})", part)
        )
    return found


def walk_columns(connection: sqlite3.Connection, root: int, direction: Direction, hops: int) -> _Found:
    """Datasets and jobs that a column comes from or goes to, grouped as a server groups them; ``root`` itself first.

    Edges join assets; at the root's end stands the column itself. Pairs are those that the walk went over.
    """
    near, far = ("down", "up") if direction == "up" else ("up", "down")
    seen = {root}
    distance: dict[int, int] = {}
    steps: list[tuple[int, str, int, int, int, int]] = []
    frontier = [root]
    for hop in range(1, hops + 1):
        reached: list[int] = []
        for part in chunks(frontier):
            rows = connection.execute(
                f"select owner, aspect, up, down, up_asset, down_asset, {far}, {far}_asset, end.emitted, via.emitted "
                f"from column_edge join asset as end on end.id = {far}_asset join asset as via on via.id = owner "
                f"where {near} in ({','.join('?' * len(part))}) and end.removed = 0 and via.removed = 0",
                part,
            )
            for owner, aspect, up, down, up_asset, down_asset, column, asset, emitted, known in rows:
                steps.append((owner, aspect, up, down, up_asset, down_asset))
                if emitted:
                    distance.setdefault(asset, hop)
                if known and owner not in (up_asset, down_asset):
                    distance.setdefault(owner, hop)
                if column not in seen:
                    seen.add(column)
                    reached.append(column)
        frontier = reached
        if not frontier:
            break
    nodes = _nodes(connection, {**distance, root: 0})
    return nodes, _column_edges(connection, root, steps, upward=direction == "up")


def _column_edges(
    connection: sqlite3.Connection,
    root: int,
    steps: Sequence[tuple[int, str, int, int, int, int]],
    *,
    upward: bool,
) -> tuple[Edge, ...]:
    urns = _urns(connection, {part for step in steps for part in (step[0], *step[2:])})
    ways = _ways(connection, {step[0] for step in steps})
    pairs: dict[tuple[int, int, str], set[ColumnPair]] = {}
    found_by: dict[tuple[int, int, str], str] = {}
    for owner, aspect, up, down, up_asset, down_asset in steps:
        start = root if not upward and up == root else up_asset
        end = root if upward and down == root else down_asset
        pair = ColumnPair(upstream=urns[up], downstream=urns[down])
        if owner in (up_asset, down_asset):
            pairs.setdefault((start, end, aspect), set()).add(pair)
            found_by[start, end, aspect] = ways.get((owner, aspect, up_asset, down_asset), "")
        else:
            pairs.setdefault((start, owner, aspect), set())
            pairs.setdefault((owner, end, aspect), set()).add(pair)
            found_by[start, owner, aspect] = ways.get((owner, aspect, up_asset, owner), "")
            found_by[owner, end, aspect] = ways.get((owner, aspect, owner, down_asset), "")
    edges = [
        Edge(
            upstream=urns[start],
            downstream=urns[end],
            aspect=aspect,
            found_by=tuple(text.split(",")) if (text := found_by[start, end, aspect]) else (),
            columns=tuple(sorted(found)),
        )
        for (start, end, aspect), found in pairs.items()
    ]
    return tuple(sorted(edges, key=lambda edge: (edge.upstream, edge.downstream, edge.aspect)))


def _ways(connection: sqlite3.Connection, owners: Iterable[int]) -> dict[tuple[int, str, int, int], str]:
    found: dict[tuple[int, str, int, int], str] = {}
    for part in chunks(owners):
        rows = connection.execute(
            f"select owner, aspect, up, down, found_by from edge where owner in ({','.join('?' * len(part))})",
            part,
        )
        found.update(((owner, aspect, up, down), found_by) for owner, aspect, up, down, found_by in rows)
    return found
