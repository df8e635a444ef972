"""Reads a Chroma folder by its SQLite file, without Chroma and without writing a byte.

Chroma's own client creates a database where there is none and modifies the one it opens. Chroma keeps the file in
rollback-journal mode: while a statement reads, a writer cannot commit. So every statement here is short, and a scan
goes page by page.
Layout: https://github.com/chroma-core/chroma/tree/main/chromadb/migrations
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from datahub_llmops.assets.collections import Collection, Container, FailedListing, Name, PayloadField
from datahub_llmops.errors import AccessError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.chunk_ids import find_ids, parse_keys, parse_text
from datahub_llmops.ingestion.once import Once
from datahub_llmops.ingestion.sampling import ValueCounter, infer
from datahub_llmops.vector_stores.chroma.facts import Stored, containers
from datahub_llmops.vector_stores.chroma.readonly_sqlite import ReadOnlyFile

KNOWN_SCHEMA: Final[Mapping[str, int]] = {"sysdb": 10, "metadb": 6, "embeddings_queue": 2}
"""Newest migration of each part of the file with which this reader was tested: Chroma 1.5."""

_FIRST_SYSDB: Final = 4
"""The migration that introduced tenants and databases (Chroma 0.4.15)."""

_NAMING: Final = ("tenants", "databases", "collections", "collection_metadata", "segments")
"""Tables that say which collections there are, with a row for each of them or fewer."""
_SCANNED: Final = ("embeddings", "embedding_metadata")
"""Tables with rows for each chunk."""
_CHECKED_BYTES: Final = 256 << 20
"""Size of a file up to which the tables of chunks are checked for damage, which takes about a second."""
_LONGEST_NAME: Final = 4_096
"""Bytes; Chroma allows 512 characters."""

_NAMES_A_PAGE: Final = 2_000
_ROWS_A_PAGE: Final = 20_000
_SAMPLE: Final = 500
_LATEST_OPERATIONS: Final = 100_000


_UUID: Final = re.compile(r"[0-9a-fA-F-]{36}")


@dataclass(frozen=True, slots=True)
class _Scan:
    """One pass over the rows of a collection."""

    count: int
    first: datetime | None
    last: datetime | None


class ChromaFileReader:
    """A ``Reader`` of one folder to which a persistent Chroma client or server writes.

    It waits ``timeout`` seconds for a writer, and counts ``provenance_fields`` over all rows, with at most
    ``max_values`` different values each.

    Raises:
        AccessError: the folder does not exist, is no Chroma store, or one of an unknown newer or older version.
    """

    def __init__(
        self,
        path: Path,
        *,
        tenant: str,
        timeout: float = 30.0,
        provenance_fields: Sequence[str] = (),
        max_values: int = 10_000,
    ) -> None:
        self._folder = path.expanduser().absolute()
        self._tenant = tenant
        self._fields = tuple(provenance_fields)
        self._max_values = max_values
        self._prepare = Once(self._fill_temporary_tables)
        self._file = ReadOnlyFile(_find_file(self._folder), system="Chroma", timeout=timeout)
        try:
            self._schema = self._check_schema()
            self._check_for_damage()
            self._tables = self._read_columns()
            self._check_tenant()
        except BaseException:
            self._file.close()
            raise

    def names(self) -> Iterator[Name | FailedListing]:
        """List the collections of all databases of the tenant, in the order in which they were created."""
        last = -1
        while page := self._file.rows(
            f"SELECT c.rowid, d.tenant_id, {_name('d.name')}, {_name('c.name')} FROM collections c "
            "LEFT JOIN databases d ON d.id = c.database_id WHERE c.rowid > ? ORDER BY c.rowid LIMIT ?",
            (last, _NAMES_A_PAGE),
        ):
            for last, tenant, *names in page:
                if tenant != self._tenant and tenant is not None:
                    continue
                name = tuple(map(_decode, names))
                if None in name:
                    yield self._unreadable_name(name, last)
                else:
                    yield tuple(str(part) for part in name)

    def _unreadable_name(self, name: tuple[str | None, ...], row: int) -> FailedListing:
        """Report a collection without its name. It may be any of those that an earlier run saw."""
        database = name[0]
        what = "its database is not in the file" if database is None else "its name is not UTF-8 text"
        return FailedListing(
            name=() if database is None else (database,),
            error=UnreadableError(
                f"Chroma: {self._file.path}: row {row} of table collections cannot be read: {what}. "
                "Restore the file if it is damaged."
            ),
        )

    def read(self, name: Name) -> Collection:
        stored, segment = self._read_collection(name)
        counter = ValueCounter(self._fields, self._max_values)
        scan = self._scan(segment, counter)
        sampled = () if stored.has_schema else self._sample(segment)
        if not self._file.rows("SELECT 1 FROM collections WHERE id = ?", (stored.identity,)):
            raise self._vanished(name)
        times = [moment for moment in (scan.last, self._find_last_operation(stored.identity)) if moment]
        server = Container(kind="Server", name=self._folder.name, properties={"schema_version": self._schema})
        return Collection(
            name=name,
            containers=containers(server, self._tenant, name[0]),
            vectors=stored.vectors(),
            fields=stored.fields(sampled),
            text_field=stored.text_field,
            count=scan.count,
            size_bytes=self._measure_index(stored.identity),
            created=scan.first,
            modified=max(times, default=None),
            description=stored.description(),
            properties=stored.properties(),
            provenance=counter.result(scan.count),
        )

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        keys = parse_keys(ids, parse_text)
        if not keys:
            return frozenset()
        _, segment = self._read_collection(name)
        marks = ", ".join("?" * len(keys))
        rows = self._file.rows(
            f"SELECT embedding_id FROM embeddings WHERE segment_id = ? AND embedding_id IN ({marks})",
            (segment, *keys),
        )
        return find_ids(keys, (row[0] for row in rows))

    def close(self) -> None:
        self._file.close()

    def _check_schema(self) -> str:
        """Return the versions of the file's parts as text, or raise if one is unknown."""
        tables = {row[0] for row in self._file.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"migrations", "collections", *_SCANNED} <= tables:
            raise UnreachableError(
                f"Chroma: {self._file.path} is an SQLite file, but not Chroma's. Set path to the folder that "
                "was given to chromadb.PersistentClient or to `chroma run --path`."
            )
        rows = self._file.rows("SELECT dir, max(version) FROM migrations GROUP BY dir")
        if not all(isinstance(part, str) and isinstance(version, int) for part, version in rows):
            raise UnreadableError(
                f"Chroma: {self._file.path} is damaged: table migrations holds no versions. Restore the file."
            )
        found = dict(rows)
        text = ", ".join(f"{part} {version}" for part, version in sorted(found.items()))
        if any(version > KNOWN_SCHEMA.get(part, -1) for part, version in found.items()):
            known = ", ".join(f"{part} {version}" for part, version in sorted(KNOWN_SCHEMA.items()))
            raise AccessError(
                f"Chroma: {self._folder} was written by a newer Chroma (schema {text}; known up to {known}). "
                "Upgrade datahub-llmops, or run `chroma run --path` on it and read it by url."
            )
        if found.get("sysdb", 0) < _FIRST_SYSDB:
            raise AccessError(
                f"Chroma: {self._folder} was written by a Chroma older than 0.4.15 (schema {text}). Open it once "
                "with a newer Chroma, which migrates it."
            )
        if not set(_NAMING) <= tables:
            raise UnreadableError(
                f"Chroma: {self._file.path} is damaged: a table of {', '.join(_NAMING)} is missing. Restore the file."
            )
        return text

    def _check_for_damage(self) -> None:
        """Refuse a file in which damage could hide a collection. The tables of rows are checked if they are small."""
        self._file.check(*_NAMING, deeply=True)
        if self._file.path.stat().st_size <= _CHECKED_BYTES:
            self._file.check(*_SCANNED, deeply=False)

    def _read_columns(self) -> Mapping[str, frozenset[str]]:
        tables = ("collections", "embedding_metadata", "embedding_metadata_array", "embeddings_queue")
        return {
            table: frozenset(row[1] for row in self._file.rows(f"PRAGMA table_info({table})"))
            for table in tables
        }

    def _check_tenant(self) -> None:
        rows = self._file.rows(f"SELECT {_name('id')} FROM tenants ORDER BY id LIMIT 50")
        tenants = [tenant for row in rows if (tenant := _decode(row[0])) is not None]
        if self._tenant not in tenants:
            raise AccessError(
                f"Chroma: {self._folder} has no tenant {self._tenant!r}. It has: {', '.join(tenants) or 'none'}. "
                "Set tenant."
            )

    def _read_collection(self, name: Name) -> tuple[Stored, str]:
        """Read a collection, and the id of its metadata segment."""
        if len(name) != 2:
            raise self._vanished(name)
        wanted = ("config_json_str", "schema_str")
        columns = [c if c in self._tables["collections"] else f"NULL AS {c}" for c in wanted]
        found = self._file.rows(
            f"SELECT c.id, c.dimension, {', '.join(columns)} FROM collections c "
            "JOIN databases d ON c.database_id = d.id WHERE d.tenant_id = ? AND d.name = ? AND c.name = ?",
            (self._tenant, *name),
        )
        if not found:
            raise self._vanished(name)
        identity, dimension, configuration, schema = found[0]
        if not isinstance(identity, str) or not _UUID.fullmatch(identity):
            raise self._damaged(name, "its id is not a UUID")
        if dimension is not None and not (isinstance(dimension, int) and 0 < dimension < 1 << 31):
            raise self._damaged(name, "its dimension is not a number of dimensions")
        segments = self._read_segments(identity)
        stored = Stored(
            identity=identity,
            name=name,
            dimension=dimension,
            schema=self._parse_json(name, schema),
            configuration=self._parse_json(name, configuration),
            metadata=self._read_metadata(identity),
            segment_type=segments.get("VECTOR", ("", None))[1],
        )
        if "METADATA" not in segments:
            # Chroma writes it with the collection: without it the rows cannot be found, which is not "no rows".
            raise self._damaged(name, "it has no metadata segment")
        return stored, segments["METADATA"][0]

    def _vanished(self, name: Name) -> VanishedError:
        return VanishedError(f"Chroma: {self._folder} has no collection {'.'.join(name)} any more.")

    def _damaged(self, name: Name, what: str) -> UnreadableError:
        return UnreadableError(
            f"Chroma: {self._folder}: collection {'.'.join(name)} cannot be read: {what}. Restore the file if it is "
            "damaged."
        )

    def _parse_json(self, name: Name, text: object) -> Mapping[str, Any]:
        if text is None or text == "":
            return {}
        try:
            found = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, Mapping):
            raise self._damaged(name, "its configuration is not a JSON object")
        return found

    def _read_metadata(self, identity: str) -> Mapping[str, Any]:
        rows = self._file.rows(
            "SELECT key, str_value, int_value, float_value FROM collection_metadata WHERE collection_id = ?",
            (identity,),
        )
        return {
            row[0]: next((v for v in row[1:] if v is not None), None)
            for row in rows
            if isinstance(row[0], str)
        }

    def _read_segments(self, identity: str) -> Mapping[str, tuple[str, str]]:
        """Return scope -> (id, type). Chroma has no index by collection, and a reader must not create one."""
        self._prepare()
        for table in ("temp.segment_of", "main.segments"):
            rows = self._file.rows(f"SELECT scope, id, type FROM {table} WHERE collection = ?", (identity,))
            if rows:
                return {scope: (segment, kind) for scope, segment, kind in rows}
        return {}

    def _fill_temporary_tables(self) -> None:
        """Remember the segments, and the latest operation in the log, by collection."""
        newest = self._file.rows("SELECT max(seq_id) FROM embeddings_queue")[0][0] or 0
        self._file.remember(
            (
                "CREATE TEMP TABLE IF NOT EXISTS segment_of (collection TEXT, scope TEXT, id TEXT, type TEXT, "
                "PRIMARY KEY (collection, scope)) WITHOUT ROWID",
                (),
            ),
            (
                "INSERT OR IGNORE INTO temp.segment_of SELECT collection, scope, id, type FROM main.segments",
                (),
            ),
            (
                "CREATE TEMP TABLE IF NOT EXISTS touched (topic TEXT PRIMARY KEY, moment TEXT) WITHOUT ROWID",
                (),
            ),
            *(
                (
                    "INSERT INTO temp.touched SELECT substr(topic, -36), max(created_at) "
                    "FROM main.embeddings_queue WHERE seq_id > ? AND seq_id <= ? GROUP BY 1 "
                    "ON CONFLICT (topic) DO UPDATE SET moment = max(moment, excluded.moment)",
                    (end - _ROWS_A_PAGE, end),
                )
                for end in range(newest, max(0, newest - _LATEST_OPERATIONS), -_ROWS_A_PAGE)
            ),
        )

    def _scan(self, segment: str, counter: ValueCounter) -> _Scan:
        count, first, last, after = 0, None, None, ""
        ends: set[object] = set()
        while True:
            rows = self._file.rows(
                "SELECT count(*), min(created_at), max(created_at), max(embedding_id) FROM (SELECT created_at, "
                "embedding_id FROM embeddings WHERE segment_id = ? AND embedding_id > ? ORDER BY embedding_id LIMIT ?)",
                (segment, after, _ROWS_A_PAGE),
            )
            number, page_first, page_last, end = rows[0]
            if not number:
                break
            if end in ends:
                raise UnreadableError(
                    "Chroma: the ids of the rows are damaged: they lead back to earlier ones."
                )
            ends.add(end)
            self._count_values(segment, after, end, counter)
            count, after = count + number, end
            counter.rows += number
            first = min((time for time in (first, page_first) if isinstance(time, str)), default=None)
            last = max((time for time in (last, page_last) if isinstance(time, str)), default=None)
            if number < _ROWS_A_PAGE:
                break
        return _Scan(count, _parse_time(first), _parse_time(last))

    def _count_values(self, segment: str, after: str, end: str, counter: ValueCounter) -> None:
        """Count the provenance values of one page of rows. What ``uris=`` wrote becomes the field ``uri``."""
        keys = {field: field for field in self._fields}
        if "uri" in keys:
            keys["chroma:uri"] = "uri"
        if not keys:
            return
        marks = ", ".join("?" * len(keys))
        for table in ("embedding_metadata", "embedding_metadata_array"):
            if not self._tables[table]:
                continue
            for key, text, number, times in self._file.rows(
                # CROSS JOIN makes SQLite read the page first, then its values by their key.
                f"SELECT m.key, m.string_value, m.int_value, count(*) FROM embeddings e CROSS JOIN {table} m "
                f"ON m.id = e.id WHERE e.segment_id = ? AND e.embedding_id > ? AND e.embedding_id <= ? "
                f"AND m.key IN ({marks}) GROUP BY 1, 2, 3",
                (segment, after, end, *keys),
            ):
                value = text if text is not None else number
                if value is not None:
                    counter.add(keys[key], str(value), times)

    def _sample(self, segment: str) -> tuple[PayloadField, ...]:
        """Infer the fields of the first rows. SQLite returns placeholders of the same type, never the values."""
        rows = self._file.rows(
            "SELECT m.id, m.key, CASE WHEN m.string_value IS NOT NULL THEN 's' WHEN m.int_value IS NOT NULL THEN 'i' "
            f"WHEN m.float_value IS NOT NULL THEN 'f' {self._boolean_case()} END FROM (SELECT id FROM embeddings "
            "WHERE segment_id = ? LIMIT ?) e CROSS JOIN embedding_metadata m ON m.id = e.id "
            "WHERE m.key NOT LIKE 'chroma:%'",
            (segment, _SAMPLE),
        )
        placeholders = {"s": "", "i": 0, "f": 0.0, "b": False, None: None}
        sample: dict[int, dict[str, object]] = {}
        for row, key, kind in rows:
            sample.setdefault(row, {})[key] = placeholders[kind]
        return infer(sample.values())

    def _boolean_case(self) -> str:
        known = "bool_value" in self._tables["embedding_metadata"]
        return "WHEN m.bool_value IS NOT NULL THEN 'b'" if known else ""

    def _find_last_operation(self, identity: str) -> datetime | None:
        """Return the time of the last operation in the log: updates and deletions leave no other trace."""
        self._prepare()
        # The end of a topic is the collection's id.
        rows = self._file.rows("SELECT moment FROM temp.touched WHERE topic = ?", (identity,))
        return _parse_time(rows[0][0]) if rows else None

    def _measure_index(self, identity: str) -> int | None:
        """Return the bytes of the index's own folder. Those in SQLite cannot be split by collection."""
        segment = self._read_segments(identity).get("VECTOR")
        if segment is None or not _UUID.fullmatch(str(segment[0])):
            return None
        try:
            sizes = [file.stat().st_size for file in (self._folder / segment[0]).iterdir()]
        except OSError:
            return None
        return sum(sizes)


