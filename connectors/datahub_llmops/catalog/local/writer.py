"""Applies the changes of a run to the tables of the local catalog, within one transaction that the caller owns."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from datahub_llmops.catalog.aspect_facts import read_columns
from datahub_llmops.catalog.local.asset_ids import AssetIds
from datahub_llmops.catalog.local.derived import Derived
from datahub_llmops.catalog.local.encoding import (
    InvalidAspectError,
    json_text,
    normal_text,
    same_but_for_audit,
)
from datahub_llmops.catalog.local.json_patch import PatchError
from datahub_llmops.catalog.local.patches import apply_patch, parse_patch
from datahub_llmops.catalog.local.series import SeriesWriter
from datahub_llmops.catalog.local.spool import Change, Op, RefusedError

_SAMPLE = 20
_SCHEMAS: Final = 20
"""How many earlier schemas of a dataset are kept."""

_TEMPORARY = (
    "create temp table touched (asset integer, name text, body text, changed integer, primary key (asset, name))"
    " without rowid",
    "create temp table stale (asset integer primary key)",
    "create temp table renamed (asset integer primary key)",
    "create temp table created (asset integer primary key)",
    "create temp table was_live (asset integer primary key)",
    "create temp table restored (asset integer, name text)",
)


UNFIT: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""What a record raises that no check foresaw: numbers beyond 64 bits, texts that are no Unicode, nested without end."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The net effect of a run on the catalog: an aspect that was changed and changed back counts as unchanged."""

    changed: Counter[str] = field(default_factory=Counter)
    """By aspect name: aspects and time series records of assets that stay."""
    unchanged: int = 0
    removed: int = 0
    """Assets that left: soft-deleted, or deleted."""
    removed_sample: list[str] = field(default_factory=list)


