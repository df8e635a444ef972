"""`llm-prompt-files` through DataHub's pipeline: versions, labels, flows, and what a failure leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from datahub_llmops import urns
from datahub_llmops.mapping.applications import application_urns
from datahub_llmops.prompt_registries.prompt_files.source import PromptFilesConfig, PromptFilesSource
from datahub_llmops.testing.runs import aspect, assigned, failures, ingest, live_graph, outputs, report
from support.repositories import Repository

PATH = "support/answer.prompty"
FLOW = "nodes:\n- {name: a, type: llm, source: {path: answer.jinja2}, inputs: {model: gpt-4o}, provider: OpenAI}\n"


def prompty(word: str) -> str:
    return f"---\ndescription: Answers.\nmodel: {{id: gpt-4o, provider: openai}}\n---\nuser:\nSay {word} {{{{x}}}}\n"


def version(name: str, commit: str) -> str:
    return urns.prompt_version("prompt-files", name, commit[:12], env="PROD")


def prompts(folder: Path) -> set[str]:
    graph = live_graph(folder)
    return {urn for urn, name in graph if name == "subTypes" and graph[urn, name]["typeNames"] == ["Prompt"]}


def test_versions_labels_and_text_reach_the_catalog(tmp_path: Path) -> None:
    made = Repository(tmp_path / "repo")
    first = made.commit({PATH: prompty("yes")}, "Say yes")
    second = made.commit({PATH: prompty("no")}, "Say no")
    made.tag("production", first)
    assert failures(ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))) == []
    one, two = version("support/answer", first), version("support/answer", second)
    assert prompts(tmp_path) == {one, two}
    assert aspect(tmp_path, one, "datasetProperties")["name"] == "support/answer"
    assert "Say yes {{x}}" in aspect(tmp_path, one, "viewProperties")["viewLogic"]
    assert [field["fieldPath"] for field in aspect(tmp_path, one, "schemaMetadata")["fields"]] == ["x"]
    assert aspect(tmp_path, one, "versionProperties")["comment"] == "Say yes"
    sort_one, sort_two = (aspect(tmp_path, urn, "versionProperties")["sortId"] for urn in (one, two))
    assert sort_one < sort_two
    assert assigned(tmp_path, one)["prompt_labels"] == "production"
    assert assigned(tmp_path, two)["prompt_labels"] == "main"
    again = ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo")).sink.get_report()
    assert (getattr(again, "changed"), getattr(again, "removed")) == (0, 0)  # noqa: B009 - a report of our sink


def test_a_broken_file_fails_and_takes_nothing_away(tmp_path: Path) -> None:
    made = Repository(tmp_path / "repo")
    made.commit({PATH: prompty("yes"), "b.prompt": "x"})
    ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))
    before = prompts(tmp_path)
    made.commit({PATH: "---\nmodel: [planted-text\n---\n"})
    pipeline = ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))
    (message,) = failures(pipeline)
    assert PATH in message
    assert "planted-text" not in report(pipeline).as_string()
    assert prompts(tmp_path) == before
    made.commit({PATH: prompty("yes")}, "mended")
    assert failures(ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))) == []
    assert len(prompts(tmp_path)) == 3  # Whole, broken, mended; b.prompt is gone.


def test_a_shallow_clone_fails_and_keeps_what_a_whole_one_showed(tmp_path: Path) -> None:
    made = Repository(tmp_path / "repo")
    made.commit({PATH: prompty("a")})
    cut = made.commit({PATH: prompty("b")})
    made.commit({PATH: prompty("c")})
    ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))
    assert len(prompts(tmp_path)) == 3
    (tmp_path / "repo" / ".git" / "shallow").write_text(f"{cut}\n")
    made.commit({PATH: prompty("d")})
    pipeline = ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))
    assert "fetch-depth: 0" in failures(pipeline)[0]
    assert len(prompts(tmp_path)) == 4


def test_a_flow_is_an_application_with_its_prompts(tmp_path: Path) -> None:
    made = Repository(tmp_path / "repo")
    files = {
        "prompts/bot/flow.dag.yaml": FLOW,
        "prompts/bot/answer.jinja2": "system:\nBe brief.\nuser:\n{{q}}",
    }
    first = made.commit(files)
    ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))
    _, job, log = application_urns("prompts/bot", "prompt-files", "PROD")

    def inputs() -> list[str]:
        return [
            edge["destinationUrn"]
            for edge in aspect(tmp_path, job, "dataJobInputOutput")["inputDatasetEdges"]
        ]

    assert inputs() == [version("prompts/bot/answer", first)]
    assert (
        aspect(tmp_path, job, "dataJobInfo")["customProperties"]["definition"] == "prompts/bot/flow.dag.yaml"
    )
    assert aspect(tmp_path, log, "subTypes")["typeNames"] == ["Answer Log"]
    # The first run found no catalog yet, so the second one joins the model to the flow.
    again = [
        ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo")).sink.get_report() for _ in range(2)
    ]
    assert (getattr(again[1], "changed"), getattr(again[1], "removed")) == (0, 0)  # noqa: B009 - a report of our sink
    assert (job, "dataJobInfo") in live_graph(tmp_path)
    second = made.commit({**files, "prompts/bot/answer.jinja2": "system:\nBe right.\nuser:\n{{q}}"})
    assert failures(ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))) == []
    assert inputs() == [version("prompts/bot/answer", second)]
    made.commit({"prompts/bot/answer.jinja2": "system:\nBe right.\nuser:\n{{q}}", "prompts/a.prompt": "x"})
    assert failures(ingest(tmp_path, "prompt-files", path=str(tmp_path / "repo"))) == []
    assert (job, "dataJobInfo") not in live_graph(tmp_path)


def test_include_text_false_keeps_the_digest_and_no_text(tmp_path: Path) -> None:
    made = Repository(tmp_path / "repo")
    made.commit({PATH: prompty("planted-template")})
    (tmp_path / "out").mkdir()
    config = {"path": str(tmp_path / "repo"), "include_text": False}
    shown = outputs(tmp_path / "out", "prompt-files", config)
    assert not [text for text in shown if "planted-template" in text]
    kept = outputs(tmp_path / "out", "prompt-files", {**config, "include_text": True})
    assert "planted-template" in kept[-1]
    assert "planted-template" not in kept[-2]


def test_a_connection_says_what_it_sees(tmp_path: Path) -> None:
    made = Repository(tmp_path / "repo")
    made.commit({PATH: prompty("yes"), "b.prompt": "x"})
    found = PromptFilesSource.test_connection({"path": str(tmp_path / "repo")}).basic_connectivity
    assert found is not None
    assert (found.capable, found.mitigation_message) == (True, "Works, sees 2 prompts.")
    gone = PromptFilesSource.test_connection({"path": str(tmp_path / "gone")}).basic_connectivity
    assert gone is not None
    assert (gone.capable, "no such folder" in (gone.failure_reason or "")) == (False, True)


def test_a_wrong_recipe_says_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match="begins with https"):
        PromptFilesConfig(path=Path(), web_url="javascript:alert(1)")
    with pytest.raises(ValidationError, match="text_format"):
        PromptFilesConfig.model_validate({"path": ".", "text_format": "liquid"})
