"""Reading a folder of Chroma leaves it as it was, and says what is wrong with one that cannot be read."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_llmops.assets.collections import Collection, FailedListing
from datahub_llmops.errors import (
    AccessError,
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.vector_stores.chroma.file_reader import ChromaFileReader
from datahub_llmops.vector_stores.chroma.readonly_sqlite import ReadOnlyFile
from support import paths
from vector_stores.chroma.stores import PLANTED

FIELDS = ("source", "tags", "uri")
WIRE = paths.WIRE / "chroma"


def read_all(folder: Path, *, timeout: float = 5.0) -> list[Collection]:
    with closing(
        ChromaFileReader(folder, tenant="default_tenant", provenance_fields=FIELDS, timeout=timeout)
    ) as reader:
        return [reader.read(name) for name in reader.names() if isinstance(name, tuple)]


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file below a folder: its bytes and its time; folders too."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (hashlib.sha256(content).hexdigest(), path.stat().st_mtime_ns)
    return found


def file_of(folder: Path) -> Path:
    return folder / "chroma.sqlite3"


def test_reading_changes_no_byte_and_no_time(chroma_folder: Path) -> None:
    before = state(chroma_folder)
    assert len(read_all(chroma_folder)) == 7
    assert state(chroma_folder) == before


def test_a_store_on_a_read_only_disk_is_read(chroma_folder: Path) -> None:
    for path in [*chroma_folder.rglob("*"), chroma_folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert len(read_all(chroma_folder)) == 7
    finally:
        for path in [chroma_folder, *chroma_folder.rglob("*")]:
            path.chmod(0o755)


WRITER = """
import sys, sqlite3
import chromadb
client = chromadb.PersistentClient(sys.argv[1])
busy = client.create_collection("busy", embedding_function=None)
turn = 0
while True:
    ids = [f"{turn}-{n}" for n in range(50)]
    busy.add(ids=ids, embeddings=[[1.0, 2.0]] * 50, metadatas=[{"source": str(turn)}] * 50)
    turn += 1
    print(turn, flush=True)
    if sys.stdin.readline().strip() == "stop":
        break
