"""`llm-langsmith` through DataHub's pipeline: what it writes, what it never removes, and what stays secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from datahub_llmops import urns
from datahub_llmops.prompt_registries.langsmith.source import LangSmithConfig, LangSmithSource
from datahub_llmops.testing.contracts import Config
from datahub_llmops.testing.recipe_contracts import RegistrySourceContract
from datahub_llmops.testing.runs import aspect, assigned, failures, ingest, live, live_graph, report
from prompt_registries.langsmith.service import API_KEY, A, B, C, FakeRun, LangSmithService, hub, repo, trace

VERSIONS = frozenset(
    {
        *(f"support-answer.v{hash}" for hash in (A, B, C)),
        *(f"classify-ticket.v{letter * 64}" for letter in "de"),
    }
)


@pytest.fixture
def service() -> Iterator[LangSmithService]:
    with LangSmithService() as server:
        yield server


def recipe_of(service: LangSmithService, **options: Any) -> dict[str, Any]:
    return {"url": service.url, "api_key": API_KEY, "retry_max_times": 0, "timeout_sec": 5, **options}


def version(hash: str) -> str:
    return urns.prompt_version("langsmith", "support-answer", hash, env="PROD")


class TestSource(RegistrySourceContract):
    source = LangSmithSource
    system = "langsmith"
    versions = VERSIONS
    prompts = 2
    text = "about billing"
    filters: ClassVar[Config] = {"prompt_pattern": {"allow": ["support-.*"]}}
    kept = frozenset(name for name in VERSIONS if name.startswith("support-"))
    filtered = 1
    secrets = (API_KEY, "planted-payload-c0ffee")
    wrong_recipes = (
        ({"api_key": " "}, "api_key"),
        ({}, "api_key"),
        ({"api_key": API_KEY, "api_kye": API_KEY}, "api_kye"),
        ({"api_key": API_KEY, "applications": True}, "applications"),
        ({"api_key": API_KEY, "evaluations": {"thresholds": [{"metric": "m"}]}}, "at_least"),
    )

    @pytest.fixture
    def recipe(self, service: LangSmithService) -> Config:
        return recipe_of(service)

    @pytest.fixture
    def refused(self, service: LangSmithService) -> Config:
        return recipe_of(service, api_key="another")

    @pytest.fixture
    def telling(self, service: LangSmithService) -> Config:
        service.runs = [
            *trace("1", hash=B),
            FakeRun(trace="1", type="prompt", metadata={**hub(C), "note": "planted-payload-c0ffee"}),
        ]
        service.fail("garbage", when=lambda call: call.path.endswith("d" * 64))
        return recipe_of(service)


def test_what_a_person_sees_of_a_version(service: LangSmithService, tmp_path: Path) -> None:
    assert failures(ingest(tmp_path, "langsmith", **recipe_of(service))) == []
    properties = aspect(tmp_path, version(B), "datasetProperties")
    assert properties["name"] == "support-answer"
    assert properties["description"] == "answers to customers"
    assert "/prompts/support-answer/bbbbbbbb?" in properties["externalUrl"]
    assert aspect(tmp_path, version(B), "versionProperties")["comment"] == "cites sources"
    assert aspect(tmp_path, version(B), "viewProperties")["viewLanguage"] == "F-STRING"
    assert assigned(tmp_path, version(B))["prompt_labels"] == "production"
    fork = urns.prompt_version("langsmith", "classify-ticket", "d" * 64, env="PROD")
    (edge,) = aspect(tmp_path, fork, "upstreamLineage")["upstreams"]
    assert edge["dataset"] == version(B)


def test_an_application_has_the_versions_that_it_used(service: LangSmithService, tmp_path: Path) -> None:
    service.runs = trace("1", hash=B)
    # The runs are of the recorded day, which the first run reads however long ago it is.
    days = {"applications": {"first_days": 365}}
    assert failures(ingest(tmp_path, "langsmith", **recipe_of(service, **days))) == []
    (edges,) = (
        value["inputDatasetEdges"]
        for (urn, name), value in live_graph(tmp_path).items()
        if name == "dataJobInputOutput" and "support-bot" in urn
    )
    assert version(B) in {edge["destinationUrn"] for edge in edges}


def test_only_what_changed_is_read_again(service: LangSmithService, tmp_path: Path) -> None:
    prompts = recipe_of(service, applications=False, evaluations=False)
    ingest(tmp_path, "langsmith", **prompts)
    service.calls.clear()
    again = ingest(tmp_path, "langsmith", **prompts)
    assert report(again).prompts_unchanged == 2
    # The workspace, the names, and where each label is.
    assert len(service.calls) == 1 + 1 + 4
    service.repos["support-answer"].labels["production"] = C
    moved = ingest(tmp_path, "langsmith", **prompts)
    assert (report(moved).labels_moved, report(moved).prompts_unchanged) == (1, 1)
    assert "prompt_labels" not in assigned(tmp_path, version(B))


def test_a_prompt_that_langsmith_says_is_gone_is_removed(service: LangSmithService, tmp_path: Path) -> None:
    service.repos["gone"] = repo("gone", "a")
    ingest(tmp_path, "langsmith", **recipe_of(service))
    assert live(tmp_path, "langsmith") > VERSIONS
    del service.repos["gone"]
    assert failures(ingest(tmp_path, "langsmith", **recipe_of(service))) == []
    assert live(tmp_path, "langsmith") == VERSIONS


def test_an_empty_listing_removes_nothing(service: LangSmithService, tmp_path: Path) -> None:
    ingest(tmp_path, "langsmith", **recipe_of(service))
    service._list = lambda asked: {"repos": [], "total": 0}  # type: ignore[method-assign]
    ingest(tmp_path, "langsmith", **recipe_of(service))
    assert live(tmp_path, "langsmith") == VERSIONS


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/v1", "/api/v1/"])
def test_the_address_may_have_the_path_of_the_api(path: str) -> None:
    config = LangSmithConfig.model_validate({"url": f"https://langsmith.acme{path}", "api_key": "k"})
    assert config.root == "https://langsmith.acme"


def test_a_workspace_is_named_in_a_header() -> None:
    config = LangSmithConfig.model_validate({"api_key": " k ", "workspace_id": "w"})
    assert config.root == "https://api.smith.langchain.com"
    assert config.headers() == {"x-api-key": "k", "X-Tenant-Id": "w"}


def test_a_key_without_the_right_to_runs_still_reads_prompts(
    service: LangSmithService, tmp_path: Path
) -> None:
    service.fail("403", when=lambda call: "/sessions" in call.path or "/runs/" in call.path)
    messages = failures(ingest(tmp_path, "langsmith", **recipe_of(service)))
    assert live(tmp_path, "langsmith") == VERSIONS
    assert messages
    assert all("/api/v2/sessions was denied (403)" in message for message in messages)
