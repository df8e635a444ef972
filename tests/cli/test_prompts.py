"""The command ``prompts`` over what a registry's source and the edges of applications left in a catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from datahub_llmops import urns
from datahub_llmops.assets.templates import digest, short_digest
from datahub_llmops.cli.main import main
from datahub_llmops.mapping import applications as mapping
from datahub_llmops.mapping import observed_edges
from datahub_llmops.testing import runs
from support.scripted_prompts import MARKS, PLATFORM, REGISTRY, SOURCE, clear, fill, prompt, text, version
from support.writing import write

TODAY = datetime.now(UTC)
ANSWER = "support/answer"


def urn(number: str, name: str = ANSWER) -> str:
    return urns.prompt_version(PLATFORM, name, number, env="PROD")


def run_by(catalog: Path, application: str, *prompts: str, days_ago: int = 0) -> None:
    """An application was seen to run prompts, as ``llm-runs`` writes it."""
    _, job, _ = mapping.application_urns(application, "langchain", "PROD")
    seen = (TODAY - timedelta(days=days_ago)).timestamp()
    write(catalog, mapping.application_proposals(application, "langchain", "PROD"))
    write(catalog, observed_edges.job_edges(job, dict.fromkeys(prompts, seen), {}, {}, TODAY.timestamp()))


def copy_in(catalog: Path, application: str, template: str) -> str:
    """An application has a template in its code, as ``llm-runs`` writes it; the URN of that prompt."""
    copied = urns.prompt(
        "langchain", application, short_digest(digest([("user", template)], "mustache")), env="PROD"
    )
    write(
        catalog, mapping.dataset_proposals(copied, f"{application}.prompt", mapping.PROMPT, (), "langchain")
    )
    run_by(catalog, application, copied)
    return copied


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Path]:
    clear()
    fill(
        prompt(
            ANSWER,
            version("1", author="ada", message="First\n\nAt length.", labels=("production",)),
            version("2", model="openai/gpt-4o", parameters={"temperature": "0.2"}),
            version(
                "10",
                "Reply {{question}} from {{context}}.",
                labels=("latest",),
                url="https://tool.example/10",
            ),
            description="Answers customers.",
        ),
        prompt("support/tone"),
        prompt("eval/answer"),
    )
    MARKS.update(dict.fromkeys(REGISTRY, "1"))
    ingest(tmp_path)
    yield tmp_path / "catalog.db"
    clear()


def ingest(folder: Path) -> None:
    assert runs.failures(runs.run(folder, SOURCE, {})) == []


def ask(catalog: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--catalog", str(catalog), "prompts", *arguments])


def asked(catalog: Path, *arguments: str) -> Any:
    found = ask(catalog, *arguments, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.output)


def line_of(output: str, name: str) -> str:
    return next(line for line in output.splitlines() if line.startswith(f"{PLATFORM}:{name} "))


def test_the_list_has_versions_labels_use_and_says_what_is_not_known(catalog: Path) -> None:
    found = ask(catalog)
    assert found.exit_code == 0
    row = line_of(found.output, ANSWER)
    assert "3, newest 10" in row
    assert "production=1, latest=10" in row
    assert "not known" in row  # Nobody observes any application.
    run_by(catalog, "support-bot", urn("1"))
    output = ask(catalog).output
    assert f"support-bot  {date.today():%Y-%m}" in line_of(output, ANSWER)
    assert "never seen" in line_of(output, "support/tone")


def test_json_is_what_the_documentation_says(catalog: Path) -> None:
    run_by(catalog, "support-bot", urn("1"), days_ago=3)
    found = {one["name"]: one for one in asked(catalog)}
    assert set(found) == {ANSWER, "support/tone", "eval/answer"}
    answer = found[ANSWER]
    assert set(answer) == {"name", "platform", "platform_instance", "versions", "moves", "findings"}
    assert (answer["platform"], answer["platform_instance"]) == (PLATFORM, None)
    assert [one["version"] for one in answer["versions"]] == ["10", "2", "1"]
    last, _, first = answer["versions"]
    assert set(first) == {
        *("version", "urn", "digest", "labels", "variables", "created", "author", "used_by", "scores")
    }
    assert (first["urn"], first["author"], first["labels"]) == (urn("1"), "ada", ["production"])
    assert last["digest"] == digest([("user", "Reply {question} from {context}. 10")], "f-string")
    assert last["variables"] == ["question", "context"]
    (use,) = first["used_by"]
    assert use["urn"] == mapping.application_urns("support-bot", "langchain", "PROD")[1]
    assert use["last_seen"] == (TODAY - timedelta(days=3)).date().isoformat()
    assert use["found_by"] == ["hook"]
    assert last["used_by"] == []


def test_an_application_with_a_copy_runs_the_version_that_it_copied(catalog: Path) -> None:
    copied = copy_in(catalog, "copycat", "Answer {{ question }}. 2")
    stray = copy_in(catalog, "copycat", "A text of its own")
    MARKS.clear()
    ingest(catalog.parent)
    found = {one["name"]: one for one in asked(catalog)}
    (use,) = next(one for one in found[ANSWER]["versions"] if one["version"] == "2")["used_by"]
    assert (use["found_by"], "copycat" in use["urn"]) == (["digest"], True)
    assert copied.split(",")[1] not in found
    unregistered = found[stray.split(",")[1]]
    assert [one["kind"] for one in unregistered["findings"]] == ["unregistered"]
    assert "UNREGISTERED" in ask(catalog, "--finding", "unregistered").output
    assert "in the code of copycat" in ask(catalog, "show", unregistered["name"]).output


def test_orphans_are_listed_with_since_when(catalog: Path) -> None:
    run_by(catalog, "other-bot", urn("1", "support/tone"))
    MARKS.clear()
    ingest(catalog.parent)
    found = {one["name"]: one["findings"] for one in asked(catalog, "--finding", "orphan")}
    assert found == {ANSWER: [{"kind": "orphan", "version": "1", "since": None}]}
    assert "ORPHAN" in line_of(ask(catalog).output, ANSWER)


def test_moves_of_labels_are_shown_with_both_ends(catalog: Path) -> None:
    for place in ("2", "10", "1"):
        fill(
            prompt(
                ANSWER,
                *(version(one, labels=("production",) if one == place else ()) for one in ("1", "2", "10")),
            )
        )
        MARKS.clear()
        ingest(catalog.parent)
    moves = next(one for one in asked(catalog) if one["name"] == ANSWER)["moves"]
    assert [(one["from"], one["to"]) for one in moves if one["label"] == "production"] == [
        ("10", "1"),
        ("2", "10"),
        ("1", "2"),
    ]
    assert all(one["after"] <= one["before"] and one["by"] is None for one in moves)
    output = ask(catalog, "show", ANSWER).output
    assert "production: 2 -> 10, between " in output


def test_a_page_shows_versions_newest_first(catalog: Path) -> None:
    output = ask(catalog, "show", ANSWER).output
    assert output.index("version 10") < output.index("version 2") < output.index("version 1  [production]")
    assert "model      openai/gpt-4o, temperature=0.2" in output
    assert "message    First\n" in output
    assert "link       https://tool.example/10" in output
    assert "run by     not known" in output


def test_two_versions_are_compared_by_number_label_or_latest(catalog: Path) -> None:
    output = ask(catalog, "diff", ANSWER, "production", "latest").output
    assert "--- version 1 (production)\n+++ version 10 (latest)\n" in output
    assert "-Answer {{question}}. 1\n+Reply {{question}} from {{context}}. 10" in output
    assert "variables: question -> question, context" in output
    same = ask(catalog, "diff", ANSWER, "1", "1").output
    assert same == "The template is the same.\n"
    found = asked(catalog, "diff", ANSWER, "1", "2")
    assert (found["old"], found["new"], found["same_template"]) == ("1", "2", False)
    assert found["facts"]["temperature"] == {"old": "", "new": "0.2"}


def test_without_texts_digests_still_tell(tmp_path: Path) -> None:
    clear()
    fill(prompt("a", version("1"), version("2", template=text("Answer {{question}}. 1")), version("3")))
    runs.run(tmp_path, SOURCE, {"include_text": False})
    catalog = tmp_path / "catalog.db"
    assert "The template is the same.\n" in ask(catalog, "diff", "a", "1", "2").output
    differs = ask(catalog, "diff", "a", "1", "3").output
    assert "The template differs." in differs
    assert "include_text: true" in differs
    clear()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nothing"), "list them: datahub-llmops prompts"),
        (("show", "answer"), f"{PLATFORM}:support/answer"),
        (("diff", ANSWER, "1", "stage"), "Versions: 10, 2, 1; labels: latest, production"),
    ],
)
def test_a_mistake_says_what_there_is(catalog: Path, arguments: tuple[str, ...], said: str) -> None:
    found = ask(catalog, *arguments)
    assert found.exit_code == 1
    assert said in found.output


def test_one_name_in_two_registries_is_told_apart(catalog: Path) -> None:
    other = urns.prompt_version("langfuse", ANSWER, "7", env="PROD")
    write(catalog, mapping.dataset_proposals(other, f"{ANSWER}.v7", mapping.PROMPT, (), "langfuse"))
    assert "ambiguous" in ask(catalog, "show", ANSWER).output
    assert "version 7" in ask(catalog, "show", f"langfuse:{ANSWER}").output
    assert len(asked(catalog, "show", f"{PLATFORM}:{ANSWER}")["versions"]) == 3


def test_names_cannot_control_a_terminal(tmp_path: Path) -> None:
    clear()
    fill(prompt("evil\x1b[2Jname", version("1", message="\x1b]0;title\x07")))
    runs.run(tmp_path, SOURCE, {})
    for output in (
        ask(tmp_path / "catalog.db").output,
        ask(tmp_path / "catalog.db", "show", "evil\x1b[2Jname").output,
    ):
        assert "\x1b" not in output
        assert "\\x1b" in output
    clear()


def test_a_catalog_without_prompts_says_how_to_get_some(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    write(catalog, mapping.application_proposals("bot", "langchain", "PROD"))
    found = ask(catalog)
    assert (found.exit_code, "datahub-llmops init" in found.output) == (0, True)
    assert asked(catalog) == []


def test_lineage_of_a_version_leads_to_the_application(catalog: Path) -> None:
    run_by(catalog, "support-bot", urn("1"))
    found = CliRunner().invoke(
        main, ["--catalog", str(catalog), "lineage", f"{PLATFORM}:{ANSWER}.v1", "--down"]
    )
    assert "support-bot" in found.output
