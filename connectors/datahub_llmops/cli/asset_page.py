"""Builds the page of one asset that ``datahub-llmops show`` prints, with everything in its aspects that people need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rich import filesize
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from datahub_llmops.aspects.manifest import Tab, tabs
from datahub_llmops.assets.usage import moves
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.aspect_facts import SCHEMA_ASPECTS, read_schema_fields
from datahub_llmops.catalog.labels import Label, labels_in
from datahub_llmops.catalog.protocol import Aspect, Edge, FullCatalog, Lineage, Node
from datahub_llmops.cli.render import Labels, headline, kind, not_confirmed
from datahub_llmops.net.json_values import array, mapping, objects, text
from datahub_llmops.net.shown import clean

_SQL: Final = (("viewProperties", "viewLogic"), ("dataTransformLogic", "transforms"))
_SHOWN_NEIGHBOURS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The content of the page: aspects, newest records of time series, aspects of fields, and direct neighbours."""

    node: Node
    aspects: Mapping[str, Aspect]
    schema: Mapping[str, Aspect]
    """The two aspects that describe columns: the asset's, or of a column its asset's."""
    latest: Mapping[str, Aspect]
    fields: Mapping[str, Mapping[str, Aspect]]
    """Aspects of the ``schemaField`` entities, by URN."""
    upstream: Sequence[Node]
    downstream: Sequence[Node]
    unconfirmed: Sequence[Edge]
    """Its edges that are not confirmed."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A term or tag, and the URN that it was propagated from."""

    label: Label
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class _Column:
    path: str
    type: str
    description: str
    marks: tuple[_Mark, ...]
    properties: tuple[tuple[str, str], ...]
    """Structured properties: URN and value."""


