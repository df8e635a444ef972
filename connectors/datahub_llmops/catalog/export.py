"""A whole catalog as DataHub's metadata file, which DataHub's ``file`` source replays into a server.

https://docs.datahub.com/docs/metadata-ingestion/sink_docs/metadata-file
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import IO

from datahub_llmops.catalog import names
from datahub_llmops.catalog.protocol import FullCatalog, Record
from datahub_llmops.errors import CatalogError


def export_catalog(catalog: FullCatalog, path: Path, *, overwrite: bool = False) -> int:
    """Write every record of ``catalog`` to ``path``, one at a time, and return how many there were.

    The file appears under its name when it is whole, not before.

    Raises:
        CatalogError: there is such a file and ``overwrite`` does not say that it may go, or it cannot be written.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.is_dir():
        raise CatalogError(f"{path} is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise CatalogError(f"{path} is there already; --force overwrites it")
    try:
        return _write(catalog, path)
    except OSError as error:
        raise CatalogError(
            f"{path} could not be written ({error.strerror}); what was there is as before"
        ) from error


def _write(catalog: FullCatalog, path: Path) -> int:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            count = _write_records(catalog, out)
            out.flush()
            os.fsync(out.fileno())
        part.chmod(_mode(path))
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return count


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those that a new one would get."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _write_records(catalog: FullCatalog, out: IO[str]) -> int:
    count = 0
    out.write("[")
    for record in catalog.records():
        out.write(",\n" if count else "\n")
        json.dump(_proposal(record), out)
        count += 1
    out.write("\n]\n")
    return count


def _proposal(record: Record) -> dict[str, object]:
    return {
        "entityType": names.entity_type(record.urn),
        "entityUrn": record.urn,
        "changeType": "UPSERT",
        "aspectName": record.name,
        "aspect": {"json": record.aspect},
    }
