"""Builds the page of one asset that ``datahub-llmops show`` prints, with everything in its aspects that people need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from datahub_llmops.aspects.manifest import Tab, tabs
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.aspect_facts import SCHEMA_ASPECTS, read_schema_fields
from datahub_llmops.catalog.protocol import Aspect, FullCatalog, Node
from datahub_llmops.cli.render import cell, headline, kind
from datahub_llmops.net.shown import clean, clean_name
from datahub_llmops.queries.asset import AssetResult
from datahub_llmops.queries.labels import Labels
from datahub_llmops.queries.sentences import not_confirmed
from datahub_llmops.report.asset_facts import (
    AttachedMark,
    ColumnFacts,
    Row,
    custom_rows,
    is_removed,
    last_change,
    model_rows,
    named_in,
    one_line,
    property_rows,
    read_column_facts,
    read_container_path,
    read_deprecation,
    read_description,
    read_domains,
    read_marks,
    read_owner_roles,
    read_statements,
    read_version,
    size_rows,
    time_text,
    usage_rows,
)

_SHOWN_NEIGHBOURS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The content of the page: the asset, and the aspects that describe its columns."""

    asset: AssetResult
    schema: Mapping[str, Aspect]
    """The two aspects that describe columns: the asset's, or of a column its asset's."""
    fields: Mapping[str, Mapping[str, Aspect]]
    """Aspects of the ``schemaField`` entities, by URN."""


