"""What a declared job says of the tables whose columns it could not trace, on its edge to the index. Pure.

Such a job has a table edge from each of them, and perhaps column edges. A column without an edge may flow nevertheless.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from datahub_llmops.net.json_values import mapping, text

UNTRACED_TABLES: Final = "stopped_at_tables"
"""Property of a job's edge to an index: the URNs of the tables, as a JSON list. It is absent if there are none."""

Untraced: TypeAlias = Mapping[tuple[str, str], frozenset[str]]
"""Job and index -> the tables of which the job may carry columns into the index that no column edge shows."""


def write_untraced(tables: Iterable[str]) -> str:
    """Return the value of the property."""
    return json.dumps(sorted(tables), ensure_ascii=False)


def read_untraced(properties: Mapping[str, Any]) -> frozenset[str]:
    """Return the tables that the properties of an edge name; none if the property is absent or unreadable."""
    try:
        named = json.loads(text(properties.get(UNTRACED_TABLES)) or "[]")
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(urn for urn in named if isinstance(urn, str)) if isinstance(named, list) else frozenset()


def untraced_of(aspects: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Untraced:
    """Collect the property from the aspects of jobs."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for job, named in aspects.items():
        edges = mapping(named.get("dataJobInputOutput")).get("outputDatasetEdges")
        for edge in edges if isinstance(edges, list) else ():
            index = text(mapping(edge).get("destinationUrn"))
            tables = read_untraced(mapping(mapping(edge).get("properties")))
            if index and tables:
                found[job, index] = tables
    return found
