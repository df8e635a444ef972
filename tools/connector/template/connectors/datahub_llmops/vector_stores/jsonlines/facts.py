"""What the lines of a file say about a collection. Nothing here opens a file or a connection."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from datahub_llmops.errors import UnreadableError
from datahub_llmops.ingestion import Collection, Container, Name, ValueCounter, Vector, infer

SAMPLE: Final = 1000
"""Rows that payload fields are inferred from."""


def collection_of(
    name: Name,
    lines: Iterable[str],
    *,
    folder: str,
    stat: os.stat_result,
    provenance_fields: Sequence[str],
    max_values: int,
) -> Collection:
    """Parse all lines of a collection.

    Raises:
        UnreadableError: a line is not a point. The message names the line and shows nothing of it.
    """
    provenance = ValueCounter(provenance_fields, max_values)
    sample: list[dict[str, Any]] = []
    dimension: int | None = None
    for number, line in enumerate(lines, start=1):
        try:
            point = json.loads(line)
            payload, dimension = point["payload"], dimension or len(point["vector"])
        except (ValueError, KeyError, TypeError):
            # Not `from error`: the error of json holds the line, and a payload never leaves the process.
            raise _no_point(name, number, "vector and payload") from None
        provenance.add_rows([payload])
        if len(sample) < SAMPLE:
            sample.append(payload)
    return Collection(
        name=name,
        containers=(Container(kind="Folder", name=folder),),
        vectors=(Vector(name="vector", dimension=dimension),),
        fields=infer(sample, complete=provenance.rows <= SAMPLE),
        count=provenance.rows,
        size_bytes=stat.st_size or None,
        modified=datetime.fromtimestamp(stat.st_mtime, tz=UTC),
        provenance=provenance.result(provenance.rows),
    )


def ids_of(name: Name, lines: Iterable[str]) -> Iterator[str]:
    """Yield the id of each point.

    Raises:
        UnreadableError: a line is not a point with an id.
    """
    for number, line in enumerate(lines, start=1):
        try:
            yield str(json.loads(line)["id"])
        except (ValueError, KeyError, TypeError):
            raise _no_point(name, number, "an id") from None


def _no_point(name: Name, number: int, what: str) -> UnreadableError:
    return UnreadableError(
        f"JSON lines: {'.'.join(name)}, line {number} is not a point with {what}. Check the file."
    )
