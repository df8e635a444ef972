"""Usage that several counted: the hooks on their hosts, and tools with traces of the same calls.

The records of hosts are added up. What a tool counted on a day that hosts counted too is the same calls once more, so
it is left out. ``docs/hooks.md`` says how the partitions are named. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable

from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.net.json_values import mapping, text

_HOST = "host="
_SOURCE = "source="


def counted_by(record: Aspect) -> tuple[str, bool]:
    """Return who counted a record, ``host=<host>`` or ``source=<tool>``, and whether it is the whole and not a part."""
    partition = text(mapping(record.get("partitionSpec")).get("partition")) or ""
    who, slash, _ = partition.partition("/")
    return who, not slash


def hosts_days(records: Iterable[Aspect]) -> set[int]:
    """List the days, in milliseconds since 1970, that a host counted."""
    return {
        day
        for record in records
        if counted_by(record)[0].startswith(_HOST) and isinstance(day := record.get("timestampMillis"), int)
    }


def records_to_add(records: Iterable[Aspect]) -> list[Aspect]:
    """List the records of one asset's usage whose sum is its usage, without parts and without what counts twice.

    >>> day = {"timestampMillis": 0}
    >>> host, tool = ({**day, "partitionSpec": {"partition": who}} for who in ("host=a", "source=langfuse"))
    >>> len(records_to_add([host, tool])), len(records_to_add([tool]))
    (1, 1)
    """
    every = list(records)
    hosts = hosts_days(every)
    whole = [(record, who) for record in every for who, is_whole in (counted_by(record),) if is_whole]
    return [
        record
        for record, who in whole
        if not (who.startswith(_SOURCE) and record.get("timestampMillis") in hosts)
    ]
