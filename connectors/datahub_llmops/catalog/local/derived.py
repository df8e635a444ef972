"""What the local catalog derives from aspects: the columns of its assets, edges, labels, and words to search."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.aspect_edges import carries_lineage, column_edges_of, edges_of
from datahub_llmops.catalog.aspect_facts import FACT_ASPECTS, SUBJECT_ASPECTS, read_facts, read_subjects
from datahub_llmops.catalog.column_uses import columns_named
from datahub_llmops.catalog.labels import LABEL_ASPECTS, read_labels
from datahub_llmops.catalog.local.asset_ids import AssetIds
from datahub_llmops.catalog.local.search_words import NOT_SEARCHED, words

_WORDY = frozenset({"name", "edited_name", "description", "edited_description"})


class Derived:
    """Follows each change of an aspect; ``refresh`` updates what depends on several aspects."""

    def __init__(self, connection: sqlite3.Connection, ids: AssetIds) -> None:
        self._db = connection
        self._ids = ids
        connection.create_function("fold", 1, _fold, deterministic=True)

    def refresh(self) -> None:
        """Update labels and words of the assets that changed."""
        self._refresh_labels()
        self._refresh_words()

    def derive(self, asset: int, urn: str, name: str, body: str, *, is_new: bool) -> None:
        is_fact, is_label, is_lineage = name in FACT_ASPECTS, name in LABEL_ASPECTS, carries_lineage(name)
        is_about = name in SUBJECT_ASPECTS
        if not (is_fact or is_label or is_lineage or is_about):
            return
        if is_about and not is_new:
            self._db.execute("delete from subject where owner = ? and aspect = ?", (asset, name))
        if is_label and not is_new:
            self.mark_stale("owner = ? and aspect = ?", (asset, name))
            self._db.execute("delete from label where owner = ? and aspect = ?", (asset, name))
        if is_lineage and not is_new:
            for table in ("edge", "edge_not_confirmed", "column_edge"):
                self._db.execute(f"delete from {table} where owner = ? and aspect = ?", (asset, name))
            if name == "dataJobInputOutput":
                self._db.execute("delete from column_use where owner = ?", (asset,))
        if is_label and "Metadata" in name and '"glossaryTerms"' not in body and '"globalTags"' not in body:
            return
        aspect = json.loads(body)
        if is_fact:
            self._set_facts(asset, urn, read_facts(name, aspect))
        if is_about:
            subjects = ((asset, name, subject) for subject in read_subjects(name, aspect))
            self._db.executemany("insert or ignore into subject values (?, ?, ?)", subjects)
        if is_lineage:
            self._add_edges(asset, urn, name, aspect)
            if name == "dataJobInputOutput" and (named := columns_named(aspect)) is not None:
                used = ((asset, one) for one in {urn, *named[0], *named[1]})
                self._db.executemany("insert or ignore into column_use values (?, ?)", used)
        if is_label:
            self._add_labels(asset, urn, name, aspect)

    def _set_facts(self, asset: int, urn: str, found: dict[str, Any]) -> None:
        if "removed" in found:
            self.note_live(asset)
            if urn_text.entity_type(urn) == "schemaField":
                self.mark_stale("owner = ?", (asset,))
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

    def note_live(self, asset: int) -> None:
        self._db.execute(
            "insert or ignore into was_live select id from asset where id = ? and emitted and not removed "
            "and not exists (select 1 from created where created.asset = id)",
            (asset,),
        )

    def _add_edges(self, asset: int, urn: str, name: str, aspect: Mapping[str, Any]) -> None:
        for edge in edges_of(urn, name, aspect):
            up, down = self._ids.of(edge.upstream), self._ids.of(edge.downstream)
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
                self._ids.of(source),
                self._ids.of(target),
                self._ids.of(urn_text.asset_of(source)),
                self._ids.of(urn_text.asset_of(target)),
            )
            self._db.execute(
                "insert or replace into column_edge values (?, ?, ?, ?, ?, ?)", (asset, name, *ends)
            )

    def _add_labels(self, asset: int, urn: str, name: str, aspect: Mapping[str, Any]) -> None:
        for attached in read_labels({name: aspect}):
            label = attached.label
            for target in attached.targets(urn):
                ids = (self._ids.of(target), self._ids.of(urn_text.asset_of(target)))
                self._db.execute(
                    "insert or ignore into label values (?, ?, ?, ?, ?, ?)",
                    (asset, name, label.kind, *ids, label.urn),
                )
        self.mark_stale("owner = ? and aspect = ?", (asset, name))

    def mark_stale(self, condition: str, values: tuple[object, ...]) -> None:
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


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()
