"""The reader of prompt files: names, versions, what is not a prompt, and folders outside of git."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.templates import digest, short_digest
from datahub_llmops.errors import ConnectorError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.prompt_registries.prompt_files.folder import FolderFiles
from datahub_llmops.prompt_registries.prompt_files.reader import PromptFilesReader, Selection
from datahub_llmops.prompt_registries.prompt_files.source import PromptFilesSource
from datahub_llmops.testing.contracts import OpenReader, RegistryContract
from prompt_registries.prompt_files.test_git_files import open_files
from support.repositories import Repository

FACTS = """---
description: Answers customers.
tags: [support]
variables: [name]
model: openai/gpt-4o
temperature: 0.2
---
"""


class TestContract(RegistryContract):
    source = PromptFilesSource

    @pytest.fixture
    def open_reader(self, tmp_path: Path) -> OpenReader:
        made = Repository(tmp_path)
        made.commit(
            {"prompts/greeting.md": f"{FACTS}Hello {{{{name}}}}", "chat.prompt": '{{role "user"}}Hello'}
        )
        made.commit({"prompts/greeting.md": f"{FACTS}Hi {{{{name}}}}", "chat.prompt": '{{role "user"}}Hello'})
        return lambda: PromptFilesReader(open_files(tmp_path), SELECTION)


SELECTION = Selection(
    include=["**/*.prompt", "**/*.prompty", "prompts/**/*.md", "prompts/**/*.yaml"],
    exclude=["**/drafts/**"],
    text_format="mustache",
)


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def listed(reader: PromptFilesReader) -> tuple[list[str], list[tuple[str, bool]]]:
    entries: Sequence[object] = list(reader.names())
    names = [entry[0] for entry in entries if isinstance(entry, tuple)]
    failed = [(str(entry.error), entry.is_item) for entry in entries if isinstance(entry, FailedListing)]
    return names, failed


def test_a_folder_has_one_version_a_file_by_its_template(tmp_path: Path) -> None:
    write(tmp_path, {"a.prompt": "Hello {{name}}", "b/c.prompt": "Bye", "drafts/d.prompt": "x", "e.txt": "x"})
    with closing(PromptFilesReader(FolderFiles(tmp_path), SELECTION)) as reader:
        assert listed(reader) == (["a", "b/c"], [])
        prompt = reader.read(("a",))
        (version,) = prompt.versions
        assert version.version == short_digest(digest([("user", "Hello {{name}}")], "mustache"))
        assert (version.labels, version.created, version.author, version.message) == ((), None, None, None)
        assert reader.mark(("a",)) is None
        (tmp_path / "a.prompt").write_text("Hello, {{name}}")
        assert reader.read(("a",)).versions[0].version != version.version


def test_a_folder_without_prompts_says_so(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "x"})
    names, failed = listed(PromptFilesReader(FolderFiles(tmp_path), SELECTION))
    assert names == []
    assert failed == [
        (
            "none of the 1 files looks like a prompt. Commit them if they are in git, or set `include`.",
            False,
        )
    ]


def test_links_pipes_and_paths_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.prompt": "planted-secret"})
    folder = write(tmp_path / "in", {"a.prompt": "x"})
    (folder / "link.prompt").symlink_to(outside / "secret.prompt")
    (folder / "linked").symlink_to(outside)
    os.mkfifo(folder / "pipe.prompt")
    files = FolderFiles(folder)
    assert files.paths() == ["a.prompt"]
    for path in (
        "link.prompt",
        "linked/secret.prompt",
        "pipe.prompt",
        "../outside/secret.prompt",
        "",
        "a\0b",
    ):
        with pytest.raises(ConnectorError) as caught:
            files.current(path)
        assert "planted-secret" not in str(caught.value)
    with pytest.raises(UnreachableError, match="no such folder"):
        FolderFiles(tmp_path / "gone")


def test_two_files_of_one_name_are_a_failure_that_names_both(tmp_path: Path) -> None:
    write(tmp_path, {"s/a.prompt": "x", "s/a.prompty": "---\n---\nx", "s/b.prompt": "x"})
    names, failed = listed(PromptFilesReader(FolderFiles(tmp_path), SELECTION))
    assert names == ["s/b"]
    assert failed == [("a.prompt, a.prompty are one prompt by their name. Rename all but one.", True)]


def test_what_is_no_prompt_is_named_and_no_failure(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "prompts/README.md": "# How we write prompts",
            "prompts/settings.yaml": "key: 1",
            "prompts/a.md": "---\ntitle: a\n---\nHello {{name}}",
            "prompts/broken.yaml": "_type: prompt\n",
        },
    )
    with closing(PromptFilesReader(FolderFiles(tmp_path), SELECTION)) as reader:
        names, failed = listed(reader)
        assert names == ["prompts/a", "prompts/broken"]
        assert [(text.partition(":")[0], is_item) for text, is_item in failed] == [
            ("prompts/README.md", False),
            ("prompts/settings.yaml", False),
        ]
        # It says of itself that it is a prompt, so it is one that cannot be read.
        (error,) = reader.read(("prompts/broken",)).unreadable.values()
        assert "no text under `template`" in str(error)


def test_versions_out_of_git_are_parsed_each(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    path = "support/answer.prompty"
    first = made.commit({path: "---\nmodel: {id: gpt-4o, provider: openai}\n---\nuser:\nHello {{name}}"})
    second = made.commit({path: "---\nmodel: [\n---\nuser:\nHello {{name}}"}, "broken")
    third = made.commit({path: "---\ndescription: Greets.\ntags: [a]\n---\nuser:\nHi {{name}}"}, "mended")
    made.tag("production", first)
    with closing(PromptFilesReader(open_files(tmp_path), SELECTION)) as reader:
        assert listed(reader) == (["support/answer"], [])
        prompt = reader.read(("support/answer",))
        assert (prompt.description, prompt.tags, prompt.unreadable) == ("Greets.", ("a",), {})
        one, two, three = prompt.versions
        assert [one.version, two.version, three.version] == [first[:12], second[:12], third[:12]]
        assert (one.model, one.labels, one.message) == ("openai/gpt-4o", ("production",), "change")
        # It never gets any better, so it is not a failure of each run for ever.
        assert two.template is None
        assert two.properties["problem"] == "it is not valid YAML, at line 2"
        assert three.template is not None
        assert three.template.digest == digest([("human", "Hi {name}")], "f-string")
        assert reader.mark(("support/answer",)) is not None
        made.commit({path: "---\n[\n---\n"}, "broken again")
    with closing(PromptFilesReader(open_files(tmp_path), SELECTION)) as reader:
        prompt = reader.read(("support/answer",))
        assert len(prompt.versions) == 3
        assert [str(error) for error in prompt.unreadable.values()] == [
            "support/answer.prompty: it is not valid YAML, at line 2."
        ]


def test_a_version_before_it_was_a_prompt_is_none(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit({"prompts/a.md": "Hello"})
    second = made.commit({"prompts/a.md": "---\ntitle: a\n---\nHello"})
    with closing(PromptFilesReader(open_files(tmp_path), SELECTION)) as reader:
        assert [one.version for one in reader.read(("prompts/a",)).versions] == [second[:12]]


def test_a_cut_history_makes_the_version_before_unreadable(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit({"a.prompt": "1"})
    cut = made.commit({"a.prompt": "2"})
    made.commit({"a.prompt": "3"})
    (tmp_path / ".git" / "shallow").write_text(f"{cut}\n")
    with closing(PromptFilesReader(open_files(tmp_path), SELECTION)) as reader:
        prompt = reader.read(("a",))
        assert [one.template and one.template.shown for one in prompt.versions] == ["3"]
        assert list(prompt.unreadable) == [cut[:12]]
        assert isinstance(prompt.unreadable[cut[:12]], UnreadableError)
        assert "fetch-depth: 0" in str(prompt.unreadable[cut[:12]])


def test_the_templates_of_a_flow_are_prompts_wherever_they_are(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "bot/flow.dag.yaml": "nodes:\n- {name: a, type: llm, source: {path: answer.jinja2}}\n",
            "bot/answer.jinja2": "system:\nBe brief.\nuser:\n{{question}}",
            "other.jinja2": "x",
            "bad/flow.dag.yaml": "nodes: [",
        },
    )
    with closing(PromptFilesReader(FolderFiles(tmp_path), SELECTION)) as reader:
        names, failed = listed(reader)
        assert names == ["bot/answer"]
        assert [(text.partition(":")[0], is_item) for text, is_item in failed] == [
            ("bad/flow.dag.yaml", True)
        ]
        assert reader.flows["bot/flow.dag.yaml"].templates == ("bot/answer.jinja2",)


def test_a_missing_file_has_vanished(tmp_path: Path) -> None:
    write(tmp_path, {"a.prompt": "x"})
    reader = PromptFilesReader(FolderFiles(tmp_path), SELECTION)
    for name in (("b",), ("a", "b"), (), ("../a",)):
        with pytest.raises(VanishedError):
            reader.read(name)
