from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.ingestion_job_checkpointing_provider_base import JobId
from datahub.ingestion.run.pipeline import Pipeline, PipelineInitError
from datahub.metadata.schema_classes import DatahubIngestionCheckpointClass, IngestionCheckpointStateClass

from catalog.local.local_runs import contents, dataset, new_sink, proposals_file, raw, run, write
from datahub_llmops.catalog.local import file as store
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.checkpoint import LocalCheckpointProvider
from datahub_llmops.errors import CatalogError

JOB = JobId("stale_entity_removal")
TABLES = [dataset(f"shop.t{number}") for number in range(8)]


def provider(path: Path, **options: Any) -> LocalCheckpointProvider:
    return LocalCheckpointProvider.create({"path": str(path), **options}, PipelineContext(run_id="test"))


def state(pipeline: str, payload: bytes = b"state \xc3\xa9") -> DatahubIngestionCheckpointClass:
    return DatahubIngestionCheckpointClass(
        timestampMillis=1,
        pipelineName=pipeline,
        platformInstanceId="",
        config="",
        state=IngestionCheckpointStateClass(formatVersion="1.0", serde="utf-8", payload=payload),
        runId="run",
    )


def test_a_state_comes_back_as_it_was_by_pipeline_and_job(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    first = provider(path)
    assert first.get_latest_checkpoint("a", JOB) is None
    assert list(tmp_path.iterdir()) == []
    first.commit()
    assert list(tmp_path.iterdir()) == []
    first.state_to_commit.update({JOB: state("a"), JobId("other"): state("a", b"two")})
    first.commit()
    assert first.committed
    second = provider(path)
    second.state_to_commit[JOB] = state("b", b"three")
    second.commit()
    third = provider(path)
    stored = third.get_latest_checkpoint("a", JOB)
    assert stored is not None
    assert stored == state("a")
    assert third.get_latest_checkpoint("b", JOB) == state("b", b"three")
    assert third.get_latest_checkpoint("b", JobId("other")) is None


def test_a_state_alone_is_a_catalog_without_assets(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    only = provider(path)
    only.state_to_commit[JOB] = state("a")
    only.commit()
    assert contents(path) == {}


def test_a_damaged_state_is_an_error_that_names_the_pipeline(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    one = provider(path)
    one.state_to_commit[JOB] = state("nightly")
    one.commit()
    with sqlite3.connect(path) as connection:
        connection.execute("update checkpoint set body = '{\"pipelineName\"'")
    connection.close()
    with pytest.raises(CatalogError, match="nightly"):
        provider(path).get_latest_checkpoint("nightly", JOB)


def test_a_commit_into_a_locked_file_is_an_error_and_the_old_state_stays(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    one = provider(path)
    one.state_to_commit[JOB] = state("a")
    one.commit()
    other = store.open_writer(path)
    try:
        two = provider(path, lock_timeout_seconds=0.1)
        two.state_to_commit[JOB] = state("a", b"new")
        with pytest.raises(CatalogError, match="locked"):
            two.commit()
        assert not two.committed
    finally:
        other.execute("rollback")
        store.close(other)
    assert provider(path).get_latest_checkpoint("a", JOB) == state("a")


def test_a_disk_that_fills_before_the_state_is_stored_is_no_lost_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalog.db"
    one = provider(path)
    one.state_to_commit[JOB] = state("a")
    one.commit()
    open_writer = store.open_writer

    def without_room(path: Path, timeout: float) -> sqlite3.Connection:
        connection = open_writer(path, timeout)
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {pages}")
        return connection

    monkeypatch.setattr(store, "open_writer", without_room)
    two = provider(path)
    two.state_to_commit[JOB] = state("a", b"x" * 100_000)
    with pytest.raises(CatalogError, match="disk is full") as caught:
        two.commit()
    assert "nothing was stored" not in str(caught.value)
    assert "What the sink of this run stored is in the catalog" in str(caught.value)


def recipe(path: Path, file: Path) -> dict[str, Any]:
    local = {"type": "llm-local", "config": {"path": str(path)}}
    stateful = {"enabled": True, "state_provider": {**local}}
    return {
        "pipeline_name": "tables",
        "source": {"type": "file", "config": {"path": str(file), "stateful_ingestion": stateful}},
        "sink": local,
    }


def ingest(path: Path, folder: Path, tables: list[str]) -> Pipeline:
    file = proposals_file(folder / "in.json", [(urn, "subTypes", {"typeNames": ["Table"]}) for urn in tables])
    made = Pipeline.create(recipe(path, file), report_to=None)
    made.run()
    return made


def removed(path: Path) -> set[str]:
    return {urn for (urn, name), aspect in contents(path).items() if name == "status" and aspect["removed"]}


def test_what_a_second_run_no_longer_sees_is_removed_and_a_third_brings_it_back(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    ingest(path, tmp_path, TABLES).raise_from_status()
    assert removed(path) == set()
    second = ingest(path, tmp_path, TABLES[:6])
    second.raise_from_status()
    assert removed(path) == set(TABLES[6:])
    assert second.sink.get_report().as_obj()["removed"] == 2
    same = ingest(path, tmp_path, TABLES[:6])
    assert same.sink.get_report().as_obj()["changed"] == 0
    ingest(path, tmp_path, TABLES).raise_from_status()
    assert removed(path) == set()


def test_a_removal_that_could_not_be_stored_is_done_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    ingest(path, tmp_path, TABLES).raise_from_status()
    other = store.open_writer(path)
    try:
        file = proposals_file(
            tmp_path / "in.json", [(urn, "subTypes", {"typeNames": ["T"]}) for urn in TABLES[:6]]
        )
        blocked = recipe(path, file)
        blocked["sink"] = {"type": "llm-local", "config": {"path": str(path), "lock_timeout_seconds": 0.1}}
        made = Pipeline.create(blocked, report_to=None)
        made.run()
        assert made.has_failures()
    finally:
        other.execute("rollback")
        store.close(other)
    assert removed(path) == set()
    ingest(path, tmp_path, TABLES[:6]).raise_from_status()
    assert removed(path) == set(TABLES[6:])


KILLED = """
import json, os, signal, sys
from datahub.ingestion.run.pipeline import Pipeline
Pipeline.process_commits = lambda self: os.kill(os.getpid(), signal.SIGKILL)
Pipeline.create(json.loads(sys.argv[1]), report_to=None).run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
def test_a_run_killed_after_it_was_stored_has_left_its_state(tmp_path: Path) -> None:
    """What only the killed run wrote, and what it removed, is known to the next one."""
    path = tmp_path / "catalog.db"
    ingest(path, tmp_path, TABLES[:3]).raise_from_status()
    shown = [TABLES[0], *TABLES[2:5]]
    file = proposals_file(
        tmp_path / "in.json", [(urn, "subTypes", {"typeNames": ["Table"]}) for urn in shown]
    )
    killed = subprocess.run([sys.executable, "-c", KILLED, json.dumps(recipe(path, file))], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert removed(path) == {TABLES[1]}
    with LocalCatalog(path) as catalog:
        assert [node.urn for node in catalog.nodes(TABLES)] == shown
    ingest(path, tmp_path, TABLES[:3]).raise_from_status()
    assert removed(path) == set(TABLES[3:5])


def test_a_state_in_another_file_is_stored_after_the_run(tmp_path: Path) -> None:
    path, beside = tmp_path / "catalog.db", tmp_path / "state.db"
    file = proposals_file(tmp_path / "in.json", [(TABLES[0], "subTypes", {"typeNames": ["Table"]})])
    apart = recipe(path, file)
    apart["source"]["config"]["stateful_ingestion"]["state_provider"]["config"] = {"path": str(beside)}
    made = Pipeline.create(apart, report_to=None)
    made.run()
    made.raise_from_status()
    assert (states(path), states(beside)) == (0, 1)
    ingest(path, tmp_path, TABLES[:1]).raise_from_status()
    assert (states(path), states(beside)) == (1, 1)


def states(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        (count,) = connection.execute("select count(*) from checkpoint").fetchone()
    connection.close()
    return int(count)


def test_a_damaged_file_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    ingest(path, tmp_path, TABLES).raise_from_status()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 5000)
    before = path.read_bytes()
    with pytest.raises(PipelineInitError, match="damaged"):
        ingest(path, tmp_path, TABLES[:6])
    assert path.read_bytes() == before


def test_state_and_catalog_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, raw(TABLES[0], "status", {"removed": False}))
    one = provider(path)
    one.state_to_commit[JOB] = state("a")
    one.commit()
    sink = new_sink(path)
    write(sink, [raw(TABLES[1], "status", {"removed": False})])
    sink.flush()
    sink.close()
    assert provider(path).get_latest_checkpoint("a", JOB) == state("a")
    with LocalCatalog(path) as catalog:
        assert [node.urn for node in catalog.nodes(TABLES)] == TABLES[:2]
