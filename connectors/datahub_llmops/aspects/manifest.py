"""The schemas of this package, read without importing DataHub, because the command has to start fast."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeAlias

REGISTRY: Final = "datahub-llmops"
"""Name of the model plugin in a server's list of registries."""

VersionKey: TypeAlias = tuple[tuple[int, ...], int]


@cache
def package_data() -> Mapping[str, Any]:
    """Read ``aspects/data/schemas.json``: version, archive, entities, fields by version, and Avro schemas."""
    text = (files("datahub_llmops.aspects") / "data" / "schemas.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def version_key(version: str) -> VersionKey:
    """Return a sort key that orders versions as the server does. A version is numbers and an optional suffix."""
    numbers, _, word = version.partition("-")
    parts = [int(part) for part in re.findall(r"\d+", numbers)]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts), -1 if word else 0


def aspect_names() -> frozenset[str]:
    """Return the names of the aspects that a server accepts only with the model plugin."""
    return frozenset(schema["Aspect"]["name"] for schema in package_data()["schemas"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One tab as the UI of a server shows it. ``columns`` are Name and Value, or the columns of a table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tabs(aspects: Mapping[str, Any]) -> list[Tab]:
    """Build the tabs of one asset, in the order of the schemas, without values that the UI shows blank.

    Args:
        aspects: maps aspect names to plain JSON.
    """
    result = []
    for schema in package_data()["schemas"]:
        annotation = schema["Aspect"]
        value = aspects.get(annotation["name"])
        if not isinstance(value, dict) or "renderSpec" not in annotation:
            continue
        render = annotation["renderSpec"]
        if render["displayType"] == "tabular":
            tab = _build_table(render["displayName"], value.get(render["key"]))
        else:
            rows = tuple((field["name"], _text(value.get(field["name"]))) for field in schema["fields"])
            tab = Tab(
                title=render["displayName"],
                columns=("Name", "Value"),
                rows=tuple(row for row in rows if row[1]),
            )
        if tab.rows:
            result.append(tab)
    return result


def _build_table(title: str, rows: object) -> Tab:
    entries = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    columns = tuple(entries[0]) if entries else ()
    return Tab(
        title=title,
        columns=columns,
        rows=tuple(tuple(_text(row.get(column)) for column in columns) for row in entries),
    )


def _text(value: object) -> str:
    """Format a scalar as the UI does. The UI shows lists and records blank."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""
