"""The objects in a folder or a bucket, through fsspec: listed folder by folder, opened one by one."""

from __future__ import annotations

import errno
import io
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import fsspec
from fsspec.core import url_to_fs
from fsspec.utils import glob_translate

from datahub_llmops.assets.extras import pip_install
from datahub_llmops.errors import AccessError, ConnectorError, DeniedError, RecipeError, UnreachableError
from datahub_llmops.spans.doors import storage_errors
from datahub_llmops.spans.doors.keys import DAY, period
from datahub_llmops.spans.doors.storage_errors import StorageError, Watched

_MAGIC: Final = re.compile(r"[*?\[]")
EXTRAS: Final = {
    "s3": "spans-s3",
    "s3a": "spans-s3",
    "gs": "spans-gcs",
    "gcs": "spans-gcs",
    "abfs": "spans-abfs",
    "abfss": "spans-abfs",
    "az": "spans-abfs",
}
_READ_AHEAD: Final = 4 * 2**20
_SMALL: Final = 2 * 2**20
"""Bytes up to which an object is fetched as a whole."""

Wanted = Callable[[float, float], bool]
"""Whether anything that was written between two times is wanted."""


class Object(NamedTuple):
    """One object as it was listed."""

    name: str
    size: int
    version: str
    """Changes whenever the content does: an entity tag, or the time of the last change."""
    modified: float | None
    """Time of the last change, in seconds since the epoch."""


class Place:
    """One entry of ``files``: a folder, one object, or a pattern."""

    def __init__(self, pattern: str, storage: Mapping[str, Any]) -> None:
        """Find the file system.

        Raises:
            RecipeError: the file system of the address is not installed; the message says what to install.
        """
        self.pattern = pattern
        protocol = pattern.partition("://")[0] if "://" in pattern else "file"
        try:
            self._fs, path = url_to_fs(pattern, **storage)
        except ImportError:
            extra = EXTRAS.get(protocol)
            needed = pip_install(extra) if extra else f"install fsspec's file system for {protocol}://"
            raise RecipeError(f"{pattern} cannot be read yet: {needed}") from None
        except ValueError:
            raise RecipeError(
                f"{pattern} names a file system that fsspec does not know: check the part before ://"
            ) from None
        self.is_local = isinstance(self._fs, fsspec.get_filesystem_class("file"))
        path = path.rstrip("/") or "/"
        found = _MAGIC.search(path)
        self._root = path if found is None else path[: path.rindex("/", 0, found.start()) + 1].rstrip("/")
        self._matches = re.compile(glob_translate(path)).match if found else None

    def list(self, wanted: Wanted) -> Iterator[Object]:
        """Yield the objects. Folders and objects whose key says that they are not ``wanted`` are left out.

        Raises:
            AccessError: there is nothing at the place, or it cannot be listed; the message says what to do.
        """
        try:
            self._fs.invalidate_cache()
            yield from self._walk(self._root or "/", wanted, first=True)
        except ConnectorError:
            raise
        except Exception as error:  # noqa: BLE001 - each library behind fsspec raises its own
            raise self._explained(error) from None

    def _walk(self, folder: str, wanted: Wanted, *, first: bool = False) -> Iterator[Object]:
        folders: list[str] = []
        try:
            entries = self._entries(folder, wanted)
        except FileNotFoundError:
            if first:
                raise
            return  # A folder that was removed after its parent was listed.
        for entry in entries:
            name = str(entry["name"])
            written = period(name)
            if written is not None and not wanted(*written):
                continue
            if entry.get("type") == "directory":
                if name.rstrip("/") != folder.rstrip("/"):
                    folders.append(name)
            elif not name.rpartition("/")[2].startswith((".", "_")) and (
                self._matches is None or self._matches(name)
            ):
                yield _object(name, entry)
        # Only names are kept: a bucket may have a hundred thousand objects.
        del entries
        for name in sorted(folders):
            yield from self._walk(name, wanted)

    def _entries(self, folder: str, wanted: Wanted) -> Iterable[Mapping[str, Any]]:
        written = period(folder)
        if not self.is_local and written is not None:
            start, end = written
            # Everything in a day or an hour that is wanted as a whole: one request for a thousand objects.
            if end - start <= DAY and wanted(start, start + 1) and wanted(end - 1, end):
                found: Mapping[str, Mapping[str, Any]] = self._fs.find(folder, detail=True)
                return found.values()
        listed: list[Mapping[str, Any]] = self._fs.ls(folder, detail=True)
        return listed

    def open(self, one: Object) -> Watched:
        """Open an object for reading. A small one of a bucket is fetched as a whole.

        Raises:
            StorageError: it cannot be opened. Reading it may raise the same.
        """
        try:
            if self.is_local:
                _check_plain(one.name)
                return Watched(self._fs.open(one.name, "rb"))
            if one.size <= _SMALL:
                return Watched(io.BytesIO(self._fs.cat_file(one.name)))
            return Watched(self._fs.open(one.name, "rb", block_size=_READ_AHEAD, cache_type="readahead"))
        except Exception as error:  # noqa: BLE001 - each library behind fsspec raises its own
            raise StorageError(error) from None

    def _explained(self, error: Exception) -> AccessError:
        if storage_errors.is_denied(error):
            return DeniedError(
                f"{self.pattern} cannot be listed: access denied. Give the credentials the right to list it "
                "(s3:ListBucket, storage.objects.list, or read access to the folder), or correct `storage`."
            )
        if storage_errors.is_missing(error):
            return AccessError(
                f"There is nothing at {self.pattern}. Check `files`, or wait until the first spans are written."
            )
        return UnreachableError(
            f"{self.pattern} cannot be listed ({storage_errors.reason(error)}). Check the address, the network and "
            "`storage`."
        )


def _check_plain(path: str) -> None:
    """Raise ``OSError`` unless a path is that of a regular file: opening a pipe may wait for ever."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError(
            errno.EINVAL,
            "it is not a regular file. Name the folder that a link leads to in `files`, and leave pipes and devices "
            "out",
        )


def _object(name: str, entry: Mapping[str, Any]) -> Object:
    tag = entry.get("ETag") or entry.get("etag") or entry.get("content_md5") or entry.get("md5Hash") or ""
    changed = next(
        (
            entry[key]
            for key in ("mtime", "LastModified", "last_modified", "updated", "created")
            if entry.get(key)
        ),
        None,
    )
    modified = _seconds(changed)
    size = int(entry.get("size") or 0)
    return Object(name, size, f"{size} {tag or modified or changed}", modified)


def _seconds(changed: Any) -> float | None:
    if isinstance(changed, str):
        try:
            changed = datetime.fromisoformat(changed)
        except ValueError:
            return None
    if isinstance(changed, datetime):
        return changed.timestamp()
    return float(changed) if isinstance(changed, (int, float)) else None
