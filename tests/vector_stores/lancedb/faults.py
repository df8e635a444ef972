"""How `llm-lancedb` is put through the fault matrix: by ``uri`` from a stand-in for object stores, and by ``path``."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.matrix import SECRET, At, Cell, Config, Faults, Place, over_http, unreadable
from support.objects import bucket_of
from support.stub import Call, Stub
from vector_stores.chroma.stores import copy_of


def _in_bucket(url: str) -> Config:
    options = {
        "aws_access_key_id": "someone",
        "aws_secret_access_key": SECRET,
        "region": "eu-west-1",
        "aws_endpoint": url,
        "allow_http": "true",
        # Its client and Lance itself each try three times, with pauses.
        "client_max_retries": "1",
        "download_retry_count": "0",
    }
    few = {"allow": ["articles", "bare", "notes", "top"]}
    return {"uri": "s3://bucket/kb", "storage_options": options, "timeout_sec": 10.0, "table_pattern": few}


def _asks_for(part: str, call: Call) -> bool:
    return part in f"{call.path}{call.query.get('prefix', [''])[0]}"


def _reads(call: Call) -> bool:
    return _asks_for("/articles.lance/", call) and not _counts(call)


def _counts(call: Call) -> bool:
    return _asks_for("/articles.lance/data/", call)


@contextmanager
def _copied(written: Path, folder: Path) -> Iterator[Path]:
    yield copy_of(written, folder / "kb")


def _cell(
    fault: str, place: Place, harm: Callable[[Path], object], *, item: str = "", **options: Any
) -> Cell:
    """A folder is harmed, read, and put back."""

    @contextmanager
    def harmed(folder: Path) -> Iterator[Config]:
        kept = copy_of(folder, folder.with_name("kept"))
        harm(folder)
        yield {}
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)

    return Cell(fault=fault, place=place, item=item, harm=harmed, **options)


def _newest(folder: Path, table: str = "bare.lance") -> Path:
    return min((folder / table / "_versions").glob("*.manifest"))


def _data(folder: Path) -> Path:
    return next((folder / "bare.lance" / "data").iterdir())


def _half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _unmounted(folder: Path) -> None:
    _emptied(folder)
    (folder / "lost+found").mkdir()


FAULTS = (
    over_http(
        title="LanceDB, by uri",
        system="lancedb",
        store="LanceDB at s3://bucket/kb",
        fixture="lancedb_written",
        stub=lambda folder, **options: Stub(bucket_of(folder.parent), **options),
        recipe=_in_bucket,
        listing=At(requests=lambda call: "list-type" in call.query and ".lance" not in str(call.query)),
        reading=At(requests=_reads, item="articles"),
        counting=At(requests=_counts, item="articles"),
        vendors_client=True,
    ),
    Faults(
        title="LanceDB, by path",
        system="lancedb",
        store="LanceDB",
        fixture="lancedb_written",
        arena=_copied,
        recipe=lambda folder: {"path": str(folder)},
        secret=False,
        cells=(
            _cell("folder gone", "listing", shutil.rmtree),
            _cell("folder empty", "listing", _emptied),
            _cell("disk not mounted", "listing", _unmounted),
            _cell("list of namespaces truncated", "listing", lambda kb: _half(_newest(kb, "__manifest"))),
            unreadable("listing", lambda folder: folder),
            _cell("manifest truncated", "reading", lambda kb: _half(_newest(kb)), item="bare"),
            _cell(
                "manifest garbage",
                "reading",
                lambda kb: _newest(kb).write_bytes(random.Random(1).randbytes(600)),
                item="bare",
            ),
            _cell("being created, no manifest yet", "reading", lambda kb: _newest(kb).unlink(), item="bare"),
            unreadable("reading", lambda folder: folder / "bare.lance" / "_versions", item="bare"),
            unreadable("counting", _data, item="bare"),
            _cell("data file truncated", "counting", lambda kb: _half(_data(kb)), item="bare"),
            _cell("data file gone", "counting", lambda kb: _data(kb).unlink(), item="bare"),
        ),
    ),
)
