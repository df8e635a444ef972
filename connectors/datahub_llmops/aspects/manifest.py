"""What the package knows of its schemas without DataHub: for the command, which has to start at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeAlias

REGISTRY: Final = "datahub-llmops"
"""Name of the model plugin among a server's registries."""

VersionKey: TypeAlias = tuple[tuple[int, ...], int]


@cache
def package_data() -> Mapping[str, Any]:
    """``aspects/data/schemas.json``: version, archive, entities, fields by version, Avro schemas."""
    text = (files("datahub_llmops.aspects") / "data" / "schemas.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def version_key(version: str) -> VersionKey:
    """Orders versions as the server does, for those made of numbers and an optional word behind them."""
    numbers, _, word = version.partition("-")
    parts = [int(part) for part in re.findall(r"\d+", numbers)]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts), -1 if word else 0


def aspect_names() -> frozenset[str]:
    """Aspects that a server takes only with the model plugin."""
    return frozenset(schema["Aspect"]["name"] for schema in package_data()["schemas"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One tab as a server's UI shows it: ``columns`` are Name and Value, or those of the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tabs(aspects: Mapping[str, Any]) -> list[Tab]:
    """The tabs of one asset, in the order of the schemas; values that a tab shows blank are left out.

    Args:
        aspects: aspect name -> plain JSON.
    """
    found = []
    for schema in package_data()["schemas"]:
        annotation = schema["Aspect"]
        value = aspects.get(annotation["name"])
        if not isinstance(value, dict) or "renderSpec" not in annotation:
            continue
        render = annotation["renderSpec"]
        if render["displayType"] == "tabular":
            tab = _table(render["displayName"], value.get(render["key"]))
        else:
            rows = tuple((field["name"], _text(value.get(field["name"]))) for field in schema["fields"])
            tab = Tab(
                title=render["displayName"],
                columns=("Name", "Value"),
                rows=tuple(row for row in rows if row[1]),
            )
        if tab.rows:
            found.append(tab)
    return found


def _table(title: str, rows: object) -> Tab:
    entries = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    columns = tuple(entries[0]) if entries else ()
    return Tab(
        title=title,
        columns=columns,
        rows=tuple(tuple(_text(row.get(column)) for column in columns) for row in entries),
    )


def _text(value: object) -> str:
    """As the UI writes a scalar; lists and records are blank there."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""