def gather(catalog: FullCatalog, node: Node, up: Lineage, down: Lineage) -> Facts:
    """Read from ``catalog`` everything on the page of ``node`` except its direct neighbours, which the walks have.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    holder = urn_text.asset_of(node.urn)
    found = catalog.aspects_of({node.urn, holder})
    aspects = found.get(node.urn, {})
    schema = {name: aspect for name, aspect in found.get(holder, {}).items() if name in SCHEMA_ASPECTS}
    return Facts(
        node=node,
        aspects=aspects,
        schema=schema,
        latest=catalog.latest(node.urn),
        fields=catalog.aspects_of(
            urn
            for path, _ in read_schema_fields("schemaMetadata", schema)
            for urn in urn_text.field_urns(holder, path)
        ),
        upstream=[other for other in up.nodes if other.hops],
        downstream=[other for other in down.nodes if other.hops],
        unconfirmed=[edge for edge in (*up.edges, *down.edges) if edge.not_confirmed_since],
    )


def page(facts: Facts, labels: Labels) -> Group:
    """Build the page for rich."""
    columns = _columns(facts)
    marks = list(_marks(facts.aspects))
    _learn(facts, columns, marks, labels)
    if facts.node.type == "schemaField":
        path = urn_text.simple_path(urn_text.full_name(facts.node.urn))
        columns = [column for column in columns if column.path == path]
    parts: list[RenderableType] = [headline(facts.node, labels), Text(clean(facts.node.urn), style="dim")]
    if _removed(facts.aspects):
        parts.append(Text("Soft-deleted: lineage and search leave it out.", style="red"))
    description = _description(facts.aspects)
    if description:
        parts += [Text(), Text(_paragraph(description))]
    parts += [Text(), _table(list(_rows(facts, marks, labels)))]
    if columns:
        parts += [Text(), _column_table(columns, labels)]
    for tab in tabs(facts.aspects):
        parts += [Text(), Text(tab.title, style="bold"), _tab_table(tab)]
    for sql in _sql(facts.aspects):
        if _one_line(sql) in _one_line(description):
            continue
        parts += [
            Text(),
            Text("SQL", style="bold"),
            Padding(Text(_paragraph(sql)), (0, 0, 0, 2), expand=False),
        ]
    return Group(*parts)


def _learn(facts: Facts, columns: Sequence[_Column], marks: Sequence[_Mark], labels: Labels) -> None:
    """Look up all names that the page needs at once."""
    labels.learn_nodes([facts.node, *facts.upstream, *facts.downstream])
    labels.learn(end for edge in facts.unconfirmed for end in (edge.upstream, edge.downstream))
    every = [*marks, *(mark for column in columns for mark in column.marks)]
    urns = {mark.label.urn for mark in every} | {
        urn_text.asset_of(mark.origin) for mark in every if mark.origin
    }
    urns |= {urn_text.asset_of(facts.node.urn)}
    urns |= {urn for column in columns for urn, _ in column.properties}
    urns |= {urn for urn, _ in _structured(facts.aspects)}
    urns |= set(_container_path(facts.aspects)) | set(_domains(facts.aspects))
    urns |= {owner for owner, _ in _owners(facts.aspects)}
    labels.learn(urn for urn in urns if urn.startswith("urn:li:"))


def _rows(facts: Facts, marks: Sequence[_Mark], labels: Labels) -> Iterator[tuple[str, Text]]:
    aspects, latest = facts.aspects, facts.latest
    if path := _container_path(aspects):
        yield "In", Text(" / ".join(map(labels.of, path)))
    for title, value in (
        ("Owners", ", ".join(f"{labels.of(urn)}{_in_brackets(role)}" for urn, role in _owners(aspects))),
        ("Domain", ", ".join(map(labels.of, _domains(aspects)))),
        (
            "Version",
            clean(
                text(mapping(mapping(aspects.get("versionProperties")).get("version")).get("versionTag"))
                or ""
            ),
        ),
        ("Deprecated", _deprecation(aspects)),
    ):
        if value:
            yield title, Text(value)
    for title, label_kind in (("Terms", "term"), ("Tags", "tag")):
        if chosen := [mark for mark in marks if mark.label.kind == label_kind]:
            yield title, _mark_text(chosen, labels)
    for urn, value in _structured(aspects):
        yield labels.of(urn), Text(value)
    yield from _size_rows(latest)
    if changed := _last_change(aspects, latest):
        yield "Last updated", Text(changed)
    if facts.node.type == "mlModel" and moves(facts.node.name):
        yield (
            "Version",
            Text("Not observable: a provider moves this name, and did not say which version served."),
        )
    for title, neighbours in (("Depends on", facts.upstream), ("Used by", facts.downstream)):
        if neighbours:
            yield title, _neighbours(neighbours)
    for edge in facts.unconfirmed:
        ends = f"{labels.of(edge.upstream)} → {labels.of(edge.downstream)}"
        yield "Lineage", Text(f"{ends} {not_confirmed(edge.not_confirmed_since)}", style="red")
    shown_below = set(map(_one_line, _sql(aspects)))
    for key, value in _custom(aspects):
        if _one_line(value) in shown_below:
            continue
        yield clean(key), Text(clean(value))


def _size_rows(latest: Mapping[str, Aspect]) -> Iterator[tuple[str, Text]]:
    profile = mapping(latest.get("datasetProfile"))
    for title, key, form in (
        ("Rows", "rowCount", _number),
        ("Columns", "columnCount", _number),
        ("Size", "sizeInBytes", filesize.decimal),
    ):
        if isinstance(value := profile.get(key), int):
            yield title, Text(form(value))


def _table(rows: Sequence[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for title, value in rows:
        table.add_row(title, value)
    return table


def _column_table(columns: Sequence[_Column], labels: Labels) -> Table:
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
            "Column": Text(clean(column.path)),
            "Type": Text(clean(column.type), style="cyan"),
            "Description": Text(clean(column.description)),
            "Terms and tags": _mark_text(column.marks, labels),
            "Properties": Text(", ".join(f"{labels.of(urn)}: {value}" for urn, value in column.properties)),
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


def _mark_text(marks: Sequence[_Mark], labels: Labels) -> Text:
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
    shown = ", ".join(clean(node.name) for node in nodes[:_SHOWN_NEIGHBOURS])
    return Text(listed).append(f": {shown}{' ...' if len(nodes) > _SHOWN_NEIGHBOURS else ''}", style="dim")


def _lowered(words: str) -> str:
    """Write a subtype in lower case: ``LLM Application`` becomes ``LLM application``."""
    return " ".join(word if word.isupper() else word.lower() for word in words.split(" "))


# What the aspects say


def _columns(facts: Facts) -> list[_Column]:
    holder = urn_text.asset_of(facts.node.urn)
    editable = dict(read_schema_fields("editableSchemaMetadata", facts.schema))
    columns = []
    for path, entry in read_schema_fields("schemaMetadata", facts.schema):
        edited = editable.get(path, {})
        own = [facts.fields.get(urn, {}) for urn in urn_text.field_urns(holder, path)]
        marks = [mark for source in (entry, edited, *own) for mark in _marks(source)]
        columns.append(
            _Column(
                path=urn_text.simple_path(path),
                type=text(entry.get("nativeDataType")) or "",
                description=text(edited.get("description")) or text(entry.get("description")) or "",
                marks=tuple(dict.fromkeys(marks)),
                properties=tuple(dict.fromkeys(pair for aspects in own for pair in _structured(aspects))),
            )
        )
    return columns


def _marks(aspects: Mapping[str, Any]) -> Iterator[_Mark]:
    """Terms and tags of an asset's aspects, or of one field in a schema: there they have the same form."""
    for attached in labels_in(aspects):
        propagated = attached.detail.get("propagated") == "true"
        yield _Mark(attached.label, attached.origin if propagated else None)


