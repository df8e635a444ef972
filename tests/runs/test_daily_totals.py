"""How many events come of many answers, and that no order of runs counts one of them twice."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from datahub.ingestion.run.pipeline import Pipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.database import Store
from datahub_llmops.assets.usage import Totals
from runs.world import INDEX, JOB, LOG, PROMPT, RETRIEVER, World
from support.examples import examples

MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,gpt-test-2026-01,PROD)"
DAY = 86_400
FIRST = 20_000 * DAY
"""Midnight in UTC."""


@dataclass
class Worker:
    """The store of one host, which begins empty, and the same answer in it at many times."""

    host: str
    path: Path
    answers: int = 0
    begun: Counter[int] = field(default_factory=Counter)
    """Answers by day, as anybody would count them."""

    def answered(self, seconds: Iterable[float]) -> None:
        """At these times, in seconds since the epoch."""
        with closing(sqlite3.connect(self.path)) as db:
            for when in seconds:
                self.answers += 1
                self.begun[int(when) // DAY * DAY] += 1
                name = f"{int(when * 1000):012x}{self.answers:016x}"
                db.execute(
                    "insert into answers (id, ended, application, status, body)"
                    " select ?, ?, application, status, json_set(body, '$.h', ?) from kept",
                    (name, when + 1, self.host),
                )
            db.commit()


def worker(world: World, host: str, folder: Path) -> Worker:
    """One whose answers are as the application of ``world`` gave its only one."""
    assert world.handle.flush(10)
    path = folder / f"{host}.db"
    with closing(sqlite3.connect(world.store)) as db, closing(sqlite3.connect(path)) as copy:
        db.backup(copy)
        copy.execute("create table kept as select * from answers")
        copy.execute("delete from answers")
        copy.commit()
    return Worker(host, path)


def sent(path: Path, **config: object) -> Counter[str]:
    """Events of one run over a whole store, by aspect."""
    out = path.with_suffix(".json")
    recipe = {
        "source": {"type": "llm-runs", "config": {"store": str(path), "custom_aspects": "on", **config}},
        "sink": {"type": "file", "config": {"filename": str(out)}},
    }
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    pipeline.run()
    pipeline.raise_from_status()
    return Counter(one["aspectName"] for one in json.loads(out.read_text()))


def test_a_month_of_answers_is_some_hundred_events(world: World) -> None:
    world.index()
    world.ask()
    few, many = (worker(world, host, world.folder) for host in ("few", "many"))
    hours = [FIRST + hour * 3_600 for hour in range(31 * 24)]
    few.answered(hours[::24])
    many.answered(hour + minute * 60 for hour in hours for minute in (0, 30))
    events = sent(many.path)
    assert events["datasetUsageStatistics"] == 31 * len((INDEX, RETRIEVER, PROMPT, LOG))
    # The application has its version's besides, the answer log none.
    assert events["llmUsage"] == 31 * len((INDEX, RETRIEVER, PROMPT, JOB, "version 7", MODEL))
    assert events["dataProcessInstanceRunEvent"] == 2 * (31 + 1)  # The day's, and that of the writes.
    assert events.total() < 550
    assert sent(few.path) == events


def test_many_writes_are_bounded_and_a_job_is_what_it_was_last(world: World) -> None:
    for number in range(12):
        world.embedded_with(f"model-{number}")
        with lineage.job("embed articles", source=f"s3://kb/{number}"):
            world.chroma().add_documents([Document("text", id=f"chunk-{number}")])
    assert world.handle.flush(10)
    events = sent(world.store, max_embedding_runs=3)
    assert events["embeddingJobInfo"] == events["dataJobInfo"] == 1
    assert events["dataProcessInstanceProperties"] == 3
    assert sent(world.store, max_embedding_runs=0)["dataProcessInstanceProperties"] == 0
    world.runs()
    embed = "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),embed articles)"
    assert world.aspect(embed, "embeddingJobInfo")["embeddingModel"] == "model-11"
    assert world.aspect(embed, "dataJobInfo")["customProperties"]["embedding_model"] == "model-11"


def recorded(catalog: Path, urn: str, name: str) -> dict[tuple[str, int], int]:
    """Calls by host and day, as the catalog has them; parts of a whole left out."""
    with closing(sqlite3.connect(catalog)) as db:
        rows = db.execute(
            "select body from series where name = ? and asset = (select id from asset where urn = ?)",
            (name, urn),
        ).fetchall()
    records = [json.loads(row[0]) for row in rows]
    assert {record["eventGranularity"]["unit"] for record in records} <= {"DAY"}
    whole = [record for record in records if "/" not in record["partitionSpec"]["partition"]]
    found = {
        (record["partitionSpec"]["partition"], record["timestampMillis"] // 1000): record[
            "calls" if name == "llmUsage" else "totalSqlQueries"
        ]
        for record in whole
    }
    assert len(found) == len(whole)
    return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),  # Whose.
        st.one_of(
            st.lists(st.integers(0, 3 * DAY - 1), min_size=1, max_size=4),  # Answers, early or late.
            st.booleans(),  # A run, with or without state.
        ),
    ),
    max_size=10,
)


def test_no_order_of_answers_and_runs_counts_one_twice(world: World) -> None:
    world.index()
    world.ask()

    @settings(max_examples=examples(12))
    @given(STEPS)
    def holds(steps: list[tuple[int, list[int] | bool]]) -> None:
        with tempfile.TemporaryDirectory(dir=world.folder) as name:
            folder = Path(name)
            here = World(folder, world.handle, [], world.embedding)
            workers = [worker(world, host, folder) for host in ("a", "b")]
            for whose, what in [*steps, (0, True), (1, True)]:
                one = workers[whose]
                if isinstance(what, list):
                    one.answered(FIRST + second for second in what)
                else:
                    here.ingest("llm-runs", {"store": str(one.path)}, state=what)
            expected = {
                (f"host={one.host}", day): count for one in workers for day, count in one.begun.items()
            }
            for urn in (INDEX, RETRIEVER, PROMPT, LOG):
                assert recorded(here.catalog, urn, "datasetUsageStatistics") == expected
            for urn in (INDEX, RETRIEVER, PROMPT, JOB, MODEL):
                assert recorded(here.catalog, urn, "llmUsage") == expected

    holds()


def test_a_day_that_the_store_has_dropped_half_of_stays_as_it_was_sent(world: World) -> None:
    world.index()
    world.ask()
    one = worker(world, "a", world.folder)
    now = time.time()
    cut = now // DAY * DAY - 2 * DAY + DAY / 2
    one.answered([cut - 60, cut - 30, cut + 30, now])
    runs = {"store": str(one.path)}
    world.ingest("llm-runs", runs, state=False)
    store = Store.open(str(one.path))
    store.prune(2**40, (now - cut) / DAY)
    store.close()
    report = world.ingest("llm-runs", runs, state=False)
    assert (report.answers_read, report.store_counters["answers_expired"]) == (1, 2)
    for urn in (INDEX, LOG):
        found = recorded(world.catalog, urn, "datasetUsageStatistics")
        assert sorted(found.values()) == [1, 3]
    one.answered([cut + 90])  # A late one: the day is not whole again by that.
    world.ingest("llm-runs", runs, state=False)
    assert sorted(recorded(world.catalog, LOG, "datasetUsageStatistics").values()) == [1, 3]


def test_a_store_that_holds_less_than_a_day_says_what_it_has(world: World) -> None:
    world.index()
    world.ask()
    one = worker(world, "a", world.folder)
    midnight = time.time() // DAY * DAY
    one.answered([midnight + 30, midnight + 90])
    store = Store.open(str(one.path))
    store.prune(2**40, (time.time() - midnight - 60) / DAY)
    store.close()
    world.ingest("llm-runs", {"store": str(one.path)}, state=False)
    assert list(recorded(world.catalog, LOG, "datasetUsageStatistics").values()) == [1]


def test_chunks_that_are_too_many_to_tell_apart_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datahub_llmops.assets.usage.MAX_CHUNKS", 3)
    enough, more = Totals(), Totals()
    for number in range(5):
        enough.add_chunks([str(number % 3)])
        more.add_chunks([str(number)])
    assert (enough.distinct_chunks, more.distinct_chunks) == (3, None)
