"""What a walk says beside its assets and edges, in sentences: for a terminal and for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from datahub_llmops.catalog.column_stops import ColumnStop
from datahub_llmops.catalog.column_uses import ColumnUse
from datahub_llmops.catalog.protocol import Direction, Edge, Lineage
from datahub_llmops.net.json_values import moment
from datahub_llmops.net.shown import clean
from datahub_llmops.queries.labels import Names

_SHOWN_STOPS: Final = 8


class Sentence(NamedTuple):
    """A sentence, and what is wrong with the edge that it tells of."""

    text: str
    fault: str = ""


def not_confirmed(since: str | None) -> str:
    """Say since when an edge is not confirmed, in UTC.

    >>> not_confirmed("2026-11-29T05:30:00+00:00")
    'not confirmed since 2026-11-29 05:30 UTC'
    """
    time = moment(since)
    return f"not confirmed since {f'{time:%Y-%m-%d %H:%M} UTC' if time else clean(since or '')}"


def summarise(walk: Lineage, hops: int, *, within: bool = False, more: str = "--hops N") -> str:
    """Summarise a walk in one sentence, including whether there may be more.

    Args:
        walk: the walk.
        hops: how far was walked at most.
        within: columns of the asset feed others of it, which ``within_sentences`` names.
        more: how the caller walks further.
    """
    where = "upstream" if walk.direction == "up" else "downstream"
    others = len(walk.nodes) - 1
    if not others:
        return f"Nothing {'else ' if within else ''}{where} of it is in the catalog."
    text = f"{others} asset{'s' if others > 1 else ''} {where}, within {hops} hop{'s' if hops > 1 else ''}."
    if any(node.hops >= hops for node in walk.nodes):
        text += f" There may be more: {more} goes further."
    return text


def within_sentences(edges: Sequence[Edge], names: Names) -> Iterator[Sentence]:
    """Say which columns of a table feed others of it, and by which job, in one sentence for each job."""
    for edge in edges:
        named: dict[str, list[str]] = {}
        for pair in edge.columns:
            named.setdefault(pair.downstream, []).append(pair.upstream)
        way = "" if edge.upstream == edge.downstream else f", by {names.of(edge.upstream)}"
        fault = not_confirmed(edge.not_confirmed_since) if edge.not_confirmed_since else ""
        for down, ups in named.items():
            listed = ", ".join(map(names.column, ups))
            yield Sentence(f"Within the table: {listed} → {names.column(down)}{way}", fault)


def use_sentences(uses: Iterable[ColumnUse], names: Names) -> Iterator[Sentence]:
    """Say which jobs join, filter, group or sort by a column, in one sentence for each."""
    for use in uses:
        if use.used_in:
            way = names.of(use.job) + (f" → {names.of(use.index)}" if use.index else "")
            fault = not_confirmed(use.not_confirmed_since) if use.not_confirmed_since else ""
            yield Sentence(f"used in: {', '.join(use.used_in)}  {names.column(use.column)} → {way}", fault)


def stop_sentences(stops: Sequence[ColumnStop], names: Names, direction: Direction) -> Iterator[Sentence]:
    """Say where the walk of a column ended although lineage of the table goes on, in one sentence for each case."""
    cases: dict[tuple[str, bool, bool], list[str]] = {}
    for stop in stops:
        cases.setdefault((stop.reached, stop.columns_known, stop.partly), []).append(stop.beyond)
    for (reached, known, partly), beyond in cases.items():
        many = len(beyond) > 1
        verb = ("read" if direction == "down" else "feed") + ("" if many else "s")
        table = names.of(reached)
        what = (
            f"other columns of {table} and may join or filter by this one"
            if known
            else f"{table}, whose columns could not all be traced"
            if partly
            else f"{table} without column lineage"
        )
        listed = ", ".join(names.of(urn) for urn in beyond[:_SHOWN_STOPS])
        more = ", ..." if len(beyond) > _SHOWN_STOPS else ""
        yield Sentence(f"{len(beyond)} more asset{'s' if many else ''} {verb} {what}: {listed}{more}")