"""


@contextmanager
def writing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with Chroma's own client, which writes 50 rows for each line it is sent."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def test_nothing_is_written_while_another_process_has_it_open(chroma_folder: Path) -> None:
    with writing(chroma_folder) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        counts = []
        for turn in range(1, 6):
            assert writer.stdout.readline() == f"{turn}\n"
            # It waits for its next line here: what changes now is changed by us.
            before = state(chroma_folder)
            found = {item.name[1]: item for item in read_all(chroma_folder)}
            assert state(chroma_folder) == before
            counts.append(found["busy"].count)
            assert found["mixed"].count == 40
            writer.stdin.write("go on\n")
            writer.stdin.flush()
        assert counts == [50, 100, 150, 200, 250]


def test_a_writer_at_full_speed_is_neither_blocked_nor_misread(chroma_folder: Path) -> None:
    with writing(chroma_folder) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        writer.stdin.write("go on\n" * 40 + "stop\n")
        writer.stdin.flush()
        for _ in range(30):
            for item in read_all(chroma_folder, timeout=30.0):
                if item.name[1] == "busy" and item.count:
                    assert item.count % 50 == 0
        turns = writer.stdout.read().split()
        assert writer.wait() == 0
    assert turns == [str(turn) for turn in range(1, 42)]
    assert {item.name[1]: item.count for item in read_all(chroma_folder)}["busy"] == 41 * 50


def in_wal_mode(folder: Path) -> None:
    with closing(sqlite3.connect(file_of(folder))) as file:
        assert file.execute("PRAGMA journal_mode = wal").fetchone() == ("wal",)


def test_a_file_in_wal_mode_is_read_without_a_trace(chroma_folder: Path) -> None:
    in_wal_mode(chroma_folder)
    before = state(chroma_folder)
    assert "chroma.sqlite3-wal" not in before
    assert len(read_all(chroma_folder)) == 7
    assert state(chroma_folder) == before


def test_a_file_in_wal_mode_is_read_with_what_the_writer_has_not_checkpointed(chroma_folder: Path) -> None:
    in_wal_mode(chroma_folder)
    with closing(sqlite3.connect(file_of(chroma_folder))) as writer:
        writer.execute("UPDATE collections SET name = 'renamed' WHERE name = 'mixed'")
        writer.commit()
        before = state(chroma_folder)
        assert "chroma.sqlite3-wal" in before
        assert "renamed" in [item.name[1] for item in read_all(chroma_folder)]
        after = state(chroma_folder)
        assert set(after) == set(before)
        assert after["chroma.sqlite3"] == before["chroma.sqlite3"]
        assert after["chroma.sqlite3-wal"] == before["chroma.sqlite3-wal"]


def test_a_writer_that_comes_while_a_wal_file_is_read_is_noticed(chroma_folder: Path) -> None:
    in_wal_mode(chroma_folder)
    with closing(ChromaFileReader(chroma_folder, tenant="default_tenant")) as reader:
        assert reader.read(("default_database", "mixed")).count == 40
        with closing(sqlite3.connect(file_of(chroma_folder))) as writer:
            writer.execute("DELETE FROM embeddings WHERE id IN (SELECT min(id) FROM embeddings)")
            writer.commit()
            assert reader.read(("default_database", "mixed")).count == 39


def crash(folder: Path, journal: str) -> None:
    """A writer that dies in the middle of a transaction, and leaves its journal."""
    program = (
        "import os, sqlite3, sys\n"
        "file = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        f"file.execute('PRAGMA journal_mode = {journal}')\n"
        "file.execute('PRAGMA cache_size = 2')\n"
        "file.execute('BEGIN')\n"
        "file.execute('UPDATE embedding_metadata SET string_value = string_value || hex(zeroblob(4000))')\n"
        f"file.execute('{'COMMIT' if journal == 'wal' else 'SELECT 1'}')\n"
        "os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(file_of(folder))], check=False)


def test_what_a_crashed_writer_left_is_not_repaired_by_us(chroma_folder: Path) -> None:
    crash(chroma_folder, "delete")
    before = state(chroma_folder)
    assert "chroma.sqlite3-journal" in before
    with pytest.raises(UnreachableError, match="writer that crashed"):
        read_all(chroma_folder)
    assert state(chroma_folder) == before


def test_what_a_crashed_writer_committed_to_its_log_is_read_without_a_trace(chroma_folder: Path) -> None:
    crash(chroma_folder, "wal")
    before = state(chroma_folder)
    assert {"chroma.sqlite3-wal", "chroma.sqlite3-shm"} <= set(before)
    mixed = next(item for item in read_all(chroma_folder) if item.name[1] == "mixed")
    assert len(next(iter(mixed.provenance[0].values))) > 4000
    assert state(chroma_folder) == before


def test_a_log_without_its_index_is_not_repaired_by_us(chroma_folder: Path) -> None:
    crash(chroma_folder, "wal")
    (chroma_folder / "chroma.sqlite3-shm").unlink()
    before = state(chroma_folder)
    with pytest.raises(UnreachableError, match="writer that crashed"):
        read_all(chroma_folder)
    assert state(chroma_folder) == before


def test_a_locked_file_is_unreadable_this_time(chroma_folder: Path) -> None:
    with closing(ChromaFileReader(chroma_folder, tenant="default_tenant", timeout=0.2)) as reader:
        with closing(sqlite3.connect(file_of(chroma_folder), isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            with pytest.raises(UnreadableError, match=r"locked by a writer.*timeout_sec"):
                reader.read(("default_database", "mixed"))
            writer.execute("ROLLBACK")
        assert reader.read(("default_database", "mixed")).count == 40


class TestWrongPlaces:
    def test_no_such_folder_is_said_and_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(AccessError, match=r"no folder .*/nowhere.*chromadb\.PersistentClient"):
            read_all(tmp_path / "nowhere")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_without_a_store(self, tmp_path: Path) -> None:
        with pytest.raises(AccessError, match=r"contains no chroma\.sqlite3"):
            read_all(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_the_file_instead_of_the_folder(self, chroma_folder: Path) -> None:
        with pytest.raises(AccessError, match=r"perhaps .*/chroma"):
            read_all(file_of(chroma_folder))

    @pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"not a database" * 100])
    def test_not_sqlite(self, tmp_path: Path, content: bytes) -> None:
        file_of(tmp_path).write_bytes(content)
        with pytest.raises(UnreachableError, match="not an SQLite file"):
            read_all(tmp_path)
        assert file_of(tmp_path).read_bytes() == content

    def test_sqlite_of_somebody_else(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(file_of(tmp_path))) as file:
            file.execute("CREATE TABLE notes (text)")
        with pytest.raises(UnreachableError, match="not Chroma's"):
            read_all(tmp_path)

    @pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
    def test_truncated(self, chroma_folder: Path, part: float) -> None:
        os.truncate(file_of(chroma_folder), int(file_of(chroma_folder).stat().st_size * part))
        with pytest.raises((UnreachableError, UnreadableError), match=r"chroma\.sqlite3") as caught:
            read_all(chroma_folder)
        assert PLANTED not in str(caught.value)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, chroma_folder: Path) -> None:
        file_of(chroma_folder).chmod(0)
        with pytest.raises(DeniedError, match="no permission"):
            read_all(chroma_folder)

    @pytest.mark.parametrize("name", ["a b", "50%", "a?b#c", "ü & é", "it's"])
    def test_a_folder_of_any_name(self, chroma_folder: Path, tmp_path: Path, name: str) -> None:
        assert len(read_all(chroma_folder.rename(tmp_path / name))) == 7

    def test_after_closing_it_says_so(self, chroma_folder: Path) -> None:
        reader = ChromaFileReader(chroma_folder, tenant="default_tenant")
        reader.close()
        with pytest.raises(UnreachableError, match="closed"):
            list(reader.names())


class TestOtherVersions:
    def test_a_newer_store_is_named_not_guessed(self, chroma_folder: Path) -> None:
        with closing(sqlite3.connect(file_of(chroma_folder))) as file:
            file.execute("INSERT INTO migrations VALUES ('sysdb', 11, '00011-next.sql', '', '')")
            file.commit()
        with pytest.raises(
            AccessError, match=r"newer Chroma \(schema .*sysdb 11; known up to .*sysdb 10\).*Upgrade"
        ):
            read_all(chroma_folder)

    def test_a_store_with_a_part_unknown_to_us(self, chroma_folder: Path) -> None:
        with closing(sqlite3.connect(file_of(chroma_folder))) as file:
            file.execute("INSERT INTO migrations VALUES ('graphdb', 1, '00001-graph.sql', '', '')")
            file.commit()
        with pytest.raises(AccessError, match="graphdb 1"):
            read_all(chroma_folder)

    def test_a_store_from_before_databases(self, chroma_folder: Path) -> None:
        with closing(sqlite3.connect(file_of(chroma_folder))) as file:
            file.execute("DELETE FROM migrations WHERE dir = 'sysdb' AND version > 3")
            file.commit()
        with pytest.raises(AccessError, match=r"older than 0\.4\.15"):
            read_all(chroma_folder)

    @pytest.fixture(params=["0.4.24", "0.6.3", "1.0.15"])
    def old(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        with closing(sqlite3.connect(file_of(tmp_path))) as file:
            file.executescript((WIRE / f"store-{request.param}.sql").read_text())
        return tmp_path

    def test_an_older_store_is_read_by_what_it_has(self, old: Path) -> None:
        docs, plain = read_all(old)
        vector = docs.vectors[0]
        # Version 0.6 wrote a configuration that says l2, and built the index by the metadata.
        assert (vector.dimension, vector.metric, vector.index_type) == (3, "cosine", "hnsw")
        assert vector.index_parameters["max_neighbors"] == "24"
        assert [(field.path, field.native_type) for field in docs.fields] == [
            ("document", "string"),
            ("ok", "bool"),
            ("page", "float"),
            ("source", "string"),
        ]
        assert docs.count == 3
        assert docs.provenance[0].values == {"s3://b/1": 2, "s3://b/2": 1}
        assert docs.created is not None
        assert (plain.count, plain.vectors[0].dimension) == (0, None)

    def test_where_nothing_says_the_metric_it_is_absent(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(file_of(tmp_path))) as file:
            file.executescript((WIRE / "store-0.4.24.sql").read_text())
        assert read_all(tmp_path)[1].vectors[0].metric is None


def test_deleted_while_it_is_read(chroma_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = ChromaFileReader._scan

    def scan_and_lose_it(reader: ChromaFileReader, *arguments: Any) -> Any:
        with closing(sqlite3.connect(file_of(chroma_folder))) as file:
            file.execute("DELETE FROM collections WHERE name = 'mixed'")
            file.commit()
        return scan(reader, *arguments)

    with closing(ChromaFileReader(chroma_folder, tenant="default_tenant")) as reader:
        monkeypatch.setattr(ChromaFileReader, "_scan", scan_and_lose_it)
        with pytest.raises(VanishedError, match="mixed"):
            reader.read(("default_database", "mixed"))


def test_text_that_is_no_utf8_is_read_and_not_quoted(chroma_folder: Path) -> None:
    with closing(sqlite3.connect(file_of(chroma_folder))) as file:
        file.execute(
            "UPDATE embedding_metadata SET string_value = CAST(X'ff41' AS TEXT) WHERE key = 'source'"
        )
        file.commit()
    mixed = next(item for item in read_all(chroma_folder) if item.name[1] == "mixed")
    assert list(mixed.provenance[0].values) == ["�A"]


def test_an_empty_store_has_no_collections(chroma_folder: Path) -> None:
    with closing(sqlite3.connect(file_of(chroma_folder))) as file:
        file.execute("DELETE FROM collections")
        file.commit()
    assert read_all(chroma_folder) == []


def test_more_collections_than_a_page(chroma_folder: Path) -> None:
    with closing(sqlite3.connect(file_of(chroma_folder))) as file:
        database = file.execute("SELECT id FROM databases WHERE name = 'default_database'").fetchone()[0]
        rows = [(str(uuid.UUID(int=n)), f"many-{n:05d}", database) for n in range(4_500)]
        file.executemany("INSERT INTO collections (id, name, database_id) VALUES (?, ?, ?)", rows)
        file.commit()
    with closing(ChromaFileReader(chroma_folder, tenant="default_tenant")) as reader:
        names = list(reader.names())
        assert len(names) == len(set(names)) == 4_507
        with pytest.raises(UnreadableError, match="no metadata segment"):
            reader.read(("default_database", "many-00001"))


def test_more_rows_than_a_page(chroma_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {item.name: item for item in read_all(chroma_folder)}
    monkeypatch.setattr("datahub_llmops.vector_stores.chroma.file_reader._ROWS_A_PAGE", 7)
    assert {item.name: item for item in read_all(chroma_folder)} == whole


def test_no_statement_reads_the_whole_store(chroma_folder: Path) -> None:
    # What is read of one collection must not grow with the others: 10,000 of them would take hours.
    statements: list[str] = []
    with closing(
        ChromaFileReader(chroma_folder, tenant="default_tenant", provenance_fields=FIELDS)
    ) as reader:
        reader.read(("default_database", "notes"))
        connection = reader._file._connection
        assert connection is not None
        connection.set_trace_callback(statements.append)
        reader.read(("default_database", "mixed"))
        connection.set_trace_callback(None)
        plans = [
            " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
            for statement in statements
        ]
    assert len(statements) >= 5
    for statement, plan in zip(statements, plans, strict=True):
        assert "SCAN" not in plan.replace("SCAN (subquery", ""), (statement, plan)


# Damage and odd values: whatever cannot be read is a failure.


def list_all(folder: Path) -> tuple[set[Any], list[ConnectorError]]:
    """Names of the collections that can be read, and what failed: the file, a name, or a collection."""
    failed: list[ConnectorError] = []
    good = set()
    try:
        with closing(ChromaFileReader(folder, tenant="default_tenant", timeout=1)) as reader:
            for entry in reader.names():
                if isinstance(entry, FailedListing):
                    failed.append(entry.error)
                    continue
                try:
                    reader.read(entry)
                    good.add(entry)
                except VanishedError:
                    pass
                except ConnectorError as error:
                    failed.append(error)
    except ConnectorError as error:
        failed.append(error)
    return good, failed


NAMING = ("tenants", "databases", "collections", "segments")


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_hides_no_collection(chroma_folder: Path, data: st.DataObject) -> None:
    raw = file_of(chroma_folder).read_bytes()
    with closing(sqlite3.connect(file_of(chroma_folder))) as file:
        size = file.execute("PRAGMA page_size").fetchone()[0]
        roots = file.execute(
            f"SELECT rootpage FROM sqlite_master WHERE rootpage > 0 AND tbl_name IN {NAMING!r}"
        ).fetchall()
    before, failed = list_all(chroma_folder)
    assert not failed
    start = (data.draw(st.sampled_from([root for (root,) in roots])) - 1) * size
    place = data.draw(st.sampled_from([at for at in range(start, start + size) if raw[at]]))
    damaged = bytearray(raw)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    file_of(chroma_folder).write_bytes(damaged)
    try:
        good, failed = list_all(chroma_folder)
        assert failed or good == before
    finally:
        file_of(chroma_folder).write_bytes(raw)


ODD = {
    "name that is no UTF-8": "UPDATE collections SET name = CAST(X'6d69786564ff' AS TEXT) WHERE name = 'mixed'",
    "name that is a blob": "UPDATE collections SET name = X'6d69786564' WHERE name = 'mixed'",
    "name of a database": "UPDATE databases SET name = X'ff00' WHERE name = 'default_database'",
    "database of a collection": "UPDATE collections SET database_id = 'nowhere' WHERE name = 'mixed'",
    "dimension that is text": "UPDATE collections SET dimension = 'abc' WHERE name = 'mixed'",
    "huge dimension": "UPDATE collections SET dimension = 9223372036854775807 WHERE name = 'mixed'",
    "id that is a blob": "UPDATE collections SET id = X'ff' WHERE name = 'mixed'",
    "configuration nested too deeply": (
        f"UPDATE collections SET config_json_str = '{'[' * 50_000}' WHERE name = 'mixed'"
    ),
    "configuration that is a list": "UPDATE collections SET config_json_str = '[]' WHERE name = 'mixed'",
    "segment of another collection": "UPDATE segments SET collection = 'x'",
    "version that is text": "UPDATE migrations SET version = 'abc' WHERE dir = 'sysdb' AND version = 1",
    "name of 100 MB": "UPDATE collections SET name = CAST(zeroblob(100000000) AS TEXT) WHERE name = 'mixed'",
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_are_failures(chroma_folder: Path, odd: str) -> None:
    with closing(sqlite3.connect(file_of(chroma_folder))) as file:
        file.execute("PRAGMA foreign_keys = off")
        file.execute(ODD[odd])
        file.commit()
    _, failed = list_all(chroma_folder)
    assert failed
    assert all(str(error).startswith("Chroma: ") for error in failed)


@pytest.mark.parametrize("moment", ["5", "X'ff'", "CASE WHEN rowid % 2 THEN 5 ELSE 'x' END"])
def test_odd_times_are_not_known(chroma_folder: Path, moment: str) -> None:
    with closing(sqlite3.connect(file_of(chroma_folder))) as file:
        file.execute(f"UPDATE embeddings SET created_at = {moment}")
        file.commit()
    assert {item.created for item in read_all(chroma_folder)} == {None}


def test_a_segment_is_no_path(chroma_folder: Path) -> None:
    with closing(sqlite3.connect(file_of(chroma_folder))) as file:
        file.execute("UPDATE segments SET id = '../' || rowid WHERE scope = 'VECTOR'")
        file.commit()
    assert {item.size_bytes for item in read_all(chroma_folder)} == {None}


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS id FROM c WHERE x < 0"


@pytest.mark.parametrize("table", ["tenants", "segments", "embeddings", "collections"])
def test_a_view_in_place_of_a_table_is_not_asked(chroma_folder: Path, table: str) -> None:
    with closing(sqlite3.connect(file_of(chroma_folder))) as file:
        file.execute(f"ALTER TABLE {table} RENAME TO real_{table}")
        file.execute(f"CREATE VIEW {table} AS {ENDLESS}")
        file.commit()
    good, failed = list_all(chroma_folder)
    assert not good
    assert failed


def test_a_statement_without_an_end_is_stopped(chroma_folder: Path) -> None:
    with closing(ReadOnlyFile(file_of(chroma_folder), system="Chroma", timeout=0.2)) as file:
        with pytest.raises(UnreadableError, match=r"longer than 0\.2 s"):
            file.rows(ENDLESS)
        assert file.rows("SELECT 1") == [(1,)]


def test_a_pipe_is_not_opened(chroma_folder: Path) -> None:
    file_of(chroma_folder).unlink()
    os.mkfifo(file_of(chroma_folder))
    with pytest.raises(UnreachableError, match="not a regular file"):
        read_all(chroma_folder)
