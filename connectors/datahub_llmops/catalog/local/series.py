"""Adds records to the time series of the local catalog."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Any

from datahub_llmops.catalog.local.asset_ids import AssetIds
from datahub_llmops.catalog.local.encoding import json_text
from datahub_llmops.catalog.local.spool import Change, RefusedError

_STATES = frozenset({"datasetProfile", "operation"})
_MEASURED = "datasetProfile"
"""A measurement: that it was taken again is news, even if it found the same."""


class SeriesWriter:
    """Adds records one by one, and counts those that say something new."""

    def __init__(self, connection: sqlite3.Connection, ids: AssetIds) -> None:
        self._db = connection
        self._ids = ids
        self.changed: Counter[str] = Counter()
        """By aspect name."""
        self.unchanged = 0

    def add(self, change: Change) -> None:
        """Add a record, unless it says again what the last one said.

        Of equal measurements the first and the last are kept, since what a profile says holds up to the last one.

        Raises:
            RefusedError: it has no time that can be stored.
        """
        asset, record = self._ids.of(change.urn), json.loads(change.body)
        at = record.get("timestampMillis")
        if not isinstance(at, int) or isinstance(at, bool):
            raise RefusedError("a time series record without timestampMillis")
        if not -(2**63) <= at < 2**63:
            raise RefusedError("a time series record whose timestampMillis is beyond 64 bits")
        partition, granularity = (
            json_text(record.get(part)) for part in ("partitionSpec", "eventGranularity")
        )
        key = (asset, change.aspect, partition, at, granularity, str(record.get("messageId") or ""))
        same_key = self._db.execute(
            "select body from series where asset = ? and name = ? and partition = ? and at = ? and granularity = ? "
            "and message = ?",
            key,
        ).fetchone()
        if (
            same_key is not None
            and change.aspect == "operation"
            and _ended(same_key[0]) > _ended(change.body)
        ):
            self.unchanged += 1  # Reported in the same millisecond: the later of two operations says more.
            return
        last = same_key or (self._last(key) if _is_state(change.aspect, record) else None)
        if last is not None and _lasting(json.loads(last[0])) == _lasting(record):
            self.unchanged += 1
            if same_key is None and change.aspect == _MEASURED:
                self._keep_last(key, change.body)
            return
        self._put(key, change.body)
        self.changed[change.aspect] += 1

    def _put(self, key: tuple[object, ...], body: str) -> None:
        self._db.execute("insert or replace into series values (null, ?, ?, ?, ?, ?, ?, ?)", (*key, body))

    def _keep_last(self, key: tuple[object, ...], body: str) -> None:
        """Keep a record equal to the one before it. It replaces that one if that was a repetition itself."""
        (repeated, before), *earlier = self._before(key, 2)
        if earlier and _lasting(json.loads(earlier[0][1])) == _lasting(json.loads(before)):
            self._db.execute("delete from series where id = ?", (repeated,))
        self._put(key, body)

    def _last(self, key: tuple[object, ...]) -> tuple[str] | None:
        return next(((body,) for _, body in self._before(key, 1)), None)

    def _before(self, key: tuple[object, ...], most: int) -> list[tuple[int, str]]:
        """Read the ids and bodies of the last records up to the time of ``key``, the newest first."""
        return self._db.execute(
            "select id, body from series where asset = ? and name = ? and partition = ? and at <= ? "
            "order by at desc, id desc limit ?",
            (*key[:4], most),
        ).fetchall()


def _ended(operation: str) -> int:
    at = json.loads(operation).get("lastUpdatedTimestamp")
    return at if isinstance(at, int) else 0


def _is_state(name: str, record: Mapping[str, Any]) -> bool:
    """Whether the record is a state, which a second run repeats: a profile, the last operation, total usage.

    An event (a run, an assertion's result) or a bucket of usage is a new fact whenever its time is new.
    """
    return name in _STATES or (name.endswith("UsageStatistics") and record.get("eventGranularity") is None)


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in record.items() if key not in ("timestampMillis", "messageId", "runId")
    }
