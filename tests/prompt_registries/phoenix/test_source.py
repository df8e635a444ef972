"""`llm-phoenix` through DataHub's pipeline, over a real server that fails where a test says so."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import ClassVar, Self

import pytest
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.mapping.applications import application_urns
from datahub_llmops.prompt_registries.phoenix.source import PhoenixConfig, PhoenixSource
from datahub_llmops.testing import Config, OpenReader, RegistryContract, RegistrySourceContract
from datahub_llmops.testing.runs import aspect, assigned, failures, graph_of, ingest, live, report
from prompt_registries.phoenix.engine import PLANTED, PhoenixEngine, is_about
from support.stub import Call, Reply, Stub, answer_json

SECRET = "planted-key-5ec7e7"
PHOENIX = "phoenix"
DRAFTS = frozenset(f"often-changed.v{number}" for number in range(1, 104))
PROMPTS_ONLY: Config = {"applications": False, "evaluations": False}
NOT_WANTED: Config = {
    "prompt_pattern": {"deny": ["often-changed", "correctness-evaluator-.*"]},
    **PROMPTS_ONLY,
}
VERSIONS = frozenset(
    {
        *(f"support-answer.v{number}" for number in (1, 2, 3)),
        *("classify-ticket.v1", "summary.v1", "summary-clone.v1", "plain-text.v1", "with-parts.v1"),
        "with-tools.v1",
    }
)


class Then(datetime):
    """A clock that stands still two days after the traffic that the server holds."""

    @classmethod
    @override
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2026, 11, 23, 12, tzinfo=tz)


def version(name: str, number: int) -> str:
    return urns.prompt_version(PHOENIX, name, str(number), env="PROD")


class TestContract(RegistryContract):
    source = PhoenixSource

    @pytest.fixture
    def open_reader(self, phoenix_server: Stub) -> OpenReader:
        return lambda: PhoenixSource.open(PhoenixConfig.model_validate({"url": phoenix_server.url}))


class TestSource(RegistrySourceContract):
    source = PhoenixSource
    system = PHOENIX
    versions = VERSIONS
    prompts = 9
    text = "Topic of {text}"
    filters: ClassVar[Config] = {
        "prompt_pattern": {"allow": ["support-.*", "classify-.*"], "deny": ["classify-.*"]}
    }
    kept = frozenset(f"support-answer.v{number}" for number in (1, 2, 3))
    filtered = 8
    wrong_recipes = (
        ({}, "url"),
        ({"url": "http://m", "api_kye": SECRET}, "api_kye"),
        ({"url": "http://m", "applications": {"name": "agent"}, "api_key": SECRET}, "applications"),
        ({"url": "http://m", "applications": True}, "applications"),
    )
    secrets = (SECRET, PLANTED)

    @pytest.fixture
    def recipe(self, phoenix_server: Stub) -> Config:
        with closing(PhoenixSource.open(PhoenixConfig.model_validate({"url": phoenix_server.url}))) as reader:
            listed = [name[0] for name in reader.names() if isinstance(name, tuple)]
        phoenix_server.calls.clear()
        # Phoenix itself names the prompt of an evaluator.
        evaluators = {f"{name}.v1" for name in listed if "-evaluator-" in name}
        type(self).versions = VERSIONS | DRAFTS | evaluators
        return {"url": phoenix_server.url, **PROMPTS_ONLY}

    @pytest.fixture
    def refused(self, phoenix_server: Stub) -> Config:
        phoenix_server.fail("403")
        return {"url": phoenix_server.url}

    @pytest.fixture
    def telling(self, phoenix_server: Stub) -> Config:
        phoenix_server.fail("500", when=lambda call: is_about("support-answer", call))
        return {"url": phoenix_server.url, "api_key": SECRET, "retry_max_times": 0}


@pytest.fixture(scope="module")
def read_once(phoenix: PhoenixEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    with phoenix.served() as server:
        assert failures(ingest(folder, PHOENIX, url=server.url, **NOT_WANTED)) == []
    assert live(folder, PHOENIX) == VERSIONS
    return folder


def test_what_arrives_in_the_catalog(read_once: Path, phoenix: PhoenixEngine) -> None:
    urn = version("support-answer", 2)
    properties = aspect(read_once, urn, "datasetProperties")
    assert (properties["name"], properties["qualifiedName"]) == ("support-answer", "support-answer.v2")
    custom = properties["customProperties"]
    assert (custom["author"], custom["commit_message"]) == ("jonas", "bigger model")
    # What applications write into their traces as `llm.prompt_template.version`.
    assert custom["id"] == phoenix.seeded["versions"][1]
    fields = [field["fieldPath"] for field in aspect(read_once, urn, "schemaMetadata")["fields"]]
    assert fields == ["persona", "question", "context"]
    assert aspect(read_once, urn, "viewProperties")["viewLanguage"] == "MUSTACHE"
    assert assigned(read_once, urn)["prompt_model"] == "openai/gpt-4o"


def test_a_version_that_traces_name_by_its_id_is_the_same_asset(
    read_once: Path, phoenix: PhoenixEngine
) -> None:
    with (
        phoenix.served() as server,
        closing(PhoenixSource.open(PhoenixConfig.model_validate({"url": server.url}))) as reader,
    ):
        window = Window(first=date(2026, 11, 21), last=date(2026, 11, 21))
        used = {entry.prompt for entry in reader.observed(window) if isinstance(entry, Observed)}
    found = {version(ref.name, int(ref.version)) for ref in used if ref}
    assert found == {version("support-answer", number) for number in (1, 2, 3)}
    for urn in found:
        assert aspect(read_once, urn, "datasetProperties")["name"] == "support-answer"


def test_a_server_that_is_suddenly_empty_deletes_nothing(known: Path, phoenix: PhoenixEngine) -> None:
    """It lists nothing, and says of each prompt that it has no versions; but one answer still has them."""
    page = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "edges": []}

    def answer(call: Call) -> Reply:
        if call.path == "/graphql":
            return answer_json({"data": {"prompts": page}})
        if call.path.endswith("/versions"):
            return answer_json({"data": [], "next_cursor": None})
        return phoenix.answer(call)

    with Stub(answer) as server:
        pipeline = ingest(known, PHOENIX, url=server.url, **NOT_WANTED)
    assert failures(pipeline)
    assert live(known, PHOENIX) == VERSIONS


def test_a_prompt_that_phoenix_says_is_gone_goes(known: Path, phoenix: PhoenixEngine) -> None:
    def answer(call: Call) -> Reply:
        if call.path == "/v1/prompts/summary/latest":
            return Reply(status=404, body=b"Not Found", headers={"Content-Type": "text/plain; charset=utf-8"})
        reply = phoenix.answer(call)
        if call.path != "/graphql":
            return reply
        found = json.loads(reply.body)
        edges = found["data"]["prompts"]["edges"]
        found["data"]["prompts"]["edges"] = [edge for edge in edges if edge["node"]["name"] != "summary"]
        return answer_json(found)

    with Stub(answer) as server:
        pipeline = ingest(known, PHOENIX, url=server.url, **NOT_WANTED)
    assert failures(pipeline) == []
    assert live(known, PHOENIX) == VERSIONS - {"summary.v1"}


def test_what_did_not_change_is_not_read_again(known: Path, phoenix: PhoenixEngine) -> None:
    with phoenix.served() as server:
        # At another address, all links are others.
        assert failures(ingest(known, PHOENIX, url=server.url, **NOT_WANTED)) == []
        server.calls.clear()
        pipeline = ingest(known, PHOENIX, url=server.url, **NOT_WANTED)
        assert failures(pipeline) == []
        assert report(pipeline).prompts_unchanged == 7
        assert not server.count("/v1/")


def test_a_moved_graphql_warns_and_deletes_nothing(known: Path, phoenix: PhoenixEngine) -> None:
    moved = {"data": None, "errors": [{"message": "Cannot query field 'nosuch' on type 'Prompt'."}]}
    with Stub(lambda call: answer_json(moved) if call.path == "/graphql" else phoenix.answer(call)) as server:
        pipeline = ingest(known, PHOENIX, url=server.url, **NOT_WANTED)
    assert failures(pipeline) == []
    assert "GraphQL" in report(pipeline).as_string()
    assert live(known, PHOENIX) == VERSIONS


def test_what_phoenix_saw_arrives_and_no_text_of_it(
    phoenix_server: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datahub_llmops.ingestion.source.datetime", Then)
    threshold = {"metric": "faithfulness", "at_least": 0.7}
    recipe = {
        "url": phoenix_server.url,
        "prompt_pattern": {"allow": ["support-answer"]},
        "applications": {"first_days": 5},
        "evaluations": {"first_days": 5, "thresholds": [threshold]},
    }
    assert failures(ingest(tmp_path, PHOENIX, **recipe)) == []
    found = graph_of(tmp_path)
    _, job, log = application_urns("support-bot", urns.DEFAULT_FRAMEWORK, "PROD")
    edges = found[job, "dataJobInputOutput"]["inputDatasetEdges"]
    assert {edge["destinationUrn"]: edge["properties"]["last_seen"] for edge in edges} == {
        version("support-answer", 1): "2026-11-21",
        version("support-answer", 2): "2026-11-20",
        version("support-answer", 3): "2026-11-21",
    }
    assert found[log, "datasetUsageStatistics"]["partitionSpec"]["partition"] == "source=phoenix"
    verdicts = {
        aspect["result"]["type"] for (_, name), aspect in found.items() if name == "assertionRunEvent"
    }
    assert verdicts == {"SUCCESS", "FAILURE"}
    assert PLANTED not in json.dumps(list(found.values()))


def test_without_a_right_to_spans_prompts_are_read(phoenix_server: Stub, tmp_path: Path) -> None:
    phoenix_server.fail("403", when=lambda call: b"projects(" in call.body)
    found = failures(ingest(tmp_path, PHOENIX, url=phoenix_server.url))
    assert len(found) == 2
    assert all("/graphql was denied (403)" in message for message in found)
    assert live(tmp_path, PHOENIX) >= VERSIONS