def gather(catalog: FullCatalog, asset: AssetResult) -> Facts:
    """Read from ``catalog`` what the page of an asset needs besides the asset.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    holder = urn_text.asset_of(asset.node.urn)
    held = asset.aspects if holder == asset.node.urn else catalog.aspects(holder, SCHEMA_ASPECTS)
    schema = {name: aspect for name, aspect in held.items() if name in SCHEMA_ASPECTS}
    return Facts(
        asset=asset,
        schema=schema,
        fields=catalog.aspects_of(
            urn
            for path, _ in read_schema_fields("schemaMetadata", schema)
            for urn in urn_text.field_urns(holder, path)
        ),
    )


def page(facts: Facts, labels: Labels) -> Group:
    """Build the page for rich."""
    columns = list(read_column_facts(urn_text.asset_of(facts.asset.node.urn), facts.schema, facts.fields))
    _learn(facts, columns, labels)
    if facts.asset.node.type == "schemaField":
        path = urn_text.simple_path(urn_text.full_name(facts.asset.node.urn))
        columns = [column for column in columns if column.path == path]
    parts: list[RenderableType] = [
        headline(facts.asset.node, labels),
        Text(clean(facts.asset.node.urn), style="dim"),
    ]
    if is_removed(facts.asset.aspects):
        parts.append(Text("Soft-deleted: lineage and search leave it out.", style="red"))
    description = read_description(facts.asset.aspects)
    if description:
        parts += [Text(), Text(_paragraph(description))]
    parts += [Text(), _table(list(_rows(facts, labels)))]
    if columns:
        parts += [Text(), _column_table(columns, labels)]
    for tab in tabs(facts.asset.aspects):
        parts += [Text(), Text(tab.title, style="bold"), _tab_table(tab)]
    for sql in read_statements(facts.asset.aspects):
        if one_line(sql) in one_line(description):
            continue
        parts += [
            Text(),
            Text("SQL", style="bold"),
            Padding(Text(_paragraph(sql)), (0, 0, 0, 2), expand=False),
        ]
    return Group(*parts)


def _learn(facts: Facts, columns: Sequence[ColumnFacts], labels: Labels) -> None:
    """Look up all names that the page needs at once."""
    labels.learn_nodes([facts.asset.node, *facts.asset.upstream, *facts.asset.downstream])
    labels.learn(end for edge in facts.asset.not_confirmed for end in (edge.upstream, edge.downstream))
    labels.learn({*named_in(facts.asset.aspects, columns), urn_text.asset_of(facts.asset.node.urn)})


def _rows(facts: Facts, labels: Labels) -> Iterator[tuple[str, Text]]:
    aspects, latest = facts.asset.aspects, facts.asset.latest
    changed = last_change(aspects, latest)
    yield from _plain(
        [
            ("In", " / ".join(map(labels.of, read_container_path(aspects)))),
            ("Owners", ", ".join(_owner(labels.of(urn), role) for urn, role in read_owner_roles(aspects))),
            ("Domain", ", ".join(map(labels.of, read_domains(aspects)))),
            ("Version", read_version(aspects)),
            ("Deprecated", read_deprecation(aspects)),
        ]
    )
    marks = list(read_marks(aspects))
    for title, label_kind in (("Terms", "term"), ("Tags", "tag")):
        if chosen := [mark for mark in marks if mark.label.kind == label_kind]:
            yield title, _mark_text(chosen, labels)
    yield from _plain(property_rows(aspects, labels.of), empty=True)
    yield from _plain(size_rows(latest))
    if (usage := facts.asset.usage) is not None:
        yield from _plain(usage_rows(usage))
    yield from _plain([("Last updated", time_text(changed) if changed is not None else "")])
    yield from _plain(model_rows(facts.asset.node.type, facts.asset.node.name))
    for title, neighbours in (("Depends on", facts.asset.upstream), ("Used by", facts.asset.downstream)):
        if neighbours:
            yield title, _neighbours(neighbours)
    for edge in facts.asset.not_confirmed:
        ends = f"{labels.of(edge.upstream)} → {labels.of(edge.downstream)}"
        yield "Lineage", Text(f"{ends} {not_confirmed(edge.not_confirmed_since)}", style="red")
    yield from _plain(custom_rows(aspects), empty=True)


def _plain(rows: Iterable[Row], *, empty: bool = False) -> Iterator[tuple[str, Text]]:
    """Make rows safe for a terminal; those without a text are left out unless ``empty``."""
    for title, value in rows:
        if value or empty:
            yield clean(title), Text(clean(value))


def _owner(name: str, role: str) -> str:
    return f"{name} ({role})" if role else name


def _table(rows: Sequence[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for title, value in rows:
        table.add_row(title, value)
    return table


def _column_table(columns: Sequence[ColumnFacts], labels: Labels) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = ["Column", "Type"]
    extras = {
        "Description": any(column.description for column in columns),
        "Terms and tags": any(column.marks for column in columns),
        "Properties": any(column.properties for column in columns),
    }
    shown += [title for title, wanted in extras.items() if wanted]
    for title in shown:
        table.add_column(title, overflow="fold")
    for column in columns:
        cells = {
            "Column": cell(clean_name(column.path)),
            "Type": cell(clean(column.type), "cyan"),
            "Description": Text(clean(column.description)),
            "Terms and tags": cell(_mark_text(column.marks, labels)),
            "Properties": Text(
                ", ".join(f"{labels.of(urn)}: {clean(value)}" for urn, value in column.properties)
            ),
        }
        table.add_row(*(cells[title] for title in shown))
    return table


def _tab_table(tab: Tab) -> Table:
    named = tab.columns == ("Name", "Value")
    table = Table(box=None, padding=(0, 1, 0, 2), header_style="dim", show_header=not named)
    for title in tab.columns:
        table.add_column(clean(title), overflow="fold")
    for row in tab.rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    return table


def _mark_text(marks: Sequence[AttachedMark], labels: Labels) -> Text:
    line = Text()
    for mark in marks:
        line.append(", " if line else "").append(labels.of(mark.label.urn), style="yellow")
        if mark.origin:
            is_column = urn_text.entity_type(mark.origin) == "schemaField"
            origin = labels.column(mark.origin) if is_column else labels.of(mark.origin)
            line.append(f" (propagated from {origin})", style="dim")
    return line


def _neighbours(nodes: Sequence[Node]) -> Text:
    counts: dict[str, int] = {}
    for node in nodes:
        counts[kind(node)] = counts.get(kind(node), 0) + 1
    listed = ", ".join(
        f"{count} {_lowered(word)}{'s' if count > 1 else ''}" for word, count in counts.items()
    )
    shown = ", ".join(clean_name(node.name) for node in nodes[:_SHOWN_NEIGHBOURS])
    return Text(listed).append(f": {shown}{' ...' if len(nodes) > _SHOWN_NEIGHBOURS else ''}", style="dim")


def _lowered(words: str) -> str:
    """Write a subtype in lower case: ``LLM Application`` becomes ``LLM application``."""
    return " ".join(word if word.isupper() else word.lower() for word in words.split(" "))


def _paragraph(text: str) -> str:
    """Return a text of several lines, safe for a terminal and without the fences of Markdown's code blocks."""
    return "\n".join(clean(line) for line in text.strip().splitlines() if not line.startswith("```"))
