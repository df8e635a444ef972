"""``structured-properties.yaml``: the same facts for servers without the plugin, from the PDL."""

from __future__ import annotations

from collections.abc import Iterator
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
}
HEAD = """\
# Generated from the PDL in schemas/ by `make schemas`: do not edit.
# For a server without the model plugin:  datahub properties upsert -f schemas/structured-properties.yaml
"""


def properties(schemas: Schemas) -> Iterator[dict[str, Any]]:
    """One entry for every field with ``@LlmopsProperty``, in the form of ``datahub properties upsert``."""
    seen: dict[str, str] = {}
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
            if name in seen:
                raise SourceError(f"{where} and {seen[name]} both define the property {name}: keep one.")
            seen[name] = where
            yield entry(field, annotation)


def entry(field: Field, annotation: dict[str, Any]) -> dict[str, Any]:
    kind = annotation.get("type", "string")
    number = field.avro_type in ("int", "long", "double")
    if number != (kind == "number"):
        raise SourceError(f"Field {field.name} is {field.avro_type}, its property {kind}: make them agree.")
    return {
        "id": f"{NAMESPACE}.{annotation['name']}",
        "display_name": annotation["displayName"],
        "description": field.doc,
        "type": kind,
        "cardinality": "SINGLE",
        "entity_types": list(annotation["entityTypes"]),
        "structured_property_settings": {
            "show_as_asset_badge": annotation.get("badge", False),
            "show_in_asset_summary": annotation.get("summary", True),
            "show_in_columns_table": annotation.get("columnsTable", False),
            "show_in_search_filters": annotation.get("searchFilter", True),
        },
    }


def render(schemas: Schemas) -> str:
    """The text of the YAML file, ordered by id."""
    found = sorted(properties(schemas), key=lambda item: item["id"])
    return HEAD + yaml.safe_dump(found, sort_keys=False, width=110, allow_unicode=True)
