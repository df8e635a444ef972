"""How `llm-jsonlines` is put through the fault matrix. A store over HTTP needs only `over_http`, as Qdrant does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.matrix import Cell, Config, Faults, Place, unreadable

POINT = {"vector": [0.1, 0.9], "payload": {"text": "planted-text", "source": "s3://kb/guides.pdf"}}


@contextmanager
def _arena(_factory: Any, folder: Path) -> Iterator[Path]:
    written = folder / "vectors"
    written.mkdir()
    for name in ("guides", "notes", "tips"):
        (written / f"{name}.jsonl").write_text(f"{json.dumps(POINT)}\n")
    yield written


def _cell(fault: str, place: Place, harm: Callable[[Path], object], item: str = "") -> Cell:
    @contextmanager
    def harmed(folder: Path) -> Iterator[Config]:
        kept = shutil.copytree(folder, folder.with_name("kept"))
        harm(folder)
        yield {}
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)

    return Cell(fault=fault, place=place, harm=harmed, item=item)


FAULTS = (
    Faults(
        title="JSON lines",
        system="jsonlines",
        store="JSON lines",
        fixture="tmp_path_factory",
        arena=_arena,
        recipe=lambda folder: {"folder": str(folder)},
        secret=False,
        cells=(
            _cell("folder gone", "listing", shutil.rmtree),
            _cell(
                "half a line",
                "reading",
                lambda folder: (folder / "notes.jsonl").write_text('{"vector": [0.1, 0'),
                "notes",
            ),
            unreadable("reading", lambda folder: folder / "notes.jsonl", "notes"),
        ),
    ),
)
