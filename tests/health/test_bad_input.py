"""A catalog that is locked, newer, damaged or none: no door says ok, and nothing is resolved by a failure to look."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from datahub.ingestion.api.common import PipelineContext

from catalog.local.broken import BROKEN, locked
from datahub_llmops.answer_store import sqlite_file
from datahub_llmops.cli.agent_tools import Tools
from datahub_llmops.cli.main import main
from datahub_llmops.health.lifecycle_source import LifecycleConfig, LifecycleSource
from datahub_llmops.health.source import HealthConfig, HealthSource
from governance.estate import INDEX, estate, write

DOORS = [*BROKEN, "locked", "nothing"]


@pytest.fixture(params=DOORS)
def bad(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    path = tmp_path / "catalog.db"
    if request.param == "locked":
        write(path, estate()).close()
        with locked(path, "exclusive"):
            yield path
        return
    if request.param != "nothing":
        BROKEN[request.param][0](path)
    yield path


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for a short time only."""
    for function in (sqlite_file.connect, inspect.unwrap(sqlite_file.opening)):
        monkeypatch.setattr(function, "__defaults__", (0.05,))


def test_no_door_says_that_an_index_is_ok(bad: Path) -> None:
    done = CliRunner().invoke(main, ["--catalog", str(bad), "check", INDEX])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    asked = Tools(where=str(bad)).check_index(INDEX)
    assert asked["verdict"] == "not known"
    assert str(bad) not in str(asked)


@pytest.mark.parametrize("kind", [HealthSource, LifecycleSource])
def test_a_source_fails_and_writes_nothing(bad: Path, kind: type[HealthSource | LifecycleSource]) -> None:
    options = {"catalog": str(bad)}
    context = PipelineContext(run_id="r")
    source: HealthSource | LifecycleSource
    if kind is HealthSource:
        source = HealthSource(HealthConfig.model_validate(options), context)
    else:
        source = LifecycleSource(LifecycleConfig.model_validate(options), context)
    assert list(source.emissions()) == []
    (failure,) = source.report.failures
    assert str(bad) in str(failure.context)
