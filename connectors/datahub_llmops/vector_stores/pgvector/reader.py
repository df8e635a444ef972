"""Reads the tables of a Postgres server that hold vectors from its catalog and statistics.

No table is scanned unless the recipe names it; a sample reads a bounded number of pages.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from datahub_llmops.assets.collections import Collection, FailedListing, Name, ProvenanceCount
from datahub_llmops.errors import (
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.ingestion.chunk_ids import find_ids, parse_keys, parse_text
from datahub_llmops.vector_stores.pgvector import queries as ask
from datahub_llmops.vector_stores.pgvector.client import Connections
from datahub_llmops.vector_stores.pgvector.facts import Table
from datahub_llmops.vector_stores.pgvector.keys import find_key

INITIAL_DATABASE: Final = "postgres"
"""A database that every server has, where the list of databases is read."""

_FEWEST_PAGES: Final = 64
_ROWS_A_PAGE: Final = 20
"""Assumed for a table that was never analyzed."""

SHARED_TABLE: Final = "langchain_pg_embedding"

_HIDDEN: Final = (
    "row-level security decides which rows this role sees. Give it BYPASSRLS, or a policy that shows all rows"
)


@dataclass(slots=True)
class _Counts:
    """The result of a sample for one collection, or for a whole table."""

    rows: int = 0
    keys: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    values: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    dropped: dict[str, int] = field(default_factory=dict)

    def provenance(self, total: int | None) -> Iterator[ProvenanceCount]:
        for name in dict.fromkeys((*self.values, *self.dropped)):
            yield ProvenanceCount(
                field=name,
                values=self.values[name],
                rows_scanned=self.rows,
                rows_total=None if total is None else max(total, self.rows),
                values_dropped=self.dropped.get(name, 0),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """LangChain's shared table with all its collections."""

    table: Table
    ids: dict[str, str]
    counts: dict[str, _Counts]
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How the provenance of a table is counted."""

    by_statistics: tuple[ProvenanceCount, ...] = ()
    fields: tuple[tuple[str, str, str | None], ...] = ()
    documents: tuple[str, ...] = ()


class PgvectorReader:
    """A ``Reader`` of one server. It closes ``connections``.

    It reads ``database``, or all databases of the server if that is ``None``. ``scan`` decides by the full name of a
    table whether all of it is read for counting; of every other one at most ``sample_rows`` rows are sampled.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        database: str | None,
        provenance_fields: Sequence[str] = (),
        sample_rows: int = 10_000,
        max_values: int = 10_000,
        scan: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._connections = connections
        self._database = database
        self._fields = tuple(provenance_fields)
        self._sample_rows = sample_rows
        self._max_values = max_values
        self._scan = scan
        self._lock = threading.Lock()
        self._shared: dict[Name, tuple[threading.Lock, list[_Shared | ConnectorError]]] = {}

    def names(self) -> Iterator[Name | FailedListing]:
        """List tables by database, schema and name, and the collections of LangChain's shared table."""
        if self._database is not None:
            yield from self._list_tables(self._database)
            return
        rows = self._connections.query(INITIAL_DATABASE, ask.DATABASES, what="the list of databases")
        for (database,) in rows:
            try:
                found = list(self._list_tables(database))
            except UnreachableError:
                raise
            except ConnectorError as error:
                found = (
                    [] if isinstance(error, VanishedError) else [FailedListing(name=(database,), error=error)]
                )
            yield from found

    def _list_tables(self, database: str) -> Iterator[Name | FailedListing]:
        tables = self._connections.query(database, ask.TABLES, what="the list of tables")
        for schema, table, filtered in tables:
            yield (database, schema, table)
            if filtered is not None:
                yield from self._list_collections(database, schema, filtered)

    def _list_collections(self, database: str, schema: str, filtered: bool) -> Iterator[Name | FailedListing]:
        what = f"table {schema}.langchain_pg_collection"
        try:
            rows = self._connections.query(database, ask.collections(schema), what=what)
        except UnreachableError:
            raise
        except VanishedError:
            return
        except ConnectorError as error:
            yield FailedListing(name=(database, schema, SHARED_TABLE, "*"), error=error)
            return
        if filtered:
            hidden = DeniedError(
                f"Postgres at {self._connections.server}, database {database}, {what}: row-level security decides "
                "which collections this role sees, so others may exist. Give the role BYPASSRLS or a policy that shows "
                "all rows, or name the collections to read in collection_pattern.allow."
            )
            yield FailedListing(name=(database, schema, SHARED_TABLE, "*"), error=hidden)
        for name in dict.fromkeys(name for name, _ in rows):
            if name:
                yield (database, schema, SHARED_TABLE, name)

    def read(self, name: Name) -> Collection:
        self._check_name(name)
        database, schema, table = name[:3]
        if table == SHARED_TABLE:
            shared = self._read_shared_once((database, schema, table))
            if shared is not None:
                return (
                    self._build_collection(name, shared)
                    if len(name) == 4
                    else _build_from_catalog(name, shared.table)
                )
        if len(name) == 4:
            raise VanishedError(f"Postgres at {self._connections.server}: no collection {'.'.join(name)!r}.")
        found = self._read_table(name)
        if not found.vectors():
            # It has no payload, so nothing is counted.
            return _build_from_catalog(name, found)
        plan = self._plan_counts(name, found)
        counts, total = self._count(name, found, plan)
        counted = (*plan.by_statistics, *counts.provenance(None if found.filtered else total))
        item = replace(
            _build_from_catalog(name, found), fields=found.fields(counts.keys), provenance=tuple(counted)
        )
        if self._scan(".".join(name)) and plan.fields and not found.filtered:
            return replace(item, count=counts.rows, count_is_estimate=False)
        return item

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        texts = parse_keys(ids, parse_text)
        if not texts:
            return frozenset()
        self._check_name(name)
        database, schema, table = name[:3]
        where = f"Postgres at {self._connections.server}: table {'.'.join(name[:3])}"
        rows = self._connections.query(database, ask.COLUMNS, (schema, table), what=f"table {schema}.{table}")
        if not rows:
            raise VanishedError(f"{where} is gone.")
        column = find_key(rows)
        if column is None:
            raise UnreadableError(
                f"{where} has no primary key of one column and no column `id`, so ids cannot be looked up. Leave it "
                "out by table_pattern."
            )
        collections = self._find_collections(name) if len(name) == 4 else None
        keys: dict[str | int, frozenset[str]] = parse_keys(ids, column.parse)
        if not keys:
            return frozenset()
        statement = ask.lookup(
            schema, table, column.name, list(keys), cast=column.cast, collections=collections
        )
        found = self._connections.query(database, statement, what=f"ids of table {schema}.{table}")
        there = {column.parse(value) for (value,) in found}
        if column.filtered and not keys.keys() <= there:
            raise DeniedError(f"{where}: {_HIDDEN}, or leave it out by table_pattern.")
        return find_ids(keys, (key for key in there if key is not None))

    def close(self) -> None:
        self._connections.close()

    def _check_name(self, name: Name) -> None:
        """Raise if no table can have this name."""
        if not 3 <= len(name) <= 4 or any(parse_text(part) is None for part in name):
            raise VanishedError(f"Postgres at {self._connections.server}: no table {'.'.join(name)!r}.")

    def _find_collections(self, name: Name) -> list[str]:
        """Return the ids of a collection in LangChain's shared table."""
        database, schema, table, collection = name
        gone = VanishedError(f"Postgres at {self._connections.server}: collection {collection!r} is gone.")
        if table != SHARED_TABLE:
            raise gone
        rows = self._connections.query(
            database, ask.collection(schema, collection), what=f"table {schema}.langchain_pg_collection"
        )
        if not rows:
            raise gone
        return [identity for (identity,) in rows]

    def _read_table(self, name: Name, *more: str) -> Table:
        database, schema, table = name[:3]
        wanted = [*{part for path in self._fields for part in (path, path.partition(".")[0])}, *more]
        rows = self._connections.query(
            database, ask.TABLE, (wanted, schema, table), what=f"table {schema}.{table}"
        )
        if not rows:
            raise VanishedError(
                f"Postgres at {self._connections.server}: table {'.'.join(name[:3])} is gone."
            )
        return Table.of(rows[0])

    def _plan_counts(self, name: Name, table: Table) -> _Plan:
        """Use statistics where the server has them, a sample for the rest."""
        columns = [path for path in self._fields if path in table.texts]
        inner: list[tuple[str, str, str | None]] = []
        for path in self._fields:
            head, _, rest = path.partition(".")
            inner += [(f"{column}.{path}", column, path) for column in table.documents]
            if head in table.documents and rest:
                inner.append((path, head, rest))
        self._check_readable(name, table, {*columns, *(column for _, column, _ in inner)})
        exact = self._scan(".".join(name))
        counted = {path: table.counted(path) for path in columns if not exact}
        by_statistics = tuple(one for one in counted.values() if one is not None)
        if self._sample_rows == 0 and not exact:
            return _Plan(by_statistics=by_statistics)
        left: list[tuple[str, str, str | None]] = [
            (path, path, None) for path in columns if counted.get(path) is None
        ]
        return _Plan(
            by_statistics=by_statistics,
            fields=(*left, *dict.fromkeys(inner)),
            documents=table.documents if inner else (),
        )

    def _check_readable(self, name: Name, table: Table, wanted: set[str]) -> None:
        hidden = [c["name"] for c in table.columns if c["name"] in wanted and not c["readable"]]
        if hidden or (wanted and not table.usable):
            raise DeniedError(
                f"Postgres at {self._connections.server}: table {'.'.join(name[:3])}: no permission to read where its "
                f"rows came from ({', '.join(hidden) or 'USAGE on the schema is missing'}). GRANT SELECT on it, filter "
                "it out by table_pattern, or set provenance.fields to []."
            )

    def _count(self, name: Name, table: Table, plan: _Plan) -> tuple[_Counts, int | None]:
        if not plan.fields:
            return _Counts(), table.rows
        counts, whole = self._sample(name, table, plan, by_collection=False)
        found = counts.get(None, _Counts())
        return found, found.rows if whole else table.rows

    def _sample(
        self, name: Name, table: Table, plan: _Plan, *, by_collection: bool
    ) -> tuple[dict[str | None, _Counts], bool]:
        """Return the counts by collection, and whether they cover the whole table."""
        database, schema, relation = name[:3]
        share, most = self._choose_share(table, exact=self._scan(".".join(name[:3])))
        statement = ask.sample(
            schema,
            relation,
            texts=list(dict.fromkeys(column for _, column, key in plan.fields if key is None)),
            documents=plan.documents,
            fields=plan.fields,
            share=share,
            rows=most,
            values=self._max_values,
            by_collection=by_collection,
        )
        result: dict[str | None, _Counts] = defaultdict(_Counts)
        for collection, what, label, value, number in self._connections.query(
            database, statement, what=f"sample of table {schema}.{relation}"
        ):
            counts = result[collection]
            if what == "rows":
                counts.rows += number
            elif what == "key":
                counts.keys[label].add(value)
            elif what == "collection":
                counts.keys[""].add(label)
            elif value is None:
                counts.dropped[label] = counts.dropped.get(label, 0) + number
            else:
                counts.values[label][value] = counts.values[label].get(value, 0) + number
        read = sum(counts.rows for counts in result.values())
        return dict(result), share is None or (share >= 100 and most is not None and read < most)

    def _choose_share(self, table: Table, *, exact: bool) -> tuple[float | None, int | None]:
        """Return the percentage of the pages to read, and the maximum number of rows; ``None`` is all."""
        if exact:
            return None, None
        rows_a_page = table.rows / table.pages if table.rows and table.pages else _ROWS_A_PAGE
        wanted = max(_FEWEST_PAGES, self._sample_rows / max(rows_a_page, 0.01))
        if table.pages <= wanted:
            return 100, self._sample_rows
        return round(100 * wanted / table.pages, 6), self._sample_rows

    def _read_shared_once(self, name: Name) -> _Shared | None:
        """Read LangChain's table once for all its collections; return ``None`` if it is another table of that name."""
        with self._lock:
            lock, known = self._shared.setdefault(name, (threading.Lock(), []))
        with lock:
            if not known:
                table = self._read_table(name, "collection_id")
                if not {"collection_id", "cmetadata", "document"} <= table.names:
                    return None
                try:
                    known.append(self._read_shared(name, table))
                except ConnectorError as error:
                    # An error for one collection is not provoked again by each of the others.
                    known.append(error)
            if isinstance(known[0], ConnectorError):
                raise type(known[0])(*known[0].args)
            return known[0]

    def _read_shared(self, name: Name, table: Table) -> _Shared:
        plan = self._plan_counts(name, table)
        # Statistics cover the whole table, and do not assign values to collections.
        if plan.fields:
            counts, whole = self._sample(name, table, plan, by_collection=True)
            named = {str(key): value for key, value in counts.items()}
            ids = {key: next(iter(value.keys.pop("", ())), "") for key, value in named.items()}
            return _Shared(table=table, ids=ids, counts=named, whole=whole)
        rows = self._connections.query(
            name[0], ask.collections(name[1]), what=f"table {name[1]}.langchain_pg_collection"
        )
        return _Shared(table=table, ids=dict(rows), counts={}, whole=False)

    def _build_collection(self, name: Name, shared: _Shared) -> Collection:
        if name[3] not in shared.ids:
            raise VanishedError(f"Postgres at {self._connections.server}: collection {name[3]!r} is gone.")
        table, counts = shared.table, shared.counts.get(name[3], _Counts())
        item = replace(
            _build_from_catalog(name, table),
            fields=table.fields(counts.keys),
            count=None,
            count_is_estimate=False,
            size_bytes=None,
            partitions=(),
            description=None,
            properties={"table": ".".join(name[:3])},
        )
        if table.filtered:
            return replace(item, provenance=tuple(counts.provenance(None)))
        count = counts.rows if shared.whole else table.rows_of(shared.ids[name[3]])
        return replace(
            item,
            count=count,
            count_is_estimate=count is not None and not shared.whole,
            provenance=tuple(counts.provenance(count)),
        )


def _build_from_catalog(name: Name, table: Table) -> Collection:
    """Build a collection from the catalog only."""
    return Collection(
        name=name,
        vectors=table.vectors(),
        fields=table.fields({}),
        text_field=table.text_field,
        count=None if table.filtered else table.rows,
        count_is_estimate=table.rows is not None and not table.filtered,
        size_bytes=table.size,
        partitions=table.partitions,
        description=table.comment or None,
        hidden=_HIDDEN if table.filtered else None,
    )
