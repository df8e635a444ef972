"""What feeds an asset, or what it feeds: the answer of ``lineage``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from datahub_llmops.catalog.column_stops import ColumnStop, edges_within, find_stops
from datahub_llmops.catalog.column_uses import ColumnUse, uses_of
from datahub_llmops.catalog.open import resolve
from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.protocol import Direction, Edge, FullCatalog, Lineage, Node
from datahub_llmops.catalog.result import Result
from datahub_llmops.catalog.untraced import untraced_of
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.queries.labels import Labels, Names


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LineageResult(Result):
    """A walk from an asset or a column, with what the walk of a column does not show."""

    walk: Lineage
    hops: int
    """How far was walked at most."""
    uses: tuple[ColumnUse, ...] = ()
    """Jobs that join, filter, group or sort by the column, or by one that its values reach."""
    within: tuple[Edge, ...] = ()
    """Edges from columns of the table to others of it."""
    stops: tuple[ColumnStop, ...] = ()
    """Where the walk of the column ends although lineage of its table goes on."""
    names: Names = field(default_factory=Names, repr=False, compare=False)
    """The names of what it mentions, for people."""

    @property
    def root(self) -> str:
        """The URN of the asset or column that was asked for."""
        return self.walk.root

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The assets, the nearest first; the root is the first one."""
        return self.walk.nodes

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges between the assets, with their columns."""
        return self.walk.edges

    @override
    def to_obj(self) -> dict[str, Any]:
        """Return the walk as plain JSON. Parts that only the walk of a column has are left out if they are empty."""
        more = {
            "uses": [_use_obj(use) for use in self.uses],
            "within": [edge_obj(edge) for edge in self.within],
            "stops": [_stop_obj(stop) for stop in self.stops],
        }
        return {
            "root": self.root,
            "direction": self.walk.direction,
            "nodes": [node_obj(node) for node in self.nodes],
            "edges": [edge_obj(edge) for edge in self.edges],
            **{key: found for key, found in more.items() if found},
        }

    def _repr_html_(self) -> str:
        """Return the walk as a notebook shows it."""
        from datahub_llmops.queries.picture import draw

        return draw(self)


def read_lineage(catalog: FullCatalog, asset: str, direction: Direction, hops: int) -> LineageResult:
    """Walk from an asset, named as on the command line.

    Raises:
        UnknownAssetError: no asset has this name, or several do.
        CatalogError: the catalog cannot answer.
    """
    walk = catalog.lineage(resolve(catalog, asset), direction, hops)
    above = _edges_above(catalog, walk)
    uses = _uses_below(catalog, walk)
    return LineageResult(
        walk=walk,
        hops=hops,
        uses=uses,
        within=edges_within(walk, above),
        stops=_open_stops(_column_stops(catalog, walk, above, hops), uses),
    )


def read_names(catalog: FullCatalog, found: LineageResult) -> Names:
    """Look up the names of everything that a walk mentions: assets, owners, terms and tags.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    labels = Labels(catalog=catalog)
    labels.learn_nodes(found.nodes)
    labels.learn(_mentioned(found))
    return labels


def _mentioned(found: LineageResult) -> Iterator[str]:
    """The URNs of assets beside the nodes of a walk."""
    yield asset_of(found.root)
    for edge in found.edges:
        yield from (edge.upstream, edge.downstream)
    for stop in found.stops:
        yield from (stop.reached, stop.beyond)
    for edge in found.within:
        yield edge.upstream
    for use in found.uses:
        yield from (urn for urn in (asset_of(use.column), use.job, use.index) if urn)


def node_obj(node: Node, *, hops: bool = True) -> dict[str, Any]:
    """Return an asset as plain JSON, with its distance from the root of a walk or without."""
    shown = asdict(node)
    for name in ("owners", "terms", "tags"):
        shown[name] = list(shown[name])
    if not hops:
        del shown["hops"]
    return shown


def edge_obj(edge: Edge) -> dict[str, Any]:
    """Return an edge as plain JSON."""
    shown = {
        **asdict(edge),
        "found_by": list(edge.found_by),
        "columns": [asdict(pair) for pair in edge.columns],
    }
    if edge.not_confirmed_since is None:
        del shown["not_confirmed_since"]
    return shown


def _use_obj(use: ColumnUse) -> dict[str, Any]:
    shown = {**asdict(use), "used_in": list(use.used_in)}
    if use.not_confirmed_since is None:
        del shown["not_confirmed_since"]
    return shown


def _stop_obj(stop: ColumnStop) -> dict[str, Any]:
    shown = asdict(stop)
    if not stop.partly:
        del shown["partly"]
    return shown


def _edges_above(catalog: FullCatalog, walk: Lineage) -> tuple[Edge, ...]:
    """The edges into the table of a walk down: a job that feeds the table from its own columns is among them only."""
    asset = asset_of(walk.root)
    if walk.direction == "up" or entity_type(asset) != "dataset":
        return ()
    try:
        return catalog.lineage(asset, "up", 1).edges
    except UnknownAssetError:
        return ()


def _uses_below(catalog: FullCatalog, walk: Lineage) -> tuple[ColumnUse, ...]:
    """The uses of a column and of those that its values reach; nothing for other walks."""
    if walk.direction == "up" or asset_of(walk.root) == walk.root:
        return ()
    return uses_of(catalog, {walk.root, *(pair.downstream for edge in walk.edges for pair in edge.columns)})


def _column_stops(
    catalog: FullCatalog, walk: Lineage, above: Sequence[Edge], hops: int
) -> tuple[ColumnStop, ...]:
    """Where the walk of a column ends although lineage of its table goes on; nothing for a walk of assets."""
    asset = asset_of(walk.root)
    if asset == walk.root:
        return ()
    try:
        assets = catalog.lineage(asset, walk.direction, hops)
        ends = {end for edge in (*assets.edges, *above) for end in (edge.upstream, edge.downstream)}
        jobs = sorted(urn for urn in ends if entity_type(urn) == "dataJob")
        return find_stops(walk, assets, untraced_of(catalog.aspects_of(jobs)) if jobs else None)
    except UnknownAssetError:
        return ()


def _open_stops(stops: Sequence[ColumnStop], uses: Collection[ColumnUse]) -> tuple[ColumnStop, ...]:
    """The stops that are left: a job that says which columns its SQL uses is none."""
    silent = {use.job for use in uses if not use.used_in}
    return tuple(
        stop
        for stop in stops
        if not stop.columns_known or entity_type(stop.beyond) != "dataJob" or stop.beyond in silent
    )
