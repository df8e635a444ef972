"""Keeps the changes of a run in a temporary file until they are applied, so that memory does not grow."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_IN_MEMORY = 1 << 20


class Op(StrEnum):
    """What to do with the body of a change."""

    UPSERT = "U"
    CREATE = "C"
    CREATE_ENTITY = "E"
    PATCH = "P"
    SERIES = "S"
    DELETE = "D"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One aspect of one asset to be written. ``body`` is JSON on one line.

    ``quietly``: a refused CREATE is not a failure, as with the header ``If-None-Match: *``.
    """

    op: Op
    urn: str
    aspect: str
    body: str
    quietly: bool = False


class RefusedError(ValueError):
    """One change cannot be applied, as a server would refuse it. Nothing of it was stored; the other changes go on."""


class Spool:
    """Changes in the order of arrival. Small runs stay in memory, and no file is created before the first change."""

    def __init__(self) -> None:
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self.count = 0

    def add(self, *changes: Change) -> None:
        """Add all of ``changes``, or none.

        Raises:
            UnicodeEncodeError: a text is not valid Unicode.
            OSError: the disk for temporary files is full or cannot be written to; the spool is of no more use.
        """
        lines = b"".join(_lines(change) for change in changes)
        if self._file is None:
            # Closed in clear(): it lives as long as the run.
            self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, prefix="datahub-llmops-")  # noqa: SIM115
        self._file.write(lines)
        self.count += len(changes)

    def changes(self) -> Iterator[Change]:
        """Yield all changes, first to last. It may be called again.

        Raises:
            OSError: what was added last could not be written to the disk for temporary files.
        """
        if self._file is None:
            return
        self._file.seek(0)
        for head in self._file:
            op, urn, aspect, quietly = json.loads(head)
            body = self._file.readline().decode().rstrip("\n")
            yield Change(op=Op(op), urn=urn, aspect=aspect, body=body, quietly=quietly)

    def clear(self) -> None:
        """Drop all changes, and free the disk space. It may be called twice."""
        if self._file is not None:
            # What a full disk did not take is of no more interest.
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None
        self.count = 0


def _lines(change: Change) -> bytes:
    head = json.dumps((change.op.value, change.urn, change.aspect, change.quietly), ensure_ascii=False)
    return f"{head}\n{change.body}\n".encode()
