"""Row numbers of assets in the local catalog: whatever is named gets one, whether or not it is ever emitted."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.aspect_facts import last_part

_CACHED_IDS = 5_000


class AssetIds:
    """Finds and makes row numbers, and remembers the last ones."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._ids: OrderedDict[str, int] = OrderedDict()

    def forget(self) -> None:
        """Forget all numbers: those that were made may have been rolled back."""
        self._ids.clear()

    def of(self, urn: str) -> int:
        """Return the row number of an asset, and give it one if it has none."""
        known = self._ids.get(urn)
        if known is not None:
            self._ids.move_to_end(urn)
            return known
        row = self._db.execute("select id from asset where urn = ?", (urn,)).fetchone()
        asset = int(row[0]) if row else self._insert(urn)
        self._ids[urn] = asset
        if len(self._ids) > _CACHED_IDS:
            self._ids.popitem(last=False)
        return asset

    def _insert(self, urn: str) -> int:
        kind = urn_text.entity_type(urn)
        is_column = kind == "schemaField"
        cursor = self._db.execute(
            "insert into asset (urn, type, parent, folded, leaf) values (?, ?, ?, ?, ?)",
            (
                urn,
                kind,
                self.of(urn_text.asset_of(urn)) if is_column and urn_text.asset_of(urn) != urn else None,
                urn.casefold() if kind == "dataset" else None,
                None if is_column else last_part(urn_text.full_name(urn)).casefold(),
            ),
        )
        return int(cursor.lastrowid or 0)
