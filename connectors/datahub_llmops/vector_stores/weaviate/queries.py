"""GraphQL queries that have Weaviate count objects: several questions in one query, and their answers.

https://docs.weaviate.io/weaviate/api/graphql/aggregate
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from datahub_llmops.net.json_values import array, mapping, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Asks for the number of objects of a tenant or collection, or for that number by each value of ``path``.

    ``limit`` is the maximum number of values in the answer, the most frequent ones of each shard.
    """

    tenant: str | None = None
    path: str | None = None
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A number of objects; ``value`` is ``None`` if they are not grouped."""

    count: int
    value: str | None = None


def build_query(collection: str, asks: Sequence[Ask]) -> str:
    """Build one query that gives each question an alias.

    >>> build_query("Docs", [Ask(), Ask(tenant="a", path="source", limit=9)])
    '{Aggregate{a0:Docs{meta{count}} a1:Docs(tenant:"a",groupBy:["source"],limit:9){meta{count} groupedBy{value}}}}'
    """
    return "{Aggregate{" + " ".join(_build_field(collection, at, ask) for at, ask in enumerate(asks)) + "}}"


def build_lookup(collection: str, tenants: Sequence[str | None], ids: Sequence[str]) -> str:
    """Build one query that gives each tenant an alias, and asks for those of ``ids`` that it holds.

    https://docs.weaviate.io/weaviate/api/graphql/filters#by-id

    >>> build_lookup("Docs", ["a"], ["u"])
    '{Get{a0:Docs(tenant:"a",limit:1,where:{path:["id"],operator:Equal,valueText:"u"}){_additional{id}}}}'
    """
    operands = [f'{{path:["id"],operator:Equal,valueText:{json.dumps(one)}}}' for one in ids]
    where = operands[0] if len(operands) == 1 else f"{{operator:Or,operands:[{','.join(operands)}]}}"
    fields = [
        f"a{at}:{collection}({'' if tenant is None else f'tenant:{json.dumps(tenant)},'}limit:{len(ids)},"
        f"where:{where}){{_additional{{id}}}}"
        for at, tenant in enumerate(tenants)
    ]
    return "{Get{" + " ".join(fields) + "}}"


def parse_lookup(answer: object, tenants: Sequence[str | None]) -> list[str] | None:
    """Return the ids that were found in any of the tenants; ``None`` if the answer has an unexpected shape."""
    found = mapping(mapping(mapping(answer).get("data")).get("Get"))
    lists = [found.get(f"a{at}") for at in range(len(tenants))]
    entries = [entry for one in lists for entry in array(one)]
    ids = [one for entry in entries if (one := text(mapping(mapping(entry).get("_additional")).get("id")))]
    return ids if all(isinstance(one, list) for one in lists) and len(ids) == len(entries) else None


def parse_results(answer: object, asks: Sequence[Ask]) -> list[list[Group]] | None:
    """Return the groups of each question; ``None`` if the answer has an unexpected shape."""
    found = mapping(mapping(mapping(answer).get("data")).get("Aggregate"))
    results: list[list[Group]] = []
    for at, ask in enumerate(asks):
        # Without objects a grouped answer is empty.
        entries = found.get(f"a{at}")
        groups = list(_parse_groups(entries, ask)) if isinstance(entries, list) else []
        counted = [group for group in groups if group is not None]
        wrong = len(counted) < len(groups) or (ask.path is None and len(counted) != 1)
        if not isinstance(entries, list) or wrong:
            return None
        results.append(counted)
    return results


def _build_field(collection: str, at: int, ask: Ask) -> str:
    # Strings in GraphQL are written as in JSON. Names of collections and properties are valid in GraphQL as they are.
    given = [] if ask.tenant is None else [f"tenant:{json.dumps(ask.tenant)}"]
    selection = "{meta{count}}"
    if ask.path is not None:
        given += [f"groupBy:[{json.dumps(ask.path)}]", f"limit:{ask.limit}"]
        selection = "{meta{count} groupedBy{value}}"
    return f"a{at}:{collection}{'(' + ','.join(given) + ')' if given else ''}{selection}"


def _parse_groups(entries: Sequence[Any], ask: Ask) -> Iterator[Group | None]:
    for entry in map(mapping, entries):
        count = whole(mapping(entry.get("meta")).get("count"))
        value = mapping(entry.get("groupedBy")).get("value")
        if count is None or count < 0 or (ask.path is not None and not isinstance(value, str)):
            yield None
        else:
            yield Group(count=count, value=value if ask.path is not None else None)


def parse_value(group: Group, data_type: str) -> str:
    """Return the value that the objects of a group have. Weaviate writes integers as floats.

    >>> parse_value(Group(count=1, value="3.1e+07"), "int"), parse_value(Group(count=1, value="1e3"), "text")
    ('31000000', '1e3')
    """
    written = group.value or ""
    if data_type == "int":
        with suppress(ValueError, OverflowError):
            return str(int(float(written)))
    return written


def has_errors(answer: object) -> tuple[bool, bool]:
    """Return whether a GraphQL answer has errors, and whether one is a refusal. Error texts may quote values."""
    errors: Any = mapping(answer).get("errors")
    words = [str(mapping(item).get("message")) for item in errors] if isinstance(errors, list) else []
    return bool(errors), any("forbidden" in word.lower() for word in words)
