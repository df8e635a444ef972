"""How the last run of each pipeline ended, through DataHub's real pipeline: well, badly, before it began, stopped."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import pytest
from datahub.configuration.common import ConfigModel
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import Source, SourceReport
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.run.pipeline import Pipeline, PipelineInitError
from typing_extensions import override

from catalog.local.broken import good, locked, scribbled
from datahub_llmops.catalog.local.pipeline_runs import PipelineRun, note, read
from datahub_llmops.errors import CatalogError, NoCatalogError


class StoppedSource(Source):
    """Somebody presses control and C in the middle of its run."""

    def __init__(self, ctx: PipelineContext) -> None:
        super().__init__(ctx)
        self.report = SourceReport()

    @classmethod
    @override
    def create(cls, config_dict: dict[str, Any], ctx: PipelineContext) -> Self:
        return cls(ctx)

    @override
    def get_workunits(self) -> Iterable[MetadataWorkUnit]:
        raise KeyboardInterrupt

    @override
    def get_report(self) -> SourceReport:
        return self.report

    @classmethod
    def get_config_class(cls) -> type[ConfigModel]:
        return ConfigModel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    good(tmp_path / "catalog.db")
    return tmp_path / "catalog.db"


def recipe(path: Path, metadata: str = "[]", name: str | None = "kb", **sink: Any) -> dict[str, Any]:
    written = path.with_name("metadata.json")
    written.write_text(metadata)
    named = {} if name is None else {"pipeline_name": name}
    return {
        **named,
        "source": {"type": "file", "config": {"path": str(written)}},
        "sink": {"type": "llm-local", "config": {"path": str(path), **sink}},
    }


def ingest(config: dict[str, Any], **how: Any) -> None:
    Pipeline.create(config, **how).run()


def only(path: Path) -> PipelineRun:
    (found,) = read(path)
    return found


def test_a_run_that_ended_well_and_then_badly(path: Path) -> None:
    ingest(recipe(path))
    first = only(path)
    assert (first.pipeline, first.source, first.instance, first.outcome) == ("kb", "file", "", "SUCCESS")
    assert first.began <= first.ended == first.succeeded
    ingest(recipe(path, "[{"))
    second = only(path)
    assert second.outcome == "FAILURE"
    assert (second.succeeded, second.run_id != first.run_id) == (first.ended, True)
    ingest(recipe(path))
    assert only(path).outcome == "SUCCESS"


def test_a_record_that_the_sink_refuses_is_a_failure(path: Path) -> None:
    refused = {"entityType": "dataset", "entityUrn": "no urn", "changeType": "UPSERT", "aspectName": "status"}
    refused["aspect"] = {"json": {"removed": False}}  # type: ignore[assignment]  # an aspect is no text
    ingest(recipe(path, json.dumps([refused])))
    assert only(path).outcome == "FAILURE"


def test_a_run_that_cannot_begin_has_failed(path: Path) -> None:
    config = recipe(path)
    config["source"] = {"type": "llm-chroma", "config": {"no_such_option": 1, "platform_instance": "eu"}}
    with pytest.raises(PipelineInitError):
        ingest(config)
    found = only(path)
    assert (found.source, found.instance, found.outcome, found.succeeded) == (
        "llm-chroma",
        "eu",
        "FAILURE",
        None,
    )


def test_a_run_that_is_stopped_was_cancelled(path: Path) -> None:
    config = recipe(path)
    config["source"] = {"type": f"{__name__}.{StoppedSource.__name__}", "config": {}}
    with pytest.raises(KeyboardInterrupt):
        ingest(config)
    assert only(path).outcome == "CANCELLED"


def test_pipelines_are_told_apart_and_what_is_long_gone_is_forgotten(path: Path) -> None:
    ingest(recipe(path))
    ingest(recipe(path, name=None))
    assert [one.key for one in read(path)] == [("", "file", ""), ("kb", "file", "")]
    later = read(path)[0].ended + 91 * 86_400_000
    note(
        path,
        PipelineRun(
            pipeline="new",
            source="file",
            instance="",
            run_id="r",
            began=later,
            ended=later,
            outcome="SUCCESS",
            succeeded=later,
        ),
        1,
    )
    assert [one.pipeline for one in read(path)] == ["new"]


def test_a_dry_run_notes_nothing_and_a_run_of_nothing_begins_no_catalog(path: Path) -> None:
    ingest(recipe(path), dry_run=True)
    assert read(path) == ()
    none = path.with_name("none.db")
    ingest(recipe(none))
    assert not none.exists()


def test_a_catalog_that_is_locked_costs_the_note_only(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = recipe(path, lock_timeout_seconds=0.1)
    with locked(path, "writing"):
        ingest(config)
    assert read(path) == ()
    assert "another process keeps it locked" in caplog.text
    assert "how this run ended is not noted in it" in caplog.text


def test_the_outcome_is_noted_beside_reporters_of_the_recipe(path: Path) -> None:
    config = recipe(path)
    report = path.with_name("report.json")
    config["reporting"] = [{"type": "file", "config": {"filename": str(report)}}]
    ingest(config)
    assert report.exists()
    assert only(path).outcome == "SUCCESS"


def test_llm_local_as_the_sink_of_a_reporter_notes_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = recipe(path)
    config["sink"] = {"type": "file", "config": {"filename": str(path.with_name("out.json"))}}
    local = {"type": "llm-local", "config": {"path": str(path)}}
    config["reporting"] = [{"type": "datahub", "config": {"sink": local}}]
    ingest(config)
    assert read(path) == ()
    assert "Failed to configure reporter" not in caplog.text


def test_a_file_of_an_earlier_release_has_none(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("drop table pipeline_run")
    assert read(path) == ()


def test_what_is_damaged_is_a_clear_error(path: Path) -> None:
    with pytest.raises(NoCatalogError):
        read(path.with_name("none.db"))
    ingest(recipe(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update pipeline_run set began = 'x', outcome = 'fine'")
        connection.commit()
    with pytest.raises(CatalogError, match="damaged"):
        read(path)
    scribbled(path.with_name("other.db"))
    with pytest.raises(CatalogError, match="damaged"):
        read(path.with_name("other.db"))


def test_an_outcome_of_another_release_is_not_known(path: Path) -> None:
    ingest(recipe(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update pipeline_run set outcome = 'fine'")
        connection.commit()
    assert only(path).outcome == "UNKNOWN"