def _find_file(folder: Path) -> Path:
    """Return Chroma's SQLite file in ``folder``, or raise if it is not there."""
    file = folder / "chroma.sqlite3"
    hint = "Set path to the folder that was given to chromadb.PersistentClient or to `chroma run --path`"
    if folder.is_file():
        raise UnreachableError(f"Chroma: path is the file {folder}. {hint}, here perhaps {folder.parent}.")
    if not folder.exists():
        raise UnreachableError(f"Chroma: there is no folder {folder}. {hint}.")
    if not file.exists():
        raise UnreachableError(f"Chroma: the folder {folder} contains no chroma.sqlite3. {hint}.")
    return file


def _name(column: str) -> str:
    """Select the bytes of a name, and nothing for what is not text: decoded loosely it would be another name."""
    return (
        f"CASE typeof({column}) WHEN 'text' THEN substr(CAST({column} AS BLOB), 1, {_LONGEST_NAME + 1}) END"
    )


def _decode(name: bytes | None) -> str | None:
    """Decode a name, or return ``None`` if it is not one."""
    if not name or len(name) > _LONGEST_NAME:
        return None
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


def _parse_time(text: object) -> datetime | None:
    """Parse SQLite's CURRENT_TIMESTAMP, which is in UTC."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if isinstance(text, str) and text else None
    except ValueError:
        return None
