"""A provider serves another model although the application asks for the same one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from langchain_core.messages import AIMessage

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.cli.main import main
from hooks.parts import Model
from runs.world import JOB, LOG, World

ASKED, FIRST, SECOND = "openai/gpt-test", "openai/gpt-test-2026-01", "openai/gpt-test-2026-05"
MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,{},PROD)"
DAY = 86_400


def changes(world: World) -> list[dict[str, str]]:
    catalog = LocalCatalog(world.catalog)
    try:
        return [dict(one["customProperties"]) for one in catalog.series(LOG, "operation", 0)]
    finally:
        catalog.close()


@pytest.fixture
def moved(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The first model served three days ago, the second one serves today."""
    world.index()
    world.ask()
    world.long_ago(3 * DAY)
    report = world.runs()
    assert report.models_that_changed == 0
    assert changes(world) == []

    def answered(text: str, **given: object) -> AIMessage:
        return AIMessage(text, **{**given, "response_metadata": {"model_name": "gpt-test-2026-05"}})

    monkeypatch.setattr("hooks.parts.AIMessage", answered)
    assert Model().model_name == "gpt-test"
    world.ask()
    return world


def test_it_is_a_fact_of_a_day_on_the_application_and_the_model(moved: World) -> None:
    assert moved.runs().models_that_changed == 1
    (change,) = changes(moved)
    assert (change["asked"], change["from"], change["to"]) == (ASKED, FIRST, SECOND)
    assert change["after"] < change["before"]
    told = moved.aspect(JOB, "dataJobInfo")["customProperties"][f"served_for {ASKED}"]
    assert told == f"{SECOND} since {change['before']}, before it {FIRST}"
    model = moved.aspect(MODEL.format("gpt-test-2026-05"), "mlModelProperties")
    assert model["customProperties"][f"served_for {ASKED}"] == told
    shown = CliRunner().invoke(main, ["--catalog", str(moved.catalog), "show", JOB])
    assert "served_for openai/gpt-test" in shown.output


def test_it_is_told_once_and_stays_told(moved: World) -> None:
    moved.runs()
    moved.ask()
    assert moved.runs().models_that_changed == 0
    assert len(changes(moved)) == 1
    assert f"served_for {ASKED}" in moved.aspect(JOB, "dataJobInfo")["customProperties"]
    # A run without its memory sees both days again, and writes the same record.
    moved.ingest("llm-runs", {"store": str(moved.store)}, state=False)
    assert len(changes(moved)) == 1


def test_a_name_that_moves_is_said_to_be_not_observable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hooks.parts.AIMessage", lambda text, **_: AIMessage(text))
    monkeypatch.setattr(Model.model_fields["model_name"], "default", "gpt-latest")
    Model.model_rebuild(force=True)
    world.index()
    world.ask()
    try:
        assert world.runs().models_not_observable == ["openai/gpt-latest"]
    finally:
        monkeypatch.undo()
        Model.model_rebuild(force=True)
    shown = CliRunner().invoke(main, ["--catalog", str(world.catalog), "show", MODEL.format("gpt-latest")])
    assert "Not observable" in shown.output
