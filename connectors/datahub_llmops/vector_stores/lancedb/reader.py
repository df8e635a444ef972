"""Reads a LanceDB database: a folder, or a prefix in an object store. Nothing is written or created.

Lance keeps every version of a table in files that never change, so a read sees one version, whoever writes meanwhile.
https://lance.org/format/table/
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import lancedb
import pyarrow as pa

from datahub_llmops.assets.collections import Collection, Container, FailedListing, Name
from datahub_llmops.errors import (
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.ingestion.chunk_ids import Keys, find_ids, parse_keys, parse_text
from datahub_llmops.ingestion.sampling import provenance_paths, text_path
from datahub_llmops.net.attempts import Breaker, within
from datahub_llmops.net.paging import Pages
from datahub_llmops.vector_stores.lancedb.facts import Index, Table, index_of, moment_of
from datahub_llmops.vector_stores.lancedb.rows import ID_COLUMNS, Rows, find_keys

_NAMES_A_PAGE: Final = 1_000
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
"""What LanceDB accepts as the name of a table, when it makes one and when it opens one."""
_MANIFEST: Final = "__manifest"
"""The folder in which LanceDB keeps its namespaces."""
_TROUBLE: Final = (
    *(ValueError, RuntimeError, OSError, LookupError, TypeError, ArithmeticError),
    pa.ArrowException,
)
"""Exceptions of LanceDB, Lance and Arrow. Their texts may quote bytes of a file, and are not shown."""
_THEIR_MODULES: Final = frozenset({"lance", "lance_namespace", "pyo3_async_runtimes", "pyo3_runtime"})
"""Modules of their other exceptions. A panic of their Rust code on a damaged file is one of them; its class cannot be
imported, and is not always an ``Exception``."""
_REFUSED: Final = re.compile(
    r"\bstatus: 40[13]\b|\b40[13] (Unauthorized|Forbidden)|Unauthenticated|PermissionDenied"
)
"""Tells an object store's refusal from its failures, for which Lance has a single exception."""
_CACHE_BYTES: Final = 16 * 1024 * 1024
_REQUEST_SECONDS: Final = 30.0
"""Maximum time of a single request to an object store."""
_LATE: Final = 3
"""Calls in a row that missed their deadline, after which the store is taken to be gone."""

T = TypeVar("T")


