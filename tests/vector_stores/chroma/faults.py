"""How `llm-chroma` is put through the fault matrix: a real server behind a proxy, and the folder of one."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from faults.matrix import SECRET, At, Cell, Config, Faults, over_http, unreadable, with_login
from support.stub import Call, Stub, forward
from vector_stores.chroma.stores import ChromaServer, copy_of

_MISSING = {"error": "NotFoundError", "message": "not there"}
_SCOPE = "default_database"
_ids: set[str] = set()
"""Of the collection ``notes`` in the servers of the session: its rows are asked for by it."""


def _stub(server: ChromaServer, **options: Any) -> Stub:
    _ids.add(str(server.client().get_collection("notes").id))
    return Stub(forward(server.url), missing=_MISSING, **options)


def _rows_of_notes(call: Call) -> bool:
    return any(call.path.endswith(f"/{identity}/get") for identity in _ids)


def _file(folder: Path) -> Path:
    return folder / "chroma.sqlite3"


@contextmanager
def _copied(written: Path, folder: Path) -> Iterator[Path]:
    yield copy_of(written, folder / "chroma")


def _cell(fault: str, harm: Callable[[Path], object]) -> Cell:
    """All collections are in one file, which is harmed, read, and put back."""

    @contextmanager
    def harmed(folder: Path) -> Iterator[Config]:
        kept = copy_of(folder, folder.with_name("kept"))
        harm(folder)
        yield {}
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)

    return Cell(fault=fault, place="listing", harm=harmed)


@contextmanager
def _locked(folder: Path) -> Iterator[Config]:
    with closing(sqlite3.connect(_file(folder), isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        yield {"timeout_sec": 0.2}


FAULTS = (
    over_http(
        title="Chroma, by url",
        system="chroma",
        store="Chroma at 127.0.0.1",
        fixture="chroma_server",
        stub=_stub,
        recipe=lambda url: {
            "url": with_login(url),
            "token": SECRET,
            "token_header": "X-Chroma-Token",
            "collection_pattern": {"allow": ["llama", "notes", "odd.*"]},
        },
        listing=At(requests=lambda call: call.path.endswith(f"/{_SCOPE}/collections"), item=_SCOPE),
        reading=At(requests=lambda call: call.path.endswith("/collections/notes"), item=f"{_SCOPE}.notes"),
        counting=At(requests=_rows_of_notes, item=f"{_SCOPE}.notes"),
    ),
    Faults(
        title="Chroma, by path",
        system="chroma",
        store="Chroma",
        fixture="chroma_written",
        arena=_copied,
        recipe=lambda folder: {"path": str(folder)},
        secret=False,
        cells=(
            _cell("folder gone", shutil.rmtree),
            _cell("file gone", lambda folder: _file(folder).unlink()),
            _cell("file empty", lambda folder: _file(folder).write_bytes(b"")),
            _cell(
                "file truncated", lambda folder: os.truncate(_file(folder), _file(folder).stat().st_size // 2)
            ),
            _cell("not SQLite", lambda folder: _file(folder).write_bytes(b"something else" * 100)),
            unreadable("listing", _file),
            Cell(fault="locked by a writer", place="listing", harm=_locked),
        ),
    ),
)
