"""Files of a catalog that are whole, damaged, locked, newer, or something else."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.local.local_runs import dataset, raw, run
from datahub_llmops.catalog.local import file as store

TABLE = dataset("shop.public.orders")
STATUS = {"removed": False}


def good(path: Path) -> None:
    columns = [{"fieldPath": f"c{i}", "nativeDataType": "text"} for i in range(5)]
    fields = [{**column, "type": {"type": {"com.linkedin.schema.StringType": {}}}} for column in columns]
    schema = {
        "schemaName": "s",
        "platform": "urn:li:dataPlatform:postgres",
        "version": 0,
        "hash": "",
        "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
        "fields": fields,
    }
    run(
        path,
        *(raw(dataset(f"t{i}"), "schemaMetadata", schema) for i in range(40)),
        raw(TABLE, "status", STATUS),
    )


def folder(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("not a catalog, but long enough to be mistaken for one " * 40)


def short_text(path: Path) -> None:
    path.write_text("hello")


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table asset (id integer)")
    connection.close()


def newer(path: Path) -> None:
    good(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma user_version = {store.FORMAT + 1}")
    connection.close()


def cut_off(path: Path) -> None:
    good(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def cut_in_header(path: Path) -> None:
    good(path)
    with path.open("r+b") as file:
        file.truncate(60)


def scribbled(path: Path) -> None:
    good(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        for start in range(4096, size, 4096):
            file.seek(start)
            file.write(b"\xff" * 512)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a folder": (folder, "is a folder"),
    "a text file": (text, "not a SQLite file"),
    "a short text file": (short_text, "not a SQLite file"),
    "a SQLite file of somebody else": (foreign, "belongs to something else"),
    "a newer format": (newer, "newer datahub-llmops"),
    "a pipe": (pipe, "not a regular file"),
    "a device": (device, "not a regular file"),
    "cut off": (cut_off, "damaged or cut off"),
    "cut off in its header": (cut_in_header, "damaged or cut off"),
}


@contextmanager
def locked(path: Path, how: str) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    try:
        if how == "exclusive":
            other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        other.execute("update asset set name = name")
        yield
        other.execute("rollback")
    finally:
        other.close()
