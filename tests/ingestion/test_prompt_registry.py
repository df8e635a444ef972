"""What a run writes of a registry's prompts, and what it never removes. Through a real pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import StatusClass

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.prompts import Prompt, PromptRef
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import DeniedError, UnreadableError
from datahub_llmops.mapping.properties import AssetPatch
from datahub_llmops.testing import runs
from support.scripted_prompts import (
    MARKS,
    PLATFORM,
    READ,
    REGISTRY,
    SOURCE,
    UNLISTED,
    clear,
    fill,
    prompt,
    version,
)
from support.writing import write

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


def test_text_that_is_not_wanted_any_more_is_taken_back(run: Run, tmp_path: Path) -> None:
    MARKS["a"] = "1"
    fill(prompt("a"))
    run().raise_from_status()
    assert "question" in runs.aspect(tmp_path, urn("a", "1"), "viewProperties")["viewLogic"]
    run(include_text=False).raise_from_status()
    assert runs.aspect(tmp_path, urn("a", "1"), "viewProperties")["viewLogic"] == ""
    assert changed(run(include_text=False)) == (0, 0)


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


# What is not read again.


def test_a_prompt_with_the_mark_of_the_last_run_is_not_read_again(run: Run, tmp_path: Path) -> None:
    fill(prompt("a", version("1", labels=("production",)), version("2")), prompt("b"), prompt("c"))
    MARKS.update(a="1", b="1")
    run().raise_from_status()
    READ.clear()
    MARKS["b"] = "2"
    second = run()
    second.raise_from_status()
    assert sorted(READ) == ["b", "c"]
    assert changed(second) == (0, 0)
    assert runs.report(second).prompts_unchanged == 1
    assert live(tmp_path) == {"a.v1", "a.v2", "b.v1", "c.v1"}
    # Its facts and its label are still known: they are taken back when they go.
    MARKS["a"] = "2"
    fill(prompt("a", version("1"), version("2")))
    run().raise_from_status()
    assert "prompt_labels" not in values(tmp_path, urn("a", "1"))


@pytest.mark.parametrize(
    "options",
    [{"include_text": False}, {"env": "DEV"}, {"platform_instance": "eu"}, {"custom_aspects": "off"}],
)
def test_an_option_that_changes_what_is_written_has_everything_read(
    run: Run, options: dict[str, Any]
) -> None:
    fill(prompt("a"))
    MARKS["a"] = "1"
    run().raise_from_status()
    READ.clear()
    # Of another environment or instance, DataHub believes only on request that everything changed.
    failed = runs.failures(run(**options))
    assert all("previous_run=1 entities" in context for context in failed)
    assert READ == ["a"]


def test_an_option_that_changes_nothing_of_it_has_nothing_read(run: Run) -> None:
    fill(prompt("a"))
    MARKS["a"] = "1"
    run().raise_from_status()
    READ.clear()
    run(max_workers=1, unused_after_days=3, prompt_pattern={"allow": ["a"]}).raise_from_status()
    assert READ == []


def test_what_the_catalog_lost_is_read_again(run: Run, tmp_path: Path) -> None:
    fill(prompt("a"))
    MARKS["a"] = "1"
    run().raise_from_status()
    steward = MetadataChangeProposalWrapper(entityUrn=urn("a", "1"), aspect=StatusClass(removed=True))
    write(tmp_path / "catalog.db", [steward])
    assert live(tmp_path) == set()
    READ.clear()
    run().raise_from_status()
    assert READ == ["a"]
    assert live(tmp_path) == {"a.v1"}
    # The same of a version whose facts are not those that the last run wrote.
    write(tmp_path / "catalog.db", AssetPatch(urn("a", "1")).remove_properties(["template_digest"]).build())
    READ.clear()
    run().raise_from_status()
    assert READ == ["a"]
    assert "template_digest" in values(tmp_path, urn("a", "1"))


def test_a_prompt_that_was_not_read_whole_is_read_again(run: Run) -> None:
    whole = prompt("a", version("1"), version("2"))
    fill(replace(whole, versions=whole.versions[:1], unreadable={"2": UnreadableError("time-out")}))
    MARKS["a"] = "1"
    run()
    READ.clear()
    fill(whole)
    run().raise_from_status()
    assert READ == ["a"]


# Labels, and how they move.


def moves(folder: Path, asset: str) -> list[dict[str, str]]:
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        found = [
            record.aspect for record in catalog.records() if (record.urn, record.name) == (asset, "operation")
        ]
    return [dict(operation["customProperties"]) for operation in found]


def labelled(**places: str) -> Prompt:
    numbers = ("1", "2", "3")
    return prompt(
        "a",
        *(version(one, labels=tuple(label for label, at in places.items() if at == one)) for one in numbers),
    )


def test_each_move_of_a_label_is_recorded_with_its_ends(run: Run, tmp_path: Path) -> None:
    for number in ("1", "2", "3", "1"):
        fill(labelled(production=number))
        run().raise_from_status()
    found = [move for number in ("1", "2", "3") for move in moves(tmp_path, urn("a", number))]
    ends = [
        (move["label"], move["from"], move["to"]) for move in sorted(found, key=lambda move: move["before"])
    ]
    assert sorted(ends) == [("production", "1", "2"), ("production", "2", "3"), ("production", "3", "1")]
    assert all(move["after"] <= move["before"] and "by" not in move for move in found)
    assert changed(run()) == (0, 0)


def test_a_label_that_is_new_or_gone_moved_too(run: Run, tmp_path: Path) -> None:
    fill(labelled())
    run().raise_from_status()
    fill(replace(labelled(staging="2"), moved_by={"staging": "ada"}))
    run().raise_from_status()
    (came,) = moves(tmp_path, urn("a", "2"))
    assert (came["label"], came["from"], came["to"], came["by"]) == ("staging", "", "2", "ada")
    fill(labelled())
    pipeline = run()
    assert runs.report(pipeline).labels_moved == 1
    assert ("2", "") in [(move["from"], move["to"]) for move in moves(tmp_path, urn("a", "2"))]


def test_the_first_run_records_no_move(run: Run, tmp_path: Path) -> None:
    fill(labelled(production="2"))
    assert runs.report(run()).labels_moved == 0
    assert moves(tmp_path, urn("a", "2")) == []


def test_a_run_that_could_not_read_a_prompt_forgets_no_label(run: Run, tmp_path: Path) -> None:
    fill(labelled(production="1"))
    run().raise_from_status()
    REGISTRY["a"] = UnreadableError("time-out")
    run()
    fill(labelled(production="3"))
    run().raise_from_status()
    (move,) = moves(tmp_path, urn("a", "3"))
    assert (move["from"], move["to"]) == ("1", "3")


def test_a_label_on_a_version_that_could_not_be_read_did_not_move(run: Run, tmp_path: Path) -> None:
    whole = labelled(production="3", staging="1")
    fill(whole)
    run().raise_from_status()
    fill(replace(whole, versions=whole.versions[:2], unreadable={"3": UnreadableError("time-out")}))
    assert runs.report(run()).labels_moved == 0
    fill(whole)
    assert runs.report(run()).labels_moved == 0
    assert values(tmp_path, urn("a", "3"))["prompt_labels"] == ["production"]


def test_a_label_on_a_version_that_does_not_exist_is_a_warning(run: Run, tmp_path: Path) -> None:
    fill(labelled(production="3"))
    run().raise_from_status()
    fill(replace(labelled(), dangling={"production": "9"}))
    second = run()
    second.raise_from_status()
    shown = [str(context) for entry in runs.report(second).warnings for context in entry.context]
    assert shown == ["a: production points at 9"]
    (move,) = moves(tmp_path, urn("a", "3"))
    assert (move["from"], move["to"]) == ("3", "9")
    assert "a.v9" not in live(tmp_path)


# Promises that a registry breaks.


def test_a_version_that_changed_under_its_number_is_a_warning_and_is_written(
    run: Run, tmp_path: Path
) -> None:
    fill(prompt("a", version("1", "before {{x}}"), version("2")))
    run().raise_from_status()
    fill(prompt("a", version("1", "after {{x}}"), version("2")))
    second = run()
    second.raise_from_status()
    shown = [str(context) for entry in runs.report(second).warnings for context in entry.context]
    assert shown == ["a.v1"]
    assert runs.aspect(tmp_path, urn("a", "1"), "viewProperties")["viewLogic"] == "after {{x}} 1"


def test_two_names_with_one_urn_are_a_failure_that_names_both(run: Run, tmp_path: Path) -> None:
    fill(prompt("c"))
    run().raise_from_status()
    del REGISTRY["c"]
    fill(prompt("a,b"), prompt("a%2Cb"), prompt("d"))
    second = run()
    (shown,) = runs.failures(second)
    assert "a,b" in shown
    assert "a%2Cb" in shown
    assert live(tmp_path) == {"c.v1", "d.v1"}


@pytest.mark.parametrize("reverse", [False, True])
def test_two_versions_with_one_urn_are_failures_that_name_both(
    run: Run, tmp_path: Path, reverse: bool
) -> None:
    items = [
        prompt("a", version("1"), version("1.v2")),
        prompt("a.v1", version("1"), version("2")),
        prompt("b"),
    ]
    fill(*reversed(items) if reverse else items)
    pipeline = run()
    shown = runs.failures(pipeline)
    assert len(shown) == 2
    assert all("version '1.v2' of 'a'" in text and "version '2' of 'a.v1'" in text for text in shown)
    assert live(tmp_path) == {"a.v1", "a.v1.v1", "b.v1"}


def test_names_like_versions_that_do_not_clash_are_fine(run: Run, tmp_path: Path) -> None:
    fill(
        prompt("a", version("1"), version("1.v3")),
        prompt("a.v1", version("2")),
        prompt("a.v1.v2", version("9")),
    )
    run().raise_from_status()
    assert live(tmp_path) == {"a.v1", "a.v1.v3", "a.v1.v2", "a.v1.v2.v9"}


def test_clocks_apart_and_odd_names(run: Run, tmp_path: Path) -> None:
    future = datetime(2100, 1, 1, tzinfo=UTC)
    names = ("büro/päckchen 📦", "a/b/../c", "with (brackets), and commas", "x" * 150)
    fill(*(prompt(name, version("1", created=future)) for name in names))
    run().raise_from_status()
    again = run()
    again.raise_from_status()
    assert changed(again) == (0, 0)
    assert live(tmp_path) == {f"{name}.v1" for name in names}