def _owners(aspects: Mapping[str, Aspect]) -> list[tuple[str, str]]:
    entries = objects(mapping(aspects.get("ownership")).get("owners"))
    return [
        (
            owner,
            urn_text.full_name(text(entry.get("typeUrn")) or "").removeprefix("__system__")
            or text(entry.get("type"))
            or "",
        )
        for entry in entries
        if (owner := text(entry.get("owner")))
    ]


def _structured(aspects: Mapping[str, Aspect]) -> list[tuple[str, str]]:
    entries = objects(mapping(aspects.get("structuredProperties")).get("properties"))
    return [
        (urn, ", ".join(clean(_value(value)) for value in array(entry.get("values"))))
        for entry in entries
        if (urn := text(entry.get("propertyUrn")))
    ]


def _value(value: object) -> str:
    """Return the value in DataHub's union: ``{"double": 768.0}`` is 768."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _container_path(aspects: Mapping[str, Aspect]) -> list[str]:
    """List the URNs or names of the asset's containers, outermost first."""
    entries = objects(mapping(aspects.get("browsePathsV2")).get("path"))
    path = [text(entry.get("urn")) or text(entry.get("id")) for entry in entries]
    container = text(mapping(aspects.get("container")).get("container"))
    return [step for step in path if step] or ([container] if container else [])


def _domains(aspects: Mapping[str, Aspect]) -> list[str]:
    return [urn for urn in array(mapping(aspects.get("domains")).get("domains")) if isinstance(urn, str)]


def _deprecation(aspects: Mapping[str, Aspect]) -> str:
    deprecation = mapping(aspects.get("deprecation"))
    return (
        (clean(text(deprecation.get("note")) or "") or "yes") if deprecation.get("deprecated") is True else ""
    )


def _removed(aspects: Mapping[str, Aspect]) -> bool:
    return mapping(aspects.get("status")).get("removed") is True


def _description(aspects: Mapping[str, Aspect]) -> str:
    """Return the description that people wrote in the catalog, or else that of the source."""
    edited = sorted(name for name in aspects if name.startswith("editable"))
    for name in (*edited, *sorted(aspects)):
        if found := text(aspects[name].get("description")) or text(aspects[name].get("definition")):
            return found
    return ""


def _custom(aspects: Mapping[str, Aspect]) -> list[tuple[str, str]]:
    every = (mapping(aspect.get("customProperties")) for _, aspect in sorted(aspects.items()))
    return sorted((str(key), str(value)) for properties in every for key, value in properties.items())


def _sql(aspects: Mapping[str, Aspect]) -> list[str]:
    view, transforms = (mapping(aspects.get(aspect)).get(key) for aspect, key in _SQL)
    found = [text(view)]
    for entry in objects(transforms):
        found.append(text(mapping(entry.get("queryStatement")).get("value")))
    return [sql for sql in found if sql]


def _last_change(aspects: Mapping[str, Aspect], latest: Mapping[str, Aspect]) -> str:
    times = [
        time
        for time in (
            mapping(mapping(aspects.get("datasetProperties")).get("lastModified")).get("time"),
            mapping(latest.get("operation")).get("lastUpdatedTimestamp"),
        )
        if isinstance(time, int) and time > 0
    ]
    return _time(max(times)) if times else ""


def _time(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)


def _number(value: int) -> str:
    return f"{value:,}"


def _paragraph(text: str) -> str:
    """Return a text of several lines, safe for a terminal and without the fences of Markdown's code blocks."""
    return "\n".join(clean(line) for line in text.strip().splitlines() if not line.startswith("```"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _in_brackets(role: str) -> str:
    return f" ({clean(role).replace('_', ' ').lower()})" if role and role != "none" else ""
