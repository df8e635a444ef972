"""Generates structured properties from the PDL. They hold the same facts for servers without the model plugin.

The package contains the list, so that the sources can define the properties. ``schemas/`` has the same list as YAML.
"""

from __future__ import annotations

from typing import Any

import yaml

from generator.source import Field, Schemas, SourceError

NAMESPACE = "datahub_llmops"
KNOWN = {
    "name",
    "displayName",
    "type",
    "entityTypes",
    "badge",
    "summary",
    "searchFilter",
    "columnsTable",
    "multiple",
}
HEAD = """\
# Generated from the PDL in schemas/ by `make schemas`: do not edit.
# For a server without the model plugin:  datahub properties upsert -f schemas/structured-properties.yaml
"""


def properties(schemas: Schemas) -> list[dict[str, Any]]:
    """List an entry with all options for every field that has ``@LlmopsProperty``, ordered by name."""
    entries: dict[str, dict[str, Any]] = {}
    origin: dict[str, str] = {}
    for record in (*schemas.nested, *schemas.aspects):
        for field in record.fields:
            annotation = field.annotations.get("LlmopsProperty")
            if annotation is None:
                continue
            where = f"{record.name}.{field.name}"
            unknown = set(annotation) - KNOWN
            if unknown:
                raise SourceError(f"{where}: @LlmopsProperty does not know {', '.join(sorted(unknown))}.")
            name = annotation["name"]
            if name in entries:
                raise SourceError(f"{where} and {origin[name]} both define the property {name}: keep one.")
            entries[name], origin[name] = build_entry(field, annotation), where
    return [entries[name] for name in sorted(entries)]


def build_entry(field: Field, annotation: dict[str, Any]) -> dict[str, Any]:
    kind = annotation.get("type", "string")
    number = field.avro_type in ("int", "long", "double")
    if number != (kind == "number"):
        raise SourceError(f"Field {field.name} is {field.avro_type}, its property {kind}: make them agree.")
    return {
        "name": annotation["name"],
        "display_name": annotation["displayName"],
        "description": field.doc,
        "value_type": kind,
        "entity_types": list(annotation["entityTypes"]),
        "multiple": annotation.get("multiple", False),
        "badge": annotation.get("badge", False),
        "summary": annotation.get("summary", True),
        "columns_table": annotation.get("columnsTable", False),
        "search_filter": annotation.get("searchFilter", True),
    }


def upsert_form(spec: dict[str, Any]) -> dict[str, Any]:
    """Return one entry in the form that ``datahub properties upsert`` reads."""
    return {
        "id": f"{NAMESPACE}.{spec['name']}",
        "display_name": spec["display_name"],
        "description": spec["description"],
        "type": spec["value_type"],
        "cardinality": "MULTIPLE" if spec["multiple"] else "SINGLE",
        "entity_types": spec["entity_types"],
        "structured_property_settings": {
            "show_as_asset_badge": spec["badge"],
            "show_in_asset_summary": spec["summary"],
            "show_in_columns_table": spec["columns_table"],
            "show_in_search_filters": spec["search_filter"],
        },
    }


def render(schemas: Schemas) -> str:
    """Return the text of the YAML file, ordered by id."""
    entries = [upsert_form(spec) for spec in properties(schemas)]
    return HEAD + yaml.safe_dump(entries, sort_keys=False, width=110, allow_unicode=True)
