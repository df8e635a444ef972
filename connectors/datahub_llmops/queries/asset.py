"""Everything that the catalog holds about one asset: the answer of ``show``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from datahub_llmops.catalog.kinds import kind_in_words
from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.protocol import Aspect, Direction, Edge, FullCatalog, Lineage, Node
from datahub_llmops.catalog.result import Result
from datahub_llmops.catalog.urn_text import entity_type, full_name, platform
from datahub_llmops.catalog.usage_totals import PLAIN, TYPED, UsageTotals, read_usage
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.governance.affected import ANSWER_LOG, APPLICATION
from datahub_llmops.governance.term_holders import Holder, holders_of
from datahub_llmops.queries.labels import Labels, Names
from datahub_llmops.queries.names import resolve_shown
from datahub_llmops.queries.sentences import not_confirmed
from datahub_llmops.queries.walk import edge_obj, node_obj
from datahub_llmops.report.asset_facts import read_description, usage_rows

_DIRECTIONS: Final[tuple[Direction, Direction]] = ("up", "down")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
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
    usage: UsageTotals | None = None
    """What was counted of it. The usage of an application is that of its answer log."""
    carried_by: tuple[Holder, ...] | None = None
    """What carries it, if it is a glossary term; else ``None``."""
    names: Names = field(default_factory=Names, repr=False, compare=False)
    """The names of its owners, terms and tags, for people."""

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
        if self.usage is not None:
            obj["usage"] = asdict(self.usage)
        if self.carried_by is not None:
            obj["carried_by"] = [holder.to_obj() for holder in self.carried_by]
        return obj

    def _repr_html_(self) -> str:
        """Return the asset as a notebook shows it."""
        from datahub_llmops.notebook.rendering import render

        return render(
            "asset",
            name=self.node.name,
            kind=kind_in_words(self.node.subtype, self.node.type),
            rows=[(title, value) for title, value in self._rows() if value],
            groups=[("aspect", _as_text(self.aspects)), ("newest record", _as_text(self.latest))],
        )

    def _rows(self) -> Iterator[tuple[str, str]]:
        node, of = self.node, self.names.of
        yield "Platform", node.platform or ""
        yield "URN", node.urn
        yield "Description", read_description(self.aspects)
        yield "Owners", ", ".join(map(of, node.owners))
        yield "Terms", ", ".join(map(of, node.terms))
        yield "Tags", ", ".join(map(of, node.tags))
        if self.usage is not None:
            yield from usage_rows(self.usage)
        yield "Depends on", ", ".join(other.name for other in self.upstream)
        yield "Used by", ", ".join(other.name for other in self.downstream)
        for edge in self.not_confirmed:
            ends = f"{of(edge.upstream)} → {of(edge.downstream)}"
            yield "Lineage", f"{ends} {not_confirmed(edge.not_confirmed_since)}"
        if self.carried_by is not None:
            yield "Carried by", ", ".join(map(self._holder, self.carried_by)) or "nothing"

    def _holder(self, holder: Holder) -> str:
        is_column = entity_type(holder.urn) == "schemaField"
        return self.names.column(holder.urn) if is_column else self.names.of(holder.urn)


def _as_text(aspects: Mapping[str, Aspect]) -> list[tuple[str, str]]:
    return [
        (name, json.dumps(aspect, indent=2, ensure_ascii=False)) for name, aspect in sorted(aspects.items())
    ]


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
    latest = catalog.latest(urn)
    return AssetResult(
        node=node,
        aspects=aspects,
        latest=latest,
        usage=_usage(catalog, node, latest, down),
        upstream=tuple(other for other in up.nodes if other.hops),
        downstream=tuple(other for other in down.nodes if other.hops),
        not_confirmed=tuple(edge for edge in (*up.edges, *down.edges) if edge.not_confirmed_since),
        carried_by=carried_by,
    )


def read_asset_names(catalog: FullCatalog, found: AssetResult) -> Names:
    """Look up the names of everything that an asset mentions: neighbours, owners, terms and tags.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    labels = Labels(catalog=catalog)
    carriers = (holder.asset for holder in found.carried_by or ())
    labels.learn_nodes([found.node, *found.upstream, *found.downstream, *carriers])
    return labels


def _usage(
    catalog: FullCatalog, node: Node, latest: Mapping[str, Aspect], down: Lineage
) -> UsageTotals | None:
    """Add up the usage of an asset that has some, or of an application's answer log."""
    counted = [node.urn] if {TYPED, PLAIN} & latest.keys() else []
    if node.subtype == APPLICATION:
        counted = [other.urn for other in down.nodes if other.subtype == ANSWER_LOG]
    if len(counted) != 1:
        return None
    return read_usage(catalog.series_of(counted, [TYPED, PLAIN]).get(counted[0], {}))


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
