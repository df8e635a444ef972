"""How errors of SQLite are told apart, each provoked in a real file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.answer_store.sqlite_file import Problem


def made(path: Path) -> Path:
    with sqlite_file.opening(path, sqlite_file.CREATE) as connection:
        connection.execute("create table t (x)")
        connection.executemany("insert into t values (?)", [("y" * 900,)] * 50)
    connection.close()
    return path


def lock(path: Path) -> None:
    with sqlite_file.opening(made(path), sqlite_file.READ_WRITE) as holder:
        holder.execute("begin exclusive")
        other = sqlite_file.connect(path, sqlite_file.READ_WRITE, timeout=0)
        try:
            other.execute("select * from t")
        finally:
            other.close()
            holder.close()


def run(mode: str, *statements: str) -> Callable[[Path], None]:
    def fail(path: Path) -> None:
        connection = sqlite_file.connect(path, mode)
        try:
            for statement in statements:
                connection.execute(statement).fetchall()
        finally:
            connection.close()

    return fail


def on_file(fail: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda path: fail(made(path))


def overwrite(path: Path, content: bytes, at: int = 0) -> None:
    with made(path).open("r+b") as file:
        file.seek(at)
        file.write(content)
    run(sqlite_file.READ_ONLY, "select * from t")(path)


FULL = (
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 99) "
    "insert into t select i || x from n, t"
)


@pytest.mark.parametrize(
    ("fail", "problem"),
    [
        (lock, Problem.LOCKED),
        (on_file(run(sqlite_file.READ_ONLY, "delete from t")), Problem.READ_ONLY),
        (run(sqlite_file.READ_WRITE, "select 1"), Problem.CANNOT_OPEN),
        (lambda path: overwrite(path, b"plain text " * 20), Problem.NOT_A_DATABASE),
        (lambda path: overwrite(path, b"\xff" * 4000, at=4096), Problem.DAMAGED),
        (on_file(run(sqlite_file.READ_ONLY, "select * from missing")), Problem.DAMAGED),
        (on_file(run(sqlite_file.READ_ONLY, "select missing from t")), Problem.DAMAGED),
        (on_file(run(sqlite_file.READ_WRITE, "pragma max_page_count = 20", FULL)), Problem.DISK_FULL),
        (on_file(run(sqlite_file.READ_ONLY, "not sql")), Problem.OTHER),
    ],
)
def test_each_problem_is_recognised(tmp_path: Path, fail: Callable[[Path], None], problem: Problem) -> None:
    with pytest.raises(sqlite3.Error) as error:
        fail(tmp_path / "file.db")
    assert sqlite_file.classify(error.value) is problem


def test_the_name_of_an_error_quotes_no_value(tmp_path: Path) -> None:
    connection = sqlite_file.connect(made(tmp_path / "file.db"), sqlite_file.READ_WRITE)
    connection.execute("insert into t values (cast(? as text))", (b"secret \xff",))
    with pytest.raises(sqlite3.Error, match="secret") as error:
        connection.execute("select x from t").fetchall()
    assert sqlite_file.error_name(error.value) == "OperationalError"
    connection.close()


def test_a_table_whose_key_has_another_order_than_its_columns_is_whole(tmp_path: Path) -> None:
    """SQLite 3.40 finds NULL values in it that are not there."""
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table t (a integer not null, b text not null, primary key (b, a)) without rowid")
        db.executemany("insert into t values (?, ?)", [(i, f"{i}" * 50) for i in range(2000)])
    with closing(sqlite3.connect(path)) as db:
        assert sqlite_file.is_whole(db, 60)
    damaged = bytearray(path.read_bytes())
    damaged[-4096:-3000] = b"\xff" * 1096
    path.write_bytes(damaged)
    with closing(sqlite3.connect(path)) as db:
        assert sqlite_file.is_whole(db, 60) is False
