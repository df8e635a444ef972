"""Renders output for people: names instead of URNs, trees and tables. Metadata is cleaned before it is printed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.kinds import kind_in_words
from datahub_llmops.catalog.protocol import ColumnPair, Edge, Lineage, Node
from datahub_llmops.net.shown import clean, clean_name
from datahub_llmops.queries.labels import Names
from datahub_llmops.queries.sentences import (
    not_confirmed,
    stop_sentences,
    summarise,
    use_sentences,
    within_sentences,
)
from datahub_llmops.queries.walk import LineageResult

_WIDE: Final = 100_000
"""Columns of an output that is not a terminal: nothing is wrapped there."""


_LONGEST_CELL: Final = 200
"""Letters of a name in a table. ``--json`` has it whole."""


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


def kind(node: Node) -> str:
    """Return the kind of an asset: its subtype, or else its type."""
    return kind_of(node.subtype, node.type)


def kind_of(subtype: str | None, entity_type: str) -> str:
    """Return the kind of an asset: its subtype, or else its type."""
    return clean(kind_in_words(subtype, entity_type))


def headline(node: Node, labels: Names) -> Text:
    """Describe an asset in one line: name, kind, platform, owners, terms and tags."""
    shown = urn_text.simple_path(node.name) if node.type == "schemaField" else node.name
    line = Text(clean_name(shown), style="bold")
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


@dataclass(frozen=True, slots=True)
class _Step:
    """One branch of the tree: all edges between two assets."""

    to: str
    found_by: tuple[str, ...]
    columns: tuple[ColumnPair, ...]
    not_confirmed_since: str | None


def lineage_tree(walk: Lineage, labels: Names, *, columns: bool) -> Tree:
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


def _branch_text(step: _Step, node: Node | None, labels: Names, *, again: bool, columns: bool) -> Text:
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


def sentences(found: LineageResult, names: Names) -> Iterator[Text]:
    """Return what ``lineage`` prints below the tree: a summary, and what the walk of a column does not show."""
    yield Text(summarise(found.walk, found.hops, within=bool(found.within)))
    for style, told in (
        ("blue", within_sentences(found.within, names)),
        ("cyan", use_sentences(found.uses, names)),
        ("yellow", stop_sentences(found.stops, names, found.walk.direction)),
    ):
        for sentence in told:
            fault = f"  {sentence.fault}" if sentence.fault else ""
            yield Text(sentence.text, style=style).append(fault, style="not bold red")


def cell(text: Text | str, style: str = "") -> Text:
    """Build a cell of a table, cut in the middle: rich pads every cell of a column to the longest."""
    whole = Text(text, style=style) if isinstance(text, str) else text
    if len(whole) <= _LONGEST_CELL:
        return whole
    half = _LONGEST_CELL // 2
    return whole[:half].append("…").append_text(whole[half - _LONGEST_CELL + 1 :])


def show_found(nodes: Sequence[Node], labels: Names) -> None:
    """Print search results, best first: a table, or two lines each if the terminal is too narrow for it.

    A cell of a table folds a URN, which then cannot be copied.
    """
    table = _search_table(nodes, labels)
    if not sys.stdout.isatty() or Console(width=_WIDE).measure(table).maximum <= Console().width:
        show(table)
        return
    lines = ((headline(node, labels), Text(f"  {clean(node.urn)}", style="dim")) for node in nodes)
    show(*(line for pair in lines for line in pair), soft_wrap=True)


def _search_table(nodes: Sequence[Node], labels: Names) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Name", "Kind", "Platform", "Owners", "Terms and tags", "URN"):
        table.add_column(title, overflow="fold")
    for node in nodes:
        table.add_row(
            cell(clean_name(node.name), "bold"),
            cell(kind(node), "cyan"),
            cell(clean(node.platform or "")),
            cell(", ".join(map(labels.of, node.owners)), "green"),
            cell(", ".join(map(labels.of, (*node.terms, *node.tags))), "yellow"),
            Text(clean(node.urn), style="dim"),
        )
    return table
