"""The reader of prompts against a real Phoenix server that Phoenix's own client filled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.prompt_registries.phoenix.client import PhoenixServer, absent
from datahub_llmops.prompt_registries.phoenix.reader import PhoenixReader
from prompt_registries.phoenix.engine import PhoenixEngine
from support.stub import Call, Reply, Stub, answer_json

PROMPTS = {
    *(
        "support-answer",
        "classify-ticket",
        "summary",
        "summary-clone",
        "plain-text",
        "with-parts",
        "with-tools",
    ),
    "often-changed",
}


@contextmanager
def reader_of(url: str, key: str | None = None) -> Iterator[PhoenixReader]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    client = HttpClient(system="Phoenix", base_url=url, headers=headers, absent=absent, retries=0)
    with closing(PhoenixReader(PhoenixServer(client))) as reader:
        yield reader


@pytest.fixture
def reader(phoenix_server: Stub) -> Iterator[PhoenixReader]:
    with reader_of(phoenix_server.url) as made:
        yield made


def names_of(reader: PhoenixReader) -> list[str]:
    return [entry[0] for entry in reader.names() if not isinstance(entry, FailedListing)]


def without_graphql(real: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
    """Phoenix as it answers a query with a field that it does not know: recorded from a real server."""
    error = {
        "message": "Cannot query field 'nosuch' on type 'Prompt'.",
        "locations": [{"line": 1, "column": 30}],
    }
    moved = {"data": None, "errors": [error]}
    return lambda call: answer_json(moved) if call.path == "/graphql" else real(call)


def test_all_prompts_are_listed_and_those_of_evaluators(reader: PhoenixReader) -> None:
    names = names_of(reader)
    evaluators = [name for name in names if name.startswith("correctness-evaluator-")]
    assert set(names) - set(evaluators) == PROMPTS
    (evaluator,) = evaluators
    assert "evaluator" in reader.read((evaluator,)).tags


def test_a_prompt_with_all_that_phoenix_keeps(
    reader: PhoenixReader, phoenix: PhoenixEngine, phoenix_server: Stub
) -> None:
    names_of(reader)
    prompt = reader.read(("support-answer",))
    assert prompt.description == "answers to customers"
    assert prompt.tags == ("approved", "domain:support")
    assert prompt.unreadable == {}
    assert prompt.url is not None
    assert prompt.url.startswith(f"{phoenix_server.url}/prompts/")
    first, second, third = prompt.versions
    assert [version.version for version in prompt.versions] == ["1", "2", "3"]
    assert [version.properties["id"] for version in prompt.versions] == phoenix.seeded["versions"]
    assert first.template == Template(
        messages=(
            Message(role="system", text="You are {{persona}}."),
            Message(role="user", text="{{question}} / {{context}}"),
        ),
        format="mustache",
        is_chat=True,
    )
    assert (first.author, first.message, second.author) == ("ada", "first", "jonas")
    assert first.created is not None
    assert (datetime.now(UTC) - first.created).days < 400
    assert first.url == f"{prompt.url}/versions/{phoenix.seeded['versions'][0].replace('=', '%3D')}"
    assert (first.model, third.model) == ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4-20250514")
    assert first.parameters == {"temperature": "0.2", "max_tokens": "256", "stop": '["END"]'}
    assert third.parameters == {"max_tokens": "1000"}
    # `production` was on the first version, until jonas moved it.
    assert (first.labels, second.labels, third.labels) == ((), ("eu", "production"), ("staging",))
    assert prompt.moved_by == {"production": "jonas", "eu": "ada", "staging": "ada"}


def test_formats_and_what_is_around_a_template(reader: PhoenixReader) -> None:
    (ticket,) = reader.read(("classify-ticket",)).versions
    assert ticket.template is not None
    assert (ticket.template.format, ticket.template.variables) == ("f-string", ("text",))
    assert (ticket.properties["tools"], ticket.properties["response_format"]) == ("lookup", "topic")
    (summary,) = reader.read(("summary",)).versions
    assert summary.template == Template(
        messages=(Message(role="user", text="Summary of {{text}}, {braces} kept"),),
        format="mustache",
        is_chat=True,
    )
    (plain,) = reader.read(("plain-text",)).versions
    assert plain.template is not None
    assert (plain.template.format, plain.template.variables) == ("text", ())
    (parts,) = reader.read(("with-parts",)).versions
    assert parts.template is not None
    assert parts.template.shown == "[user]\nLook for {{id}}"
    (clone,) = reader.read(("summary-clone",)).versions
    assert clone.properties["cloned_from"] == "summary"
    assert clone.template == summary.template


def test_messages_with_calls_of_tools_are_no_text(reader: PhoenixReader) -> None:
    (version,) = reader.read(("with-tools",)).versions
    assert version.template is None


@pytest.mark.parametrize("listed", [True, False])
def test_more_versions_than_a_page(reader: PhoenixReader, listed: bool) -> None:
    if listed:
        names_of(reader)
    prompt = reader.read(("often-changed",))
    assert [version.version for version in prompt.versions] == [str(number) for number in range(1, 104)]
    assert [version.template.shown for version in prompt.versions if version.template][101:] == [
        "[user]\nDraft 101: {{x}}",
        "[user]\nDraft 102: {{x}}",
    ]


def test_one_request_a_prompt_and_one_for_a_hundred_names(
    reader: PhoenixReader, phoenix_server: Stub
) -> None:
    names = names_of(reader)
    assert len(phoenix_server.calls) == 1
    for name in names:
        reader.read((name,))
    # The prompt with 103 versions has two pages in each of the two.
    assert len(phoenix_server.calls) == 1 + len(names) + 1 + 2
    templates = [call for call in phoenix_server.calls if call.path == "/graphql"]
    assert not any(b"template" in call.body for call in templates)


@pytest.mark.parametrize(
    "change",
    [
        lambda node: node["labels"].clear(),
        lambda node: node.update(description="another"),
        lambda node: node["promptVersions"]["edges"].pop(0),
        lambda node: node["promptVersions"]["edges"][0]["node"]["tags"].clear(),
        lambda node: node["metadata"].update(domain="sales"),
    ],
)
def test_the_mark_changes_with_what_changed(change: Callable[[Any], object], phoenix_server: Stub) -> None:
    def mark() -> str | None:
        with reader_of(phoenix_server.url) as reader:
            assert reader.mark(("support-answer",)) is None
            names_of(reader)
            return reader.mark(("support-answer",))

    before = mark()
    assert before == mark()
    real = phoenix_server.answer

    def answer(call: Call) -> Reply:
        reply = real(call)
        if call.path != "/graphql":
            return reply
        found = json.loads(reply.body)
        for edge in found["data"]["prompts"]["edges"]:
            if edge["node"]["name"] == "support-answer":
                change(edge["node"])
        return answer_json(found)

    phoenix_server.answer = answer
    assert mark() not in (before, None)


def test_a_moved_graphql_is_said_once_and_rest_tells_the_same_versions(phoenix_server: Stub) -> None:
    with reader_of(phoenix_server.url) as reader:
        expected = {name: reader.read((name,)) for name in names_of(reader)}
    phoenix_server.answer = without_graphql(phoenix_server.answer)
    with reader_of(phoenix_server.url) as reader:
        entries = list(reader.names())
        (failed,) = [entry for entry in entries if isinstance(entry, FailedListing)]
        assert not failed.is_item
        assert "Upgrade" in str(failed.error)
        names = [entry[0] for entry in entries if not isinstance(entry, FailedListing)]
        assert set(names) == set(expected)
        for name in names:
            found, before = reader.read((name,)), expected[name]
            assert [version.version for version in found.versions] == [
                version.version for version in before.versions
            ]
            assert [version.template for version in found.versions] == [
                version.template for version in before.versions
            ]
            assert [version.labels for version in found.versions] == [
                version.labels for version in before.versions
            ]
            assert reader.mark((name,)) is None


def test_gone_is_what_no_listing_and_no_single_answer_has(
    reader: PhoenixReader, phoenix_server: Stub
) -> None:
    with pytest.raises(VanishedError):
        reader.read(("nosuch",))
    assert [call.path for call in phoenix_server.calls] == ["/graphql", "/v1/prompts/nosuch/latest"]


def test_an_empty_listing_alone_is_not_gone(reader: PhoenixReader, phoenix_server: Stub) -> None:
    real = phoenix_server.answer
    page = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "edges": []}
    phoenix_server.answer = lambda call: (
        answer_json({"data": {"prompts": page}}) if call.path == "/graphql" else real(call)
    )
    with pytest.raises(UnreadableError, match="missing in another"):
        reader.read(("support-answer",))


def test_no_versions_alone_are_not_gone(reader: PhoenixReader, phoenix_server: Stub) -> None:
    """Phoenix answers an unknown name with an empty list."""
    real = phoenix_server.answer
    none = answer_json({"data": [], "next_cursor": None})
    phoenix_server.answer = lambda call: none if call.path.endswith("/versions") else real(call)
    names_of(reader)
    with pytest.raises(UnreadableError, match="missing in another"):
        reader.read(("support-answer",))


@pytest.mark.parametrize("listed", [True, False])
def test_a_gateway_with_phoenix_own_words_deletes_nothing(
    reader: PhoenixReader, phoenix_server: Stub, listed: bool
) -> None:
    if listed:
        names_of(reader)
    reply = Reply(status=404, body=b"Not Found", headers={"Content-Type": "text/plain"})
    phoenix_server.answer = lambda call: reply
    with pytest.raises(UnreachableError, match="gateway"):
        reader.read(("support-answer",))


@pytest.mark.parametrize("fault", ["gateway_404", "login_page"])
def test_a_web_page_is_no_answer(reader: PhoenixReader, phoenix_server: Stub, fault: Any) -> None:
    """Phoenix itself answers what it does not know with its user interface."""
    phoenix_server.fail(fault, when=lambda call: "nosuch" in call.path)
    with pytest.raises(UnreachableError):
        reader.read(("nosuch",))


def test_a_prompt_made_anew_meanwhile_is_read_as_it_is(reader: PhoenixReader, phoenix_server: Stub) -> None:
    real = phoenix_server.answer

    def answer(call: Call) -> Reply:
        reply = real(call)
        if call.path != "/graphql" or b"$id" in call.body:
            return reply
        found = json.loads(reply.body)
        for edge in found["data"]["prompts"]["edges"]:
            if edge["node"]["name"] == "support-answer":
                edge["node"]["promptVersions"]["edges"].pop(0)
        return answer_json(found)

    phoenix_server.answer = answer
    names_of(reader)
    assert len(reader.read(("support-answer",)).versions) == 3


def test_a_version_that_cannot_be_read_leaves_the_others(reader: PhoenixReader, phoenix_server: Stub) -> None:
    real = phoenix_server.answer

    def answer(call: Call) -> Reply:
        reply = real(call)
        if not call.path.endswith("/versions"):
            return reply
        found = json.loads(reply.body)
        found["data"][1]["template"] = {"type": "picture"}
        return answer_json(found)

    phoenix_server.answer = answer
    found = reader.read(("support-answer",))
    assert [version.version for version in found.versions] == ["1", "3"]
    assert list(found.unreadable) == ["2"]


@pytest.mark.parametrize("answered", [{"data": {}}, {"data": {"prompts": {"edges": []}}}, {}, []])
def test_another_system_is_not_taken_for_phoenix(answered: object) -> None:
    with (
        Stub(lambda call: answer_json(answered)) as other,
        reader_of(other.url) as reader,
        pytest.raises((UnreachableError, UnreadableError)),
    ):
        names_of(reader)


def test_an_error_of_phoenix_is_no_moved_graphql(reader: PhoenixReader, phoenix_server: Stub) -> None:
    """As recorded for a cursor that is none: the message might repeat what was asked about."""
    failed = {"message": "planted-template", "locations": [{"line": 1, "column": 2}], "path": ["prompts"]}
    phoenix_server.answer = lambda call: answer_json({"data": None, "errors": [failed]})
    with pytest.raises(UnreadableError) as raised:
        names_of(reader)
    assert "planted" not in str(raised.value)
    assert len(phoenix_server.calls) == 1


def test_a_viewer_reads_what_a_member_reads(phoenix: PhoenixEngine) -> None:
    with (
        reader_of(phoenix.url, phoenix.seeded["viewer"]) as viewer,
        reader_of(phoenix.url, phoenix.seeded["key"]) as member,
    ):
        assert names_of(viewer) == names_of(member)
        assert viewer.read(("support-answer",)) == member.read(("support-answer",))


@pytest.mark.parametrize("key", [None, "nonsense"])
def test_without_a_right_key_nothing_is_read(phoenix: PhoenixEngine, key: str | None) -> None:
    with reader_of(phoenix.url, key) as reader, pytest.raises(DeniedError):
        names_of(reader)
