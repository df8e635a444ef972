"""Usage that several counted: the hooks on their hosts, readers of spans, and tools with traces of the same calls.

The records of hosts and of spans are added up: spans that a host recorded as well are counted apart, as
``source=spans@<host>``, and left out on days that the host counted. What a tool counted on a day that hosts or spans
counted too covers the same calls, so it is left out. ``docs/hooks.md`` says how the partitions are named. Standard
library only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.net.json_values import mapping, text

SPANS: Final = "source=spans"
"""Who counts the answers of spans."""
_HOST: Final = "host="
_SOURCE: Final = "source="
_SPANS_OF_HOST: Final = f"{SPANS}@"


def by_host(host: str) -> str:
    """Return who counts the answers that a host recorded."""
    return f"{_HOST}{host}"


def by_spans(host: str | None) -> str:
    """Return who counts the answers of spans; ``host`` has an answer store that takes them as well."""
    return SPANS if host is None else f"{_SPANS_OF_HOST}{host}"


def counted_by(record: Aspect) -> tuple[str, bool]:
    """Return who counted a record, ``host=<host>`` or ``source=<tool>``, and whether it is the whole and not a part."""
    partition = text(mapping(record.get("partitionSpec")).get("partition")) or ""
    who, slash, _ = partition.partition("/")
    return who, not slash


def hosts_days(records: Iterable[Aspect]) -> set[int]:
    """List the days, in milliseconds since 1970, that a host or a reader of spans counted."""
    return {
        day
        for record in records
        if _saw_calls(counted_by(record)[0]) and isinstance(day := record.get("timestampMillis"), int)
    }


def days_of_hosts(records: Iterable[Aspect]) -> set[tuple[str, int]]:
    """List who counted which day, in milliseconds since 1970, of those that are hosts."""
    found = ((counted_by(record)[0], record.get("timestampMillis")) for record in records)
    return {(who, day) for who, day in found if who.startswith(_HOST) and isinstance(day, int)}


def _saw_calls(who: str) -> bool:
    return who.startswith((_HOST, _SPANS_OF_HOST)) or who == SPANS


def records_to_add(records: Iterable[Aspect]) -> list[Aspect]:
    """List the records of one asset's usage whose sum is its usage, without parts and without what counts twice.

    >>> day = {"timestampMillis": 0}
    >>> host, tool = ({**day, "partitionSpec": {"partition": who}} for who in ("host=a", "source=langfuse"))
    >>> len(records_to_add([host, tool])), len(records_to_add([tool]))
    (1, 1)
    """
    every = list(records)
    seen, hosts = hosts_days(every), days_of_hosts(every)
    whole = [(record, who) for record in every for who, is_whole in (counted_by(record),) if is_whole]
    return [
        record for record, who in whole if not _is_repeated(who, record.get("timestampMillis"), seen, hosts)
    ]


def _is_repeated(who: str, day: object, seen: set[int], hosts: set[tuple[str, int]]) -> bool:
    """Whether somebody closer to the calls counted a record's day as well."""
    if who.startswith(_SPANS_OF_HOST):
        return (by_host(who.removeprefix(_SPANS_OF_HOST)), day) in hosts
    return who.startswith(_SOURCE) and who != SPANS and day in seen
