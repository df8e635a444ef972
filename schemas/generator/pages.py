"""Generates ``docs/schemas.md``, with a table for every aspect."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.properties import NAMESPACE
from generator.source import Field, Record, Schemas

HEAD = """\
# Schemas

Generated from the PDL in `schemas/` by `make schemas`: do not edit. Version of the schemas: **{version}**.

These typed aspects extend entities that DataHub already has. The local catalog always stores them; a server
stores them once it has loaded the [model plugin](install-on-server.md). Facts that people filter by are also
[structured properties](#structured-properties), which need no plugin.
[Why aspects and not entity types](decisions/0010-aspects-on-existing-entities.md).

| Aspect | On | Tab | Shown as |
|---|---|---|---|
{overview}
"""


def type_words(field: Field) -> str:
    record = field.record
    inner = record["name"] if record else field.item if field.is_array else field.avro_type
    words = f"list of {inner}" if field.is_array else str(inner)
    return words if field.optional else f"{words}, required"


def shown_where(record: Record, field: Field) -> str:
    """Describe where the UI shows the value of the field."""
    locations = []
    if record.aspect and record.shown_as == "properties":
        locations.append(f"tab, as {field.annotations['LlmopsJoined']}" if field.is_array else "tab")
    elif record.aspect and record.shown_as == "tabular":
        locations.append("tab, a row each")
    searchable = field.annotations.get("Searchable")
    if searchable:
        facet = searchable.get("filterNameOverride")
        name = searchable["fieldName"]
        locations.append(f"search `{name}`" + (f", filter {facet}" if facet else ""))
    annotation = field.annotations.get("LlmopsProperty")
    if annotation:
        locations.append(f"property `{NAMESPACE}.{annotation['name']}`")
    relationship = field.annotations.get("Relationship")
    if relationship:
        inner = relationship.get("/*", relationship)
        kind = "lineage" if inner.get("isLineage") else "relationship"
        locations.append(f"{kind} {inner['name']} to {', '.join(inner['entityTypes'])}")
    if "TimeseriesField" in field.annotations:
        locations.append("aggregated")
    return "; ".join(locations) or "nowhere"


def meaning(field: Field) -> str:
    values = field.annotations.get("LlmopsValues")
    return f"{field.doc} One of {', '.join(f'`{value}`' for value in values)}." if values else field.doc


def describe_fields(record: Record) -> Iterator[str]:
    """Yield a list of the fields of a record."""
    for field in record.fields:
        yield wrap(
            f"- **`{field.name}`** ({type_words(field)}): {meaning(field)} Shown as: {shown_where(record, field)}.",
            "  ",
        )


def wrap(text: str, indent: str = "") -> str:
    """Break a paragraph into lines of at most 120 columns, never inside code."""
    lines = [""]
    for word in re.findall(r"(?:`[^`]*`|[^\s`])+", text):
        if len(lines[-1]) + 1 + len(word) > 120:
            lines.append(indent + word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\n".join(lines)


def overview(schemas: Schemas) -> Iterator[str]:
    for record in schemas.aspects:
        aspect = record.aspect or {}
        tab = aspect.get("renderSpec", {}).get("displayName", "-")
        on = ", ".join(schemas.carriers(record.aspect_name))
        name = record.aspect_name
        yield f"| [`{name}`](#{name.lower()}) | {on} | {tab} | {record.shown_as} |"


def property_table(schemas: Schemas) -> Iterator[str]:
    yield "| Property | Name | Type | On | Filled from |"
    yield "|---|---|---|---|---|"
    rows = []
    for record in (*schemas.nested, *schemas.aspects):
        for field in record.fields:
            annotation = field.annotations.get("LlmopsProperty")
            if annotation:
                kind = annotation.get("type", "string")
                on = ", ".join(annotation["entityTypes"])
                name = f"`{annotation['name']}`"
                title = annotation["displayName"]
                rows.append(f"| {name} | {title} | {kind} | {on} | {record.name}.{field.name} |")
    yield from sorted(rows)


def render(schemas: Schemas) -> str:
    """Return the text of the page."""
    lines = [HEAD.format(version=schemas.version, overview="\n".join(overview(schemas)))]
    for record in schemas.aspects:
        lines += [f"## {record.aspect_name}", "", wrap(record.doc), "", *describe_fields(record), ""]
    lines += ["## Records inside aspects", ""]
    for record in schemas.nested:
        lines += [f"### {record.name}", "", wrap(record.doc), "", *describe_fields(record), ""]
    lines += ["## Structured properties", ""]
    lines += [
        f"The sources define these properties; their names begin with `{NAMESPACE}.`. They are also listed in",
        "`schemas/structured-properties.yaml`.",
        "",
    ]
    lines += [*property_table(schemas), ""]
    return "\n".join(lines)
