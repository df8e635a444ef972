"""Finds the labels that nobody took away, and whose way from their origin is not confirmed.

A way is not confirmed if it runs along an edge whose job could not be resolved: the edge is marked. It is not confirmed
either if it runs through a column that its schema no longer has, or through a dataset that was removed, and something
downstream still names that column or dataset: the recipe that would know better has not run since. A removed job is no
such case. Its recipe said that the job is gone, so its edges are gone too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from typing_extensions import override

from datahub_llmops.catalog.labels import AttachedLabel, Label
from datahub_llmops.catalog.protocol import Edge
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.propagation.estate import Estate, Readable, Uses, read_graph
from datahub_llmops.propagation.flow import Graph, Wanted, flow
from datahub_llmops.propagation.labels import canonical, is_origin

Attached: TypeAlias = tuple[str, Label]
"""An asset or column as the catalog spells it, and a label on it."""
Origins: TypeAlias = Mapping[Label, Collection[str]]


@dataclass(frozen=True, slots=True, order=True)
class Reason:
    """Why labels are not confirmed: what the job or dataset ``urn`` says, or a column."""

    urn: str
    why: str
    fails: bool = True
    """Whether a person has to see it. A source that a sample of a collection did not name again is not such a case."""

    @override
    def __str__(self) -> str:
        return f"{self.urn}: {self.why}"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Labels that are not confirmed, with the reasons."""

    labels: frozenset[Attached] = frozenset()
    reasons: frozenset[Reason] = frozenset()


def along_doubtful_edges(
    graph: Graph, estate: Estate, wanted: Wanted, origins: Origins, max_hops: int
) -> Doubt:
    """Find the labels in ``wanted`` that come only along marked edges, or through columns that left their schema.

    Raises:
        CatalogError: something could not be read.
    """
    passed = {*wanted, *(urn for found in origins.values() for urn in found)} & graph.columns.keys()
    estate.read(sorted(passed))
    vanished = {urn for urn in passed if estate.has_vanished(urn)}
    if not graph.marks and not vanished:
        return Doubt()
    seen = graph.without(lambda up, down: (up, down) in graph.marks, vanished)
    confirmed = flow(seen, origins, max_hops).wanted
    doubtful = {
        target: {label: origin for label, origin in labels.items() if label not in confirmed.get(target, {})}
        for target, labels in wanted.items()
    }
    labels = {label for found in doubtful.values() for label in found}
    carriers = {urn for label in labels for urn in origins[label]}
    carriers |= {urn for urn, found in wanted.items() if not labels.isdisjoint(found)}
    assets = {asset_of(urn) for urn in carriers}
    taken = estate.set_by_others()
    return Doubt(
        frozenset(
            (urn, label) for urn, label, _ in estate.targets(doubtful) if (canonical(urn), label) not in taken
        ),
        frozenset(_mark(up, down, since) for (up, down), since in graph.marks.items() if up in assets)
        | {reason for column in vanished & carriers for reason in _names_column(graph, column)},
    )


def by_hidden_uses(
    graph: Graph,
    hidden: Uses,
    left_over: Collection[Attached],
    origins: Origins,
    wanted: Wanted,
    max_hops: int,
) -> Doubt:
    """Find the labels among ``left_over`` of columns that a job may use, of a table whose uses it does not know."""
    if not hidden or not left_over:
        return Doubt()
    passed = {*wanted, *(urn for found in origins.values() for urn in found)}
    possible = graph.without(lambda _up, _down: False)
    possible.uses = {
        column: {*graph.uses.get(column, ()), *hidden.get(asset_of(column), ())}
        for column in (*graph.uses, *passed)
        if asset_of(column) != column
    }
    reached = flow(possible, origins, max_hops).wanted
    kept = {(urn, label) for urn, label in left_over if label in reached.get(canonical(urn), {})}
    labels = {label for _, label in kept}
    tables = {asset_of(urn) for label in labels for urn in origins[label]} & hidden.keys()
    return Doubt(
        frozenset(kept),
        frozenset(
            Reason(job, f"which columns of {table} it joins or filters by is not known")
            for table in tables
            for job, _ in hidden[table]
        ),
    )


def _mark(up: str, down: str, since: str) -> Reason:
    job = next((end for end in (up, down) if entity_type(end) == "dataJob"), None)
    return Reason(job or down, f"its edges are not confirmed since {since}", fails=job is not None)


def _names_column(graph: Graph, column: str) -> Iterator[Reason]:
    for down, via in graph.columns.get(column, ()):
        yield Reason(via or asset_of(down), f"it still names {column}, which its schema no longer has")


