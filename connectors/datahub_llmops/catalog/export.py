"""Exports a whole catalog to a metadata file, which DataHub's ``file`` source can load into a server.

https://docs.datahub.com/docs/metadata-ingestion/sink_docs/metadata-file
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import IO, NamedTuple

from datahub_llmops.aspects.manifest import aspect_names
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import FullCatalog, Record
from datahub_llmops.catalog.whole_file import check_target, write_whole
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
        OutputError: there is such a file and ``overwrite`` does not say that it may go, or it cannot be written.
        CatalogError: the catalog cannot be read, or holds what the format does not.
    """
    check_target(path, overwrite=overwrite)
    without = frozenset() if custom_aspects else aspect_names()
    try:
        return write_whole(path, lambda out: _write_records(catalog, out, without))
    except RecursionError:
        raise CatalogError(
            f"{path} could not be written: an aspect is nested too deeply; what was there is as before"
        ) from None


def _write_records(catalog: FullCatalog, out: IO[bytes], without: Collection[str]) -> Exported:
    written = left_out = 0
    out.write(b"[")
    for record in catalog.records():
        if record.name in without:
            left_out += 1
            continue
        out.write(b",\n" if written else b"\n")
        # Not ``json.dump``, which takes its own, slower encoder and goes less deep.
        out.write(json.dumps(_proposal(record)).encode())
        written += 1
    out.write(b"\n]\n")
    return Exported(written, left_out)


def _proposal(record: Record) -> dict[str, object]:
    return {
        "entityType": urn_text.entity_type(record.urn),
        "entityUrn": record.urn,
        "changeType": "UPSERT",
        "aspectName": record.name,
        "aspect": {"json": record.aspect},
    }
