"""`llm-langfuse` through DataHub's pipeline: what it writes, what it never removes, and what stays secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mce_builder import datahub_guid
from pydantic import ValidationError

from datahub_llmops import urns
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.hooks.prompt_identity import identify_prompt
from datahub_llmops.mapping.applications import application_urns
from datahub_llmops.prompt_registries.langfuse.source import LangfuseConfig, LangfuseSource
from datahub_llmops.testing import runs
from prompt_registries.langfuse.service import PUBLIC_KEY, SECRET_KEY, LangfuseService, authorization, prompt
from support.stub import Fault

SOURCE = f"{LangfuseSource.__module__}.{LangfuseSource.__name__}"
VERSIONS = {
    "Résumé & summary (long) 50%.v1",
    *(f"classify-ticket.v{number}" for number in range(1, 5)),
    *(f"drafts/{number}.v1" for number in range(4)),
    *(f"shared/tone.v{number}" for number in (1, 2)),
    *(f"support/answer.v{number}" for number in (1, 2, 3)),
    "support/escalate.v1",
}


@pytest.fixture
def service() -> Iterator[LangfuseService]:
    with LangfuseService() as server:
        yield server


def recipe(service: LangfuseService, **options: Any) -> dict[str, Any]:
    keys = {"public_key": PUBLIC_KEY, "secret_key": SECRET_KEY}
    quick = {"retry_max_times": 0, "timeout_sec": 5}
    return {"url": service.url, **keys, **quick, **options}


def run(folder: Path, service: LangfuseService, **options: Any) -> Any:
    return runs.run(folder, SOURCE, recipe(service, **options))


def live(folder: Path) -> set[str]:
    return runs.live(folder, "langfuse")


def test_every_version_is_a_dataset(service: LangfuseService, tmp_path: Path) -> None:
    run(tmp_path, service).raise_from_status()
    assert live(tmp_path) == VERSIONS


def test_names_are_those_of_datahubs_own_pull_request(service: LangfuseService, tmp_path: Path) -> None:
    """``<name>.v<version>``, in a set whose id is a digest of platform and name (datahub-project/datahub#19923)."""
    run(tmp_path, service).raise_from_status()
    asset = "urn:li:dataset:(urn:li:dataPlatform:langfuse,support/answer.v3,PROD)"
    found = runs.aspect(tmp_path, asset, "versionProperties")
    guid = datahub_guid({"platform": "langfuse", "name": "support/answer"})
    assert found["versionSet"] == f"urn:li:versionSet:({guid},dataset)"
    assert asset == urns.prompt_version("langfuse", "support/answer", "3", env="PROD")


@pytest.mark.parametrize("name", ["support/answer", "Résumé & summary (long) 50%", "x" * 255])
def test_hooks_and_registry_give_one_urn(service: LangfuseService, tmp_path: Path, name: str) -> None:
    """An application that fetched the prompt by Langfuse's SDK carries its name and version in the metadata."""
    service.prompts[name] = service.prompts.get(name, prompt(name, "Answer {{question}}."))
    run(tmp_path, service).raise_from_status()
    identity = identify_prompt({"langfuse_prompt": {"name": name, "version": 1, "isFallback": False}})
    assert identity is not None
    found = Resolver((), env="PROD").prompt(identity, "bot", "langchain")
    assert found is not None
    assert runs.aspect(tmp_path, found, "datasetProperties")["name"] == name


def test_what_a_person_sees_of_a_version(service: LangfuseService, tmp_path: Path) -> None:
    run(tmp_path, service).raise_from_status()
    asset = urns.prompt_version("langfuse", "support/answer", "3", env="PROD")
    properties = runs.aspect(tmp_path, asset, "datasetProperties")
    assert properties["name"] == "support/answer"
    assert properties["externalUrl"].endswith("/project/prj-support/prompts/support%2Fanswer?version=3")
    assert properties["customProperties"]["includes"] == "shared/tone|label=production"
    text = runs.aspect(tmp_path, asset, "viewProperties")
    assert text["viewLanguage"] == "MUSTACHE"
    assert "[placeholder]\nhistory" in text["viewLogic"]
    (edge,) = runs.aspect(tmp_path, asset, "upstreamLineage")["upstreams"]
    assert edge["dataset"] == urns.prompt_version("langfuse", "shared/tone", "1", env="PROD")


def test_only_wanted_prompts_are_read(service: LangfuseService, tmp_path: Path) -> None:
    only_prompts = {"applications": False, "evaluations": False}
    run(tmp_path, service, prompt_pattern={"allow": ["drafts/.*"]}, **only_prompts).raise_from_status()
    # A prompt that is not wanted is not asked for.
    assert not service.count("/v2/prompts/support")
    assert live(tmp_path) == {f"drafts/{number}.v1" for number in range(4)}


def test_a_prompt_that_langfuse_says_is_gone_is_removed(service: LangfuseService, tmp_path: Path) -> None:
    run(tmp_path, service).raise_from_status()
    del service.prompts["drafts/0"]
    run(tmp_path, service).raise_from_status()
    assert live(tmp_path) == VERSIONS - {"drafts/0.v1"}


FAULTS: tuple[Fault, ...] = (
    *("401", "403", "404", "gateway_404", "429", "500", "503", "killed", "reset"),
    *("half", "garbage", "empty", "login_page", "redirect"),
)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", ["listing", "version"])
def test_a_fault_removes_nothing(service: LangfuseService, tmp_path: Path, fault: Fault, where: str) -> None:
    run(tmp_path, service).raise_from_status()
    # What did not change is not read again.
    service.prompts["shared/tone"].versions[0].updated = "2026-11-30T00:00:00.000Z"
    service.fail(
        fault,
        when=lambda call: (
            call.path.endswith("/v2/prompts") if where == "listing" else "shared%2Ftone" in call.path
        ),
    )
    failed = run(tmp_path, service)
    # In Langfuse's own words, one 404 after the other says that the prompt was deleted.
    deleted = fault == "404" and where == "version"
    assert bool(runs.failures(failed)) is not deleted
    assert VERSIONS - live(tmp_path) == ({"shared/tone.v1", "shared/tone.v2"} if deleted else set())
    service.heal()


def test_only_what_changed_is_read_again(service: LangfuseService, tmp_path: Path) -> None:
    run(tmp_path, service, applications=False, evaluations=False).raise_from_status()
    service.calls.clear()
    first, second, _ = service.prompts["support/answer"].versions
    second.labels.remove("production")
    first.labels.append("production")
    first.updated = second.updated = "2026-11-30T00:00:00.000Z"
    again = run(tmp_path, service, applications=False, evaluations=False)
    again.raise_from_status()
    assert runs.report(again).prompts_unchanged == 8
    # The project, the names, the versions of one prompt, and the version that one of them includes by a label.
    versions = sorted(call.query.get("version", [""])[0] for call in service.calls)
    assert versions == ["", "", "", "1", "2", "3"]
    assert runs.report(again).labels_moved == 1
    assert live(tmp_path) == VERSIONS


def test_a_wrong_key_is_told_from_a_wrong_address(service: LangfuseService) -> None:
    report = LangfuseSource.test_connection(recipe(service))
    assert report.basic_connectivity is not None
    assert report.basic_connectivity.mitigation_message == "Works, sees 9 prompts."
    report = LangfuseSource.test_connection(recipe(service, secret_key="wrong"))
    assert report.basic_connectivity is not None
    assert str(report.basic_connectivity.failure_reason).startswith("Not allowed")
    report = LangfuseSource.test_connection({**recipe(service), "url": "http://127.0.0.1:1"})
    assert report.basic_connectivity is not None
    assert str(report.basic_connectivity.failure_reason).startswith("Cannot reach")


def test_keys_and_texts_stay_where_they_belong(
    service: LangfuseService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    planted = "planted-template-c0ffee"
    service.prompts["p"] = prompt("p", f"Answer {{{{question}}}}. {planted}")
    service.prompts["p"].versions[0].config = {"model": "m", "api_key": "planted-config-key"}
    service.fail("garbage", when=lambda call: "escalate" in call.path)
    with caplog.at_level(logging.DEBUG):
        local_report, _, file_report, _ = runs.outputs(tmp_path, SOURCE, recipe(service))
        without_text = runs.outputs(tmp_path, SOURCE, recipe(service, include_text=False))
    for shown in (local_report, file_report, caplog.text, *without_text):
        assert planted not in shown
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert planted.encode() in written
    for secret in (SECRET_KEY, authorization().partition(" ")[2], "planted-config-key"):
        assert secret not in caplog.text
        assert secret.encode() not in written


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"url": None}, "url"),
        ({"public_key": " "}, "public_key"),
        ({"secret_key": ""}, "secret_key"),
        ({"secret_kye": "x"}, "secret_kye"),
        ({"applications": {"name": "agent"}}, "applications"),
        ({"applications": True}, "applications"),
        ({"evaluations": {"thresholds": [{"metric": "m"}]}}, "at_least"),
    ],
)
def test_a_wrong_recipe_is_refused_without_its_secret(options: dict[str, Any], named: str) -> None:
    keys = {"url": "http://b", "public_key": "pk", "secret_key": SECRET_KEY}
    with pytest.raises(ValidationError) as raised:
        LangfuseConfig.model_validate({**keys, **options})
    assert named in str(raised.value)
    assert SECRET_KEY not in str(raised.value)


