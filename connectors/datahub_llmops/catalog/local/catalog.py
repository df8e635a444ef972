"""Implements ``Catalog`` over the SQLite file that the sink ``llm-local`` writes.

Standard library only. Every answer is one read transaction, so it is of one moment; readers never wait for writers.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from datahub_llmops.catalog import urn_text as names
from datahub_llmops.catalog.aspect_facts import (
    PROPERTY_PREFIX,
    QUALITY_ASPECTS,
    RUN_ASPECT,
    last_part,
    read_columns,
    read_properties,
    read_subjects,
    urns_by_alias,
)
from datahub_llmops.catalog.local import file
from datahub_llmops.catalog.local.file import parse_aspect
from datahub_llmops.catalog.local.search_words import typed_words, word_forms
from datahub_llmops.catalog.local.walk import (
    NODE_COLUMNS,
    asset_lineage,
    chunks,
    column_lineage,
    node_of,
    stated_edges,
)
from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.protocol import (
    LABELLED_TYPES,
    Aspect,
    Direction,
    Edge,
    FullCatalog,
    Group,
    Lineage,
    Node,
    Record,
)
from datahub_llmops.errors import CatalogError, UnknownAssetError

_AT_ONCE = 20
_FIRST = ("dataPlatform", "structuredProperty")
_LAST = ("versionSet",)
_RANKED = 5000
"""So many finds of a search are put in order; one that finds more says nothing."""
_SEARCH_ORDER = ("dataset", "dataJob", "dataFlow", "mlModel", "container", "glossaryTerm")


def _name(value: object) -> str:
    """Return the name of an aspect. In a damaged file it may be anything."""
    if not isinstance(value, str):
        raise TypeError
    return value


class LocalCatalog(FullCatalog):
    """Read access to the catalog at ``path``. Opening it never creates the file.

    Soft-deleted assets leave the graph: they are neither returned nor walked through, and lists do not name them.
    """

    def __init__(self, path: str | Path) -> None:
        """
        Raises:
            NoCatalogError: there is no catalog at ``path`` yet.
            CatalogError: it cannot be read.
        """
        self.path = Path(path).expanduser()
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = file.open_reader(self.path)

    @property
    @override
    def at_once(self) -> int:
        return _AT_ONCE

    @override
    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                file.close(self._connection)
                self._connection = None

    def __enter__(self) -> LocalCatalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Open a read transaction, so that several queries see the same state."""
        with self._lock:
            if self._connection is None:
                raise CatalogError(f"local catalog {self.path}: it was closed")
            with file.explaining(self.path):
                self._connection.execute("begin")
                try:
                    yield self._connection
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("rollback")

    @override
    def aspects(self, urn: str, names: Sequence[str] = ()) -> Mapping[str, Aspect]:
        with self._reading() as connection:
            rows = connection.execute(
                "select name, body from aspect where asset = (select id from asset where urn = ?) order by name",
                (urn,),
            )
            return {_name(name): parse_aspect(body) for name, body in rows if not names or name in names}

    @override
    def aspects_of(
        self, urns: Iterable[str], names: Sequence[str] = ()
    ) -> Mapping[str, Mapping[str, Aspect]]:
        found: dict[str, dict[str, Aspect]] = {}
        named = f"and aspect.name in ({','.join('?' * len(names))}) " if names else ""
        with self._reading() as connection:
            for part in chunks(dict.fromkeys(urns)):
                rows = connection.execute(
                    "select urn, aspect.name, body from aspect join asset on asset.id = aspect.asset "
                    f"where urn in ({','.join('?' * len(part))}) {named}order by aspect.name",
                    (*part, *names),
                )
                for urn, name, body in rows:
                    found.setdefault(urn, {})[_name(name)] = parse_aspect(body)
        return found

    @override
    def assets(self, types: Sequence[str]) -> Iterable[str]:
        with self._reading() as connection:
            rows = connection.execute(
                "select urn from asset where emitted > 0 and removed = 0 "
                f"and type in ({','.join('?' * len(types))}) order by urn",
                tuple(types),
            ).fetchall()
        return [urn for (urn,) in rows]

    @override
    def stated_edges(self, urns: Iterable[str]) -> Sequence[Edge]:
        with self._reading() as connection:
            return stated_edges(connection, dict.fromkeys(urns))

    @override
    def of_subtypes(self, subtypes: Sequence[str]) -> Iterable[str]:
        with self._reading() as connection:
            rows = connection.execute(
                "select urn from asset where emitted > 0 and removed = 0 and type in ('dataset', 'dataJob') "
                f"and subtype in ({','.join('?' * len(subtypes))}) order by urn",
                tuple(subtypes),
            ).fetchall()
        return [urn for (urn,) in rows]

    @override
    def groups(self, subtype: str, properties: Sequence[str]) -> Iterable[Group]:
        wanted = {f"{PROPERTY_PREFIX}{name}": name for name in properties}
        of_subtype = "asset.emitted > 0 and removed = 0 and type = 'dataset' and subtype = ?"
        found: dict[tuple[str | None, str], list[str]] = {}
        assigned: dict[str, Mapping[str, tuple[str | float, ...]]] = {}
        with self._reading() as connection:
            for platform, name, listed in connection.execute(
                "select platform, coalesce(edited_name, name) as shown, json_group_array(urn) from asset "
                f"where {of_subtype} group by platform, shown",
                (subtype,),
            ):
                urns = json.loads(listed)
                if platform and name:
                    found.setdefault((platform, name), []).extend(urns)
                    continue
                for urn in urns:
                    key = platform or names.platform(urn), name or names.full_name(urn)
                    found.setdefault(key, []).append(urn)
            for urn, body in connection.execute(
                "select urn, body from aspect cross join asset on asset.id = aspect.asset "
                f"where {file.assigns(properties)} and {of_subtype}",
                (subtype,),
            ):
                assigned[urn] = read_properties(parse_aspect(body), wanted)
        return [
            Group(platform, name, sorted(urns), {urn: assigned[urn] for urn in urns if urn in assigned})
            for (platform, name), urns in found.items()
        ]

    @override
    def latest(self, urn: str) -> Mapping[str, Aspect]:
        return self.latest_of([urn]).get(urn, {})

    @override
    def latest_of(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Aspect]]:
        found: dict[str, dict[str, Aspect]] = {}
        with self._reading() as connection:
            for part in chunks(dict.fromkeys(urns)):
                rows = connection.execute(
                    "select urn, series.name, body, max(at) from series join asset on asset.id = series.asset "
                    f"where urn in ({','.join('?' * len(part))}) group by urn, series.name order by series.name",
                    part,
                )
                for urn, name, body, _ in rows:
                    found.setdefault(urn, {})[_name(name)] = parse_aspect(body)
        return found

    @override
    def series(self, urn: str, name: str, since: int) -> Sequence[Aspect]:
        with self._reading() as connection:
            rows = connection.execute(
                "select body from series where asset = (select id from asset where urn = ?) and name = ? and at >= ? "
                "order by at, partition, message",
                (urn, name, since),
            )
            return [parse_aspect(body) for (body,) in rows]

    @override
    def series_of(
        self, urns: Iterable[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[Aspect]]]:
        found: dict[str, dict[str, list[Aspect]]] = {}
        with self._reading() as connection:
            for part in chunks(dict.fromkeys(urns)):
                rows = connection.execute(
                    "select urn, series.name, body from series join asset on asset.id = series.asset "
                    f"where urn in ({','.join('?' * len(part))}) and series.name in ({','.join('?' * len(names))}) "
                    "order by at, partition, message",
                    (*part, *names),
                )
                for urn, name, body in rows:
                    found.setdefault(urn, {}).setdefault(_name(name), []).append(parse_aspect(body))
        return found

    @override
    def lineage(
        self, urn: str, direction: Direction, hops: int = 5, *, through_removed: bool = False
    ) -> Lineage:
        with self._reading() as connection:
            row = connection.execute(
                f"select {NODE_COLUMNS}, emitted, removed from asset where urn = ?", (urn,)
            ).fetchone()
            is_column = names.entity_type(urn) == "schemaField"
            if row is None and is_column and (self._has_column(connection, urn) or _is_used(connection, urn)):
                root = node_of((0, urn, "schemaField", *(None,) * 4, "", "", ""))
                return Lineage(root=urn, direction=direction, nodes=(root,), edges=())
            if row is None:
                raise self._unknown(urn)
            removed = row[-1] or (is_column and _is_removed(connection, names.asset_of(urn)))
            if removed and not through_removed:
                raise UnknownAssetError(f"local catalog {self.path}: {urn} was removed")
            if is_column:
                nodes, edges = column_lineage(connection, row[0], direction, hops)
            else:
                nodes, edges = asset_lineage(
                    connection, row[0], direction, hops, through_removed=through_removed
                )
            if not (row[-2] or edges or is_column or _has_edges(connection, row[0])):
                raise self._unknown(urn)
            if all(node.urn != urn for node in nodes):
                raise ValueError("an index of the file leads to another row")
        return Lineage(root=urn, direction=direction, nodes=nodes, edges=edges)

    def _unknown(self, urn: str) -> UnknownAssetError:
        return UnknownAssetError(
            f"local catalog {self.path}: it does not know {urn}; search for it: datahub-llmops search WORDS"
        )

    @override
    def nodes(self, urns: Iterable[str]) -> Sequence[Node]:
        wanted = list(dict.fromkeys(urns))
        found: dict[str, Node] = {}
        with self._reading() as connection:
            for part in chunks(wanted):
                marks = ",".join("?" * len(part))
                rows = connection.execute(
                    f"select {NODE_COLUMNS} from asset where urn in ({marks}) and emitted > 0 and removed = 0 "
                    "and type <> 'schemaField'",
                    part,
                )
                found.update((row[1], node_of(row)) for row in rows)
            if not found.keys() <= set(wanted):
                raise ValueError("an index of the file leads to another row")
            for urn in wanted:
                if names.entity_type(urn) == "schemaField" and (column := self._column(connection, urn)):
                    found[urn] = column
        return [found[urn] for urn in wanted if urn in found]

    def _column(self, connection: sqlite3.Connection, urn: str) -> Node | None:
        """Find a column. It exists if the schema of its live dataset has it, or if something is attached to it."""
        row = connection.execute(
            f"select {NODE_COLUMNS}, emitted, removed from asset where urn = ?", (urn,)
        ).fetchone()
        if row is not None and row[-1]:
            return None
        live = connection.execute(
            "select 1 from asset where urn = ? and emitted > 0 and removed = 0", (names.asset_of(urn),)
        ).fetchone()
        if live is None:
            return None
        attached = row is not None and (row[-2] or row[8] or row[9])
        if not attached and not self._has_column(connection, urn):
            return None
        return node_of(row if row is not None else (0, urn, "schemaField", *(None,) * 4, "", "", ""))

    @staticmethod
    def _has_column(connection: sqlite3.Connection, urn: str) -> bool:
        schema = connection.execute(
            "select body from aspect join asset on asset.id = aspect.asset "
            "where asset.urn = ? and removed = 0 and aspect.name = 'schemaMetadata'",
            (names.asset_of(urn),),
        ).fetchone()
        return schema is not None and names.simple_path(names.full_name(urn)) in read_columns(
            parse_aspect(schema[0])
        )

    @override
    def search(self, words: str, limit: int = 20) -> Sequence[Node]:
        """Implements the protocol. A word matches by its beginning, and parts of ``camelCase`` are words too.

        A singular finds the plural, and the other way round.
        """
        wanted = [word_forms(word) for word in typed_words(words)]
        if not wanted:
            return []
        each = " intersect ".join(
            f"select asset from word where {' or '.join(['word >= ? and word < ?'] * len(forms))}"
            for forms in wanted
        )
        with self._reading() as connection:
            rows = connection.execute(
                f"select {NODE_COLUMNS} from asset where id in ({each}) and emitted > 0 and removed = 0 "
                f"limit {_RANKED}",
                [bound for forms in wanted for word in forms for bound in (word, word + "\U0010ffff")],
            )
            found = [node_of(row) for row in rows]
        return sorted(found, key=lambda node: _rank(node, words.casefold().strip(), wanted))[:limit]

    @override
    def candidates(self, short: str, limit: int = 20) -> Sequence[str]:
        short = short.strip()
        with self._reading() as connection:
            if short.startswith("urn:li:"):
                row = connection.execute(
                    "select urn from asset where urn = ? and emitted > 0", (short,)
                ).fetchone()
                return [row[0]] if row else []
            folded = short.casefold()
            ends = {last_part(text) for text in (folded, folded.partition(":")[2]) if text}
            labels = {text for text in (folded, folded.partition(":")[2]) if text}
            rows = connection.execute(
                "select urn, coalesce(edited_name, name) from asset where emitted > 0 and removed = 0 and id in ("
                f"select id from asset where leaf in ({','.join('?' * len(ends))}) "
                f"union select id from asset where label in ({','.join('?' * len(labels))}))",
                (*ends, *labels),
            ).fetchall()
        found = [urn for urn, name in rows if names.matches_short(short, urn, name)]
        return sorted(found, key=_candidate_order)[:limit]

    def names_beginning(self, typed: str, limit: int) -> Sequence[tuple[str, str]]:
        """Short names of assets that begin with ``typed``, each with what it is: for the completion of a shell.

        A name is as long as what was typed asks for: the last part, the whole name behind a dot, or with the platform
        in front behind a colon. Datasets come first.
        """
        folded = typed.casefold()
        beyond = "\U0010ffff"
        # The name stands behind a comma in the URN of a dataset and of a job.
        in_urn = f",{folded.partition(':')[2] if ':' in folded else folded}"
        with self._reading() as connection:
            rows = connection.execute(
                "select urn, platform, subtype, type, leaf from asset where emitted > 0 and removed = 0 and ("
                "(leaf >= ? and leaf < ?) or (label >= ? and label < ?) or instr(lower(urn), ?)) "
                f"limit {_RANKED}",
                (*(folded, folded + beyond) * 2, in_urn),
            ).fetchall()
        found: dict[str, tuple[int, set[str]]] = {}
        for urn, platform, subtype, kind, leaf in rows:
            if kind not in _SEARCH_ORDER:
                continue
            whole = names.full_name(urn)
            # The last part of a prompt version is only its number.
            last = "" if subtype == "Prompt" else whole[len(whole) - len(leaf or "") :]
            for name in (last, whole, f"{names.platform(urn)}:{whole}"):
                if name and name.casefold().startswith(folded):
                    what = " · ".join(filter(None, (subtype or kind, platform or names.platform(urn))))
                    found.setdefault(name, (_SEARCH_ORDER.index(kind), set()))[1].add(what)
                    break
        ordered = sorted(found, key=lambda name: (found[name][0], name))
        return [(name, " or ".join(sorted(found[name][1]))) for name in ordered[:limit]]

    @override
    def schemas(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        with self._reading() as connection:
            rows = connection.execute(
                "select asset.urn, body from asset left join aspect on aspect.asset = asset.id "
                "and aspect.name = 'schemaMetadata' where folded = ? and emitted > 0 and removed = 0 "
                "order by asset.urn",
                (urn.casefold(),),
            )
            return {found: None if body is None else read_columns(parse_aspect(body)) for found, body in rows}

    @override
    def describes(self, platform: str) -> bool:
        first = names.datasets_prefix(platform)
        with self._reading() as connection:
            found = connection.execute(
                "select 1 from asset join aspect on aspect.asset = asset.id and aspect.name = 'schemaMetadata' "
                "where urn >= ? and urn < ? and removed = 0 limit 1",
                (first, first + "\U0010ffff"),
            ).fetchone()
        return found is not None

    @override
    def aliases(self, platform: str) -> Mapping[str, Sequence[str]]:
        first = names.datasets_prefix(platform)
        with self._reading() as connection:
            rows = connection.execute(
                "select urn, body from asset join aspect on aspect.asset = asset.id "
                "and aspect.name = 'datasetProperties' where urn >= ? and urn < ? and removed = 0 order by urn",
                (first, first + "\U0010ffff"),
            )
            return urns_by_alias((urn, parse_aspect(body)) for urn, body in rows)

    @override
    def possibly_late(self, subtypes: Sequence[str]) -> Iterable[str]:
        """Implements the protocol. A run is one transaction, so edges are there when their assets are."""
        return ()

    @override
    def jobs_into(self, datasets: Iterable[str]) -> Iterable[str]:
        found: set[str] = set()
        with self._reading() as connection:
            for part in chunks(dict.fromkeys(datasets)):
                rows = connection.execute(
                    "select job.urn from edge join asset as job on job.id = up "
                    "join asset as written on written.id = down "
                    "where job.type = 'dataJob' and job.emitted > 0 and job.removed = 0 "
                    f"and written.urn in ({','.join('?' * len(part))})",
                    part,
                )
                found.update(urn for (urn,) in rows)
        return sorted(found)

    @override
    def carrying(self, term: str) -> Iterable[str]:
        with self._reading() as connection:
            rows = connection.execute(
                "select distinct target.urn from label join asset as target on target.id = label.target "
                "join asset as holder on holder.id = label.holder join asset as owner on owner.id = label.owner "
                "where label.urn = ? and label.kind = 'term' and holder.emitted > 0 and holder.removed = 0 "
                "and target.removed = 0 and owner.removed = 0 order by target.urn",
                (term,),
            ).fetchall()
        return [urn for (urn,) in rows]

    @override
    def jobs_using(self, columns: Iterable[str]) -> Iterable[str]:
        """Implements the protocol. A file that an earlier release wrote says nothing about uses."""
        tables = {names.asset_of(column) for column in columns}
        wanted = {*tables, *(one for urn in columns for one in names.field_urns(*_split(urn)))}
        live = "job.type = 'dataJob' and job.emitted > 0 and job.removed = 0"
        found: set[str] = set()
        with self._reading() as connection:
            has_uses = _has_uses(connection)
            for part in chunks(sorted(wanted)) if has_uses else ():
                rows = connection.execute(
                    "select job.urn from column_use join asset as job on job.id = owner "
                    f"where column_use.urn in ({','.join('?' * len(part))}) and {live}",
                    part,
                )
                found.update(urn for (urn,) in rows)
            silent = "not exists (select 1 from column_use where urn = job.urn and owner = job.id)"
            for part in chunks(sorted(tables)):
                rows = connection.execute(
                    "select job.urn from asset as source join edge on up = source.id "
                    f"join asset as job on job.id = down where source.urn in ({','.join('?' * len(part))}) "
                    f"and {live} and {silent if has_uses else '1'}",
                    part,
                )
                found.update(urn for (urn,) in rows)
        return sorted(found)

    @override
    def labelled(self) -> Iterable[str]:
        with self._reading() as connection:
            rows = connection.execute(
                "select urn from asset where (terms <> '' or tags <> '') and removed = 0 and ("
                f"  emitted > 0 and type <> 'schemaField' and type in ({','.join('?' * len(LABELLED_TYPES))})"
                "  or type = 'schemaField' and exists (select 1 from asset as holder"
                "     where holder.id = asset.parent and holder.emitted > 0 and holder.removed = 0)) order by urn",
                LABELLED_TYPES,
            ).fetchall()
        return [urn for (urn,) in rows]

    @override
    def upstreams(self, urns: Iterable[str], hops: int = 5) -> Mapping[str, Lineage]:
        found: dict[str, Lineage] = {}
        for urn in dict.fromkeys(urns):
            with suppress(UnknownAssetError):
                found[urn] = self.lineage(urn, "up", hops)
        return found

    @override
    def models(self) -> Iterable[str]:
        with self._reading() as connection:
            rows = connection.execute(
                "select urn from asset where type = 'mlModel' and emitted > 0 and removed = 0 order by urn"
            ).fetchall()
        return [urn for (urn,) in rows]

    @override
    def quality(self, urns: Iterable[str]) -> Mapping[str, Mapping[str, Mapping[str, Aspect]]]:
        with self._reading() as connection:
            about = _subjects(connection, list(dict.fromkeys(urns)), QUALITY_ASPECTS)
        owners = {owner for found in about.values() for owner in found}
        aspects, newest = self.aspects_of(owners), self.latest_of(owners)
        return {
            urn: {owner: {**aspects.get(owner, {}), **newest.get(owner, {})} for owner in sorted(found)}
            for urn, found in about.items()
        }

    @override
    def runs(self, jobs: Iterable[str], most: int = 20) -> Mapping[str, Mapping[str, Mapping[str, Aspect]]]:
        with self._reading() as connection:
            of_job = _subjects(connection, list(dict.fromkeys(jobs)), (RUN_ASPECT,))
            newest = {job: _newest_runs(connection, found, most) for job, found in of_job.items()}
        wanted = [run for found in newest.values() for run in found]
        aspects, records = self.aspects_of(wanted), self.latest_of(wanted)
        return {
            job: {run: {**aspects.get(run, {}), **records.get(run, {})} for run in found}
            for job, found in newest.items()
        }

    @override
    def columns_at(self, urns: Iterable[str], at: int) -> Mapping[str, Mapping[str, str]] | None:
        found: dict[str, Mapping[str, str]] = {}
        with self._reading() as connection:
            if not connection.execute("select 1 from sqlite_master where name = 'schema_before'").fetchone():
                return None  # A file that an earlier release wrote.
            for part in chunks(dict.fromkeys(urns)):
                rows = connection.execute(
                    "select urn, columns, min(until) from schema_before join asset on asset.id = asset "
                    f"where until > ? and urn in ({','.join('?' * len(part))}) group by urn",
                    (at, *part),
                )
                for urn, columns, _ in rows:
                    found[urn] = {str(name): str(kind) for name, kind in parse_aspect(columns).items()}
        return found

    @override
    def recipes_read(self) -> Mapping[str, int]:
        """Implements the protocol. Of a recipe whose last run failed, it is the end of the last good one."""
        with self._reading() as connection:
            if not connection.execute("select 1 from sqlite_master where name = 'pipeline_run'").fetchone():
                return {}  # A file that an earlier release wrote.
            rows = connection.execute(
                "select source, max(case outcome when 'SUCCESS' then began else succeeded end) as at "
                "from pipeline_run group by source having at is not null"
            )
            return {str(source): int(at) for source, at in rows}

    @override
    def records(self) -> Iterator[Record]:
        """Implements the protocol. It streams one consistent state, so memory does not grow with the catalog."""
        connection = file.open_reader(self.path)
        try:
            found = _all_records(connection)
            while True:
                with file.explaining(self.path):
                    record = next(found, None)
                if record is None:
                    return
                yield record
        finally:
            file.close(connection)


def _has_uses(connection: sqlite3.Connection) -> bool:
    found = connection.execute("select 1 from sqlite_master where name = 'column_use' and type = 'table'")
    return found.fetchone() is not None


def _is_used(connection: sqlite3.Connection, column: str) -> bool:
    """Whether the SQL of a job names a column of a live table, which may have no schema."""
    if not _has_uses(connection) or _is_removed(connection, names.asset_of(column)):
        return False
    forms = names.field_urns(*_split(column))
    marks = ",".join("?" * len(forms))
    return (
        connection.execute(f"select 1 from column_use where urn in ({marks}) limit 1", forms).fetchone()
        is not None
    )


def _split(column: str) -> tuple[str, str]:
    return names.asset_of(column), names.full_name(column)


def _has_edges(connection: sqlite3.Connection, asset: int) -> bool:
    return (
        connection.execute("select 1 from edge where up = ?1 or down = ?1 limit 1", (asset,)).fetchone()
        is not None
    )


def _newest_runs(connection: sqlite3.Connection, runs: Iterable[str], most: int) -> list[str]:
    """The runs with the latest events, the newest first. One without an event has not begun."""
    at: dict[str, int] = {}
    for part in chunks(sorted(runs)):
        rows = connection.execute(
            "select urn, max(at) from series join asset on asset.id = series.asset "
            f"where series.name = 'dataProcessInstanceRunEvent' and urn in ({','.join('?' * len(part))}) group by urn",
            part,
        )
        at.update((urn, int(when)) for urn, when in rows)
    return heapq.nlargest(most, at, key=lambda urn: (at[urn], urn))


def _subjects(
    connection: sqlite3.Connection, urns: Sequence[str], aspects: Sequence[str]
) -> dict[str, set[str]]:
    """Map assets to what is about them by ``aspects``, and live. A file that an earlier release wrote has no table."""
    found: dict[str, set[str]] = {}
    live = "asset.emitted > 0 and asset.removed = 0"
    if not connection.execute("select 1 from sqlite_master where name = 'subject'").fetchone():
        wanted = set(urns)
        for owner, name, body in connection.execute(
            "select urn, aspect.name, body from aspect join asset on asset.id = aspect.asset "
            f"where aspect.name in ({','.join('?' * len(aspects))}) and {live}",
            aspects,
        ):
            for urn in wanted.intersection(read_subjects(name, parse_aspect(body))):
                found.setdefault(urn, set()).add(owner)
        return found
    for part in chunks(urns):
        for urn, owner in connection.execute(
            "select subject.urn, asset.urn from subject join asset on asset.id = owner "
            f"where subject.urn in ({','.join('?' * len(part))}) "
            f"and subject.aspect in ({','.join('?' * len(aspects))}) and {live}",
            (*part, *aspects),
        ):
            found.setdefault(urn, set()).add(owner)
    return found


def _is_removed(connection: sqlite3.Connection, urn: str) -> bool:
    return connection.execute("select 1 from asset where urn = ? and removed", (urn,)).fetchone() is not None


def _all_records(connection: sqlite3.Connection) -> Iterator[Record]:
    connection.execute("begin")
    marks = ",".join("?" * (len(_FIRST) + len(_LAST)))
    for kind in _FIRST:
        yield from _records(connection, "asset.type = ?", (kind,))
    yield from _records(connection, f"asset.type not in ({marks})", (*_FIRST, *_LAST))
    for kind in _LAST:
        yield from _records(connection, "asset.type = ?", (kind,))


def _records(connection: sqlite3.Connection, condition: str, values: Sequence[str]) -> Iterator[Record]:
    for table in ("aspect", "series"):
        query = (
            f"select urn, {table}.name, body from {table} join asset on asset.id = asset "
            f"where {condition} order by {table}.id"
        )
        for urn, name, body in connection.execute(query, values):
            yield _record(urn, name, body)


def _record(urn: object, name: object, body: str) -> Record:
    if not isinstance(urn, str) or not isinstance(name, str):
        raise TypeError("not text")
    return Record(urn=urn, name=name, aspect=parse_aspect(body))


def _candidate_order(urn: str) -> tuple[int, str]:
    kind = names.entity_type(urn)
    return (_SEARCH_ORDER.index(kind) if kind in _SEARCH_ORDER else len(_SEARCH_ORDER), urn)


def _rank(node: Node, phrase: str, wanted: Sequence[Sequence[str]]) -> tuple[Any, ...]:
    """Rank a result: the whole name, its beginning, all words in the name, then the rest; datasets come first."""
    name = node.name.casefold()
    if phrase in (name, last_part(name)):
        quality = 0
    elif name.startswith(phrase):
        quality = 1
    elif _has_all(name, wanted):
        quality = 2
    elif _has_all(node.urn.casefold(), wanted):
        quality = 3
    else:
        quality = 4
    return (quality, *_candidate_order(node.urn))


def _has_all(text: str, wanted: Sequence[Sequence[str]]) -> bool:
    return all(any(form in text for form in forms) for forms in wanted)
