"""Everything that the catalog holds about one asset: the answer of ``show``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.protocol import Aspect, Direction, Edge, FullCatalog, Lineage, Node
from datahub_llmops.catalog.result import Result
from datahub_llmops.catalog.urn_text import entity_type, full_name, platform
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.governance.term_holders import Holder, holders_of
from datahub_llmops.queries.names import resolve_shown
from datahub_llmops.queries.walk import edge_obj, node_obj

_DIRECTIONS: Final[tuple[Direction, Direction]] = ("up", "down")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetResult(Result):
    """One asset as the catalog holds it, and its direct neighbours."""

    node: Node
    aspects: Mapping[str, Aspect]
    """Its versioned aspects, by name."""
    latest: Mapping[str, Aspect]
    """The newest record of each of its time series, by name."""
    upstream: tuple[Node, ...]
    downstream: tuple[Node, ...]
    not_confirmed: tuple[Edge, ...] = ()
    """Its edges that the newest run could not confirm."""
    carried_by: tuple[Holder, ...] | None = None
    """What carries it, if it is a glossary term; else ``None``."""

    @override
    def to_obj(self) -> dict[str, Any]:
        """Return the asset as plain JSON."""
        obj = {
            **node_obj(self.node, hops=False),
            "aspects": dict(self.aspects),
            "latest": dict(self.latest),
            "upstream": [other.urn for other in self.upstream],
            "downstream": [other.urn for other in self.downstream],
        }
        if self.not_confirmed:
            obj["not_confirmed"] = [edge_obj(edge) for edge in self.not_confirmed]
        if self.carried_by is not None:
            obj["carried_by"] = [holder.to_obj() for holder in self.carried_by]
        return obj


def read_asset(catalog: FullCatalog, asset: str) -> AssetResult:
    """Read an asset or a glossary term, named as on the command line.

    Raises:
        UnknownAssetError: no asset has this name, or several do.
        CatalogError: the catalog cannot answer.
    """
    urn = resolve_shown(catalog, asset)
    carried_by = holders_of(catalog, urn) if entity_type(urn) == "glossaryTerm" else None
    aspects = catalog.aspects(urn)
    node = _node(catalog, urn, known=bool(aspects or carried_by))
    up, down = (_next_step(catalog, urn, direction) for direction in _DIRECTIONS)
    return AssetResult(
        node=node,
        aspects=aspects,
        latest=catalog.latest(urn),
        upstream=tuple(other for other in up.nodes if other.hops),
        downstream=tuple(other for other in down.nodes if other.hops),
        not_confirmed=tuple(edge for edge in (*up.edges, *down.edges) if edge.not_confirmed_since),
        carried_by=carried_by,
    )


def _node(catalog: FullCatalog, urn: str, *, known: bool) -> Node:
    """The asset. One that was soft-deleted has a page too, and so has a term that is attached and not described."""
    found = catalog.nodes([urn])
    if found:
        return found[0]
    if not known:
        raise UnknownAssetError(f"{urn} is not in the catalog; search for it: datahub-llmops search WORDS")
    return Node(urn=urn, type=entity_type(urn), platform=platform(urn), name=full_name(urn))


def _next_step(catalog: FullCatalog, urn: str, direction: Direction) -> Lineage:
    """The walk to the direct neighbours; a soft-deleted asset has none."""
    try:
        return catalog.lineage(urn, direction, 1)
    except UnknownAssetError:
        return Lineage(root=urn, direction=direction, nodes=(), edges=())
