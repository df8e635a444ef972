"""Plans which labels to add and remove, so that every asset has those that its upstream gives it, and no others.

Everything is read before anything is decided: if part of the catalog cannot be read, there is no plan. A label whose
way cannot be seen any more is not removed: ``propagation.unconfirmed`` says which these are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from datahub_llmops.catalog.labels import AttachedLabel, Label
from datahub_llmops.catalog.protocol import Edge
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.propagation.estate import Estate, Readable, Uses, read_graph, read_untraced, read_uses
from datahub_llmops.propagation.flow import Stop, Wanted, flow
from datahub_llmops.propagation.labels import canonical, is_origin, source_detail
from datahub_llmops.propagation.late_edges import add_edges_beside_walks
from datahub_llmops.propagation.unconfirmed import (
    Reason,
    along_doubtful_edges,
    by_hidden_uses,
    without_a_seen_way,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One label of ours to attach to an entity, or to remove if ``origin`` is ``None``.

    ``moved``: the label is already attached, and its origin has changed.
    """

    urn: str
    label: Label
    origin: str | None = None
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The changes, ordered by URN and label, and counts for the report."""

    changes: tuple[Change, ...]
    kept: tuple[tuple[str, Label], ...]
    """Labels that are already attached as they should be."""
    scanned: int
    """Assets and columns that carry a label."""
    origins: int
    """Datasets and columns that a label is carried from."""
    stops: tuple[Stop, ...]
    not_confirmed: tuple[tuple[str, Label], ...] = ()
    """Labels that stay, or are added, although no run has confirmed the way that they came since it was seen last."""
    gone_origins: Mapping[str, int] = field(default_factory=dict)
    """Origins that are gone, and how many labels are removed because nothing names them any more."""
    reasons: tuple[Reason, ...] = ()
    """Why these are not confirmed."""
    late: tuple[Edge, ...] = ()
    """Edges that the catalog's walks did not show, although the assets have them."""


def plan(
    catalog: Readable, *, allowed: Callable[[Label], bool], max_hops: int, indirect: bool = False
) -> Plan:
    """Read the catalog and decide what has to change. ``indirect``: labels follow columns that jobs join or filter by.

    Raises:
        CatalogError: something could not be read.
    """
    labelled = sorted(set(catalog.labelled()))
    estate = Estate(catalog)
    estate.read(labelled)
    # The search index may lag. Read each origin directly before removing anything that it labelled.
    estate.read(sorted({at.origin for _, at in estate.ours() if at.origin and is_origin(at.origin)}))
    origins = estate.origins(allowed)
    sources = {urn for urns in origins.values() for urn in urns}
    graph = read_graph(catalog, {asset_of(urn) for urn in sources}, max_hops)
    beside = add_edges_beside_walks(catalog, graph, {asset_of(urn) for urn in labelled})
    hidden: Uses = {}
    if any(entity_type(urn) == "schemaField" for urn in sources):
        graph.untraced = read_untraced(catalog, graph)
        if indirect:
            graph.uses, hidden = read_uses(catalog, graph)
    found = flow(graph, origins, max_hops)
    estate.read(sorted(found.wanted))
    changes, kept, left_over = _reconcile(estate, found.wanted)
    doubtful = {key: at for key, at in left_over.items() if allowed(at.label)}
    unseen = without_a_seen_way(catalog, estate, doubtful, origins, max_hops, beside.edges)
    marked = along_doubtful_edges(graph, estate, found.wanted, origins, max_hops)
    used = by_hidden_uses(graph, hidden, doubtful, origins, found.wanted, max_hops)
    stays = unseen.labels | used.labels
    removed = left_over.keys() - stays
    changes += [Change(urn=urn, label=label) for urn, label in removed]
    changes.sort(key=lambda change: (change.urn, change.label))
    return Plan(
        changes=tuple(changes),
        kept=tuple(sorted({*kept, *stays})),
        scanned=len(labelled),
        origins=len(sources),
        stops=found.stops,
        not_confirmed=tuple(sorted(stays | marked.labels)),
        reasons=tuple(sorted(unseen.reasons | marked.reasons | used.reasons)),
        gone_origins=_count_gone_origins(estate, [doubtful[key] for key in removed & doubtful.keys()]),
        late=beside.late,
    )


def _count_gone_origins(estate: Estate, removed: Iterable[AttachedLabel]) -> Mapping[str, int]:
    origins = [canonical(at.origin) for at in removed if at.origin and is_origin(at.origin)]
    return Counter(origin for origin in sorted(origins) if estate.is_gone(origin))


def _reconcile(
    estate: Estate, wanted: Wanted
) -> tuple[list[Change], list[tuple[str, Label]], dict[tuple[str, Label], AttachedLabel]]:
    """Compare what should be there with what is: changes, labels to keep, and those of ours that nothing asks for.

    Where somebody else attached the label, ours is removed and not added: it would be shown twice.
    """
    taken = estate.set_by_others()
    changes: list[Change] = []
    present: dict[tuple[str, Label], AttachedLabel] = {}
    for urn, attached in estate.ours():
        if (canonical(urn), attached.label) in taken:
            changes.append(Change(urn=urn, label=attached.label))
        else:
            present[urn, attached.label] = attached
    kept: list[tuple[str, Label]] = []
    for urn, label, origin in estate.targets(wanted):
        if (canonical(urn), label) in taken:
            continue
        before = present.pop((urn, label), None)
        if before is not None and before.detail == source_detail(origin):
            kept.append((urn, label))
        else:
            changes.append(Change(urn=urn, label=label, origin=origin, moved=before is not None))
    return changes, kept, present
