"""How far the store was read moves only when the sink has confirmed, and by host and file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops.runs.watermark import MAX_STORES, RunsState, store_key
from runs.world import JOB, LOG, World


def recipe(world: World, sink: dict[str, Any], **config: Any) -> dict[str, Any]:
    provider = {"type": "llm-local", "config": {"path": str(world.catalog)}}
    state = {"enabled": True, "state_provider": provider}
    return {
        "pipeline_name": "llm-runs",
        "source": {
            "type": "llm-runs",
            "config": {"store": str(world.store), "stateful_ingestion": state, **config},
        },
        "sink": sink,
    }


def run(world: World, sink: dict[str, Any], **config: Any) -> Pipeline:
    assert world.handle.flush(10)
    pipeline = Pipeline.create(recipe(world, sink, **config), no_progress=True, report_to=None)
    pipeline.run()
    return pipeline


def test_a_sink_that_failed_gets_everything_again(world: World) -> None:
    world.ask()
    world.runs()
    world.ask()
    world.catalog.chmod(0o600)
    with closing(sqlite3.connect(world.catalog, isolation_level=None)) as db:
        # What the sink writes last is refused: its transaction, a whole run, is rolled back.
        db.execute(
            "create trigger refused before insert on series begin select raise(abort, 'disk full'); end"
        )
        failed = run(world, {"type": "llm-local", "config": {"path": str(world.catalog)}})
        with pytest.raises(Exception, match="nothing of the run was stored"):
            failed.raise_from_status()
        assert failed.source.get_report().answers_read == 2  # type: ignore[attr-defined]  # llm-runs' own report
        db.execute("drop trigger refused")
    report = world.runs()
    assert (report.buckets, report.answers_read) == (1, 2)
    assert world.aspect(LOG, "datasetUsageStatistics")["totalSqlQueries"] == 2
    assert world.runs().answers_read == 0


def test_a_catalog_that_fails_on_the_way_leaves_the_mark_where_it_was(world: World) -> None:
    world.ask()
    world.runs()
    world.ask()
    broken = world.folder / "broken.db"
    broken.write_bytes(b"this is no catalog" * 100)
    failed = run(world, {"type": "console"}, catalog=str(broken))
    assert "starts from the same place" in str(failed.source.get_report().failures)
    assert world.runs().answers_read == 2


def test_another_file_at_the_same_path_is_read_from_its_beginning(world: World) -> None:
    world.ask()
    world.ask()
    assert world.handle.flush(10)
    path, replacement = (world.folder / name for name in ("pod.db", "kept.db"))
    for copied in (path, replacement):  # As of two pods, with the same numbers.
        with closing(sqlite3.connect(world.store)) as db, closing(sqlite3.connect(copied)) as copy:
            db.backup(copy)
    assert world.runs(store=str(path)).answers_read == 2
    assert world.runs(store=str(path)).answers_read == 0
    replacement.replace(path)
    assert world.runs(store=str(path)).answers_read == 2


def test_a_store_that_was_cut_is_read_from_its_beginning(world: World) -> None:
    world.ask()
    world.ask()
    world.runs()
    with closing(sqlite3.connect(world.store)) as db:  # The same file, with lower numbers.
        db.execute("delete from answers where seq = 2")
        db.commit()
    assert world.runs().answers_read == 1


def test_a_late_part_of_an_answer_counts_its_day_again(world: World) -> None:
    first, _ = world.ask(), world.ask()
    world.runs()
    with closing(
        sqlite3.connect(world.store)
    ) as db:  # As the recorder writes an answer that a part came late to.
        db.execute(
            "insert or replace into answers (id, ended, application, status, body)"
            " select id, ended + 1, application, 'error', body from answers where id = ?",
            (first,),
        )
        db.commit()
    report = world.runs()
    assert (report.buckets, report.answers_read) == (1, 2)
    usage = world.aspect(JOB, "llmUsage")
    assert (usage["calls"], usage["errors"]) == (2, 1)


def test_only_days_with_something_new_are_sent_again(world: World) -> None:
    first = world.ask()
    assert world.handle.flush(10)
    day = 24 * 3_600_000
    earlier = int(first[:12], 16) - day
    with closing(sqlite3.connect(world.store)) as db:
        db.execute("update answers set id = ?", (f"{earlier:012x}{first[12:]}",))
        db.commit()
    world.runs()
    world.ask()
    assert world.handle.flush(10)
    out = world.folder / "out.json"
    pipeline = run(world, {"type": "file", "config": {"filename": str(out)}}, custom_aspects="on")
    assert pipeline.source.get_report().answers_read == 1  # type: ignore[attr-defined]  # llm-runs' own report
    sent = out.read_text()
    assert f'"timestampMillis": {earlier // day * day},' not in sent
    assert f'"timestampMillis": {(earlier + day) // day * day},' in sent


def test_hosts_with_one_path_have_a_mark_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answers.db"
    path.touch()
    here = store_key(str(path))
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    there = store_key(str(path))
    assert here != there
    state = RunsState().after(here, 5, 1).after(there, 3, 0)
    assert (state.answers[here], state.answers[there]) == (5, 3)


def test_marks_of_a_file_that_was_replaced_and_of_pods_long_gone_are_forgotten() -> None:
    state = RunsState().after("a:/x#1", 5, 1).after("a:/x#2", 3, 0)
    assert state.answers == {"a:/x#2": 3}
    for number in range(MAX_STORES):
        state = state.after(f"pod-{number}:/x#1", 1, 1)
    assert len(state.answers) == len(state.writes) == MAX_STORES
    assert "a:/x#2" not in state.answers


def test_typed_aspects_of_the_past_are_sent_once_they_are_accepted(world: World) -> None:
    """The plugin came after the answers: the first run that finds it writes the aspects for what is there."""
    world.ask()
    sink = {"type": "llm-local", "config": {"path": str(world.catalog)}}
    run(world, sink, custom_aspects="off")
    assert world.aspect(JOB, "llmApplicationInfo") is None
    found = run(world, sink)
    assert found.source.get_report().answers_read == 1  # type: ignore[attr-defined]  # llm-runs' own report
    assert world.aspect(JOB, "llmApplicationInfo")["framework"] == "langchain"
    again = run(world, sink)
    assert again.source.get_report().answers_read == 0  # type: ignore[attr-defined]
