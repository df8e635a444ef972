"""Reads lineage edges out of an aspect, by the lineage annotations in DataHub's own Avro schemas.

Every field with a ``Relationship`` annotation that says ``isLineage`` is read, in any aspect that is registered in
DataHub's ``ASPECT_MAP`` at the time of the call, so aspects that are registered later are read too. Only column
lineage (``fineGrainedLineages``) has no such annotation and is known by its record type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeAlias

from avrogen.dict_wrapper import DictWrapper
from datahub.emitter.aspect import ASPECT_MAP

from datahub_llmops.catalog.confirmation import NOT_CONFIRMED_SINCE
from datahub_llmops.catalog.protocol import ColumnPair, Edge
from datahub_llmops.catalog.urn_text import asset_of, entity_type
from datahub_llmops.net.json_values import text

_FINE_GRAINED = "FineGrainedLineage"

Aspects: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Aspects by name, by URN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEdge:
    """An edge between two columns. ``via`` is the job between them, or ``None`` for an edge of the dataset itself."""

    pair: ColumnPair
    aspect: str
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """The paths in an aspect to its edges: to each entry, and within it to the URN and the properties."""

    entries: tuple[str, ...]
    urn: tuple[str, ...]
    properties: tuple[str, ...] | None
    upstream: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    edges: tuple[_Rule, ...]
    columns: tuple[tuple[str, ...], ...]


_NOTHING = _Rules(edges=(), columns=())


def carries_lineage(aspect_name: str) -> bool:
    """Return whether an aspect of this name can have lineage."""
    return _rules(aspect_name) != _NOTHING


def edges_of(urn: str, aspect_name: str, aspect: Mapping[str, Any]) -> list[Edge]:
    """List the edges in an aspect of ``urn``, in its order, without columns.

    An end that is in several places of the aspect (``inputDatasets`` and ``inputDatasetEdges``) is one edge with the
    ways of all of them.
    """
    found: dict[tuple[str, str], Edge] = {}
    for rule in _rules(aspect_name).edges:
        for entry in _at(aspect, rule.entries):
            properties = _properties(entry, rule.properties)
            for end in _at(entry, rule.urn):
                if isinstance(end, str) and end.startswith("urn:li:"):
                    up, down = (end, urn) if rule.upstream else (urn, end)
                    before = found.get((up, down))
                    ways, since = (before.found_by, before.not_confirmed_since) if before else ((), None)
                    found[up, down] = Edge(
                        upstream=up,
                        downstream=down,
                        aspect=aspect_name,
                        found_by=tuple(dict.fromkeys((*ways, *_found_by(properties)))),
                        not_confirmed_since=since or text(properties.get(NOT_CONFIRMED_SINCE)),
                    )
    return list(found.values())


def column_edges_of(urn: str, aspect_name: str, aspect: Mapping[str, Any]) -> list[ColumnEdge]:
    """List the distinct column edges in an aspect of ``urn``, in its order. Ends that are not columns are left out."""
    found: dict[ColumnEdge, None] = {}
    for path in _rules(aspect_name).columns:
        for entry in _at(aspect, path):
            if isinstance(entry, dict):
                for up, down in product(_columns(entry.get("upstreams")), _columns(entry.get("downstreams"))):
                    pair = ColumnPair(upstream=up, downstream=down)
                    via = None if asset_of(down) == urn else urn
                    found[ColumnEdge(pair=pair, aspect=aspect_name, via=via)] = None
    return list(found)


def edges_in(aspects: Aspects) -> dict[tuple[str, str, str], Edge]:
    """Map upstream, downstream and aspect to each edge in the aspects of many assets, with its pairs of columns."""
    pairs: dict[tuple[str, str, str], set[ColumnPair]] = {}
    for step in column_edges_in(aspects):
        start = step.via or asset_of(step.pair.upstream)
        pairs.setdefault((start, asset_of(step.pair.downstream), step.aspect), set()).add(step.pair)
    found: dict[tuple[str, str, str], Edge] = {}
    for urn, named in aspects.items():
        for name, aspect in named.items():
            for edge in edges_of(urn, name, aspect):
                key = (edge.upstream, edge.downstream, edge.aspect)
                found[key] = replace(edge, columns=tuple(sorted(pairs.get(key, ()))))
    return found


def column_edges_in(aspects: Aspects) -> list[ColumnEdge]:
    """List every column edge in the aspects of many assets."""
    return [
        step
        for urn, named in aspects.items()
        for name, aspect in named.items()
        for step in column_edges_of(urn, name, aspect)
    ]


def _columns(urns: object) -> list[str]:
    if not isinstance(urns, list):
        return []
    return [urn for urn in urns if isinstance(urn, str) and entity_type(urn) == "schemaField"]


def _properties(entry: object, path: tuple[str, ...] | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    return next((found for found in _at(entry, path) if isinstance(found, dict)), {})


def _found_by(properties: Mapping[str, Any]) -> tuple[str, ...]:
    ways = text(properties.get("found_by")) or ""
    return tuple(way for part in ways.split(",") if (way := part.strip()))


def _at(node: object, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield every value at ``path``, in which ``*`` means the entries of an array or a map."""
    if not path:
        if node is not None:
            yield node
        return
    step, rest = path[0], path[1:]
    if step == "*":
        entries = node if isinstance(node, list) else node.values() if isinstance(node, dict) else ()
        for entry in entries:
            yield from _at(entry, rest)
    elif isinstance(node, dict) and step in node:
        yield from _at(node[step], rest)


