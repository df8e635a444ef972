"""The condition of the catalog's file: its size and format, its number of assets, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.catalog.local import file

_ASSETS: Final = "select count(*) from asset where emitted > 0 and removed = 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a catalog's file is like.

    ``whole`` is ``None`` if SQLite's checks took too long. ``written`` is the time of the last change of the file, in
    seconds since the epoch.
    """

    bytes: int
    format: int
    assets: int
    whole: bool | None
    written: float


def examine(path: Path, seconds: float) -> Condition:
    """Open the catalog for reading, and check every page of it for ``seconds`` at most.

    Raises:
        CatalogError: it cannot be opened or read; says why and what to do.
    """
    connection = file.open_reader(path)
    try:
        with file.explaining(path):
            version = int(connection.execute("pragma user_version").fetchone()[0])
            assets = int(connection.execute(_ASSETS).fetchone()[0])
            whole = sqlite_file.is_whole(connection, seconds)
    finally:
        file.close(connection)
    files = sqlite_file.files_of(path)
    return Condition(
        bytes=sum(one.st_size for one in files),
        format=version,
        assets=assets,
        whole=whole,
        written=max(one.st_mtime for one in files),
    )
