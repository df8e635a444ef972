from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from datahub_llmops.catalog.whole_file import check_target, write_whole
from datahub_llmops.errors import OutputError


def test_a_new_file_is_whole_and_has_the_usual_permissions(tmp_path: Path) -> None:
    file = tmp_path / "x"
    check_target(file, overwrite=False)
    assert write_whole(file, lambda out: out.write(b"text")) == 4
    assert file.read_bytes() == b"text"
    other = tmp_path / "y"
    other.touch()
    assert file.stat().st_mode == other.stat().st_mode


def test_a_file_that_is_replaced_keeps_its_permissions_and_its_link(tmp_path: Path) -> None:
    file, link = tmp_path / "x", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, lambda out: out.write(b"new"))
    assert file.read_text() == "new"
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_what_breaks_leaves_everything_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")

    def half(out: IO[bytes]) -> None:
        out.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(file, half)
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_text() == "old"


def test_a_disk_that_is_full_is_an_error_of_ours(tmp_path: Path) -> None:
    def full(out: IO[bytes]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"No space left on device.*what was there is as before"):
        write_whole(tmp_path / "x", full)
    assert list(tmp_path.iterdir()) == []


def test_a_catalog_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table asset (urn text)")
    held = file.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"is a database.*name another file"):
            check_target(file, overwrite=overwrite)
    assert file.read_bytes() == held


def test_what_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    file, loop = tmp_path / "x", tmp_path / "loop"
    file.touch()
    loop.symlink_to(loop)
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path, "is a folder; name a file in it"),
        (file, "exists; --force overwrites it"),
        (tmp_path / "pipe", "is not a regular file"),
        (tmp_path / "no" / "x", "there is no folder .*no; create it, or name another"),
        (file / "x", "there is no folder"),
        (tmp_path / ("x" * 300), "cannot be written .*name another file"),
    ):
        with pytest.raises(OutputError, match=message):
            check_target(path, overwrite=False)
    check_target(file, overwrite=True)
    check_target(loop, overwrite=False)


def test_a_folder_without_the_right_to_write(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"you may not write in .*name another folder"):
            check_target(tmp_path / "x", overwrite=False)
    finally:
        tmp_path.chmod(0o700)
