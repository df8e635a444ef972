"""Applies the changes of a run to the tables of the local catalog, within one transaction that the caller owns."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.aspect_edges import carries_lineage, column_edges_of, edges_of
from datahub_llmops.catalog.aspect_facts import FACT_ASPECTS, last_part, read_facts
from datahub_llmops.catalog.labels import LABEL_ASPECTS, read_labels
from datahub_llmops.catalog.local.encoding import (
    InvalidAspectError,
    json_text,
    normal_text,
    same_but_for_audit,
)
from datahub_llmops.catalog.local.json_patch import PatchError
from datahub_llmops.catalog.local.patches import apply_patch, parse_patch
from datahub_llmops.catalog.local.search_words import NOT_SEARCHED, words
from datahub_llmops.catalog.local.spool import Change, Op

_WORDY = frozenset({"name", "edited_name", "description", "edited_description"})
_STATES = frozenset({"datasetProfile", "operation"})
_CACHED_IDS = 5_000
_SAMPLE = 20

_TEMPORARY = (
    "create temp table touched (asset integer, name text, body text, changed integer, primary key (asset, name))"
    " without rowid",
    "create temp table stale (asset integer primary key)",
    "create temp table renamed (asset integer primary key)",
    "create temp table created (asset integer primary key)",
    "create temp table was_live (asset integer primary key)",
    "create temp table restored (asset integer, name text)",
)


class RefusedError(ValueError):
    """One change cannot be applied, as a server would refuse it. Nothing of it was stored; the other changes go on."""


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
        self._ids: OrderedDict[str, int] = OrderedDict()
        self._series = Outcome()
        connection.create_function("fold", 1, _fold, deterministic=True)
        for statement in _TEMPORARY:
            connection.execute(statement)
        self._by_op: Mapping[Op, Callable[[Change], None]] = {
            Op.UPSERT: lambda change: self._put(change.urn, change.aspect, change.body),
            Op.CREATE: self._create,
            Op.CREATE_ENTITY: self._create_entity,
            Op.PATCH: self._patch,
            Op.SERIES: self._add_to_series,
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
            self._ids.clear()
            if isinstance(error, (RefusedError, UnicodeDecodeError, json.JSONDecodeError)):
                raise
            why = "it is nested too deeply" if isinstance(error, RecursionError) else type(error).__name__
            raise RefusedError(f"it cannot be stored: {why}") from None
        finally:
            self._db.execute("release change")

    def finish(self) -> Outcome:
        """Update derived facts and count what changed."""
        self._refresh_labels()
        self._refresh_words()
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
        asset = self._id(urn)
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
        self._derive(asset, urn, name, body, is_new=before is None)

    def _touch(self, asset: int, name: str, before: str | None) -> None:
        self._db.execute(
            "insert into touched values (?, ?, ?, 1) on conflict do update set body = excluded.body, changed = 1 "
            "where not changed",
            (asset, name, before),
        )

    def _create(self, change: Change) -> None:
        if self._current(self._id(change.urn), change.aspect) is not None:
            self._refuse_over_existing(change, "the asset has this aspect already")
            return
        self._put(change.urn, change.aspect, change.body)

    def _create_entity(self, change: Change) -> None:
        asset = self._id(change.urn)
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
        values = (self._id(change.urn), change.aspect)
        self._db.execute("insert or ignore into touched values (?, ?, null, 0)", values)

    def _patch(self, change: Change) -> None:
        before = self._current(self._id(change.urn), change.aspect)
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
        asset = self._id(change.urn)
        self._note_live(asset)
        for name, body in self._db.execute(
            "select name, body from aspect where asset = ?", (asset,)
        ).fetchall():
            self._touch(asset, name, body)
        self._mark_stale("owner = ?", (asset,))
        self._db.execute("insert or ignore into renamed values (?)", (asset,))
        for table, column in (
            ("aspect", "asset"),
            ("series", "asset"),
            ("edge", "owner"),
            ("edge_not_confirmed", "owner"),
            ("column_edge", "owner"),
            ("label", "owner"),
        ):
            self._db.execute(f"delete from {table} where {column} = ?", (asset,))
        self._db.execute(
            "update asset set emitted = 0, removed = 0, platform = null, subtype = null, name = null, label = null, "
            "edited_name = null, description = null, edited_description = null, owners = '' where id = ?",
            (asset,),
        )

    # What follows from an aspect

    def _derive(self, asset: int, urn: str, name: str, body: str, *, is_new: bool) -> None:
        is_fact, is_label, is_lineage = name in FACT_ASPECTS, name in LABEL_ASPECTS, carries_lineage(name)
        if not (is_fact or is_label or is_lineage):
            return
        if is_label and not is_new:
            self._mark_stale("owner = ? and aspect = ?", (asset, name))
            self._db.execute("delete from label where owner = ? and aspect = ?", (asset, name))
        if is_lineage and not is_new:
            for table in ("edge", "edge_not_confirmed", "column_edge"):
                self._db.execute(f"delete from {table} where owner = ? and aspect = ?", (asset, name))
        if is_label and "Metadata" in name and '"glossaryTerms"' not in body and '"globalTags"' not in body:
            return
        aspect = json.loads(body)
        if is_fact:
            self._set_facts(asset, urn, read_facts(name, aspect))
        if is_lineage:
            self._add_edges(asset, urn, name, aspect)
        if is_label:
            self._add_labels(asset, urn, name, aspect)

    def _set_facts(self, asset: int, urn: str, found: dict[str, Any]) -> None:
        if "removed" in found:
            self._note_live(asset)
            if urn_text.entity_type(urn) == "schemaField":
                self._mark_stale("owner = ?", (asset,))
        if not found.keys().isdisjoint(_WORDY):
            self._db.execute("insert or ignore into renamed values (?)", (asset,))
        assigned = [f"{column} = ?" for column in found]
        if "name" in found or "edited_name" in found:
            other = "edited_name" if "edited_name" in found else "name"
            first = "?" if other == "edited_name" else "edited_name"
            second = "name" if other == "edited_name" else "?"
            assigned.append(f"label = fold(coalesce({first}, {second}))")
            values = [*found.values(), found[other], asset]
        else:
            values = [*found.values(), asset]
        self._db.execute(f"update asset set {', '.join(assigned)} where id = ?", values)

    def _note_live(self, asset: int) -> None:
        self._db.execute(
            "insert or ignore into was_live select id from asset where id = ? and emitted and not removed "
            "and not exists (select 1 from created where created.asset = id)",
            (asset,),
        )

    def _add_edges(self, asset: int, urn: str, name: str, aspect: Mapping[str, Any]) -> None:
        for edge in edges_of(urn, name, aspect):
            up, down = self._id(edge.upstream), self._id(edge.downstream)
            self._db.execute(
                "insert or replace into edge values (?, ?, ?, ?, ?)",
                (asset, name, up, down, ",".join(edge.found_by)),
            )
            if edge.not_confirmed_since:
                self._db.execute(
                    "insert or replace into edge_not_confirmed values (?, ?, ?, ?, ?)",
                    (asset, name, up, down, edge.not_confirmed_since),
                )
        for column in column_edges_of(urn, name, aspect):
            source, target = column.pair.upstream, column.pair.downstream
            ends = (
                self._id(source),
                self._id(target),
                self._id(urn_text.asset_of(source)),
                self._id(urn_text.asset_of(target)),
            )
            self._db.execute(
                "insert or replace into column_edge values (?, ?, ?, ?, ?, ?)", (asset, name, *ends)
            )

    def _add_labels(self, asset: int, urn: str, name: str, aspect: Mapping[str, Any]) -> None:
        for attached in read_labels({name: aspect}):
            label = attached.label
            for target in attached.targets(urn):
                ids = (self._id(target), self._id(urn_text.asset_of(target)))
                self._db.execute(
                    "insert or ignore into label values (?, ?, ?, ?, ?, ?)",
                    (asset, name, label.kind, *ids, label.urn),
                )
        self._mark_stale("owner = ? and aspect = ?", (asset, name))

    def _mark_stale(self, condition: str, values: tuple[object, ...]) -> None:
        for column in ("target", "holder"):
            self._db.execute(
                f"insert or ignore into stale select {column} from label where {condition}", values
            )

    def _refresh_labels(self) -> None:
        for (asset,) in self._db.execute("select asset from stale"):
            rows = self._db.execute(
                "select distinct kind, label.urn from label join asset as owner on owner.id = label.owner "
                "where (target = ?1 or holder = ?1) and not (owner.type = 'schemaField' and owner.removed) "
                "order by label.urn",
                (asset,),
            ).fetchall()
            terms, tags = (
                "\n".join(urn for kind, urn in rows if kind == wanted) for wanted in ("term", "tag")
            )
            self._db.execute("update asset set terms = ?, tags = ? where id = ?", (terms, tags, asset))
        self._db.execute("delete from stale")

    def _refresh_words(self) -> None:
        rows = self._db.execute(
            "select id, urn, type, words, emitted, coalesce(edited_name, ''), coalesce(name, ''), "
            "coalesce(edited_description, ''), coalesce(description, '') from renamed join asset on id = asset"
        )
        for asset, urn, kind, known, emitted, *texts in rows:
            if kind in NOT_SEARCHED:
                continue
            before = set(known.split())
            now = (
                words(" ".join((*texts, urn_text.full_name(urn), urn_text.platform(urn) or "")))
                if emitted
                else set()
            )
            if now != before:
                gone = [(word, asset) for word in before - now]
                self._db.executemany("delete from word where word = ? and asset = ?", gone)
                self._db.executemany(
                    "insert into word values (?, ?)", [(word, asset) for word in now - before]
                )
                self._db.execute("update asset set words = ? where id = ?", (" ".join(sorted(now)), asset))
        self._db.execute("delete from renamed")

    # Time series

    def _add_to_series(self, change: Change) -> None:
        asset, record = self._id(change.urn), json.loads(change.body)
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
        last = same_key or (self._last(key) if _is_state(change.aspect, record) else None)
        if last is not None and _lasting(json.loads(last[0])) == _lasting(record):
            self._series.unchanged += 1
            return
        self._db.execute(
            "insert or replace into series values (null, ?, ?, ?, ?, ?, ?, ?)", (*key, change.body)
        )
        self._series.changed[change.aspect] += 1

    def _last(self, key: tuple[object, ...]) -> tuple[str] | None:
        row: tuple[str] | None = self._db.execute(
            "select body from series where asset = ? and name = ? and partition = ? and at <= ? "
            "order by at desc, id desc limit 1",
            key[:4],
        ).fetchone()
        return row

    # Assets

    def _id(self, urn: str) -> int:
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
                self._id(urn_text.asset_of(urn)) if is_column and urn_text.asset_of(urn) != urn else None,
                urn.casefold() if kind == "dataset" else None,
                None if is_column else last_part(urn_text.full_name(urn)).casefold(),
            ),
        )
        return int(cursor.lastrowid or 0)


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _is_state(name: str, record: Mapping[str, Any]) -> bool:
    """Whether the record is a state, which a second run repeats: a profile, the last operation, total usage.

    An event (a run, an assertion's result) or a bucket of usage is a new fact whenever its time is new.
    """
    return name in _STATES or (name.endswith("UsageStatistics") and record.get("eventGranularity") is None)


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in record.items() if key not in ("timestampMillis", "messageId", "runId")
    }
