"""`llm-mlflow` through DataHub's pipeline, over a real server that fails where a test says so."""

from __future__ import annotations

import base64
import json
import re
from contextlib import closing
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.hooks.prompt_identity import identify_prompt
from datahub_llmops.mapping.applications import application_urns
from datahub_llmops.prompt_registries.mlflow.source import MlflowConfig, MlflowSource
from datahub_llmops.testing import Config, OpenReader, RegistryContract, RegistrySourceContract
from datahub_llmops.testing.runs import aspect, assigned, failures, graph_of, ingest, live
from prompt_registries.mlflow.engine import PLANTED, MlflowServer
from prompt_registries.mlflow.recorded import recorded
from support.stub import Call, Reply, Stub, answer_json

SECRET = "planted-password-5ec7e7"
MLFLOW = "mlflow"
LONG = "n" * 200
VERSIONS = frozenset(
    {
        *(f"support-answer.v{number}" for number in (1, 2, 3)),
        *(f"classify-ticket.v{number}" for number in (1, 2)),
        *(f"with-a-gap.v{number}" for number in (1, 3)),
        "loop.v1.v1",
        f"{LONG}.v1",
    }
)


PROMPTS_ONLY: Config = {"applications": False, "evaluations": False}


class Then(datetime):
    """A clock that stands still two days after the traffic that the server holds."""

    @classmethod
    @override
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2026, 11, 23, 12, tzinfo=tz)


def version(name: str, number: int) -> str:
    return urns.prompt_version(MLFLOW, name, str(number), env="PROD")


class TestContract(RegistryContract):
    source = MlflowSource

    @pytest.fixture
    def open_reader(self, mlflow_server: Stub) -> OpenReader:
        return lambda: MlflowSource.open(MlflowConfig.model_validate({"url": mlflow_server.url}))


class TestSource(RegistrySourceContract):
    source = MlflowSource
    system = MLFLOW
    versions = VERSIONS
    prompts = 5
    text = "Topic of {{text}}"
    filters: ClassVar[Config] = {
        "prompt_pattern": {"allow": ["support.*", "classify.*"], "deny": ["classify.*"]}
    }
    kept = frozenset(f"support-answer.v{number}" for number in (1, 2, 3))
    filtered = 4
    wrong_recipes = (
        ({}, "url"),
        ({"url": "http://m", "pasword": SECRET}, "pasword"),
        ({"url": "http://m", "password": SECRET}, "username and password belong together"),
        ({"url": "http://m", "username": "ada", "password": SECRET, "token": SECRET}, "either username"),
        ({"url": "http://m", "applications": {"name": "agent"}, "token": SECRET}, "applications"),
        ({"url": "http://m", "applications": True}, "applications"),
    )
    secrets = (SECRET, PLANTED)

    @pytest.fixture
    def recipe(self, mlflow_server: Stub) -> Config:
        return {"url": mlflow_server.url, **PROMPTS_ONLY}

    @pytest.fixture
    def refused(self, mlflow_server: Stub) -> Config:
        mlflow_server.fail("403")
        return {"url": mlflow_server.url}

    @pytest.fixture
    def telling(self, mlflow_server: Stub) -> Config:
        mlflow_server.fail("500", when=lambda call: "support-answer" in str(call.query))
        return {"url": mlflow_server.url, "username": "ada", "password": SECRET, "retry_max_times": 0}


