"""One record that cannot be understood is reported and passed over; every other one arrives, and the mark moves."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline
from langchain_core.documents import Document

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import guard
from datahub_llmops.ingestion.applications.emission import Applications
from datahub_llmops.ingestion.applications.rollup import Application
from datahub_llmops.ingestion.emitter import Emission
from runs.world import INDEX, JOB, LOG, TABLE, World

OTHER = "(urn:li:dataFlow:(langchain,other,PROD),other)"


@pytest.fixture
def estate(world: World) -> World:
    """Two applications and a job; whatever a test damages is of ``other``."""
    world.index()
    world.ask()
    world.ask()
    with lineage.application("other", version="2"):
        world.ask()
        with lineage.job("other job", flow="other", source=TABLE):
            world.chroma().add_documents([Document("text", id="chunk-9")])
    assert world.handle.flush(10)
    return world


def run(world: World) -> tuple[Any, Pipeline]:
    """Run ``llm-runs``; its report and its pipeline."""
    state = {
        "enabled": True,
        "state_provider": {"type": "llm-local", "config": {"path": str(world.catalog)}},
    }
    pipeline = Pipeline.create(
        {
            "pipeline_name": "llm-runs",
            "source": {
                "type": "llm-runs",
                "config": {"store": str(world.store), "stateful_ingestion": state},
            },
            "sink": {"type": "llm-local", "config": {"path": str(world.catalog)}},
        },
        no_progress=True,
        report_to=None,
    )
    pipeline.run()
    return pipeline.source.get_report(), pipeline


def change(world: World, *statements: str) -> None:
    """Change the store as a damaged file, or another release, would have it."""
    with closing(sqlite3.connect(world.store)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


LAST_ANSWER = "seq = (select max(seq) from answers)"
LAST_WRITES = "seq = (select max(seq) from writes)"
NO_RECORDS = {
    "an answer that is no JSON": f"update answers set body = 'planted {{' where {LAST_ANSWER}",
    "an answer that is a list": f"update answers set body = '[\"planted\"]' where {LAST_ANSWER}",
    "an answer nested deep": f"update answers set body = '{'[' * 100_000}' where {LAST_ANSWER}",
    "an answer that is a BLOB": f"update answers set body = x'00ff' where {LAST_ANSWER}",
    "an answer that is no UTF-8": f"update answers set body = cast(x'7b2276223a22ff227d' as text) where {LAST_ANSWER}",
    "an answer with a number of 5,000 digits": 'update answers set body = \'{"x":'
    + "9" * 5_000
    + f"}}' where {LAST_ANSWER}",
    "a retrieval that is a text": f'update answers set body = \'{{"r":["planted"]}}\' where {LAST_ANSWER}',
    "a model call without a model": f"update answers set body = '{{\"m\":[{{}}]}}' where {LAST_ANSWER}",
    "a version that is an object": f"update answers set body = '{{\"v\":{{}}}}' where {LAST_ANSWER}",
    "tokens beyond 64 bits": f'update answers set body = \'{{"m":[{{"a":1,"in":{10**30}}}]}}\' where {LAST_ANSWER}',
    "a weight that is infinite": f"update answers set body = '{{\"w\":1e999}}' where {LAST_ANSWER}",
    "an end in the year 30,000": f"update answers set ended = 9e11 where {LAST_ANSWER}",
    "an end that is a text": f"update answers set ended = 'planted' where {LAST_ANSWER}",
    "an id without a time": f"update answers set id = 'planted' where {LAST_ANSWER}",
    "an application without a name": 'update identities set body = \'{"name":""}\' where body = \'{"name":"other"}\'',
    "an application that is no JSON": "update identities set body = 'planted' where body = '{\"name\":\"other\"}'",
    "a run of writes that is no JSON": f"update writes set body = 'planted' where {LAST_WRITES}",
    "a run of writes without a time": f"update writes set ended = 'planted' where {LAST_WRITES}",
    "a run without an id": "update identities set body = '{}' where id ="
    f" (select run from writes where {LAST_WRITES})",
}


@pytest.mark.parametrize("statement", NO_RECORDS.values(), ids=NO_RECORDS)
def test_a_record_that_cannot_be_understood(estate: World, statement: str) -> None:
    change(estate, statement)
    report, pipeline = run(estate)
    assert "Record skipped" in str(report.failures)
    assert report.records_passed_over >= 1
    assert "planted" not in str(report.failures).replace("answer planted", "")
    with pytest.raises(Exception, match="Source reported errors"):
        pipeline.raise_from_status()
    assert estate.aspect(LOG, "datasetUsageStatistics")["totalSqlQueries"] == 2
    assert estate.edges(JOB, "outputDatasetEdges") == {LOG}
    embed = "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),embed articles)"
    assert estate.edges(embed) == {TABLE}
    again, pipeline = run(estate)
    assert again.answers_read == 0
    pipeline.raise_from_status()


def test_an_answer_that_was_reported_is_a_warning_when_its_day_is_counted_again(estate: World) -> None:
    change(estate, NO_RECORDS["an answer that is no JSON"])
    run(estate)
    estate.ask()
    assert estate.handle.flush(10)
    report, pipeline = run(estate)
    pipeline.raise_from_status()
    assert "Record skipped" in str(report.warnings)
    assert estate.aspect(LOG, "datasetUsageStatistics")["totalSqlQueries"] == 3


def test_versions_that_an_earlier_release_kept_as_numbers(estate: World) -> None:
    change(estate, f'update answers set body = replace(body, \'"v":"2"\', \'"v":2\') where {LAST_ANSWER}')
    report, pipeline = run(estate)
    pipeline.raise_from_status()
    assert report.answers_read == 3
    assert estate.edges(f"urn:li:dataJob:{OTHER}", "outputDatasetEdges")


@pytest.mark.parametrize(
    "urn",
    [
        "urn:li:dataset:(((",
        "urn:li:corpuser:ada",
        "urn:li:dataset:",
        "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles)",
        "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles,SOMEWHERE)",
        "urn:li:dataset:(urn:li:dataPlatform:,a,PROD)",
    ],
)
def test_a_source_that_an_earlier_release_kept_and_that_is_no_dataset(estate: World, urn: str) -> None:
    change(estate, f"update identities set body = replace(body, '{TABLE}', '{urn}') where kind = 'source'")
    report, pipeline = run(estate)
    pipeline.raise_from_status()
    assert report.unmatched_sources == 4
    assert report.embedding_runs == 2
    assert estate.edges(f"urn:li:dataJob:{OTHER}", "outputDatasetEdges")


@pytest.mark.parametrize("name", ["x" * 300, "../../../etc/passwd", "\\ud800", "a\\u0000b"])
def test_names_that_an_earlier_release_kept(estate: World, name: str) -> None:
    """Of an orchestrator, an application, a model and a retriever."""
    change(
        estate,
        f'update writes set body = replace(body, \'"flow":\', \'"orchestrator":"{name}","flow":\') where {LAST_WRITES}',
        f'update identities set body = \'{{"name":"{name}"}}\' where body = \'{{"name":"other"}}\'',
    )
    run(estate)
    assert estate.aspect(LOG, "datasetUsageStatistics")["totalSqlQueries"] == 2
    again, pipeline = run(estate)
    assert again.answers_read == 0
    pipeline.raise_from_status()


def test_a_model_without_a_provider_is_left_out_and_counted(estate: World) -> None:
    change(estate, "update identities set body = '{\"name\":\"/' || id || '\"}' where kind = 'model'")
    report, pipeline = run(estate)
    pipeline.raise_from_status()
    assert report.answers_read == 3
    assert report.unnamed_parts == 3
    assert "Parts without a usable name" in str(report.warnings)
    assert estate.aspect(INDEX, "datasetUsageStatistics")["totalSqlQueries"] == 3


def test_an_asset_that_fails_stops_no_other(estate: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: Callable[[Applications, Application], Iterator[Emission]] = Applications._application

    def fail(self: Applications, application: Application) -> Iterator[Emission]:
        if application.name == "other":
            raise KeyError("planted")
        yield from whole(self, application)

    monkeypatch.setattr(Applications, "_application", fail)
    report, _ = run(estate)
    assert "application other: KeyError at test_passed_over.py:" in str(report.failures)
    assert "planted" not in str(report.failures)
    assert estate.edges(JOB, "outputDatasetEdges") == {LOG}


class TestWhatTheHooksTake:
    """What the application gives is made a text, or refused, and nothing is raised."""

    @pytest.fixture(autouse=True)
    def as_in_an_application(self) -> Iterator[None]:
        guard.reraise = False
        yield
        guard.reraise = True

    def test_names(self, world: World) -> None:
        handle = lineage.attach(5, version=3, store=world.store)  # type: ignore[arg-type]
        world.ask()
        with lineage.application("", version="9"):
            world.ask()
        with lineage.application(object(), version=object()):  # type: ignore[arg-type]
            world.ask()
        with lineage.application("a\x1b[2J\ud800", version=2.5):  # type: ignore[arg-type]
            world.ask()
        with lineage.application("x" * 10_000):
            world.ask()
        assert handle.flush(10)
        assert any("application" in one for one in handle.stats()["degraded"])
        report, pipeline = run(world)
        pipeline.raise_from_status()
        assert report.applications == 3
        usage = world.aspect("urn:li:dataJob:(urn:li:dataFlow:(langchain,5,PROD),5)", "llmUsage")
        assert usage["calls"] == 3

    def test_jobs(self, world: World) -> None:
        with lineage.job(
            7,  # type: ignore[arg-type]
            flow=object(),  # type: ignore[arg-type]
            orchestrator="o" * 300,
            source="urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles)",
            text_fields="body",
        ):
            world.chroma().add_documents([Document("text", id="1")])
        for urn in ("urn:li:corpuser:ada", "urn:li:dataset:(((", 5):
            world.chroma().add_documents([Document("text", id="2", metadata={"datahub_urn": urn})])
        lineage.name_index(world.chroma(), "urn:li:corpuser:ada")
        assert world.handle.flush(10)
        report, pipeline = run(world)
        pipeline.raise_from_status()
        assert report.embedding_runs == 2
        degraded = world.handle.stats()["degraded"]
        for word in ("source=", "flow=", "name_index"):
            assert any(word in one for one in degraded), word
