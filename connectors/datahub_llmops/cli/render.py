"""Renders output for people: names instead of URNs, trees and tables. Metadata is cleaned before it is printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.column_stops import ColumnStop
from datahub_llmops.catalog.column_uses import ColumnUse
from datahub_llmops.catalog.kinds import kind_in_words
from datahub_llmops.catalog.protocol import Catalog, ColumnPair, Direction, Edge, Lineage, Node
from datahub_llmops.net.json_values import moment
from datahub_llmops.net.shown import clean

_WIDE: Final = 100_000
"""Columns of an output that is no terminal: nothing is wrapped there."""

_SHOWN_STOPS: Final = 8


def show(*parts: RenderableType, soft_wrap: bool = False) -> None:
    """Write to standard output. If that is not a terminal, nothing is coloured, wrapped or padded.

    ``soft_wrap`` leaves the wrapping of long lines to the terminal, so that a URN can be copied from it.
    """
    if sys.stdout.isatty():
        console = Console(highlight=False, markup=False, emoji=False)
        for part in parts:
            console.print(part, soft_wrap=soft_wrap)
        return
    console = Console(width=_WIDE, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


@dataclass(slots=True)
class Labels:
    """The names of people, terms, tags and properties, to which other assets refer by URN."""

    catalog: Catalog
    known: dict[str, str] = field(default_factory=dict)

    def learn(self, urns: Iterable[str]) -> None:
        """Look up all names that are not known yet, at once."""
        fresh = sorted({urn for urn in urns if urn not in self.known})
        if fresh:
            self.known.update({urn: urn_text.full_name(urn) for urn in fresh})
            self.known.update({node.urn: node.name for node in self.catalog.nodes(fresh)})

    def learn_nodes(self, nodes: Iterable[Node]) -> None:
        """Use the names of the nodes, and look up their owners, terms and tags."""
        listed = list(nodes)
        self.known.update({node.urn: node.name for node in listed})
        self.learn(urn for node in listed for urn in (*node.owners, *node.terms, *node.tags))

    def of(self, urn: str) -> str:
        """Return the name, safe for a terminal."""
        return clean(self.known.get(urn) or urn_text.full_name(urn))

    def column(self, urn: str) -> str:
        """Describe a column by the name of its asset and its path."""
        return f"{self.of(urn_text.asset_of(urn))}.{clean(urn_text.simple_path(urn_text.full_name(urn)))}"


def kind(node: Node) -> str:
    """Return the kind of an asset: its subtype, or else its type."""
    return kind_of(node.subtype, node.type)


def kind_of(subtype: str | None, entity_type: str) -> str:
    """Return the kind of an asset: its subtype, or else its type."""
    return clean(kind_in_words(subtype, entity_type))


def headline(node: Node, labels: Labels) -> Text:
    """Describe an asset in one line: name, kind, platform, owners, terms and tags."""
    shown = urn_text.simple_path(node.name) if node.type == "schemaField" else node.name
    line = Text(clean(shown), style="bold")
    what = kind(node)
    if node.type == "schemaField":
        what += f" of {labels.of(urn_text.asset_of(node.urn))}"
    line.append(f"  {what}", style="not bold cyan")
    if node.platform:
        line.append(f" · {clean(node.platform)}", style="not bold dim")
    if node.owners:
        line.append("  owned by " + ", ".join(map(labels.of, node.owners)), style="not bold green")
    for marks, sign in ((node.terms, "◆"), (node.tags, "#")):
        for mark in marks:
            line.append(f"  {sign} {labels.of(mark)}", style="not bold yellow")
    return line


def not_confirmed(since: str | None) -> str:
    """Say since when an edge is not confirmed, in UTC.

    >>> not_confirmed("2026-11-29T05:30:00+00:00")
    'not confirmed since 2026-11-29 05:30 UTC'
    """
    time = moment(since)
    return f"not confirmed since {f'{time:%Y-%m-%d %H:%M} UTC' if time else clean(since or '')}"


@dataclass(frozen=True, slots=True)
class _Step:
    """One branch of the tree: all edges between two assets."""

    to: str
    found_by: tuple[str, ...]
    columns: tuple[ColumnPair, ...]
    not_confirmed_since: str | None


def lineage_tree(walk: Lineage, labels: Labels, *, columns: bool) -> Tree:
    """Build the tree of a walk. An asset that is reached twice is expanded only once.

    What hangs together only through assets that the catalog does not hold stands under a branch of its own.
    """
    nodes = {node.urn: node for node in walk.nodes}
    steps = _steps(walk)
    drawn: set[str] = set()
    root = Tree(headline(nodes[walk.root], labels), guide_style="dim")
    pending = [(root, walk.root)]
    while pending:
        branch, urn = pending.pop()
        drawn.add(urn)
        fresh: list[tuple[Tree, str]] = []
        for step in steps.get(urn, ()):
            again = step.to in drawn or any(step.to == other for _, other in (*pending, *fresh))
            child = branch.add(_branch_text(step, nodes.get(step.to), labels, again=again, columns=columns))
            if not again:
                fresh.append((child, step.to))
        pending.extend(reversed(fresh))
    lost = [node for node in walk.nodes if node.urn not in drawn]
    if lost:
        aside = root.add(Text("by way of assets that the catalog does not hold", style="italic dim"))
        for node in lost:
            aside.add(headline(node, labels))
    return root


def _steps(walk: Lineage) -> dict[str, list[_Step]]:
    """Map each asset to the next steps of the walk, by distance and then by URN."""
    up = walk.direction == "up"
    gathered: dict[str, dict[str, list[Edge]]] = {}
    for edge in walk.edges:
        here, there = (edge.downstream, edge.upstream) if up else (edge.upstream, edge.downstream)
        gathered.setdefault(here, {}).setdefault(there, []).append(edge)
    hops = {node.urn: node.hops for node in walk.nodes}
    return {
        here: [
            _Step(
                to=there,
                found_by=tuple(dict.fromkeys(way for edge in edges for way in edge.found_by)),
                columns=tuple(sorted({pair for edge in edges for pair in edge.columns})),
                not_confirmed_since=min(
                    (edge.not_confirmed_since for edge in edges if edge.not_confirmed_since), default=None
                ),
            )
            for there, edges in sorted(targets.items(), key=lambda item: (hops.get(item[0], 0), item[0]))
        ]
        for here, targets in gathered.items()
    }


def _branch_text(step: _Step, node: Node | None, labels: Labels, *, again: bool, columns: bool) -> Text:
    if node:
        text = headline(node, labels)
    else:
        text = Text(labels.of(step.to), style="italic dim").append("  not in the catalog")
    if step.found_by:
        text.append("  found by " + ", ".join(map(clean, step.found_by)), style="not bold magenta")
    if step.not_confirmed_since:
        text.append(f"  {not_confirmed(step.not_confirmed_since)}", style="not bold red")
    if again:
        text.append("  (shown elsewhere in this tree)", style="not bold dim")
    if columns:
        for pair in step.columns:
            text.append(
                f"\n  {labels.column(pair.upstream)} → {labels.column(pair.downstream)}",
                style="not bold blue",
            )
    return text


def lineage_summary(walk: Lineage, hops: int, *, within: bool = False) -> Text:
    """Summarise a walk in one sentence, including whether there may be more.

    ``within``: columns of the asset feed others of it, which ``within_lines`` name.
    """
    where = "upstream" if walk.direction == "up" else "downstream"
    others = len(walk.nodes) - 1
    if not others:
        return Text(f"Nothing {'else ' if within else ''}{where} of it is in the catalog.")
    text = Text(
        f"{others} asset{'s' if others > 1 else ''} {where}, within {hops} hop{'s' if hops > 1 else ''}."
    )
    if any(node.hops >= hops for node in walk.nodes):
        text.append(" The walk ended there; --hops N goes further.")
    return text


def within_lines(edges: Sequence[Edge], labels: Labels) -> Iterator[Text]:
    """Say which columns of a table feed others of it, and by which job, in one line for each job."""
    for edge in edges:
        named: dict[str, list[str]] = {}
        for pair in edge.columns:
            named.setdefault(pair.downstream, []).append(pair.upstream)
        way = "" if edge.upstream == edge.downstream else f", by {labels.of(edge.upstream)}"
        since = f"  {not_confirmed(edge.not_confirmed_since)}" if edge.not_confirmed_since else ""
        for down, ups in named.items():
            listed = ", ".join(map(labels.column, ups))
            text = Text(f"Within the table: {listed} → {labels.column(down)}{way}", style="blue")
            yield text.append(since, style="not bold red")


def named_in_uses(uses: Iterable[ColumnUse]) -> Iterator[str]:
    """The URNs whose names ``use_lines`` shows."""
    return (urn for use in uses for urn in (urn_text.asset_of(use.column), use.job, use.index) if urn)


def use_lines(uses: Iterable[ColumnUse], labels: Labels) -> Iterator[Text]:
    """Say which jobs join, filter, group or sort by a column, in one line for each."""
    for use in uses:
        if use.used_in:
            way = labels.of(use.job) + (f" → {labels.of(use.index)}" if use.index else "")
            text = Text(
                f"used in: {', '.join(use.used_in)}  {labels.column(use.column)} → {way}", style="cyan"
            )
            if use.not_confirmed_since:
                text.append(f"  {not_confirmed(use.not_confirmed_since)}", style="not bold red")
            yield text


def stop_lines(stops: Sequence[ColumnStop], labels: Labels, direction: Direction) -> Iterator[Text]:
    """Say where the walk of a column ended although lineage of the table goes on, in one line for each case."""
    cases: dict[tuple[str, bool, bool], list[str]] = {}
    for stop in stops:
        cases.setdefault((stop.reached, stop.columns_known, stop.partly), []).append(stop.beyond)
    for (reached, known, partly), beyond in cases.items():
        many = len(beyond) > 1
        verb = ("read" if direction == "down" else "feed") + ("" if many else "s")
        table = labels.of(reached)
        what = (
            f"other columns of {table} and may join or filter by this one"
            if known
            else f"{table}, whose columns could not all be traced"
            if partly
            else f"{table} without column lineage"
        )
        listed = ", ".join(labels.of(urn) for urn in beyond[:_SHOWN_STOPS])
        more = ", ..." if len(beyond) > _SHOWN_STOPS else ""
        yield Text(
            f"{len(beyond)} more asset{'s' if many else ''} {verb} {what}: {listed}{more}", style="yellow"
        )


def search_table(nodes: Sequence[Node], labels: Labels) -> Table:
    """Build the table of search results, best first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Name", "Kind", "Platform", "Owners", "Terms and tags", "URN"):
        table.add_column(title, overflow="fold")
    for node in nodes:
        table.add_row(
            Text(clean(node.name), style="bold"),
            Text(kind(node), style="cyan"),
            Text(clean(node.platform or "")),
            Text(", ".join(map(labels.of, node.owners)), style="green"),
            Text(", ".join(map(labels.of, (*node.terms, *node.tags))), style="yellow"),
            Text(clean(node.urn), style="dim"),
        )
    return table