def _rules(aspect_name: str) -> _Rules:
    aspect_class = ASPECT_MAP.get(aspect_name)
    if aspect_class is None:
        return _NOTHING
    rules = _COMPILED.get(aspect_class)
    if rules is None:
        rules = _COMPILED[aspect_class] = _compile(aspect_class)
    return rules


_COMPILED: dict[type[DictWrapper], _Rules] = {}


def _compile(aspect_class: type[DictWrapper]) -> _Rules:
    edges: list[_Rule] = []
    columns: list[tuple[str, ...]] = []
    _read_record(aspect_class.RECORD_SCHEMA, (), frozenset(), edges, columns)
    return _Rules(edges=tuple(edges), columns=tuple(columns))


def _read_record(
    schema: Any,
    path: tuple[str, ...],
    above: frozenset[str],
    edges: list[_Rule],
    columns: list[tuple[str, ...]],
) -> None:
    if schema.fullname in above:
        return
    for field in schema.fields:
        here = (*path, field.name)
        for tail, relationship in _relationships(field):
            if relationship.get("isLineage"):
                edges.append(_rule((*here, *tail), relationship))
        for below, record in _records(field.type, here):
            if record.name == _FINE_GRAINED:
                columns.append(below)
            else:
                _read_record(record, below, above | {schema.fullname}, edges, columns)


def _relationships(field: Any) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """List the annotations of a field, on itself or on a path below it (``/*/destinationUrn``)."""
    annotation = field.other_props.get("Relationship")
    if not isinstance(annotation, dict):
        return
    if "name" in annotation and not isinstance(annotation["name"], dict):
        yield ("*",) if _is_list(field.type) else (), annotation
        return
    for path, relationship in annotation.items():
        if isinstance(relationship, dict):
            yield tuple(part for part in path.split("/") if part), relationship


def _is_list(schema: Any) -> bool:
    if schema.type == "union":
        return any(_is_list(branch) for branch in schema.schemas)
    return bool(schema.type in ("array", "map"))


def _records(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if schema.type == "record":
        yield path, schema
    elif schema.type == "array":
        yield from _records(schema.items, (*path, "*"))
    elif schema.type == "map":
        yield from _records(schema.values, (*path, "*"))
    elif schema.type == "union":
        branches = [branch for branch in schema.schemas if branch.type != "null"]
        for branch in branches:
            # A union of several records is written with the record's name around it.
            wrapped = len(branches) > 1 and branch.type == "record"
            name = (
                (branch.fullname.replace("com.linkedin.pegasus2avro.", "com.linkedin.", 1),)
                if wrapped
                else ()
            )
            yield from _records(branch, (*path, *name))


def _rule(path: tuple[str, ...], relationship: Mapping[str, Any]) -> _Rule:
    cut = len(path) - path[::-1].index("*") if "*" in path else 0
    entries = path[:cut]
    properties: tuple[str, ...] | None = None
    if isinstance(named := relationship.get("properties"), str):
        parts = tuple(part for part in named.split("/") if part)
        if parts[:cut] == entries:
            properties = parts[cut:]
    return _Rule(
        entries=entries,
        urn=path[cut:],
        properties=properties,
        upstream=relationship.get("isUpstream", True) is not False,
    )
