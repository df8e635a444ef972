"""Prompts that spans name are those that the hooks record of the same metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from datahub_llmops.hooks.prompt_identity import identify_prompt
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.prompts import MARKS, read_prompt

LANGSMITH = {"lc_hub_owner": "acme", "lc_hub_repo": "support", "lc_hub_commit_hash": "9f86d081"}
OWN = {"lc_hub_owner": "-", "lc_hub_repo": "support", "lc_hub_commit_hash": "9f86d081"}
MLFLOW = {"mlflow_prompt_uri": "prompts:/support/3"}
CUSTOM = {"prompt_name": "support", "prompt_version": "3"}


@pytest.mark.parametrize("metadata", [LANGSMITH, OWN, MLFLOW, CUSTOM], ids=str)
@pytest.mark.parametrize("prefix", ["traceloop.association.properties.", "langsmith.metadata.", ""])
def test_metadata_of_a_run_gives_the_hooks_identity(metadata: Mapping[str, str], prefix: str) -> None:
    expected = identify_prompt(metadata)
    assert expected is not None
    assert read({"metadata": metadata}) == expected
    assert read({prefix + key: value for key, value in metadata.items()}) == expected


def test_a_prompt_of_langfuse() -> None:
    class Prompt:
        name, version = "support", 3

    attributes = {"langfuse.observation.prompt.name": "support", "langfuse.observation.prompt.version": 3}
    assert read(attributes) == identify_prompt({"langfuse_prompt": Prompt()})


def test_prompts_that_mlflow_links() -> None:
    linked = '[{"name": "support", "version": "3"}]'
    assert read({"mlflow.linkedPrompts": linked}) == identify_prompt({"mlflow.linkedPrompts": linked})
    two = '[{"name": "support", "version": "3"}, {"name": "tone", "version": "1"}]'
    assert read({"mlflow.linkedPrompts": two}) is None


def test_opentelemetry_names_no_registry() -> None:
    attributes = {"gen_ai.prompt.name": "support", "gen_ai.prompt.version": "3"}
    assert read(attributes) == {"registry": "custom", "name": "support", "version": "3"}
    assert read({**attributes, "prompt.vendor": "LangChain Hub"}) == {
        "registry": "langsmith",
        "name": "support",
        "version": "3",
    }


def test_a_version_alone_names_no_prompt() -> None:
    attributes = {"llm.prompt_template.version": "v12", "llm.prompt_template.template": "Answer {question}"}
    assert MARKS.isdisjoint(Selection().pick(attributes))


def test_equal_prompts_are_one_object() -> None:
    assert read({"metadata": LANGSMITH}) is read({"metadata": dict(LANGSMITH)})


def read(attributes: Mapping[str, Any]) -> Any:
    kept = Selection().pick(attributes)
    assert not MARKS.isdisjoint(kept.get("metadata", kept))
    return read_prompt(kept)
