"""What ``doctor`` says of the last run of each pipeline, after real runs that ended well and badly."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from datahub.ingestion.run.pipeline import Pipeline

from catalog.local.broken import good
from datahub_llmops.catalog.local.pipeline_runs import PipelineRun, RunOutcome
from datahub_llmops.setup.diagnosis import Diagnosis
from datahub_llmops.setup.pipelines import examine_pipelines, read_runs
from datahub_llmops.setup.recipes import Recipe, read_recipes

DAY = 86_400


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, Any]:
    """Copies a metadata file into a catalog."""
    good(tmp_path / "catalog.db")
    (tmp_path / "metadata.json").write_text("[]")
    found = {
        "pipeline_name": "kb",
        "source": {"type": "file", "config": {"path": str(tmp_path / "metadata.json")}},
        "sink": {"type": "llm-local", "config": {"path": str(tmp_path / "catalog.db")}},
    }
    (tmp_path / "kb.yaml").write_text(yaml.safe_dump(found))
    return found


def examined(folder: Path, later: float = 0.0, most_days: float = 7) -> Diagnosis:
    where, recipes = str(folder / "catalog.db"), read_recipes([folder / "kb.yaml"], {})
    runs = read_runs(where)
    assert runs is not None
    (found,) = examine_pipelines(where, runs, recipes, time.time() + later, most_days)
    return found


def test_a_run_that_ended_well_is_ok_until_it_is_stale(recipe: dict[str, Any], tmp_path: Path) -> None:
    Pipeline.create(recipe).run()
    found = examined(tmp_path, later=3 * 3_600)
    assert (found.verdict, found.message) == ("ok", "It ended well 3 hours ago.")
    assert found.name == f"kb, file, into {tmp_path / 'catalog.db'}"
    stale = examined(tmp_path, later=8 * DAY)
    assert stale.verdict == "not ok"
    assert stale.message == "It ended well, but 8 days ago: what is in the catalog is stale."
    assert stale.to_do == f"Run it, and schedule it: datahub ingest -c {tmp_path / 'kb.yaml'}"
    assert examined(tmp_path, later=8 * DAY, most_days=9).verdict == "ok"


def test_a_run_that_failed_is_not_ok(recipe: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("[{")
    Pipeline.create(recipe).run()
    found = examined(tmp_path)
    assert found.verdict == "not ok"
    assert found.message.endswith(", and has never ended well.")
    assert found.to_do == f"Run it, and read the end of its report: datahub ingest -c {tmp_path / 'kb.yaml'}"
    (tmp_path / "metadata.json").write_text("[]")
    Pipeline.create(recipe).run()
    (tmp_path / "metadata.json").write_text("[{")
    Pipeline.create(recipe).run()
    assert examined(tmp_path, later=5 * 60).message == (
        "It failed 5 minutes ago, and ended well for the last time 5 minutes ago."
    )


def test_a_recipe_that_has_not_run_is_not_known(recipe: dict[str, Any], tmp_path: Path) -> None:
    found = examined(tmp_path)
    assert (found.verdict, found.message) == ("not known", "The catalog knows no run of it.")
    assert read_runs(str(tmp_path / "none.db")) is None


@pytest.mark.parametrize(
    ("outcome", "verdict", "words"),
    [
        ("CANCELLED", "not ok", "It was stopped 2 days ago"),
        ("UNKNOWN", "not known", "does not know how it ended"),
    ],
)
def test_a_run_that_was_stopped_or_cannot_be_understood(
    outcome: RunOutcome, verdict: str, words: str
) -> None:
    run = PipelineRun(
        pipeline="", source="llm-chroma", instance="eu", run_id="r", began=0, ended=1_000, outcome=outcome
    )
    none: list[Recipe] = []
    (found,) = examine_pipelines("c.db", [run], none, 1 + 2 * DAY, 7)
    assert found.name == "without pipeline_name, llm-chroma (eu), into c.db"
    assert found.verdict == verdict
    assert words in found.message
    assert "the catalog forgets it 90 days after the run" in (found.to_do or "")
