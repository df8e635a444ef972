"""Recipes are written whole, and never over another file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from datahub_llmops.errors import RecipeError
from datahub_llmops.setup.writing import write_new


def test_what_exists_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "a" / "recipes"
    assert write_new(out, {"one.yaml": "1\n"}) == []
    (out / "dangling.yaml").symlink_to(out / "nowhere")
    assert write_new(out, {"one.yaml": "2\n", "two.yaml": "ü\n", "dangling.yaml": "3\n"}) == [
        "one.yaml",
        "dangling.yaml",
    ]
    assert (out / "one.yaml").read_text() == "1\n"
    assert (out / "two.yaml").read_bytes() == "ü\n".encode()
    assert sorted(path.name for path in out.iterdir()) == ["dangling.yaml", "one.yaml", "two.yaml"]
    assert (out / "two.yaml").stat().st_mode & 0o777 == 0o666 & ~mask()


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert write_new(tmp_path, {"one.yaml": "1\n"}) == []
    assert write_new(tmp_path, {"one.yaml": "2\n"}) == ["one.yaml"]
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("one.yaml", "1\n")]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecipeError, match=r"file/recipes: .*; name another folder with --out"):
        write_new(tmp_path / "file" / "recipes", {"one.yaml": "1\n"})


def mask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
