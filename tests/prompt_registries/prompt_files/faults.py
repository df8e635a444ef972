"""How `llm-prompt-files` is put through the fault matrix: a git repository that is harmed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.matrix import Faults, folder_cell, unreadable, version_less
from support.repositories import Repository

_OLD, _NEW = "Answer {{question}} politely.", "Answer {{question}} in one sentence."


@contextmanager
def _repository(written: object, folder: Path) -> Iterator[Path]:
    made = Repository(folder / "prompts")
    first = made.commit({"answer.prompt": _OLD, "tone.prompt": "Be polite."})
    made.commit({"answer.prompt": _NEW, "tone.prompt": "Be polite."})
    made.tag("stable", first)
    yield made.path


def _object(folder: Path, name: str) -> Path:
    return folder / ".git" / "objects" / name[:2] / name[2:]


def _first(folder: Path) -> Path:
    return _object(folder, (folder / ".git" / "refs" / "tags" / "stable").read_text().strip())


def _head(folder: Path) -> Path:
    return _object(folder, (folder / ".git" / "refs" / "heads" / "main").read_text().strip())


def _rewrite(file: Path, content: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(content)


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


FAULTS = (
    Faults(
        title="Prompt files",
        system="prompt-files",
        store="",
        fixture="tmp_path_factory",
        arena=_repository,
        recipe=lambda folder: {"path": str(folder), "production_labels": []},
        secret=False,
        item_of=version_less,
        # What did not change is not read again under the same options.
        again={"max_commits": 99_999},
        cells=(
            folder_cell("folder gone", "listing", shutil.rmtree),
            folder_cell(
                "HEAD names no branch",
                "listing",
                lambda at: (at / ".git" / "HEAD").write_text("ref: refs/heads/x"),
            ),
            folder_cell("newest commit gone", "listing", lambda at: _head(at).unlink()),
            folder_cell("newest commit truncated", "listing", lambda at: _rewrite(_head(at), b"x")),
            unreadable("listing", lambda at: at / ".git" / "objects"),
            folder_cell("an old commit gone", "reading", lambda at: _first(at).unlink()),
            folder_cell("an old commit garbage", "reading", lambda at: _rewrite(_first(at), b"x")),
        ),
    ),
)
