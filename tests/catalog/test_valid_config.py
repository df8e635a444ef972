from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.run.pipeline import Pipeline, PipelineInitError
from pydantic import ValidationError

from datahub_llmops.catalog.valid_config import valid_config
from datahub_llmops.errors import RecipeError
from datahub_llmops.health.lifecycle_source import LifecycleConfig, LifecycleSource
from datahub_llmops.health.options import PolicyConfig
from datahub_llmops.health.source import HealthConfig, HealthSource
from datahub_llmops.vector_stores.chroma.source import ChromaConfig
from datahub_llmops.vector_stores.pinecone.source import PineconeConfig


def refused(config_type: Any, options: dict[str, Any]) -> str:
    with pytest.raises(RecipeError) as caught:
        valid_config(config_type, options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("config_type", "options", "said"),
    [
        (HealthConfig, {"grace_hour": 6}, "there is no option grace_hour; did you mean grace_hours?"),
        (
            LifecycleConfig,
            {"xyz": 6},
            "there is no option xyz; there are catalog, lifecycles, model_pattern,",
        ),
        (
            PolicyConfig,
            {"grace_hours": "soon"},
            "grace_hours: it should be a valid number, unable to parse string as a number. Hours that a changed",
        ),
        (
            PolicyConfig,
            {"forbidden_terms": [{"term": "a"}, {}]},
            "the option forbidden_terms.1.term is missing. Glossary term that must not reach the index",
        ),
        (
            PolicyConfig,
            {"forbidden_terms": [{"term": "a", "domaine": "eu"}]},
            "there is no option forbidden_terms.0.domaine; did you mean domain?",
        ),
        (HealthConfig, {"asset_pattern": {"allow": ["("]}}, "asset_pattern: '(' is not a regular expression"),
        (
            HealthConfig,
            {"asset_pattern": "orders"},
            "asset_pattern: write options with their values: allow, deny",
        ),
        (PolicyConfig, {"change_columns": {"a": 1}}, "change_columns.a: it should be a valid string"),
    ],
)
def test_a_wrong_option_says_what_to_write(config_type: Any, options: dict[str, Any], said: str) -> None:
    assert refused(config_type, options).startswith(said)


def test_several_wrong_options_have_a_line_each() -> None:
    said = refused(PolicyConfig, {"grace_hour": 6, "grace_hours": "soon"}).splitlines()
    assert said[0] == "2 options are wrong"
    assert [line.split(";")[0].split(":")[0] for line in said[1:]] == [
        "grace_hours",
        "there is no option grace_hour",
    ]


def test_no_value_is_quoted() -> None:
    assert "hunter2" not in refused(PineconeConfig, {"api_key": ["hunter2"], "apikey": "hunter2"})


@pytest.mark.parametrize("kind", ["llm-health", "llm-lifecycle", "llm-chroma"])
def test_datahub_shows_the_message_without_a_traceback(kind: str) -> None:
    recipe = {"source": {"type": kind, "config": {"catalgo": "./catalog.db"}}, "sink": {"type": "console"}}
    with pytest.raises(PipelineInitError) as caught:
        Pipeline.create(recipe, report_to=None)
    assert str(caught.value) == "The recipe is not valid: there is no option catalgo; did you mean catalog?"
    # https://github.com/datahub-project/datahub: should_show_stack_trace looks at the cause.
    assert isinstance(caught.value.__cause__, ValidationError)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pth": "CANARY"}, "there is no option pth; did you mean path?"),
        (
            {"lock_timeout_seconds": -1},
            "lock_timeout_seconds: it should be greater than or equal to 0. How long to wait for another run that is "
            "being stored in the same file.",
        ),
        (
            {"path": ["CANARY"]},
            "path: it should be a path. The catalog's file",
        ),
    ],
)
@pytest.mark.parametrize("part", ["sink", "state_provider"])
def test_the_local_sink_and_state_provider_say_the_same(
    part: str, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    local = {"type": "llm-local", "config": options}
    config: dict[str, Any] = {"url": "http://127.0.0.1:1"}
    if part == "state_provider":
        config["stateful_ingestion"] = {"enabled": True, "state_provider": local}
    sink = local if part == "sink" else {"type": "file", "config": {"filename": str(tmp_path / "out.json")}}
    recipe = {"pipeline_name": "p", "source": {"type": "llm-qdrant", "config": config}, "sink": sink}
    with pytest.raises(PipelineInitError) as caught:
        Pipeline.create(recipe, report_to=None)
    assert str(caught.value).startswith(f"The recipe is not valid: {part} llm-local: {said}")
    assert "CANARY" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ValidationError)


def test_a_sink_whose_options_are_a_text_says_which_there_are() -> None:
    recipe = {
        "source": {"type": "llm-qdrant", "config": {"url": "http://127.0.0.1:1"}},
        "sink": {"type": "llm-local", "config": "./catalog.db"},
    }
    with pytest.raises(
        PipelineInitError, match=r"write options with their values: lock_timeout_seconds, path$"
    ):
        Pipeline.create(recipe, report_to=None)


@pytest.mark.parametrize("source", [HealthSource, LifecycleSource])
def test_a_test_of_the_connection_says_the_same(source: Any) -> None:
    report = source.test_connection({"catalgo": "./catalog.db"})
    assert (
        report.internal_failure_reason
        == "The recipe is not valid: there is no option catalgo; did you mean catalog?"
    )


def test_valid_options_make_the_source() -> None:
    made = HealthSource.create({"grace_hours": 6}, PipelineContext(run_id="r"))
    assert isinstance(made, HealthSource)
    assert made.config.grace_hours == 6
    assert valid_config(ChromaConfig, {"path": "./chroma"}).path is not None