def without_a_seen_way(
    catalog: Readable,
    estate: Estate,
    left_over: Mapping[Attached, AttachedLabel],
    origins: Origins,
    max_hops: int,
    beside: Collection[Edge] = (),
) -> Doubt:
    """Find the labels among ``left_over`` that nobody took away and whose way is in doubt. They are not to be removed.

    ``left_over`` are labels of ours to which no way leads from ``origins`` through what is there now.
    ``beside`` are edges that no walk shows.

    Raises:
        CatalogError: something could not be read.
    """
    came_from = {
        key: canonical(at.origin) for key, at in left_over.items() if at.origin and is_origin(at.origin)
    }
    estate.read(sorted({*came_from.values()}))
    starts = _starts(estate, came_from, origins)
    if not starts:
        return Doubt()
    assets = {asset_of(urn) for found in starts.values() for urn in found}
    graph = read_graph(catalog, assets, max_hops, through_removed=True)
    for edge in beside:
        graph.add_edge(edge)
        graph.live |= {edge.upstream, edge.downstream}
    estate.read(sorted(graph.live))
    graph = graph.without(lambda up, down: _is_removed_job(estate, up) or _is_removed_job(estate, down))
    reached = flow(graph, starts, max_hops).wanted
    estate.read(sorted({*reached, *(urn for found in starts.values() for urn in found)}))

    def stays(urn: str, label: Label) -> bool:
        column = canonical(urn)
        if estate.is_gone(urn):
            # It stays as a memory of what came along here, for as long as something names the column.
            return column in starts.get(label, ()) and bool(graph.columns.get(column))
        return label in reached.get(column, {})

    kept = {(urn, label) for urn, label in left_over if stays(urn, label)}
    renamed = _behind_renamed_columns(estate, graph, came_from, kept, origins, max_hops)
    return Doubt(
        frozenset(kept) | renamed.labels,
        frozenset(_reasons(graph, estate, kept, starts, reached)) | renamed.reasons,
    )


def _starts(estate: Estate, came_from: Mapping[Attached, str], origins: Origins) -> dict[Label, set[str]]:
    """Map each label that nobody took away to its origins, living or gone, and to the gone columns that have it."""
    starts: dict[Label, set[str]] = {}
    for (urn, label), origin in came_from.items():
        living = origins.get(label, ())
        if origin in living or estate.is_gone(origin):
            found = starts.setdefault(label, {*living})
            found.add(origin)
            if estate.is_gone(urn):
                found.add(canonical(urn))
    return starts


def _is_removed_job(estate: Estate, asset: str) -> bool:
    return entity_type(asset) != "dataset" and estate.was_removed(asset)


def _reasons(
    graph: Graph, estate: Estate, kept: Collection[Attached], starts: Origins, reached: Wanted
) -> Iterator[Reason]:
    labels = {label for _, label in kept}
    passed = {urn for label in labels for urn in starts[label]}
    reached_by_them = {urn for urn, found in reached.items() if not labels.isdisjoint(found)}
    for urn in passed | reached_by_them:
        asset = asset_of(urn)
        if not estate.is_live(asset):
            for down in graph.assets.get(asset, ()):
                yield Reason(down, f"it still names {asset}, which was removed")
        elif estate.has_vanished(urn) or (urn in passed and estate.is_gone(urn)):
            yield from _names_column(graph, urn)


def _behind_renamed_columns(
    estate: Estate,
    graph: Graph,
    came_from: Mapping[Attached, str],
    kept: Collection[Attached],
    origins: Origins,
    max_hops: int,
) -> Doubt:
    """Find labels of a column that left its schema and still has them, where its table still feeds what they are on.

    The column was renamed, or another took its place: lineage is whole, and the label was left behind.
    """
    lost = {key: origin for key, origin in came_from.items() if key not in kept}
    orphans = {
        (label, origin)
        for (_, label), origin in lost.items()
        if origin in origins.get(label, ()) and estate.is_live(asset_of(origin)) and estate.is_gone(origin)
    }
    if not orphans:
        return Doubt()
    reached = flow(graph, _siblings(estate, orphans), max_hops).wanted
    fed = {
        (urn, label)
        for (urn, label), origin in lost.items()
        if (label, origin) in orphans
        and entity_type(urn) == "schemaField"
        and not estate.is_gone(urn)
        and label in reached.get(canonical(urn), {})
    }
    holders = _holders(graph, {(canonical(urn), label) for urn, label in fed})
    found = fed | {key for key, origin in lost.items() if key in holders and (key[1], origin) in orphans}
    reasons = {
        Reason(
            origin, f"its schema no longer has it, but it still has {label.urn}: move that to the new column"
        )
        for label, origin in orphans
        if any(key[1] == label and came_from[key] == origin for key in found)
    }
    return Doubt(frozenset(found), frozenset(reasons))


def _siblings(estate: Estate, orphans: Collection[tuple[Label, str]]) -> dict[Label, set[str]]:
    """Map each label to the columns that the table of its lost column has now."""
    found: dict[Label, set[str]] = {}
    for label, origin in orphans:
        found.setdefault(label, set()).update(estate.columns(asset_of(origin)))
    return found


def _holders(graph: Graph, columns: Collection[Attached]) -> set[Attached]:
    """The assets of labelled columns, and the jobs that carry something into these columns."""
    labels: dict[str, set[Label]] = {}
    for column, label in columns:
        labels.setdefault(column, set()).add(label)
    found = {(asset_of(column), label) for column, label in columns}
    for ends in graph.columns.values():
        for down, via in ends:
            if via is not None:
                found |= {(via, label) for label in labels.get(down, ())}
    return found