@pytest.fixture(scope="module")
def read_once(mlflow: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    assert failures(ingest(folder, MLFLOW, url=mlflow.url, **PROMPTS_ONLY)) == []
    assert live(folder, MLFLOW) == VERSIONS
    return folder


def test_what_arrives_in_the_catalog(read_once: Path) -> None:
    urn = version("support-answer", 2)
    properties = aspect(read_once, urn, "datasetProperties")
    assert (properties["name"], properties["qualifiedName"]) == ("support-answer", "support-answer.v2")
    assert properties["externalUrl"].endswith("/#/prompts/support-answer?promptVersion=2")
    custom = properties["customProperties"]
    assert (custom["author"], custom["commit_message"]) == ("jonas", "chat form, cites sources")
    fields = [field["fieldPath"] for field in aspect(read_once, urn, "schemaMetadata")["fields"]]
    assert fields == ["persona", "question", "context"]
    assert aspect(read_once, urn, "viewProperties")["viewLanguage"] == "MUSTACHE"
    facts = assigned(read_once, urn)
    assert facts["prompt_model"] == "gpt-4o"


@pytest.mark.parametrize(
    "metadata",
    [
        {"mlflow_prompt": "prompts:/support-answer/2"},
        {"mlflow.linkedPrompts": json.dumps([{"name": "support-answer", "version": "2"}])},
        {"prompt_uri": "prompts:/support-answer/2"},
    ],
)
def test_a_version_is_the_same_asset_for_the_hooks(metadata: dict[str, str], read_once: Path) -> None:
    seen = identify_prompt(metadata)
    assert seen is not None
    urn = urns.prompt_version(seen["registry"], seen["name"], seen["version"], env="PROD")
    assert aspect(read_once, urn, "datasetProperties")["qualifiedName"] == "support-answer.v2"


def test_a_user_who_lost_all_permissions_deletes_nothing(known: Path) -> None:
    """MLflow answers with empty lists and 200; asked for one prompt, it says 403."""

    def answer(call: Call) -> Reply:
        if call.path.endswith("/get"):
            return Reply(status=403, body=b"Permission denied", headers={"Content-Type": "text/html"})
        return answer_json({})

    with Stub(answer) as server:
        pipeline = ingest(known, MLFLOW, url=server.url, **PROMPTS_ONLY)
    assert failures(pipeline)
    assert live(known, MLFLOW) == VERSIONS


def test_a_prompt_that_mlflow_says_is_gone_goes(known: Path, mlflow_server: Stub) -> None:
    real = mlflow_server.answer
    missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Registered Model with name=x not found"}

    def answer(call: Call) -> Reply:
        if call.query.get("name") == ["with-a-gap"]:
            return answer_json(missing, 404)
        reply = real(call)
        if not call.path.endswith("registered-models/search"):
            return reply
        listed = json.loads(reply.body)
        listed["registered_models"] = [m for m in listed["registered_models"] if m["name"] != "with-a-gap"]
        return answer_json(listed)

    mlflow_server.answer = answer
    assert failures(ingest(known, MLFLOW, url=mlflow_server.url, **PROMPTS_ONLY)) == []
    assert live(known, MLFLOW) == {name for name in VERSIONS if not name.startswith("with-a-gap")}


def test_unchanged_prompts_are_not_read_again(known: Path, mlflow_server: Stub) -> None:
    ingest(known, MLFLOW, url=mlflow_server.url, **PROMPTS_ONLY)
    mlflow_server.calls.clear()
    assert failures(ingest(known, MLFLOW, url=mlflow_server.url, **PROMPTS_ONLY)) == []
    assert mlflow_server.count("model-versions/search") == 0


def test_the_login_goes_where_mlflow_asks_for_it_and_into_no_link(mlflow_server: Stub) -> None:
    config = MlflowConfig.model_validate(
        {"url": mlflow_server.url, "username": "ada", "password": f"{SECRET}\n"}
    )
    with closing(MlflowSource.open(config)) as reader:
        list(reader.names())
    sent = {call.headers["Authorization"] for call in mlflow_server.calls}
    assert sent == {f"Basic {base64.b64encode(f'ada:{SECRET}'.encode()).decode()}"}
    config = MlflowConfig.model_validate({"url": mlflow_server.url, "token": SECRET})
    assert config.headers() == {"Authorization": f"Bearer {SECRET}"}
    url = mlflow_server.url.replace("http://", f"http://ada:{SECRET}@")
    with closing(MlflowSource.open(MlflowConfig.model_validate({"url": f"{url}/"}))) as reader:
        prompt = reader.read(("loop.v1",))
    assert prompt.url == f"{mlflow_server.url}/#/prompts/loop.v1"
    assert not re.search(SECRET, repr(prompt))


def test_what_mlflow_saw_arrives_and_no_text_of_it(
    mlflow_server: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datahub_llmops.ingestion.source.datetime", Then)
    recipe = {
        "url": mlflow_server.url,
        "evaluations": {"thresholds": [{"metric": "faithfulness", "at_least": 0.8}]},
    }
    assert failures(ingest(tmp_path, MLFLOW, **recipe)) == []
    found = graph_of(tmp_path)
    _, job, log = application_urns("support-bot", urns.DEFAULT_FRAMEWORK, "PROD")
    edges = found[job, "dataJobInputOutput"]["inputDatasetEdges"]
    assert {edge["destinationUrn"]: edge["properties"]["last_seen"] for edge in edges} == {
        version("classify-ticket", 1): "2026-11-20",
        version("support-answer", 2): "2026-11-21",
        version("support-answer", 3): "2026-11-21",
    }
    assert found[log, "datasetUsageStatistics"]["partitionSpec"]["partition"] == "source=mlflow"
    # The newest day has a mean of 1, and the one before 0.75.
    verdicts = [
        aspect["result"]["type"] for (_, name), aspect in found.items() if name == "assertionRunEvent"
    ]
    assert verdicts == ["SUCCESS"]
    assert PLANTED not in json.dumps(list(found.values()))
    # The findings of the first run did not know yet who uses what.
    ingest(tmp_path, MLFLOW, **recipe)
    mlflow_server.calls.clear()
    third: Any = ingest(tmp_path, MLFLOW, **recipe).sink.get_report()
    assert (third.changed, third.removed) == (0, 0)
    assert mlflow_server.count("model-versions/search") == 0


def test_a_user_without_traces_gets_prompts_and_one_failure_for_each_part(
    mlflow_server: Stub, tmp_path: Path
) -> None:
    mlflow_server.fail("403", when=lambda call: "/traces/" in call.path)
    found = failures(ingest(tmp_path, MLFLOW, url=mlflow_server.url))
    assert len(found) == 2
    assert all("/traces/metrics was denied (403)" in message for message in found)
    assert live(tmp_path, MLFLOW) == VERSIONS


def test_a_connection_without_permission_sees_nothing(tmp_path: Path) -> None:
    with recorded("without permission") as server:
        pipeline = ingest(tmp_path, MLFLOW, url=server.url, **PROMPTS_ONLY)
    assert live(tmp_path, MLFLOW) == set()
    assert pipeline is not None
