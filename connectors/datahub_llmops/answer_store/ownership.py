"""Tells an answer store from a file of somebody else, which is never written, moved or given another mode."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Final

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.answer_store.digests import key_path
from datahub_llmops.answer_store.keys import check_version
from datahub_llmops.errors import StoreError

APPLICATION_ID: Final = 0x44484C53
"""Marks a store in its header, from this release on. https://www.sqlite.org/pragma.html#pragma_application_id"""
_TABLES: Final = frozenset({"identities", "answers", "texts", "writes", "chunks", "counters"})


def check_ours(path: str) -> None:
    """Accept a path at which there is nothing, or a store, damaged or not.

    A store of an earlier release has no mark: the key file beside it, or its tables, tell it. Reading them takes no
    lock and creates no file.

    Raises:
        StoreError: something else is there, or a store of a newer release.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"answer store {path} is not a regular file: give store=... the path of a file")
        with open(path, "rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"answer store {path}: {os.strerror(error.errno or 0)}") from error
    is_sqlite = header.startswith(sqlite_file.HEADER) and len(header) == 100
    if is_sqlite:
        check_version(int.from_bytes(header[60:64], "big"), path)
    marked = is_sqlite and int.from_bytes(header[68:72], "big") == APPLICATION_ID
    if header and not marked and not os.path.exists(key_path(path)) and not (is_sqlite and _has_tables(path)):
        raise StoreError(
            f"answer store {path} cannot be read or written: it belongs to something else, and is not changed; give "
            "store=... another path"
        )


def _has_tables(path: str) -> bool:
    """Return whether the file has our tables, or none yet."""
    try:
        with sqlite_file.opening(Path(path), sqlite_file.IMMUTABLE) as db:
            names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            db.close()
    except (sqlite3.Error, UnicodeDecodeError):
        return False
    return names >= _TABLES or (not names and not sqlite_file.has_log(Path(path)))
