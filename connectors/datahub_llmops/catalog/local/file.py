"""The SQLite file of the local catalog: its default path, its tables, and how to open it and explain its errors.

Standard library only, so that a command that reads the catalog starts fast. The file is in WAL mode: readers never
wait for a writer, and a run is one transaction.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.answer_store.location import default_catalog
from datahub_llmops.answer_store.sqlite_file import Problem
from datahub_llmops.catalog.aspect_facts import LISTED_PROPERTIES, PROPERTY_PREFIX
from datahub_llmops.errors import CatalogError, NoCatalogError

APPLICATION_ID = 0x6C6C6D6F  # "llmo"
FORMAT = 1
LOCK_TIMEOUT = 60.0
"""Seconds to wait for another writer."""

_SCHEMA = """
create table asset (
    id integer primary key,
    urn text not null unique,
    type text not null,
    parent integer,
    folded text,
    leaf text,
    label text,
    emitted integer not null default 0,
    removed integer not null default 0,
    platform text,
    subtype text,
    name text,
    edited_name text,
    description text,
    edited_description text,
    words text not null default '',
    owners text not null default '',
    terms text not null default '',
    tags text not null default ''
);
create index asset_folded on asset (folded) where folded is not null;
create index asset_leaf on asset (leaf) where leaf is not null;
create index asset_label on asset (label) where label is not null;
create index asset_labelled on asset (type) where terms <> '' or tags <> '';
create table aspect (
    id integer primary key,
    asset integer not null,
    name text not null,
    body text not null,
    unique (asset, name)
);
create table series (
    id integer primary key,
    asset integer not null,
    name text not null,
    partition text not null,
    at integer not null,
    granularity text not null,
    message text not null,
    body text not null,
    unique (asset, name, partition, at, granularity, message)
);
create table edge (
    owner integer not null,
    aspect text not null,
    up integer not null,
    down integer not null,
    found_by text not null default '',
    primary key (owner, aspect, up, down)
) without rowid;
create index edge_up on edge (up, down);
create index edge_down on edge (down, up);
create table column_edge (
    owner integer not null,
    aspect text not null,
    up integer not null,
    down integer not null,
    up_asset integer not null,
    down_asset integer not null,
    primary key (owner, aspect, up, down)
) without rowid;
create index column_edge_up on column_edge (up);
create index column_edge_down on column_edge (down);
create table label (
    owner integer not null,
    aspect text not null,
    kind text not null,
    target integer not null,
    holder integer not null,
    urn text not null,
    primary key (owner, aspect, kind, target, urn)
) without rowid;
create index label_holder on label (holder);
create index label_target on label (target);
create table word (
    word text not null,
    asset integer not null,
    primary key (word, asset)
) without rowid;
create table checkpoint (
    pipeline text not null,
    job text not null,
    body text not null,
    primary key (pipeline, job)
);
"""


def assigns(properties: Iterable[str]) -> str:
    """Return the condition that an aspect assigns one of our structured properties, by its text.

    Most assets of a large catalog have none of them, and parsing all would take longer than all else.
    """
    one_of = " or ".join(f"instr(body, '{PROPERTY_PREFIX}{name}')" for name in properties)
    return f"aspect.name = 'structuredProperties' and ({one_of or '0'})"


_ADDED = (
    """
    create table if not exists edge_not_confirmed (
        owner integer not null,
        aspect text not null,
        up integer not null,
        down integer not null,
        since text not null,
        primary key (owner, aspect, up, down)
    ) without rowid
    """,
    """
    create table if not exists column_use (
        owner integer not null,
        urn text not null,
        primary key (urn, owner)
    ) without rowid
    """,
    "create index if not exists column_use_owner on column_use (owner)",
    "create index if not exists label_urn on label (urn)",
    """
    create table if not exists schema_before (
        asset integer not null,
        until integer not null,
        columns text not null,
        primary key (asset, until)
    ) without rowid
    """,
    """
    create table if not exists pipeline_run (
        pipeline text not null,
        source text not null,
        instance text not null,
        run_id text not null,
        began integer not null,
        ended integer not null,
        outcome text not null,
        succeeded integer,
        primary key (pipeline, source, instance)
    ) without rowid
    """,
    f"create index if not exists aspect_listed on aspect (asset) where {assigns(LISTED_PROPERTIES)}",
)
"""Tables beside ``edge`` that files of release 0.1.0 lack. They are not columns of ``edge``, so that release can still
read and write a file that has them. ``column_use`` has the columns that the SQL of a job uses, the tables of which it
may use more, and the job itself if it says anything about uses. The indexes find what a list of many assets shows, and
what carries a term; SQLite keeps them, whoever writes. ``schema_before`` has the columns that a dataset had until the
time, in milliseconds, at which a run found others. ``pipeline_run`` has how the last run of each pipeline ended."""
_SUBJECTS: Final = (
    """
    create table subject (
        owner integer not null,
        aspect text not null,
        urn text not null,
        primary key (urn, owner, aspect)
    ) without rowid
    """,
    "create index subject_owner on subject (owner, aspect)",
    """
    insert or ignore into subject select asset, name, value from aspect, json_each(body, '$.entities')
    where name = 'incidentInfo' and json_valid(body) and json_each.type = 'text'
    """,
    """
    insert or ignore into subject select aspect.asset, aspect.name, inner.value
    from aspect, json_each(aspect.body) as outer, json_each(outer.value) as inner
    where aspect.name = 'assertionInfo' and json_valid(aspect.body) and outer.type = 'object'
    and inner.key in ('entity', 'dataset') and inner.type = 'text'
    """,
    """
    insert or ignore into subject select asset, name, json_extract(body, '$.parentTemplate') from aspect
    where name = 'dataProcessInstanceRelationships' and json_valid(body)
    and json_type(body, '$.parentTemplate') = 'text'
    """,
)
"""Which assets an assertion, an incident or a run is about. Files of release 0.1.0 lack it; it is filled when made."""

DAMAGED: Final = "the file is damaged or cut off; restore a copy, or delete it and run the recipes again"
"""What is wrong with a file that has no longer what SQLite or we wrote, and what to do."""
_GARBAGE: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""What our code makes of the rows of a damaged file: text that is not UTF-8 or not JSON, a number instead of a name."""