class LanceReader:
    """A ``Reader`` of one database.

    Lance's own SQL engine counts ``provenance_fields`` over all rows; those in JSON text are counted in at most
    ``max_rows``. At most ``max_values`` different values are kept of each. ``timeout`` is the deadline in seconds for
    opening an object store, for listing all tables and for reading each table, with all requests and retries. Local
    folders have none.

    Raises:
        AccessError: there is no such folder, no LanceDB in it, or the address cannot be used.
    """

    def __init__(
        self,
        *,
        path: Path | None = None,
        uri: str | None = None,
        storage_options: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        provenance_fields: Sequence[str] = (),
        max_rows: int = 100_000,
        max_values: int = 10_000,
    ) -> None:
        self._max_rows = max_rows
        self._fields = tuple(provenance_fields)
        self._max_values = max_values
        self._folder = path.expanduser().absolute() if path is not None else None
        if self._folder is not None:
            _check_folder(self._folder)
            self._shown, address = str(self._folder), str(self._folder)
            self._options: dict[str, str] | None = None
        else:
            self._shown, address = _check_uri(uri or "")
            self._options = {**_limit_requests(min(timeout, _REQUEST_SECONDS)), **(storage_options or {})}
        self._timeout = timeout
        self._breaker = Breaker(_LATE)
        name = self._folder.name if self._folder is not None else self._shown.partition("://")[2].rstrip("/")
        self._server = Container(kind="Database", name=name)
        db = self._in_time(lambda: self._connect(address), "it was not opened")
        if isinstance(db, ConnectorError):
            raise db
        self._db = db

    def names(self) -> Iterator[Name | FailedListing]:
        """List the tables of all namespaces by name, those of an outer namespace first.

        The error of a namespace that cannot be listed is raised after the tables of the others.
        """
        if self._folder is not None:
            _check_folder(self._folder)
        broken: list[ConnectorError] = []
        listed = self._in_time(lambda: list(self._list_names((), broken)), "the tables were not listed")
        if isinstance(listed, ConnectorError):
            raise listed
        yield from listed
        if broken:
            raise broken[0]

    def read(self, name: Name) -> Collection:
        shown = ".".join(name)
        if not name or not all(name):
            raise VanishedError(f"LanceDB at {self._shown}: no table {shown!r}.")
        found = self._in_time(
            lambda: self._try(name, lambda opened: self._build_collection(name, opened)),
            f"the table {shown} was not read",
        )
        if isinstance(found, ConnectorError):
            raise found
        return found

    def has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        keys = parse_keys(ids, parse_text)
        if not keys:
            return frozenset()
        shown = ".".join(name)
        if not name or not all(name):
            raise VanishedError(f"LanceDB at {self._shown}: no table {shown!r}.")
        found = self._in_time(
            lambda: self._try(name, lambda opened: self._find_keys(name, opened, keys)),
            f"the ids of the table {shown} were not looked up",
        )
        if isinstance(found, ConnectorError):
            raise found
        return found

    def close(self) -> None:
        """Do nothing: the connection needs no closing."""

    def _in_time(self, call: Callable[[], T | ConnectorError], what: str) -> T | ConnectorError:
        """Return the result of ``call``, or the error that it took too long: the engine cannot be stopped."""
        if self._folder is not None:
            return call()
        try:
            result = within(self._timeout, call)
        except TimeoutError:
            self._breaker.record(failed=True)
        else:
            self._breaker.record(failed=False)
            return result
        error = UnreachableError if self._breaker.is_open else UnreadableError
        return error(
            f"LanceDB at {self._shown}: {what} within {self._timeout:g} s. Raise timeout_sec, or look at the store."
        )

    def _connect(self, address: str) -> Any:
        try:
            # Small caches, because each table is read once and there may be thousands.
            session = lancedb.Session(_CACHE_BYTES, _CACHE_BYTES)
            return lancedb.connect(address, storage_options=self._options, session=session)
        except _TROUBLE as error:
            return self._explain_listing(error)

    def _try(self, name: Name, read: Callable[[Any], T | ConnectorError]) -> T | ConnectorError:
        """Return what ``read`` makes of a table once it is open, or the error of the table."""
        if (odd := _find_special_file(self._folders_of(name))) is not None:
            return UnreadableError(
                f"LanceDB at {self._shown}: the table {'.'.join(name)} holds {odd.name}, which is not a regular file "
                "but a pipe, a device or a socket. Remove it."
            )
        try:
            return read(self._open(name))
        except BaseException as error:
            if not _is_trouble(error):
                raise
            return self._explain_reading(name, error)

    def _list_names(
        self, space: tuple[str, ...], broken: list[ConnectorError]
    ) -> Iterator[Name | FailedListing]:
        """Yield the tables of a namespace and of those within it; add its errors to ``broken``."""
        try:
            tables = self._list_pages("tables", space)
            spaces = self._list_pages("namespaces", space)
        except BaseException as error:
            if not _is_trouble(error):
                raise
            broken.append(self._explain_namespace(space, error) if space else self._explain_listing(error))
            return
        if not (space or tables or spaces):
            broken.append(self._explain_empty())
        for table in tables:
            name = (*space, table)
            yield name if _NAME.fullmatch(table) else self._explain_name(name)
        for inner in spaces:
            yield from self._list_names((*space, inner), broken)

    def _explain_name(self, name: Name) -> FailedListing:
        return FailedListing(
            name=name,
            error=UnreadableError(
                f"LanceDB at {self._shown}: {name[-1]!r} is the name of a folder, but no table can have it: is it "
                "a copy? Rename or remove it, or leave it out by table_pattern."
            ),
            is_item=False,
        )

    def _list_pages(self, what: str, space: Sequence[str]) -> list[str]:
        """List the names of all pages. A page starts after a name, so none is lost if an earlier one is dropped."""
        ask = self._db.list_tables if what == "tables" else self._db.list_namespaces
        found: list[str] = []
        token: str | None = None
        pages = Pages(f"LanceDB at {self._shown}: the list of {what}")
        while True:
            page = ask(namespace_path=list(space) or None, limit=_NAMES_A_PAGE, page_token=token)
            names = page.tables if what == "tables" else page.namespaces
            found += names
            token = page.page_token
            if not token:
                return sorted(set(found))
            pages.add(names)
            pages.turn(token)

    def _open(self, name: Name) -> Any:
        # Lance does not use the options of the connection for a table in a namespace.
        return self._db.open_table(
            name[-1], namespace_path=list(name[:-1]) or None, storage_options=self._options
        )

    def _build_collection(self, name: Name, opened: Any) -> Collection:
        table = Table(schema=opened.schema, indexes=tuple(_list_indexes(opened)))
        total = int(opened.count_rows())
        rows = Rows(opened.to_lance(), total) if total else None
        fields = (*table.fields(), *(rows.json_fields() if rows else ()))
        paths = [item.path for item in fields]
        wanted = provenance_paths(self._fields, paths)
        versions = sorted(opened.list_versions(), key=lambda version: int(version["version"]))
        return Collection(
            name=name,
            containers=(self._server, *(Container(kind="Namespace", name=part) for part in name[:-1])),
            vectors=table.vectors(),
            fields=fields,
            text_field=_find_text_field(table, paths),
            count=total,
            size_bytes=opened.stats()["total_bytes"] or None,
            created=moment_of(versions[0]) if versions else None,
            modified=moment_of(versions[-1]) if versions else None,
            description=table.description(),
            properties={**table.properties(), **_version_properties(opened, versions)},
            provenance=rows.provenance(wanted, max_rows=self._max_rows, max_values=self._max_values)
            if rows and wanted
            else (),
        )

    def _find_keys(self, name: Name, opened: Any, keys: Keys[str]) -> frozenset[str] | ConnectorError:
        found = find_keys(opened, keys)
        if found is not None:
            return find_ids(keys, found)
        return UnreadableError(
            f"LanceDB at {self._shown}: the table {'.'.join(name)} has no column of ids, which is called "
            f"{' or '.join(ID_COLUMNS)} and holds text or integers, so ids cannot be looked up. Leave it out by "
            "table_pattern."
        )

    def _explain_reading(self, name: Name, error: BaseException) -> ConnectorError:
        """Return the error of a table: it vanished if it is no longer listed, otherwise it cannot be read."""
        shown = ".".join(name)
        if self._folder is not None and not self._folder.is_dir():
            return UnreachableError(
                f"LanceDB: the folder {self._folder} is gone. Is it on a disk that was unmounted?"
            )
        try:
            listed = name[-1] in self._list_pages("tables", name[:-1])
            if not listed and self._is_empty():
                return self._explain_empty()
        except BaseException as listing:
            if not _is_trouble(listing):
                raise
            # A namespace that no longer exists cannot be listed, and neither can its tables.
            if name[:-1] and self._lacks(name[:-1]):
                return VanishedError(
                    f"LanceDB at {self._shown}: no namespace {'.'.join(name[:-1])} any more."
                )
            return self._explain_listing(listing)
        if not listed:
            return VanishedError(f"LanceDB at {self._shown}: no table {shown!r} any more.")
        if self._is_denied(name):
            return DeniedError(
                f"LanceDB: no permission to read all of the table {shown} in {self._folder}. Run as a user who may "
                "read it; writing is not needed."
            )
        return UnreadableError(
            f"LanceDB at {self._shown}: the table {shown} exists but cannot be read ({type(error).__name__}): it is "
            "being created or dropped, or its files are damaged or incomplete. Run again; if it happens again, open it "
            "with lancedb."
        )

    def _lacks(self, space: tuple[str, ...]) -> bool:
        try:
            return space[-1] not in self._list_pages("namespaces", space[:-1])
        except BaseException as error:
            if not _is_trouble(error):
                raise
            return len(space) > 1 and self._lacks(space[:-1])

    def _is_denied(self, name: Name) -> bool:
        """Whether a file or folder of the table may not be read. Namespaces change the names of folders."""
        if self._folder is None:
            return False
        paths = [path for folder in self._folders_of(name) for path in (folder, *_list_below(folder))]
        return any(not _may_read(path) for path in paths)

    def _folders_of(self, name: Name) -> list[Path]:
        """The folders of a table, if the database is on this machine."""
        own = f"{name[-1]}.lance" if len(name) == 1 else f"*{'$'.join(name)}"
        try:
            return [] if self._folder is None else sorted(self._folder.glob(own))
        except (OSError, ValueError, NotImplementedError):
            return []  # No folder can have this name, such as a longer one than the system allows.

    def _explain_namespace(self, space: tuple[str, ...], error: BaseException) -> ConnectorError:
        return UnreadableError(
            f"LanceDB at {self._shown}: the namespace {'.'.join(space)} cannot be listed ({type(error).__name__}). Run "
            "again; if it happens again, look at its files."
        )

    def _is_empty(self) -> bool:
        return not self._list_pages("tables", ()) and not self._list_pages("namespaces", ())

    def _explain_empty(self) -> ConnectorError:
        """Return the error of an empty database: a wrong address or a proxy in front of the store looks like one."""
        return UnreachableError(
            f"LanceDB at {self._shown} contains no table. Check that lancedb.connect was given the same address, and "
            "that no proxy answers instead."
        )

    def _explain_listing(self, error: BaseException) -> ConnectorError:
        hint = "Check uri, storage_options and what they may read" if self._folder is None else "Check path"
        # The text is used only for this, and not shown.
        if _REFUSED.search(str(error)):
            return DeniedError(f"LanceDB at {self._shown} may not be listed. {hint}.")
        return UnreachableError(
            f"LanceDB at {self._shown} cannot be listed ({type(error).__name__}). {hint}."
        )


