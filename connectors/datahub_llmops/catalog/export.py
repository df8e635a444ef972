"""Exports a whole catalog to a metadata file, which DataHub's ``file`` source can load into a server.

https://docs.datahub.com/docs/metadata-ingestion/sink_docs/metadata-file
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, NamedTuple

from datahub_llmops.aspects.manifest import aspect_names
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import FullCatalog, Record
from datahub_llmops.errors import CatalogError


class Exported(NamedTuple):
    """The number of records written, and of typed aspects left out."""

    written: int
    left_out: int


def export_catalog(
    catalog: FullCatalog, path: Path, *, overwrite: bool = False, custom_aspects: bool = False
) -> Exported:
    """Write the records of ``catalog`` to ``path``, one at a time.

    ``custom_aspects`` takes our own ones in: a server without the model plugin refuses a batch that holds one.

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
        return _write(catalog, path, frozenset() if custom_aspects else aspect_names())
    except RecursionError:
        raise CatalogError(
            f"{path} could not be written: an aspect is nested too deeply; what was there is as before"
        ) from None
    except OSError as error:
        raise CatalogError(
            f"{path} could not be written ({error.strerror}); what was there is as before"
        ) from error


def _write(catalog: FullCatalog, path: Path, without: Collection[str]) -> Exported:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            count = _write_records(catalog, out, without)
            out.flush()
            os.fsync(out.fileno())
        part.chmod(_mode(path))
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return count


def _mode(path: Path) -> int:
    """Return the permissions of the file that is replaced, or those of a new file."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _write_records(catalog: FullCatalog, out: IO[str], without: Collection[str]) -> Exported:
    written = left_out = 0
    out.write("[")
    for record in catalog.records():
        if record.name in without:
            left_out += 1
            continue
        out.write(",\n" if written else "\n")
        # Not ``json.dump``, which takes its own, slower encoder and goes less deep.
        out.write(json.dumps(_proposal(record)))
        written += 1
    out.write("\n]\n")
    return Exported(written, left_out)


def _proposal(record: Record) -> dict[str, object]:
    return {
        "entityType": urn_text.entity_type(record.urn),
        "entityUrn": record.urn,
        "changeType": "UPSERT",
        "aspectName": record.name,
        "aspect": {"json": record.aspect},
    }
