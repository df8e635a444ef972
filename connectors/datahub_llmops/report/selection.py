"""Chooses the assets of a report and the edges between them, before anything else about them is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from datahub_llmops.catalog.protocol import Direction, Edge, FullCatalog, Lineage
from datahub_llmops.catalog.runs_in_walks import RUN, without_runs
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.errors import CatalogError
from datahub_llmops.net.json_values import mapping
from datahub_llmops.report.filters import Filters, find_matching

LISTED_TYPES: Final = (
    "dataset",
    "dataJob",
    "mlModel",
    "mlModelGroup",
    "mlFeature",
    "mlFeatureTable",
    "mlPrimaryKey",
    "chart",
    "dashboard",
)
"""Entity types that have lineage. What only describes others, such as a container or a term, is shown with them."""
MOST_ASSETS: Final = 25_000
"""Assets in one report: a file of them has about 25 MB, which a browser still opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The assets of a report by URN, sorted, and the edges between them.

    ``unknown`` are ends of edges that the catalog does not hold. ``reached_limit``: a walk ended at its last hop.
    ``left_out`` counts the other assets, which filters left out.
    """

    assets: tuple[str, ...]
    edges: tuple[Edge, ...]
    unknown: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = ("up", "down")
    hops: int | None = None
    reached_limit: bool = False
    left_out: int = 0


def select_all(catalog: FullCatalog, filters: Filters | None = None, most: int = MOST_ASSETS) -> Selection:
    """Choose every live asset that can have lineage, or those that pass the filters.

    Raises:
        UnknownAssetError: there are assets, and none passes the filters.
        CatalogError: there are more than ``most``, or the catalog cannot answer.
    """
    every = catalog.assets(LISTED_TYPES)
    listed = set(every if filters else islice(every, most + 1))
    kept = find_matching(catalog, filters, listed) if filters else listed
    _check_number(kept, most)
    edges = catalog.stated_edges(sorted(kept))
    if filters:
        return _within(Selection(assets=tuple(listed), edges=tuple(edges)), kept)
    live, unknown = _sort_ends(catalog, {end for edge in edges for end in _ends(edge)} - listed)
    assets = listed | live
    ends = assets | unknown
    return Selection(
        assets=tuple(sorted(assets)),
        edges=tuple(edge for edge in edges if ends.issuperset(_ends(edge))),
        unknown=tuple(sorted(unknown)),
    )


def select_around(
    catalog: FullCatalog,
    urn: str,
    directions: Sequence[Direction] = ("up", "down"),
    hops: int = 5,
    most: int = MOST_ASSETS,
) -> Selection:
    """Choose an asset, or the asset of a column, and what lies within ``hops`` up or down of it.

    The walks are those of ``lineage``. Added are the assets that the catalog does not hold and that an asset on the way
    names: a job's source that nobody has described is a source all the same.

    Raises:
        UnknownAssetError: the catalog does not know it.
        CatalogError: there are more than ``most`` assets, or the catalog cannot answer.
    """
    walks = [without_runs(catalog.lineage(urn, direction, hops)) for direction in directions]
    hop_of = {asset_of(node.urn): node.hops for walk in walks for node in reversed(walk.nodes)}
    _check_number(hop_of, most)
    edges = {_key(edge): edge for walk in walks for edge in map(_between_assets, walk.edges)}
    on_the_way = {end for edge in edges.values() for end in _ends(edge)} - hop_of.keys()
    beyond, unknown = _not_held(catalog, walks, hops) if asset_of(urn) == urn else ([], set())
    edges.update((_key(edge), edge) for edge in beyond)
    return Selection(
        assets=tuple(sorted(hop_of)),
        edges=tuple(sorted(edges.values(), key=_key)),
        unknown=tuple(sorted(on_the_way | unknown)),
        roots=(asset_of(urn),),
        directions=tuple(directions),
        hops=hops,
        reached_limit=any(node.hops >= hops for walk in walks for node in walk.nodes),
    )


def join_selections(selections: Sequence[Selection]) -> Selection:
    """Join the neighbourhoods of several assets, which were walked alike."""
    first = selections[0]
    return replace(
        first,
        assets=tuple(sorted({urn for one in selections for urn in one.assets})),
        edges=tuple(
            sorted({_key(edge): edge for one in selections for edge in one.edges}.values(), key=_key)
        ),
        unknown=tuple(sorted({urn for one in selections for urn in one.unknown})),
        roots=tuple(dict.fromkeys(urn for one in selections for urn in one.roots)),
        reached_limit=any(one.reached_limit for one in selections),
    )


def narrow(catalog: FullCatalog, selection: Selection, filters: Filters) -> Selection:
    """Keep the assets that were asked for by name, and of their neighbourhood those that pass the filters.

    Raises:
        UnknownAssetError: no asset passes them.
        CatalogError: the catalog cannot answer.
    """
    return _within(selection, find_matching(catalog, filters, selection.assets) | set(selection.roots))


def _within(selection: Selection, kept: set[str]) -> Selection:
    """Leave out what filters did not keep. Of an asset that the catalog does not hold, nobody knows what it is."""
    return replace(
        selection,
        assets=tuple(sorted(kept)),
        edges=tuple(edge for edge in selection.edges if kept.issuperset(_ends(edge))),
        unknown=(),
        left_out=len({*selection.assets, *selection.unknown} - kept),
    )


def _not_held(catalog: FullCatalog, walks: Iterable[Lineage], hops: int) -> tuple[list[Edge], set[str]]:
    """The edges from assets of walks to assets that the catalog does not hold, and these."""
    near = {walk.direction: {node.urn for node in walk.nodes if node.hops < hops} for walk in walks}
    inside = {node.urn for walk in walks for node in walk.nodes}
    stated = [
        edge
        for edge in catalog.stated_edges(sorted({urn for urns in near.values() for urn in urns}))
        if (edge.downstream in near.get("up", ()) and edge.upstream not in inside)
        or (edge.upstream in near.get("down", ()) and edge.downstream not in inside)
    ]
    _, unknown = _sort_ends(catalog, {end for edge in stated for end in _ends(edge)} - inside)
    return [edge for edge in stated if unknown & set(_ends(edge))], unknown


def _sort_ends(catalog: FullCatalog, ends: Collection[str]) -> tuple[set[str], set[str]]:
    """Divide ends of edges into live assets, and those that were never emitted. Others were soft-deleted."""
    wanted = sorted(ends)
    if not wanted:
        return set(), set()
    live = {node.urn for node in catalog.nodes(wanted) if node.type != RUN}
    status = catalog.aspects_of(wanted, ["status"])
    gone = {urn for urn, found in status.items() if mapping(found.get("status")).get("removed") is True}
    runs = {urn for urn in wanted if urn.startswith(f"urn:li:{RUN}:")}
    return live, set(wanted) - live - gone - runs


def _between_assets(edge: Edge) -> Edge:
    """The edge of a column walk, at whose root stands the column, as an edge between assets."""
    return replace(edge, upstream=asset_of(edge.upstream), downstream=asset_of(edge.downstream))


def _ends(edge: Edge) -> tuple[str, str]:
    return edge.upstream, edge.downstream


def _key(edge: Edge) -> tuple[str, str, str]:
    return edge.upstream, edge.downstream, edge.aspect


def _check_number(assets: Collection[str], most: int) -> None:
    if len(assets) > most:
        raise CatalogError(
            f"these are more than {most:,} assets, and no browser opens a file of so many; choose some: name an "
            "ASSET, with fewer --hops if need be, or filter by --type, --platform, --owner, --term or --verdict"
        )
