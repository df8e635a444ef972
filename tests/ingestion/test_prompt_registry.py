"""What a run writes of a registry's prompts, and what it never removes. Through a real pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.prompts import Prompt, PromptRef
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import DeniedError, UnreadableError
from datahub_llmops.testing import runs
from support.scripted_prompts import PLATFORM, REGISTRY, SOURCE, UNLISTED, clear, fill, prompt, version

Run = Callable[..., Pipeline]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    clear()
    yield lambda **options: runs.run(tmp_path, SOURCE, options)
    clear()


def urn(name: str, number: str) -> str:
    return urns.prompt_version(PLATFORM, name, number, env="PROD")


def live(folder: Path) -> set[str]:
    return runs.live(folder, PLATFORM)


def changed(pipeline: Pipeline) -> tuple[int, int]:
    report: Any = pipeline.sink.get_report()
    return report.changed, report.removed


def values(folder: Path, asset: str) -> dict[str, list[Any]]:
    """Structured properties with all of their values."""
    found = runs.aspect(folder, asset, "structuredProperties").get("properties", [])
    return {
        item["propertyUrn"].rpartition(".")[2]: [next(iter(value.values())) for value in item["values"]]
        for item in found
    }


def upstreams(folder: Path, asset: str) -> dict[str, str]:
    edges = runs.aspect(folder, asset, "upstreamLineage").get("upstreams", [])
    return {edge["dataset"]: edge["properties"]["found_by"] for edge in edges}


def test_a_version_is_a_dataset_in_the_set_of_its_prompt(run: Run, tmp_path: Path) -> None:
    second = version(
        "2",
        labels=("production", "latest"),
        author="u-17",
        message="Shorter",
        url="https://registry/answer/2",
        model="openai/gpt-5",
        parameters={"temperature": "0.2"},
        properties={"origin": "API"},
    )
    fill(prompt("support/answer", version("1"), second, description="Answers mails.", tags=("mail", "eu")))
    run().raise_from_status()
    assert live(tmp_path) == {"support/answer.v1", "support/answer.v2"}
    asset = urn("support/answer", "2")
    assert runs.aspect(tmp_path, asset, "subTypes") == {"typeNames": ["Prompt"]}
    properties = runs.aspect(tmp_path, asset, "datasetProperties")
    assert properties["name"] == "support/answer"
    assert properties["description"] == "Answers mails."
    assert properties["externalUrl"] == "https://registry/answer/2"
    assert properties["created"] == properties["lastModified"] == {"time": 1793577600000}
    assert properties["customProperties"] == {
        "author": "u-17",
        "characters": "22",
        "commit_message": "Shorter",
        "model.temperature": "0.2",
        "origin": "API",
        "tags": "mail, eu",
    }
    text = runs.aspect(tmp_path, asset, "viewProperties")
    assert text == {"materialized": False, "viewLanguage": "MUSTACHE", "viewLogic": "Answer {{question}}. 2"}
    schema = runs.aspect(tmp_path, asset, "schemaMetadata")
    assert [field["fieldPath"] for field in schema["fields"]] == ["question"]
    assigned = values(tmp_path, asset)
    assert assigned["prompt_labels"] == ["latest", "production"]
    assert assigned["prompt_model"] == ["openai/gpt-5"]
    assert assigned["template_digest"][0].startswith("t1:")
    membership = runs.aspect(tmp_path, asset, "versionProperties")
    group = urns.prompt_set(PLATFORM, "support/answer", env="PROD")
    assert membership["versionSet"] == group
    assert (membership["version"], membership["sortId"]) == ({"versionTag": "2"}, "0000000002")
    assert membership["comment"] == "Shorter"
    assert "isLatest" not in membership
    assert runs.aspect(tmp_path, group, "versionSetProperties")["latest"] == asset
    info = runs.aspect(tmp_path, asset, "promptInfo")
    assert info["promptName"] == "support/answer"
    assert info["labels"] == "latest, production"
    assert "text" not in info


def test_a_second_run_changes_nothing(run: Run) -> None:
    included = version("1", derived_from=(PromptRef(name="b", version="2"), PromptRef(name="c", version="9")))
    fill(prompt("a", included), prompt("b", version("1"), version("2", labels=("production",))))
    run().raise_from_status()
    again = run()
    again.raise_from_status()
    assert changed(again) == (0, 0)


def test_without_text_it_keeps_digest_variables_and_size(run: Run, tmp_path: Path) -> None:
    fill(prompt("a"))
    run(include_text=False).raise_from_status()
    asset = urn("a", "1")
    assert runs.aspect(tmp_path, asset, "viewProperties") == {}
    assert [field["fieldPath"] for field in runs.aspect(tmp_path, asset, "schemaMetadata")["fields"]] == [
        "question"
    ]
    assert runs.aspect(tmp_path, asset, "datasetProperties")["customProperties"] == {"characters": "22"}
    assert "template_digest" in values(tmp_path, asset)


def test_hashes_are_ordered_as_the_registry_orders_them(run: Run, tmp_path: Path) -> None:
    fill(prompt("a", version("f0"), version("0a"), version("10")))
    run().raise_from_status()
    order = [
        runs.aspect(tmp_path, urn("a", name), "versionProperties")["sortId"] for name in ("f0", "0a", "10")
    ]
    assert order == ["0000000001", "0000000002", "0000000003"]


def test_labels_that_are_gone_are_taken_back(run: Run, tmp_path: Path) -> None:
    fill(prompt("a", version("1", labels=("production",)), version("2")))
    run().raise_from_status()
    fill(prompt("a", version("1"), version("2", labels=("production",))))
    run().raise_from_status()
    assert "prompt_labels" not in values(tmp_path, urn("a", "1"))
    assert values(tmp_path, urn("a", "2"))["prompt_labels"] == ["production"]


def test_composition_is_an_edge_between_versions(run: Run, tmp_path: Path) -> None:
    tone, legal, own = (PromptRef(name=name, version="1") for name in ("tone", "legal", "a"))
    fill(prompt("a", version("1", derived_from=(tone, legal, own))), prompt("tone"), prompt("legal"))
    run().raise_from_status()
    assert upstreams(tmp_path, urn("a", "1")) == {urn("tone", "1"): "registry", urn("legal", "1"): "registry"}
    fill(prompt("a", version("1", derived_from=(legal,))))
    run().raise_from_status()
    assert upstreams(tmp_path, urn("a", "1")) == {urn("legal", "1"): "registry"}


def test_prompts_that_include_each_other_end(run: Run, tmp_path: Path) -> None:
    a, b = (PromptRef(name=name, version="1") for name in ("a", "b"))
    fill(prompt("a", version("1", derived_from=(b,))), prompt("b", version("1", derived_from=(a,))))
    run().raise_from_status()
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        for direction in ("up", "down"):
            walk = catalog.lineage(urn("a", "1"), direction, 20)
            assert {node.name for node in walk.nodes} == {"a", "b"}


def test_what_is_gone_goes_and_the_rest_stays(run: Run, tmp_path: Path) -> None:
    fill(prompt("a", version("1"), version("2")), prompt("b"), prompt("c"))
    run().raise_from_status()
    fill(prompt("a", version("2")))
    del REGISTRY["b"]
    run().raise_from_status()
    assert live(tmp_path) == {"a.v2", "c.v1"}


@pytest.mark.parametrize("answer", [UnreadableError("time-out"), DeniedError("403")])
def test_a_prompt_that_cannot_be_read_stays(run: Run, tmp_path: Path, answer: Exception) -> None:
    fill(prompt("a"), prompt("b"), prompt("c"))
    run().raise_from_status()
    REGISTRY["a"] = answer
    del REGISTRY["b"]
    second = run()
    assert any(context.startswith("a: ") for context in runs.failures(second))
    assert live(tmp_path) == {"a.v1", "b.v1", "c.v1"}


def test_a_version_that_cannot_be_read_stays_and_the_others_are_written(run: Run, tmp_path: Path) -> None:
    fill(prompt("a", version("1"), version("2")))
    run().raise_from_status()
    fill(
        Prompt(
            name=("a",), versions=(version("1"), version("3")), unreadable={"2": UnreadableError("time-out")}
        )
    )
    second = run()
    assert runs.failures(second) == ["a.v2: time-out"]
    assert live(tmp_path) == {"a.v1", "a.v2", "a.v3"}
    # Whether the third is the latest is not known in this run.
    group = urns.prompt_set(PLATFORM, "a", env="PROD")
    assert runs.aspect(tmp_path, group, "versionSetProperties")["latest"] == urn("a", "2")


def test_an_empty_list_removes_nothing_that_can_be_read_by_its_name(run: Run, tmp_path: Path) -> None:
    fill(prompt("a"), prompt("b"))
    run().raise_from_status()
    UNLISTED.update(("a", "b"))
    second = run()
    assert len(runs.failures(second)) == 2
    assert live(tmp_path) == {"a.v1", "b.v1"}


def test_a_folder_that_cannot_be_listed_removes_nothing(run: Run, tmp_path: Path) -> None:
    fill(prompt("a"), prompt("support/b"))
    run().raise_from_status()
    del REGISTRY["support/b"]
    REGISTRY["support"] = FailedListing(name=("support",), error=DeniedError("no"))
    second = run()
    assert any("support" in context for context in runs.failures(second))
    assert live(tmp_path) == {"a.v1", "support/b.v1"}


def test_filters_leave_out_prompts_by_their_whole_name(run: Run, tmp_path: Path) -> None:
    fill(prompt("support/a"), prompt("sales/b"))
    pipeline = run(prompt_pattern={"allow": ["support/.*"]})
    assert live(tmp_path) == {"support/a.v1"}
    assert runs.report(pipeline).items_filtered == 1


def test_instances_and_environments_have_sets_of_their_own(run: Run, tmp_path: Path) -> None:
    fill(prompt("a"))
    run(platform_instance="eu", env="DEV").raise_from_status()
    asset = urns.prompt_version(PLATFORM, "a", "1", env="DEV", instance="eu")
    group = runs.aspect(tmp_path, asset, "versionProperties")["versionSet"]
    assert group == urns.prompt_set(PLATFORM, "a", env="DEV", instance="eu")
    assert group != urns.prompt_set(PLATFORM, "a", env="PROD")
    instance = runs.aspect(tmp_path, asset, "dataPlatformInstance")["instance"]
    assert instance == urns.platform_instance(PLATFORM, "eu")


def test_no_text_of_a_template_is_in_a_report_or_an_error(run: Run, tmp_path: Path) -> None:
    broken = replace(version("1", "planted-secret"), parameters=None)  # type: ignore[arg-type]  # on purpose
    fill(prompt("a", broken), prompt("b", version("1", "planted-secret")))
    pipeline = run()
    assert runs.failures(pipeline)
    assert "planted-secret" not in runs.report(pipeline).as_string()
