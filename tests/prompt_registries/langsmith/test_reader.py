"""What the reader says of the prompts of the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from datahub_llmops import urns
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.hooks.prompt_identity import identify_prompt
from datahub_llmops.prompt_registries.langsmith.reader import LangSmithReader
from datahub_llmops.prompt_registries.langsmith.source import LangSmithSource
from datahub_llmops.testing import OpenReader
from datahub_llmops.testing.contracts import RegistryContract
from prompt_registries.langsmith.service import (
    WORKSPACE,
    A,
    B,
    C,
    FakeCommit,
    LangSmithService,
    chat,
    hub,
    open_at,
    repo,
)
from support.stub import Call, Reply, answer_json


@pytest.fixture
def service() -> Iterator[LangSmithService]:
    with LangSmithService() as server:
        yield server


@pytest.fixture
def reader(service: LangSmithService) -> Iterator[LangSmithReader]:
    with closing(open_at(service.url)) as opened:
        yield opened


class TestContract(RegistryContract):
    source = LangSmithSource

    @pytest.fixture
    def open_reader(self, service: LangSmithService) -> OpenReader:
        return lambda: open_at(service.url)


def test_prompts_are_listed_and_agents_are_not(reader: LangSmithReader) -> None:
    assert list(reader.names()) == [("support-answer",), ("classify-ticket",)]


def test_a_chat_prompt_with_everything(service: LangSmithService, reader: LangSmithReader) -> None:
    list(reader.names())
    found = reader.read(("support-answer",))
    assert (found.tags, found.description, found.unreadable, found.dangling) == (
        ("ChatPromptTemplate",),
        "answers to customers",
        {},
        {},
    )
    assert found.url == f"{service.url}/prompts/support-answer?organizationId={WORKSPACE}"
    first, second, third = found.versions
    assert (first.version, second.version, third.version) == (A, B, C)
    assert (first.labels, second.labels, third.labels) == ((), ("production",), ("staging",))
    assert second.template == Template(
        messages=(Message(role="user", text="v2: {question} {context}"),), format="f-string", is_chat=True
    )
    assert second.variables == ("question", "context")
    assert (second.author, second.message) == ("Ada", "cites sources")
    assert second.created == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert second.url == f"{service.url}/prompts/support-answer/bbbbbbbb?organizationId={WORKSPACE}"
    assert second.model == "openai/gpt-4o"
    assert second.parameters == {"temperature": "0.2"}
    assert third.model is None


def test_a_version_has_the_urn_that_the_hooks_give_it(reader: LangSmithReader) -> None:
    list(reader.names())
    version = reader.read(("support-answer",)).versions[1].version
    named = identify_prompt(hub(B, owner="-"))
    assert named == {"registry": "langsmith", "name": "support-answer", "version": version}
    urn = urns.prompt_version(named["registry"], named["name"], named["version"], env="PROD")
    assert urn == f"urn:li:dataset:(urn:li:dataPlatform:langsmith,support-answer.v{B},PROD)"


def test_a_fork_is_derived_from_the_version_with_the_same_digest(reader: LangSmithReader) -> None:
    list(reader.names())
    first, second = reader.read(("classify-ticket",)).versions
    assert first.derived_from == (PromptRef(name="support-answer", version=B),)
    assert first.properties["fork_of"] == "acme/support-answer"
    assert second.derived_from == ()
    assert "fork_of" not in second.properties


@pytest.mark.parametrize(
    "upstream", ["hub-user/support-answer", "acme/nosuch", "acme/classify-ticket", "acme"]
)
def test_a_fork_of_what_is_not_here_has_no_source(service: LangSmithService, upstream: str) -> None:
    service.repos["classify-ticket"].told["upstream_repo_full_name"] = upstream
    with closing(open_at(service.url)) as reader:
        list(reader.names())
        first, _ = reader.read(("classify-ticket",)).versions
    assert first.derived_from == ()
    assert first.properties["fork_of"] == upstream


def test_a_commit_comes_after_its_parent_whatever_the_listing_says(service: LangSmithService) -> None:
    service.repos["p"] = repo("p", *map(str, range(1, 6)))
    hashes = [commit.hash for commit in service.repos["p"].commits]
    answered = service.answer

    def backwards(call: Call) -> Reply:
        if call.path.endswith("/p") and "/commits/" in call.path:
            entries = service.repos["p"].listed()[::-1]
            return answer_json({"commits": entries, "total": len(entries)})
        return answered(call)

    service.answer = backwards
    with closing(open_at(service.url)) as reader:
        assert [version.version for version in reader.read(("p",)).versions] == hashes


def test_requests(service: LangSmithService) -> None:
    many = [repo(f"p{number:03d}", "a", "b") for number in range(150)]
    service.repos = {item.handle: item for item in many}
    service.repos["p000"] = repo("p000", "a", "b", labels={"production": 1})
    with closing(open_at(service.url)) as reader:
        for name in list(reader.names()):
            reader.mark(name)
            reader.read(name)
    # The workspace, two pages of names, one label; for each prompt its commits, and each of them.
    assert len(service.calls) == 1 + 2 + 1 + 150 * 3


def test_all_pages_of_commits_are_read(service: LangSmithService) -> None:
    service.repos = {"p": repo("p", *map(str, range(250)))}
    for number, commit in enumerate(service.repos["p"].commits):
        commit.hash = f"{number:064x}"
    with closing(open_at(service.url)) as reader:
        list(reader.names())
        assert len(reader.read(("p",)).versions) == 250


def test_a_listing_that_ends_early_is_a_failure(service: LangSmithService, reader: LangSmithReader) -> None:
    entries = service.repos["support-answer"].listed()
    answered = service.answer

    def cut(call: Call) -> Reply:
        if call.path.endswith("/commits/-/support-answer") and "tag" not in call.query:
            return answer_json({"commits": entries if call.query["offset"] == ["0"] else [], "total": 9})
        return answered(call)

    service.answer = cut
    list(reader.names())
    with pytest.raises(UnreadableError, match="returned 3 of 9 entries"):
        reader.read(("support-answer",))


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.labels.update(production=C),
        lambda item: item.labels.update(new=C),
        lambda item: item.told.update(updated_at="2026-12-01T00:00:00Z"),
        lambda item: item.told.update(description="other"),
        lambda item: item.told.update(last_commit_hash=A),
    ],
)
def test_a_mark_changes_with_what_it_stands_for(service: LangSmithService, change: Any) -> None:
    def mark() -> str | None:
        with closing(open_at(service.url)) as reader:
            list(reader.names())
            return reader.mark(("support-answer",))

    service.repos["support-answer"].told.pop("commit_tags")
    before = mark()
    change(service.repos["support-answer"])
    assert before is not None
    assert mark() != before


def test_a_label_that_cannot_be_read_leaves_no_mark_and_fails(
    service: LangSmithService, reader: LangSmithReader
) -> None:
    service.fail("500", when=lambda call: call.query.get("tag") == ["production"])
    list(reader.names())
    assert reader.mark(("support-answer",)) is None
    with pytest.raises(UnreadableError):
        reader.read(("support-answer",))


def test_a_label_on_a_commit_that_is_not_there_dangles(
    service: LangSmithService, reader: LangSmithReader
) -> None:
    answered = service.answer

    def elsewhere(call: Call) -> Reply:
        if call.query.get("tag") == ["production"]:
            return answer_json({"commits": [{"commit_hash": "f" * 64}], "total": 1})
        return answered(call)

    service.answer = elsewhere
    list(reader.names())
    assert reader.read(("support-answer",)).dangling == {"production": "f" * 64}


def test_a_version_that_cannot_be_read_is_named(service: LangSmithService, reader: LangSmithReader) -> None:
    service.fail("garbage", when=lambda call: call.path.endswith(B))
    list(reader.names())
    found = reader.read(("support-answer",))
    assert [version.version for version in found.versions] == [A, C]
    assert list(found.unreadable) == [B]


@pytest.mark.parametrize("manifest", [None, "text", []])
def test_a_commit_without_a_manifest_is_a_failure(service: LangSmithService, manifest: Any) -> None:
    service.repos["p"] = repo("p", "a", "b")
    service.repos["p"].commits[0].prompt = manifest
    with closing(open_at(service.url)) as reader:
        assert list(reader.read(("p",)).unreadable) == [service.repos["p"].commits[0].hash]


def test_a_prompt_without_commits_is_a_failure(service: LangSmithService, reader: LangSmithReader) -> None:
    service.repos["empty"] = repo("empty")
    with pytest.raises(UnreadableError, match="has no commit"):
        reader.read(("empty",))


def test_gone_is_what_langsmith_says_is_gone(service: LangSmithService, reader: LangSmithReader) -> None:
    list(reader.names())
    with pytest.raises(VanishedError):
        reader.read(("nosuch",))
    del service.repos["support-answer"]
    with pytest.raises(VanishedError):
        reader.read(("support-answer",))


def test_a_path_that_is_not_served_says_nothing_of_a_prompt(
    service: LangSmithService, reader: LangSmithReader
) -> None:
    service.answer = lambda call: answer_json({"detail": "Not Found"}, 404)
    with pytest.raises(UnreachableError):
        reader.read(("support-answer",))


def test_commits_that_are_not_found_are_no_deletion_while_the_prompt_is_there(
    service: LangSmithService, reader: LangSmithReader
) -> None:
    service.fail("404", when=lambda call: "/commits/" in call.path)
    list(reader.names())
    with pytest.raises(UnreadableError, match="is there"):
        reader.read(("support-answer",))


def test_prompts_of_other_workspaces_are_left_out(service: LangSmithService) -> None:
    service.repos["public"] = repo("public", "a", tenant_id="another")
    with closing(open_at(service.url)) as reader:
        assert ("public",) not in list(reader.names())
        with pytest.raises(UnreadableError, match="not a prompt of this workspace"):
            reader.read(("public",))


def test_only_prompts_of_other_workspaces_are_a_failure(
    service: LangSmithService, reader: LangSmithReader
) -> None:
    for item in service.repos.values():
        item.told["tenant_id"] = "another"
    with pytest.raises(UnreadableError, match="workspace_id"):
        list(reader.names())


def test_a_wrong_key_is_denied(service: LangSmithService) -> None:
    with closing(open_at(service.url, key="wrong")) as reader, pytest.raises(DeniedError):
        list(reader.names())


def test_an_archived_prompt_is_asked_for(service: LangSmithService, reader: LangSmithReader) -> None:
    list(reader.names())
    (listing,) = (call for call in service.calls if call.path == "/api/v1/repos")
    assert listing.query["is_archived"] == ["allow"]
    assert listing.query["tenant_id"] == [WORKSPACE]


def test_a_closed_reader_fails(service: LangSmithService) -> None:
    reader = open_at(service.url)
    list(reader.names())
    reader.close()
    reader.close()
    with pytest.raises(UnreadableError):
        reader.read(("support-answer",))


def test_a_prompt_of_another_class_has_no_template_and_says_its_class(service: LangSmithService) -> None:
    few_shot = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "prompts", "few_shot", "FewShotPromptTemplate"],
    }
    service.repos["p"] = repo("p", "a")
    service.repos["p"].commits = [FakeCommit(hash="1" * 64, prompt=few_shot)]
    with closing(open_at(service.url)) as reader:
        (only,) = reader.read(("p",)).versions
    assert (only.template, only.properties) == (None, {"class": "FewShotPromptTemplate"})
    assert chat("x")["id"][-1] == "ChatPromptTemplate"
