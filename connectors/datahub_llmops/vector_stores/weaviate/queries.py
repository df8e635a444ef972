"""What Weaviate counts over GraphQL: several questions in one query, and their answers.

https://docs.weaviate.io/weaviate/api/graphql/aggregate
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from datahub_llmops.net.json_values import mapping, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Of one tenant, or of all: how many objects there are; or which values of ``path`` how many of them carry.

    ``limit`` is how many different values are told at most, the most frequent ones of each shard.
    """

    tenant: str | None = None
    path: str | None = None
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """``value`` is ``None`` where an answer groups by nothing."""

    count: int
    value: str | None = None


def query_of(collection: str, asks: Sequence[Ask]) -> str:
    """One query, each question under a name of its own.

    >>> query_of("Docs", [Ask(), Ask(tenant="a", path="source", limit=9)])
    '{Aggregate{a0:Docs{meta{count}} a1:Docs(tenant:"a",groupBy:["source"],limit:9){meta{count} groupedBy{value}}}}'
    """
    return "{Aggregate{" + " ".join(_field(collection, at, ask) for at, ask in enumerate(asks)) + "}}"


def results_of(answer: object, asks: Sequence[Ask]) -> list[list[Group]] | None:
    """For each question its groups; ``None`` where the answer has another shape."""
    found = mapping(mapping(mapping(answer).get("data")).get("Aggregate"))
    results: list[list[Group]] = []
    for at, ask in enumerate(asks):
        # Of no objects at all Weaviate says nothing where it groups.
        entries = found.get(f"a{at}")
        groups = list(_groups(entries, ask)) if isinstance(entries, list) else []
        counted = [group for group in groups if group is not None]
        wrong = len(counted) < len(groups) or (ask.path is None and len(counted) != 1)
        if not isinstance(entries, list) or wrong:
            return None
        results.append(counted)
    return results


def _field(collection: str, at: int, ask: Ask) -> str:
    # GraphQL writes strings as JSON does. Collections and properties are named as GraphQL allows.
    given = [] if ask.tenant is None else [f"tenant:{json.dumps(ask.tenant)}"]
    selection = "{meta{count}}"
    if ask.path is not None:
        given += [f"groupBy:[{json.dumps(ask.path)}]", f"limit:{ask.limit}"]
        selection = "{meta{count} groupedBy{value}}"
    return f"a{at}:{collection}{'(' + ','.join(given) + ')' if given else ''}{selection}"


def _groups(entries: Sequence[Any], ask: Ask) -> Iterator[Group | None]:
    for entry in map(mapping, entries):
        count = whole(mapping(entry.get("meta")).get("count"))
        value = mapping(entry.get("groupedBy")).get("value")
        if count is None or count < 0 or (ask.path is not None and not isinstance(value, str)):
            yield None
        else:
            yield Group(count=count, value=value if ask.path is not None else None)


def value_of(group: Group, data_type: str) -> str:
    """What the objects of a group carry. Weaviate writes whole numbers as its floats.

    >>> value_of(Group(count=1, value="3.1e+07"), "int"), value_of(Group(count=1, value="1e3"), "text")
    ('31000000', '1e3')
    """
    written = group.value or ""
    if data_type == "int":
        with suppress(ValueError, OverflowError):
            return str(int(float(written)))
    return written


def has_errors(answer: object) -> tuple[bool, bool]:
    """Does an answer of GraphQL speak of errors, and of one that is a refusal? Its words may hold values."""
    errors: Any = mapping(answer).get("errors")
    words = [str(mapping(item).get("message")) for item in errors] if isinstance(errors, list) else []
    return bool(errors), any("forbidden" in word.lower() for word in words)
