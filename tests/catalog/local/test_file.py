"""Every state that the file can be in, read, written and asked for a checkpoint."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import pytest
from datahub.ingestion.api.common import PipelineContext

from catalog.local.broken import BROKEN, STATUS, TABLE, good, locked, scribbled
from catalog.local.local_runs import dataset, new_sink, raw, run, write
from datahub_llmops.answer_store.location import CATALOG_VARIABLE, default_catalog
from datahub_llmops.catalog.local import file as store
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.checkpoint import LocalCheckpointProvider
from datahub_llmops.errors import CatalogError, NoCatalogError, SinkError
from support.paths import TESTS


@pytest.mark.parametrize("state", BROKEN)
def test_a_broken_file_says_what_it_is_and_stays_as_it_is(state: str, tmp_path: Path) -> None:
    make, words = BROKEN[state]
    path = tmp_path / "catalog.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(CatalogError, match=words) as reading:
        LocalCatalog(path)
    assert str(path) in str(reading.value)
    with pytest.raises(SinkError, match=words):
        run(path, raw(TABLE, "status", STATUS))
    with pytest.raises(CatalogError, match=words):
        LocalCheckpointProvider.create({"path": str(path)}, PipelineContext(run_id="test"))
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_pages_that_were_overwritten_are_found_when_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    scribbled(path)
    with pytest.raises(CatalogError, match="damaged"), LocalCatalog(path) as catalog:
        list(catalog.records())
    with pytest.raises(SinkError, match="damaged"):
        run(path, *(raw(dataset(f"t{i}"), "status", STATUS) for i in range(40)))


def ask_everything(path: Path) -> None:
    with LocalCatalog(path) as catalog:
        urns = [TABLE, dataset("t3")]
        catalog.aspects_of(urns)
        catalog.latest_of(urns)
        catalog.nodes(urns)
        catalog.search("t")
        catalog.candidates("t3")
        catalog.schemas(dataset("t3"))
        catalog.aliases("postgres")
        list(catalog.labelled())
        list(catalog.records())
        catalog.lineage(dataset("t3"), "up")


@pytest.mark.parametrize("seed", range(60))
def test_any_damage_is_a_clear_error_and_a_run_changes_nothing(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    chance = random.Random(seed)
    whole = bytearray(path.read_bytes())
    for _ in range((1, 5, 50)[seed % 3]):
        whole[chance.randrange(100, len(whole))] = chance.randrange(256)
    path.write_bytes(whole)
    with suppress(CatalogError):
        ask_everything(path)
    with suppress(CatalogError):
        LocalCheckpointProvider.create({"path": str(path)}, PipelineContext(run_id="test"))
    before = bytes(path.read_bytes())
    failed: list[SinkError] = []
    try:
        run(path, *(raw(dataset(f"t{i}"), "status", STATUS) for i in range(40)))
    except SinkError as error:
        failed.append(error)
    assert all("nothing of the run was stored" in str(error) for error in failed)
    assert not failed or path.read_bytes() == before


@pytest.mark.parametrize("body", ["[]", "5", "{", '{"fields": "\ud800'])
def test_an_aspect_that_is_no_object_is_damage(body: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update aspect set body = ?", (body.encode("utf-8", "surrogatepass"),))
        connection.commit()
    with LocalCatalog(path) as catalog:
        for ask in (
            lambda: catalog.aspects(TABLE),
            lambda: catalog.aspects_of([TABLE]),
            lambda: catalog.schemas(dataset("t3")),
            lambda: list(catalog.records()),
        ):
            with pytest.raises(CatalogError, match="damaged"):
                ask()


def test_the_name_of_an_aspect_that_is_no_text_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update aspect set name = cast(name as blob)")
        connection.commit()
    with LocalCatalog(path) as catalog:
        for ask in (lambda: catalog.aspects(TABLE), lambda: catalog.aspects_of([TABLE])):
            with pytest.raises(CatalogError, match="damaged"):
                ask()


def test_a_missing_file_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(NoCatalogError, match="run a recipe"):
        LocalCatalog(tmp_path / "catalog.db")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "catalog.db"
    for attempt in (lambda: LocalCatalog(path), lambda: run(path, raw(TABLE, "status", STATUS))):
        with pytest.raises((CatalogError, SinkError), match="nowhere does not exist"):
            attempt()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("begin", [b"", None])
def test_what_a_first_run_left_that_died_is_no_catalog_and_can_be_written(
    begin: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "catalog.db"
    if begin is None:
        connection = store.open_writer(path)
        connection.execute("rollback")
        store.close(connection)
    else:
        path.write_bytes(begin)
    with pytest.raises(NoCatalogError, match="no run has ended in it"):
        LocalCatalog(path)
    provider = LocalCheckpointProvider.create({"path": str(path)}, PipelineContext(run_id="test"))
    assert provider._stored("a", "b") is None
    assert run(path, raw(TABLE, "status", STATUS)).changed == 1


def test_another_writer_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    with locked(path, "writing"):
        sink = new_sink(path, lock_timeout_seconds=0.2)
        write(sink, [raw(TABLE, "status", {"removed": True})])
        with pytest.raises(SinkError, match="locked"):
            sink.flush()
        with LocalCatalog(path) as catalog:
            assert catalog.aspects(TABLE)["status"] == STATUS
    # The run is still there: a flush that comes later stores it.
    sink.flush()
    sink.close()
    assert sink.get_report().removed == 1


def test_a_file_that_is_locked_against_readers_too_is_named(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    with locked(path, "exclusive"), pytest.raises(CatalogError, match="locked"):
        LocalCatalog(path)


AS_NOBODY = """
import os, sys
from pathlib import Path
from datahub_llmops.catalog.local import file as store
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import CatalogError
if os.getuid() == 0:
    os.setuid(65534)