class Writer:
    """Applies changes one by one; ``finish`` updates what depends on several aspects."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._ids = AssetIds(connection)
        self._series = SeriesWriter(connection, self._ids)
        self._derived = Derived(connection, self._ids)
        for statement in _TEMPORARY:
            connection.execute(statement)
        self._by_op: Mapping[Op, Callable[[Change], None]] = {
            Op.UPSERT: lambda change: self._put(change.urn, change.aspect, change.body),
            Op.CREATE: self._create,
            Op.CREATE_ENTITY: self._create_entity,
            Op.PATCH: self._patch,
            Op.SERIES: self._series.add,
            Op.DELETE: self._delete,
        }

    def apply(self, change: Change) -> None:
        """
        Raises:
            RefusedError: this change cannot be applied.
            sqlite3.Error: the file cannot be written; the transaction is to be rolled back.
        """
        self._by_op[change.op](change)

    def apply_apart(self, change: Change) -> None:
        """Apply a change so that nothing of it stays behind if it cannot be applied, whatever the reason.

        Raises:
            RefusedError: this change cannot be applied.
            ValueError: the catalog holds a text that is damaged.
            sqlite3.Error: the file cannot be written; the transaction is to be rolled back.
        """
        self._db.execute("savepoint change")
        try:
            self.apply(change)
        except UNFIT as error:
            self._db.execute("rollback to change")
            self._ids.forget()
            if isinstance(error, (RefusedError, UnicodeDecodeError, json.JSONDecodeError)):
                raise
            why = "it is nested too deeply" if isinstance(error, RecursionError) else type(error).__name__
            raise RefusedError(f"it cannot be stored: {why}") from None
        finally:
            self._db.execute("release change")

    def finish(self) -> Outcome:
        """Update derived facts and count what changed."""
        self._derived.refresh()
        outcome = Outcome(changed=Counter(self._series.changed), unchanged=self._series.unchanged)
        rows = self._db.execute(
            "select touched.asset, touched.name, touched.body, aspect.body, was_live.asset is not null"
            "    and (asset.removed or not asset.emitted) "
            "from touched join asset on asset.id = touched.asset left join was_live on was_live.asset = touched.asset "
            "left join aspect on aspect.asset = touched.asset and aspect.name = touched.name where changed"
        )
        for asset, name, before, now, gone in rows:
            if gone or (before is None and now is None):
                continue
            if before is not None and now is not None and same_but_for_audit(name, before, now):
                outcome.unchanged += 1
                self._db.execute("insert into restored values (?, ?)", (asset, name))
            else:
                outcome.changed[name] += 1
        self._restore()
        outcome.unchanged += self._value("select count(*) from touched where not changed")
        gone_assets = "from was_live join asset on id = asset where removed or not emitted"
        outcome.removed = self._value(f"select count(*) {gone_assets}")
        sample = self._db.execute(f"select urn {gone_assets} order by urn limit {_SAMPLE}")
        outcome.removed_sample = [urn for (urn,) in sample]
        return outcome

    def _restore(self) -> None:
        """Give aspects that changed nothing but audit times their text from before the run."""
        for asset, name in self._db.execute("select asset, name from restored"):
            self._db.execute(
                "update aspect set body = (select body from touched where asset = ?1 and name = ?2) "
                "where asset = ?1 and name = ?2",
                (asset, name),
            )

    def _value(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])

    # Versioned aspects

    def _current(self, asset: int, name: str) -> str | None:
        row = self._db.execute(
            "select body from aspect where asset = ? and name = ?", (asset, name)
        ).fetchone()
        return row[0] if row else None

    def _put(self, urn: str, name: str, body: str) -> None:
        asset = self._ids.of(urn)
        before = self._current(asset, name)
        if before is not None and same_but_for_audit(name, before, body):
            self._db.execute("insert or ignore into touched values (?, ?, null, 0)", (asset, name))
            return
        self._touch(asset, name, before)
        if before is None:
            self._db.execute("insert into aspect (asset, name, body) values (?, ?, ?)", (asset, name, body))
            self._db.execute("update asset set emitted = emitted + 1 where id = ?", (asset,))
            self._db.execute("insert or ignore into renamed values (?)", (asset,))
        else:
            self._db.execute("update aspect set body = ? where asset = ? and name = ?", (body, asset, name))
            if name == "schemaMetadata":
                self._keep_columns(asset, before, body)
        self._derived.derive(asset, urn, name, body, is_new=before is None)

    def _keep_columns(self, asset: int, before: str, now: str) -> None:
        """Keep the columns and types that a dataset had, if it has others now: the last ``_SCHEMAS`` of them."""
        columns = read_columns(json.loads(before))
        if columns == read_columns(json.loads(now)):
            return
        until = round(time.time() * 1000)
        self._db.execute(
            "insert or ignore into schema_before values (?, ?, ?)", (asset, until, json_text(columns))
        )
        self._db.execute(
            "delete from schema_before where asset = ?1 and until not in "
            "(select until from schema_before where asset = ?1 order by until desc limit ?2)",
            (asset, _SCHEMAS),
        )

    def _touch(self, asset: int, name: str, before: str | None) -> None:
        self._db.execute(
            "insert into touched values (?, ?, ?, 1) on conflict do update set body = excluded.body, changed = 1 "
            "where not changed",
            (asset, name, before),
        )

    def _create(self, change: Change) -> None:
        if self._current(self._ids.of(change.urn), change.aspect) is not None:
            self._refuse_over_existing(change, "the asset has this aspect already")
            return
        self._put(change.urn, change.aspect, change.body)

    def _create_entity(self, change: Change) -> None:
        asset = self._ids.of(change.urn)
        emitted = self._db.execute("select emitted from asset where id = ?", (asset,)).fetchone()[0]
        ours = self._db.execute("select 1 from created where asset = ?", (asset,)).fetchone() is not None
        if (emitted and not ours) or self._current(asset, change.aspect) is not None:
            self._refuse_over_existing(change, "the asset exists already")
            return
        self._db.execute("insert or ignore into created values (?)", (asset,))
        self._put(change.urn, change.aspect, change.body)

    def _refuse_over_existing(self, change: Change, why: str) -> None:
        if not change.quietly:
            raise RefusedError(f"{change.op.name} refused: {why}")
        values = (self._ids.of(change.urn), change.aspect)
        self._db.execute("insert or ignore into touched values (?, ?, null, 0)", values)

    def _patch(self, change: Change) -> None:
        before = self._current(self._ids.of(change.urn), change.aspect)
        try:
            patched = apply_patch(
                change.aspect, None if before is None else json.loads(before), parse_patch(change.body)
            )
            body = normal_text(change.aspect, patched)
        except (PatchError, InvalidAspectError) as error:
            raise RefusedError(f"PATCH refused: {error}") from error
        except RecursionError:
            raise RefusedError("PATCH refused: its result is nested too deeply") from None
        self._put(change.urn, change.aspect, body)

    def _delete(self, change: Change) -> None:
        asset = self._ids.of(change.urn)
        self._derived.note_live(asset)
        for name, body in self._db.execute(
            "select name, body from aspect where asset = ?", (asset,)
        ).fetchall():
            self._touch(asset, name, body)
        self._derived.mark_stale("owner = ?", (asset,))
        self._db.execute("insert or ignore into renamed values (?)", (asset,))
        for table, column in (
            ("aspect", "asset"),
            ("series", "asset"),
            ("edge", "owner"),
            ("edge_not_confirmed", "owner"),
            ("column_edge", "owner"),
            ("label", "owner"),
            ("subject", "owner"),
            ("schema_before", "asset"),
        ):
            self._db.execute(f"delete from {table} where {column} = ?", (asset,))
        self._db.execute(
            "update asset set emitted = 0, removed = 0, platform = null, subtype = null, name = null, label = null, "
            "edited_name = null, description = null, edited_description = null, owners = '' where id = ?",
            (asset,),
        )
