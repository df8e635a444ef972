"""`llm-weave` through DataHub's pipeline: what it writes, what it never removes, and what stays secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from datahub_llmops import urns
from datahub_llmops.net.http import HttpClient
from datahub_llmops.prompt_registries.weave.client import WeaveServer
from datahub_llmops.prompt_registries.weave.source import WeaveConfig, WeaveSource
from datahub_llmops.testing.contracts import Config
from datahub_llmops.testing.recipe_contracts import RegistrySourceContract
from datahub_llmops.testing.runs import aspect, assigned, failures, ingest, live, live_graph, report
from prompt_registries.weave.service import API_KEY, PROJECT, WeaveService, digests, prompt, published

EVER: dict[str, Any] = {"applications": {"first_days": 365}, "evaluations": {"first_days": 365}}
"""Options to read the recorded day, however long ago it is."""
VERSIONS = frozenset(f"{entry['object_id']}.v{entry['digest']}" for entry in published())


@pytest.fixture
def service() -> Iterator[WeaveService]:
    with WeaveService() as server:
        yield server


def recipe_of(service: WeaveService, **options: Any) -> dict[str, Any]:
    told = {"url": service.url, "project": PROJECT, "api_key": API_KEY}
    return {**told, "retry_max_times": 0, "timeout_sec": 5, **options}


class TestSource(RegistrySourceContract):
    source = WeaveSource
    system = "weave"
    versions = VERSIONS
    prompts = 4
    text = "about billing"
    filters: ClassVar[Config] = {"prompt_pattern": {"allow": ["support-.*"]}}
    kept = frozenset(name for name in VERSIONS if name.startswith("support-"))
    filtered = 3
    secrets = (API_KEY, "YXBpOndlYXZlLXBsYW50ZWQt", "planted")
    wrong_recipes = (
        ({"project": PROJECT, "api_key": " "}, "api_key"),
        ({"project": PROJECT}, "api_key"),
        ({"api_key": API_KEY}, "project"),
        ({"project": "rag-bot", "api_key": API_KEY}, "entity/project"),
        ({"project": PROJECT, "api_key": API_KEY, "applications": {"name": "trace"}}, "applications"),
    )

    @pytest.fixture
    def recipe(self, service: WeaveService) -> Config:
        return recipe_of(service)

    @pytest.fixture
    def refused(self, service: WeaveService) -> Config:
        return recipe_of(service, api_key="another")

    @pytest.fixture
    def telling(self, service: WeaveService) -> Config:
        service.trace()
        service.fail("garbage", when=lambda call: b'["greet"]' in call.body)
        return recipe_of(service, **EVER)


def test_what_a_person_sees_of_a_version(service: WeaveService, tmp_path: Path) -> None:
    _, second, third = digests("support-answer")
    service.aliases = {second: ["production"]}
    assert failures(ingest(tmp_path, "weave", **recipe_of(service))) == []
    urn = urns.prompt_version("weave", "support-answer", second, env="PROD")
    properties = aspect(tmp_path, urn, "datasetProperties")
    assert (properties["name"], properties["description"]) == ("support-answer", "answers to customers")
    assert properties["externalUrl"].endswith(f"/acme/rag-bot/weave/objects/support-answer/versions/{second}")
    assert aspect(tmp_path, urn, "viewProperties")["viewLanguage"] == "F-STRING"
    assert assigned(tmp_path, urn)["prompt_labels"] == "production"
    newest = urns.prompt_version("weave", "support-answer", third, env="PROD")
    assert assigned(tmp_path, newest)["prompt_labels"] == "latest"
    order = [aspect(tmp_path, one, "versionProperties")["sortId"] for one in (urn, newest)]
    assert order == sorted(order)


def test_only_what_changed_is_read_again(service: WeaveService, tmp_path: Path) -> None:
    service.aliases = {}
    prompts = recipe_of(service, applications=False, evaluations=False)
    ingest(tmp_path, "weave", **prompts)
    service.calls.clear()
    again = ingest(tmp_path, "weave", **prompts)
    assert report(again).prompts_unchanged == 4
    assert len(service.calls) == 3
    service.aliases = {digests("support-answer")[0]: ["production"]}
    moved = ingest(tmp_path, "weave", **prompts)
    assert (report(moved).labels_moved, report(moved).prompts_unchanged) == (1, 3)


def test_an_application_has_the_versions_that_it_used(service: WeaveService, tmp_path: Path) -> None:
    service.trace()
    assert failures(ingest(tmp_path, "weave", **recipe_of(service, **EVER))) == []
    (edges,) = (
        value["inputDatasetEdges"]
        for (urn, name), value in live_graph(tmp_path).items()
        if name == "dataJobInputOutput" and "rag-bot" in urn
    )
    first, second, _ = digests("support-answer")
    (ticket, _) = digests("classify-ticket")
    used = {("support-answer", first), ("support-answer", second), ("classify-ticket", ticket)}
    wanted = {urns.prompt_version("weave", name, digest, env="PROD") for name, digest in used}
    assert {
        edge["destinationUrn"] for edge in edges if "dataPlatform:weave" in edge["destinationUrn"]
    } == wanted
    scores = assigned(tmp_path, urns.prompt_version("weave", "support-answer", first, env="PROD"))[
        "last_scores"
    ]
    assert "helpful" in str(scores)


def test_what_calls_were_given_and_gave_is_never_asked_for(service: WeaveService, tmp_path: Path) -> None:
    service.trace()
    ingest(tmp_path, "weave", **recipe_of(service, **EVER))
    asked = [call.json["columns"] for call in service.calls if call.path == "/calls/stream_query"]
    assert asked
    columns = {column for columns in asked for column in columns}
    # Of an evaluation, Weave gives its own step nothing but references.
    assert columns == {
        "op_name",
        "trace_id",
        "parent_id",
        "started_at",
        "ended_at",
        "summary",
        "inputs.self",
    }
    assert b"planted" not in (tmp_path / "catalog.db").read_bytes()


def test_a_key_without_the_right_to_calls_still_reads_prompts(service: WeaveService, tmp_path: Path) -> None:
    service.fail("403", when=lambda call: call.path in ("/calls/stream_query", "/feedback/query"))
    messages = failures(ingest(tmp_path, "weave", **recipe_of(service)))
    assert live(tmp_path, "weave") == VERSIONS
    assert len(messages) == 2


def test_a_prompt_that_weave_says_is_gone_is_removed(service: WeaveService, tmp_path: Path) -> None:
    service.objects += prompt("short-lived", "a")
    ingest(tmp_path, "weave", **recipe_of(service))
    assert live(tmp_path, "weave") > VERSIONS
    service.unpublish("short-lived")
    assert failures(ingest(tmp_path, "weave", **recipe_of(service))) == []
    assert live(tmp_path, "weave") == VERSIONS


def test_an_empty_listing_removes_nothing(service: WeaveService, tmp_path: Path) -> None:
    ingest(tmp_path, "weave", **recipe_of(service))
    service.others += service.objects
    service.objects = []
    ingest(tmp_path, "weave", **recipe_of(service))
    assert live(tmp_path, "weave") == VERSIONS


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://trace.wandb.ai", "https://wandb.ai/acme/rag-bot/"),
        ("https://acme.wandb.io/traces/", "https://acme.wandb.io/acme/rag-bot/"),
        ("http://127.0.0.1:6345", "http://127.0.0.1:6345/acme/rag-bot/"),
    ],
)
def test_links_lead_to_the_pages_beside_the_api(url: str, page: str) -> None:
    config = WeaveConfig.model_validate({"url": url, "project": PROJECT, "api_key": API_KEY})
    client = HttpClient.of(config, system="Weave", base_url=config.url, headers=config.headers())
    assert WeaveServer(client, PROJECT).page("p", "d") == f"{page}weave/objects/p/versions/d"