path = Path(sys.argv[1])
with LocalCatalog(path) as catalog:
    print(sorted(catalog.aspects(sys.argv[2])), len(list(catalog.records())))
try:
    store.open_writer(path)
except CatalogError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders are read-only by other means there")
def test_a_read_only_disk_is_read_and_not_written() -> None:
    # Not tmp_path: the folders above it are closed to others, and shared with tests that run beside.
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        path = folder / "catalog.db"
        good(path)
        path.chmod(0o444)
        folder.chmod(0o555)
        try:
            command = [sys.executable, "-c", AS_NOBODY, str(path), TABLE]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            folder.chmod(0o755)
        assert done.stderr == ""
        assert done.stdout.splitlines()[0] == "['status'] 41"
        assert "cannot be written to" in done.stdout.splitlines()[1]
        assert [entry.name for entry in folder.iterdir()] == ["catalog.db"]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    connection = store.open_writer(path)
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(sqlite3.Error) as full:
        connection.executemany(
            "insert into checkpoint values (?, '', ?)", [(str(i), "x" * 4000) for i in range(99)]
        )
    store.close(connection)
    assert "disk is full" in str(store.explain(full.value, path))


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from catalog.local.broken import BROKEN, STATUS, TABLE, good, locked, scribbled
from catalog.local.local_runs import dataset, new_sink, raw, write
from datahub_llmops.errors import SinkError
path = Path(sys.argv[2])
sink = new_sink(path)
write(sink, [raw(dataset(f"new{i}"), "subTypes", {"typeNames": ["x" * 900]}) for i in range(900)])
limit = path.stat().st_size + 60_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    sink.flush()
except SinkError as error:
    print(error)
sink.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_a_disk_that_fills_up_while_a_run_is_stored_leaves_the_catalog_as_before(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    with LocalCatalog(path) as catalog:
        before = list(catalog.records())
    tests = TESTS
    command = [sys.executable, "-c", LIMITED, str(tests), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "nothing of the run was stored" in done.stdout, done.stderr
    with LocalCatalog(path) as catalog:
        assert list(catalog.records()) == before


def test_the_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv(CATALOG_VARIABLE, raising=False)
    with pytest.raises(NoCatalogError):
        LocalCatalog(default_catalog())
    if sys.platform == "linux":
        assert default_catalog() == tmp_path / "data" / "datahub-llmops" / "catalog.db"
        assert run(default_catalog(), raw(TABLE, "status", STATUS)).changed == 1
    monkeypatch.setenv(CATALOG_VARIABLE, str(tmp_path / "named.db"))
    assert default_catalog() == tmp_path / "named.db"
    monkeypatch.setenv(CATALOG_VARIABLE, "https://datahub.example.org:8080")
    assert default_catalog().name == "catalog.db"


def test_a_relative_path_and_odd_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = Path("c %41?#é.db")
    run(odd, raw(TABLE, "status", STATUS))
    assert [entry.name for entry in tmp_path.iterdir()] == [str(odd)]
    with LocalCatalog(odd) as catalog:
        assert catalog.aspects(TABLE) == {"status": STATUS}
