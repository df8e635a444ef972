"""How `llm-spans` is put through the fault matrix, over a folder of objects that an earlier run has counted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops.testing.runs import report
from faults.matrix import Faults, Known, folder_cell, unreadable
from spans.doors.making import TODAY, as_message, call, prefixed

ITEM = "1.pb"


@contextmanager
def _folder(nothing: object, folder: Path) -> Iterator[Path]:
    made = folder / "spans"
    made.mkdir()
    for number in (1, 2):
        spans = [call(number, at=TODAY + 60.0 * number), call(number + 10, at=TODAY + 60.0 * number)]
        (made / f"{number}.pb").write_bytes(prefixed(as_message([span]) for span in spans))
    yield made


def _grown(more: bytes) -> Callable[[Path], object]:
    """An object that has changed since it was counted, so that it is read again."""
    return lambda folder: (folder / ITEM).write_bytes(more * 40)


def messages(pipeline: Pipeline) -> list[str]:
    """What failures say, with their titles: the next step stands there once for all objects."""
    return [
        f"{one.title}: {one.message} {context}"
        for one in report(pipeline).failures
        for context in one.context
    ]


def _counts(said: Any) -> tuple[int, int]:
    return said.read.objects_read + said.read.objects_unchanged, 0


def _hit(known: Known, item: str) -> int:
    return 1 if item else known.scanned


FAULTS = (
    Faults(
        title="Spans, in a folder",
        system="spans",
        store="spans",
        fixture="tmp_path_factory",
        arena=_folder,
        recipe=lambda folder: {"files": str(folder)},
        secret=False,
        counts=_counts,
        hit=_hit,
        messages=messages,
        cells=(
            folder_cell("folder gone", "listing", shutil.rmtree),
            unreadable("listing", lambda folder: folder),
            folder_cell("object garbage", "reading", _grown(b"planted-garbage\n"), item=ITEM),
            folder_cell(
                "truncated object", "reading", _grown(b"\x1f\x8b\x08\0\0\0\0\0\0\3planted-"), item=ITEM
            ),
        ),
    ),
)
