"""A file of somebody else at the path of a store is not written, moved, given another mode, or waited for."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.digests import key
from datahub_llmops.answer_store.replacement import open_or_replace
from datahub_llmops.errors import StoreError


def a_text(path: Path) -> None:
    path.write_text("my notes, not a store\n" * 10)


def a_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table users (name text)")
        db.commit()


def a_database_with_a_log(path: Path) -> None:
    """As of an application that crashed: its table is in the log alone."""
    other = path.with_name("original.db")
    with closing(sqlite3.connect(other)) as db:
        db.execute("pragma journal_mode=wal")
        db.execute("create table users (name text)")
        db.commit()
        for suffix in ("", "-wal"):
            path.with_name(path.name + suffix).write_bytes(Path(f"{other}{suffix}").read_bytes())


def a_quiz(path: Path) -> None:
    """Its own table of answers, and version 1, as ours."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table answers (id text primary key, ended real, application int, body text)")
        db.execute("pragma user_version=1")
        db.commit()


def a_marked_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma application_id=7")
        db.execute("create table tiles (x)")
        db.commit()


def a_catalog(path: Path) -> None:
    from datahub_llmops.catalog.local import file

    connection = file.open_writer(path)
    file.commit(connection)
    file.close(connection)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link(path: Path) -> None:
    a_text(path.with_name("notes.txt"))
    path.symlink_to("notes.txt")


FOREIGN: tuple[Callable[[Path], None], ...] = (
    a_text,
    a_database,
    a_database_with_a_log,
    a_quiz,
    a_marked_database,
    a_catalog,
    a_folder,
    a_pipe,
    a_link,
)


def seen(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("make", FOREIGN, ids=[one.__name__ for one in FOREIGN])
def test_it_is_left_alone(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "theirs.db"
    make(path)
    if path.is_file() and not path.is_symlink():
        path.chmod(0o644)
    before = seen(tmp_path)
    for use in (lambda: open_or_replace(str(path)), lambda: Store.read(path)):
        with pytest.raises(StoreError, match=r"theirs\.db"):
            use()
    assert seen(tmp_path) == before


def test_a_device_is_left_alone() -> None:
    before = Path("/dev/null").stat().st_mode
    with pytest.raises(StoreError, match="not a regular file"):
        Store.open("/dev/null")
    assert Path("/dev/null").stat().st_mode == before


def test_a_store_of_an_earlier_release_has_no_mark_and_is_known_by_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    Store.open(str(path)).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma application_id=0")
        db.commit()
    Store.open(str(path)).close()


@pytest.mark.parametrize("marked", [True, False])
def test_a_damaged_store_is_known_by_its_mark_or_its_key(tmp_path: Path, marked: bool) -> None:
    path = tmp_path / "answers.db"
    Store.open(str(path)).close()
    damaged = bytearray(path.read_bytes())
    damaged[100:4096] = b"\xff" * 3996
    if not marked:
        damaged[:100] = b"\xff" * 100
        key(str(path))
    path.write_bytes(damaged)
    store, aside = open_or_replace(str(path))
    store.close()
    assert aside is not None
    assert Path(aside).read_bytes() == bytes(damaged)


def test_a_damaged_name_in_the_schema_is_damage(tmp_path: Path) -> None:
    """SQLite quotes it in its message, which Python's module cannot decode then."""
    path = tmp_path / "answers.db"
    Store.open(str(path)).close()
    damaged = path.read_bytes().replace(b"CREATE TABLE answers", b"CREATE TABLf \xb0nswers")
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="cannot be read"):
        Store.read(path)
    store, aside = open_or_replace(str(path))
    store.close()
    assert aside is not None