def move_to_yesterday(service: LangfuseService) -> None:
    """What was recorded on one day, on a day that a run of today reads."""
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    for rows in (service.observations, service.scores, *service.rows.values()):
        for row in rows:
            row |= {
                name: value.replace("2026-11-29", day)
                for name, value in row.items()
                if isinstance(value, str) and value.startswith("2026-11-29T")
            }


def test_applications_and_scores_reach_the_catalog(service: LangfuseService, tmp_path: Path) -> None:
    move_to_yesterday(service)
    pipeline = run(
        tmp_path,
        service,
        applications={"provenance": {"fields": ["document_ids"]}, "sample_rows": 100},
        evaluations={"thresholds": [{"metric": "faithfulness", "at_least": 0.68}]},
    )
    pipeline.raise_from_status()
    report = runs.report(pipeline)
    assert (report.applications_observed, report.days_observed) == (3, 1)
    second = urns.prompt_version("langfuse", "support/answer", "2", env="PROD")
    _, job, _ = application_urns("support-bot", "langchain", "PROD")
    edges = runs.aspect(tmp_path, job, "dataJobInputOutput")["inputDatasetEdges"]
    used = {edge["destinationUrn"] for edge in edges}
    assert {urns.prompt_version("langfuse", "support/answer", number, env="PROD") for number in "123"} <= used
    assert urns.prompt_version("langfuse", "classify-ticket", "4", env="PROD") in used
    assert "urn:li:dataset:(urn:li:dataPlatform:s3,acme-kb/returns.md,PROD)" in used
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        (usage,) = catalog.series(job, "llmUsage", 0)
    assert usage["partitionSpec"]["partition"] == "source=langfuse"
    # The three versions and the application.
    assert report.assertions == 4
    properties = runs.aspect(tmp_path, second, "structuredProperties")["properties"]
    (last,) = (item for item in properties if item["propertyUrn"].endswith(".last_scores"))
    values = [next(iter(value.values())) for value in last["values"]]
    assert any(value.startswith("faithfulness 0.7 of 3") for value in values), values


def test_a_key_without_the_right_to_traces_still_reads_prompts(
    service: LangfuseService, tmp_path: Path
) -> None:
    service.fail("403", when=lambda call: "metrics" in call.path)
    failed = run(tmp_path, service)
    assert live(tmp_path) >= VERSIONS
    titles = [entry.title for entry in runs.report(failed).failures]
    assert titles == ["No right to read traces", "No right to read scores"]