@contextlib.contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn the errors of a block that reads the catalog into errors with a next step.

    Raises:
        CatalogError: SQLite fails, or what it returns is damaged.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except _GARBAGE:
        # Its text may quote a row.
        raise _damaged(path) from None


def parse_aspect(body: str) -> dict[str, Any]:
    """Parse the text of an aspect.

    Raises:
        ValueError: it is no JSON object.
    """
    aspect = json.loads(body)
    if not isinstance(aspect, dict):
        raise ValueError("not a JSON object")
    return aspect


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a read-only connection. It never creates the catalog or waits for a writer, and works on read-only media.

    It may write to the files beside it that SQLite needs, and the last one to close tidies those away.

    Raises:
        NoCatalogError: there is no catalog at ``path`` yet.
        CatalogError: it cannot be read; says why and what to do.
    """
    _check_file(path, for_writing=False)
    try:
        with sqlite_file.opening(path, sqlite_file.READ_WRITE) as connection:
            connection.execute("pragma query_only = on")
            _check_format(connection, path)
    except _GARBAGE:
        raise _damaged(path) from None
    except sqlite3.Error as error:
        if not _needs_files_beside(error) or sqlite_file.has_log(path):
            raise explain(error, path) from error
        return _open_immutable(path)
    return connection


def _open_immutable(path: Path) -> sqlite3.Connection:
    """Open the file as immutable. Nothing can be created beside it, so nobody can write to it either."""
    with explaining(path), sqlite_file.opening(path, sqlite_file.IMMUTABLE) as connection:
        _check_format(connection, path)
    return connection


def open_writer(path: Path, timeout: float = LOCK_TIMEOUT) -> sqlite3.Connection:
    """Open a connection in an immediate transaction, with tables. ``commit`` or ``rollback`` it, then ``close`` it.

    Creates the file, and its folder where ``path`` is the default one; the tables come with the first commit, so a
    run that dies leaves no half-made catalog. ``timeout`` is the wait for another writer in seconds.

    Raises:
        CatalogError: the file cannot be written; says why and what to do.
    """
    if path == default_catalog() and not path.parent.exists():
        try:
            path.parent.mkdir(parents=True)
        except OSError as error:
            raise CatalogError(
                f"local catalog {path}: its folder cannot be made ({error.strerror}); name another path"
            ) from error
    _check_file(path, for_writing=True)
    with explaining(path), sqlite_file.opening(path, sqlite_file.CREATE, timeout) as connection:
        # Before anything is changed: the file may be somebody else's.
        _check_format(connection, path, for_writing=True)
        _set_write_ahead(connection, timeout)
        connection.execute("pragma synchronous = full")
        connection.execute("pragma cache_size = -8000")
        _begin(connection, path)
    return connection


def _begin(connection: sqlite3.Connection, path: Path) -> None:
    """Begin the writer's transaction, with all tables."""
    connection.execute("begin immediate")
    if not _check_format(connection, path, for_writing=True):
        _create(connection)
    for statement in _ADDED:
        connection.execute(statement)
    if not connection.execute("select 1 from sqlite_master where name = 'subject'").fetchone():
        for statement in _SUBJECTS:
            connection.execute(statement)