def _is_trouble(error: BaseException) -> bool:
    return isinstance(error, _TROUBLE) or type(error).__module__.partition(".")[0] in _THEIR_MODULES


def _list_indexes(opened: Any) -> Iterator[Index]:
    for config in opened.list_indices():
        known = getattr(config, "index_details", None)
        statistics = None if known else opened.index_stats(config.name)
        yield from index_of(config, getattr(statistics, "distance_type", None))


def _find_text_field(table: Table, paths: Sequence[str]) -> str | None:
    """Return the column that an embedding function reads, else the text of LangChain's or LlamaIndex's layout."""
    declared = table.source_column()
    if declared in paths:
        return declared
    return text_path(paths, "lancedb")


def _version_properties(opened: Any, versions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tags of versions, and whether the first version, which dates the table, was cleaned up."""
    tags = sorted((str(tag), int(at["version"])) for tag, at in opened.tags.list().items())
    found = {"tags": ", ".join(f"{tag}: version {at}" for tag, at in tags)} if tags else {}
    if versions and int(versions[0]["version"]) != 1:
        found["created_at_the_latest"] = "true"
    return found


def _check_folder(folder: Path) -> None:
    """Raise if there is no database in the folder, because LanceDB itself would create one."""
    hint = "Set path to the folder that was given to lancedb.connect"
    problem: ConnectorError
    try:
        inside = [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        problem = UnreachableError(f"LanceDB: there is no folder {folder}. {hint}.")
    except NotADirectoryError:
        problem = UnreachableError(f"LanceDB: path is the file {folder}. {hint}.")
    except PermissionError:
        problem = DeniedError(f"LanceDB: no permission to read {folder}. Run as a user who may read it.")
    except OSError:
        problem = UnreachableError(f"LanceDB: the folder {folder} cannot be read. {hint}.")
    else:
        if folder.suffix == ".lance" and "_versions" in inside:
            problem = UnreachableError(f"LanceDB: path is the table {folder}. {hint}, here {folder.parent}.")
        elif not any(name == _MANIFEST or name.endswith(".lance") for name in inside):
            problem = UnreachableError(
                f"LanceDB: the folder {folder} contains no table. {hint}; is it on a disk that is not mounted?"
            )
        else:
            return
    raise problem


def _check_uri(uri: str) -> tuple[str, str]:
    """Return the address of an object store as it may be shown, without secrets, and as it is."""
    parts = urlsplit(uri.strip())
    if parts.scheme == "db":
        raise UnreachableError(
            "LanceDB: db:// is LanceDB Cloud, which this connector does not read. Give the address of the files."
        )
    if (
        len(parts.scheme) < 2
        or parts.scheme == "file"
        or "@" in parts.netloc
        or parts.query
        or not parts.netloc
    ):
        raise UnreachableError(
            "LanceDB: the uri cannot be used. Write it like s3://bucket/folder, gs://bucket/folder or "
            "az://container/folder, credentials as storage_options; give a folder of this machine as path."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}", uri.strip()


def _limit_requests(seconds: float) -> dict[str, str]:
    """Return the options that limit requests to object stores. https://docs.rs/object_store/latest/object_store/struct.ClientOptions.html"""
    whole = max(1, round(seconds))
    return {
        "timeout": f"{whole}s",
        "connect_timeout": f"{whole}s",
        "client_retry_timeout": str(whole),
        "client_max_retries": "3",
    }


def _find_special_file(folders: Iterable[Path]) -> Path | None:
    """Find a pipe, a device or a socket below the folders: the engine would wait for it, and cannot be stopped."""
    todo = list(folders)
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry))
                    elif not entry.is_file() and not entry.is_dir() and Path(entry).exists():
                        return Path(entry)
        except OSError:
            # The engine will say what cannot be read.
            continue
    return None


def _list_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


def _may_read(path: Path) -> bool:
    try:
        needed = os.R_OK | os.X_OK if stat.S_ISDIR(path.stat().st_mode) else os.R_OK
        if os.access(path, needed, effective_ids=os.access in os.supports_effective_ids):
            return True
        path.stat()
    except FileNotFoundError:
        # It was removed in the meantime, which is not a denial.
        return True
    except OSError:
        return False
    return False
