"""Everything that carries a glossary term: by itself, or because the data came from where the term was set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from datahub_llmops.catalog.column_uses import uses_of
from datahub_llmops.catalog.labels import read_labels
from datahub_llmops.catalog.protocol import Aspect, FullCatalog, Lineage, Node
from datahub_llmops.catalog.urn_text import asset_of, entity_type, full_name, schema_field, simple_path
from datahub_llmops.errors import UnknownAssetError

HOPS: Final = 20
"""How far a way is followed; as far as ``llm-propagation`` carries a term by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One asset or column that carries the term.

    ``origin`` is the asset or column that the term was propagated from; ``None`` if somebody set it here. ``path`` is
    a shortest path from the origin to here, with both ends. It is empty if the term is the holder's own, or if lineage
    does not show the path any more.
    """

    urn: str
    asset: Node
    origin: str | None = None
    path: tuple[str, ...] = ()

    def to_obj(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        shown = asdict(self.asset)
        del shown["hops"]
        return {"urn": self.urn, "asset": shown, "origin": self.origin, "path": list(self.path)}


def holders_of(catalog: FullCatalog, term: str) -> tuple[Holder, ...]:
    """List what carries a term: indexes first, then by asset, each asset before its columns.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    carrying = set(catalog.carrying(term))
    aspects = catalog.aspects_of(sorted(carrying | {asset_of(urn) for urn in carrying}))
    origins = _origins(aspects, term)
    assets = {node.urn: node for node in catalog.nodes(sorted({asset_of(urn) for urn in origins}))}
    targets: dict[str, set[str]] = {}
    for urn, origin in origins.items():
        if origin is not None:
            targets.setdefault(origin, set()).add(urn)
    ways = {origin: _ways(catalog, origin, wanted) for origin, wanted in targets.items()}
    found = [
        Holder(
            urn=urn,
            asset=assets[asset_of(urn)],
            origin=origin,
            path=ways[origin].get(urn, ()) if origin else (),
        )
        for urn, origin in origins.items()
        if asset_of(urn) in assets
    ]
    return tuple(sorted(found, key=_order))


def _order(holder: Holder) -> tuple[bool, str, str, str]:
    is_index = holder.asset.subtype == "Vector Collection"
    return (
        not is_index,
        holder.asset.name,
        holder.asset.urn,
        holder.urn if holder.urn != holder.asset.urn else "",
    )


def _origins(aspects: Mapping[str, Mapping[str, Aspect]], term: str) -> dict[str, str | None]:
    """Map what carries the term to its origin. What somebody set counts before what was propagated."""
    found: dict[str, str | None] = {}
    for urn, held in aspects.items():
        for attached in read_labels(held):
            if attached.label.kind != "term" or attached.label.urn != term:
                continue
            target = simple(schema_field(urn, attached.path) if attached.path is not None else urn)
            origin = simple(attached.origin) if attached.origin else None
            found[target] = None if target in found and found[target] is None else origin
    return found


def simple(urn: str) -> str:
    """Return the URN of a column with its path in simple form; any other URN as it is."""
    if entity_type(urn) != "schemaField":
        return urn
    return schema_field(asset_of(urn), simple_path(full_name(urn)))


def _ways(catalog: FullCatalog, origin: str, wanted: Collection[str]) -> dict[str, tuple[str, ...]]:
    """A shortest way from an origin to each asset and column below it.

    Where no value leads to one of ``wanted``, a job that joins or filters by a column may.
    """
    try:
        walk = catalog.lineage(origin, "down", HOPS)
    except UnknownAssetError:
        return {}
    steps = _column_steps(walk) if entity_type(origin) == "schemaField" else _asset_steps(walk)
    found: dict[str, tuple[str, ...]] = {origin: (origin,)}
    _follow([origin], steps, found)
    if not found.keys() >= set(wanted):
        _follow_uses(catalog, found)
    return found


def _follow_uses(catalog: FullCatalog, found: dict[str, tuple[str, ...]]) -> None:
    for use in uses_of(catalog, found):
        if use.index is None or not set(use.used_in) - {"select"}:
            continue
        way = (*found[simple(use.column)], use.job)
        found.setdefault(use.job, way)
        if use.index not in found:
            found[use.index] = (*way, use.index)
            try:
                walk = catalog.lineage(use.index, "down", HOPS)
            except UnknownAssetError:
                continue
            _follow([use.index], _asset_steps(walk), found)


def _follow(
    starts: list[str], steps: Mapping[str, Sequence[tuple[str, ...]]], found: dict[str, tuple[str, ...]]
) -> None:
    """Add the ways from ``starts``, which are found, to everything that ``steps`` lead to."""
    frontier = starts
    while frontier:
        reached: list[str] = []
        for near in frontier:
            for between in steps.get(near, ()):
                far, way = between[-1], (*found[near], *between)
                if far in found:
                    continue
                for end, path in _ends(far, way):
                    found.setdefault(end, path)
                reached.append(far)
        frontier = reached


def _ends(far: str, way: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a step reaches: a column, its asset, and the job in between."""
    yield far, way
    if asset_of(far) != far:
        yield asset_of(far), way
        if entity_type(way[-2]) == "dataJob":
            yield way[-2], way[:-1]


def _asset_steps(walk: Lineage) -> dict[str, list[tuple[str, ...]]]:
    steps: dict[str, list[tuple[str, ...]]] = {}
    for edge in walk.edges:
        steps.setdefault(edge.upstream, []).append((edge.downstream,))
    return steps


def _column_steps(walk: Lineage) -> dict[str, list[tuple[str, ...]]]:
    """Each column -> the next ones, with the job in between if there is one."""
    steps: dict[str, list[tuple[str, ...]]] = {}
    for edge in walk.edges:
        for pair in edge.columns:
            up, down = simple(pair.upstream), simple(pair.downstream)
            job = (edge.upstream,) if entity_type(edge.upstream) == "dataJob" else ()
            steps.setdefault(up, []).append((*job, down))
    return steps


def matching(holders: Iterable[Holder], words: Sequence[str]) -> tuple[Holder, ...]:
    """Those whose URN or asset's name contains every word, in any case."""
    return tuple(
        one
        for one in holders
        if all(word.casefold() in f"{one.urn} {one.asset.name}".casefold() for word in words)
    )