def _set_write_ahead(connection: sqlite3.Connection, timeout: float) -> None:
    """Switch to write-ahead mode. This needs the file alone, and SQLite does not wait if two first runs collide."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if sqlite_file.classify(error) is not Problem.LOCKED or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(f"pragma application_id = {APPLICATION_ID}")
    connection.execute(f"pragma user_version = {FORMAT}")


def _check_file(path: Path, *, for_writing: bool) -> None:
    what = f"local catalog {path}"
    try:
        if not path.parent.is_dir():
            if path == default_catalog():
                raise NoCatalogError(
                    f"{what}: no run has ended in it yet; run a recipe with the sink llm-local"
                )
            raise CatalogError(
                f"{what}: the folder {path.parent} does not exist; make it, or name another path"
            )
        if not path.exists():
            if for_writing:
                return
            raise NoCatalogError(
                f"{what}: there is no such file; run a recipe with the sink llm-local first, or name another path"
            )
        if path.is_dir():
            raise CatalogError(f"{what}: this is a folder; name a file in it")
        if not path.is_file():
            # Reading a pipe would wait for ever.
            raise CatalogError(
                f"{what}: this is not a regular file but a device, a pipe or a socket; name another path"
            )
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise CatalogError(f"{what}: cannot be read ({error.strerror}); check its permissions") from error
    if header and not sqlite_file.HEADER.startswith(header[:16]):
        raise CatalogError(f"{what}: this is not a SQLite file; name another path")
    if header and (len(header) < 100 or (size < _expected_size(header) and not sqlite_file.has_log(path))):
        raise _damaged(path)


def _expected_size(header: bytes) -> int:
    """Return the size in bytes according to the file's header, or 0 if the counters in the header disagree."""
    if header[24:28] != header[92:96]:
        return 0
    page = int.from_bytes(header[16:18], "big")
    return (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")


def _needs_files_beside(error: sqlite3.Error) -> bool:
    """Return whether the connection failed because SQLite could not create ``-wal`` and ``-shm``."""
    return sqlite_file.classify(error) in (Problem.CANNOT_OPEN, Problem.READ_ONLY)


def _check_format(connection: sqlite3.Connection, path: Path, *, for_writing: bool = False) -> bool:
    """Return whether the file has the tables. Only a writer may find a file without them, before its first run."""
    application = connection.execute("pragma application_id").fetchone()[0]
    version = connection.execute("pragma user_version").fetchone()[0]
    what = f"local catalog {path}"
    if application == APPLICATION_ID:
        if version > FORMAT:
            raise CatalogError(
                f"{what}: it has format {version}, from a newer datahub-llmops; this one knows {FORMAT}: upgrade it"
            )
        return True
    if application or connection.execute("select 1 from sqlite_master limit 1").fetchone():
        raise CatalogError(f"{what}: this SQLite file belongs to something else; name another path")
    if not for_writing:
        raise NoCatalogError(f"{what}: no run has ended in it yet; run a recipe with the sink llm-local")
    return False


def _damaged(path: Path) -> CatalogError:
    return CatalogError(f"local catalog {path}: {DAMAGED}")


def explain(error: sqlite3.Error, path: Path) -> CatalogError:
    """Build the ``CatalogError`` for an error of SQLite, with the next step."""
    what = f"local catalog {path}"
    name = sqlite_file.error_name(error)
    match sqlite_file.classify(error):
        case Problem.LOCKED:
            return CatalogError(f"{what}: another process keeps it locked; let that run end, then try again")
        case Problem.NOT_A_DATABASE:
            return CatalogError(f"{what}: this is not a SQLite file; name another path")
        case Problem.DAMAGED:
            return _damaged(path)
        case Problem.DISK_FULL:
            return CatalogError(f"{what}: the disk is full; make room and run again")
        case Problem.READ_ONLY:
            return CatalogError(
                f"{what}: it cannot be written to; check its permissions and whether the disk is read-only"
            )
        case Problem.CANNOT_OPEN:
            return CatalogError(f"{what}: it cannot be opened; check that its folder may be written to")
        case Problem.DISK_ERROR:
            return CatalogError(f"{what}: reading or writing it failed ({name}); check the disk")
        case Problem.OTHER:
            return CatalogError(f"{what}: SQLite reports {name}")


def begin_again(connection: sqlite3.Connection, path: Path) -> None:
    """Drop what the writer's transaction did, and begin it anew.

    Raises:
        sqlite3.Error: it cannot be begun.
    """
    connection.execute("rollback")
    _begin(connection, path)


def commit(connection: sqlite3.Connection) -> None:
    """Commit, then copy the log into the file as far as readers allow without waiting.

    Raises:
        sqlite3.Error: it could not be committed.
    """
    connection.execute("commit")
    with contextlib.suppress(sqlite3.Error):
        connection.execute("pragma wal_checkpoint(passive)")


def close(connection: sqlite3.Connection) -> None:
    """Close the connection. An error while closing is ignored, because what was committed stays committed."""
    with contextlib.suppress(sqlite3.Error):
        connection.close()
