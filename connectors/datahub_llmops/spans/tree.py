"""The spans of one trace as a tree, whatever order they come in and whatever is missing."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from datahub_llmops.spans.span import Span

_by_start = itemgetter(4, 1)


class Tree(NamedTuple):
    """Spans by start, each once, and the position of the parent of each, or -1."""

    spans: Sequence[Span]
    parents: Sequence[int]
    order: Sequence[int]
    """Positions, a parent before its children."""
    duplicates: int
    """Spans left out because another one has the same id."""
    orphans: int
    """Spans whose parent is not there. Each is the root of what is below it."""
    cycles: int
    """Rings of parents. Each is cut above its earliest span."""


def build(spans: Sequence[Span]) -> Tree:
    """Build the tree. The order of ``spans`` does not matter."""
    kept = sorted(spans, key=_by_start)
    places = {span.id: place for place, span in enumerate(kept)}
    duplicates = len(kept) - len(places)
    if duplicates:
        kept = sorted(_each_once(kept), key=_by_start)
        places = {span.id: place for place, span in enumerate(kept)}
    parents = []
    orphans = 0
    ordered = True
    for place, span in enumerate(kept):
        above = span.parent
        if not above:
            parents.append(-1)
            continue
        parent = places.get(above, -1)
        if parent < 0:
            orphans += 1
        elif parent >= place:
            ordered = False
        parents.append(parent)
    order: Sequence[int] = range(len(kept))
    cycles = 0
    if not ordered:
        order, cycles = _order(parents)
    return Tree(
        spans=kept, parents=parents, order=order, duplicates=duplicates, orphans=orphans, cycles=cycles
    )


def _each_once(spans: Sequence[Span]) -> list[Span]:
    """Keep the fuller one of spans with the same id: one that has ended, then one with more attributes."""
    found: dict[str, Span] = {}
    for span in spans:
        known = found.get(span.id)
        if known is None or (known != span and _fullness(span) > _fullness(known)):
            found[span.id] = span
    return list(found.values())


def _fullness(span: Span) -> tuple[object, ...]:
    # What follows the counts only makes the choice the same in every order.
    attributes = sorted((name, repr(value)) for name, value in span.attributes.items())
    return (span.ended > 0, len(attributes), span.error is not None, span.ended, attributes, repr(span))


def _order(parents: list[int]) -> tuple[list[int], int]:
    """Return an order with parents first, and the number of rings, each of which is cut in ``parents``."""
    children: dict[int, list[int]] = {}
    for place, parent in enumerate(parents):
        children.setdefault(parent, []).append(place)
    order = list(children.get(-1, ()))
    _extend(order, 0, children)
    if len(order) == len(parents):
        return order, 0
    reached = [False] * len(parents)
    for place in order:
        reached[place] = True
    cycles = 0
    for place in range(len(parents)):
        if reached[place]:
            continue
        start = min(_ring(place, parents))
        cycles += 1
        parents[start] = -1
        begun = len(order)
        order.append(start)
        reached[start] = True
        _extend(order, begun, children, reached)
    return order, cycles


def _extend(
    order: list[int], begun: int, children: dict[int, list[int]], reached: list[bool] | None = None
) -> None:
    """Append everything below ``order[begun:]``."""
    while begun < len(order):
        for child in children.get(order[begun], ()):
            if reached is not None:
                if reached[child]:
                    continue
                reached[child] = True
            order.append(child)
        begun += 1


def _ring(place: int, parents: Sequence[int]) -> list[int]:
    """Return the ring that the parents of a span lead to."""
    seen: set[int] = set()
    while place not in seen:
        seen.add(place)
        place = parents[place]
    ring = [place]
    while parents[ring[-1]] != place:
        ring.append(parents[ring[-1]])
    return ring
