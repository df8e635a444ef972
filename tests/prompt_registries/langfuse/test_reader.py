"""What the reader says of recorded prompts, and of others in their shape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.prompt_registries.langfuse.reader import LangfuseReader
from datahub_llmops.prompt_registries.langfuse.source import LangfuseSource
from datahub_llmops.testing import OpenReader
from datahub_llmops.testing.contracts import RegistryContract
from prompt_registries.langfuse.recordings import recorded
from prompt_registries.langfuse.service import (
    FakeVersion,
    LangfuseService,
    authorization,
    open_at,
    project,
    prompt,
)
from support.stub import Call, Reply, Stub, answer_json


@pytest.fixture
def service() -> Iterator[LangfuseService]:
    with LangfuseService() as server:
        yield server


@pytest.fixture
def reader(service: LangfuseService) -> Iterator[LangfuseReader]:
    with closing(open_at(service.url)) as opened:
        yield opened


class TestContract(RegistryContract):
    source = LangfuseSource

    @pytest.fixture
    def open_reader(self, service: LangfuseService) -> OpenReader:
        return lambda: open_at(service.url)


def is_version(name: str, number: int) -> Any:
    return lambda call: call.path.endswith(f"/{name}") and call.query.get("version") == [str(number)]


def test_all_prompts_are_listed(reader: LangfuseReader) -> None:
    assert list(reader.names()) == [
        ("Résumé & summary (long) 50%",),
        ("classify-ticket",),
        *((f"drafts/{number}",) for number in range(4)),
        ("shared/tone",),
        ("support/answer",),
        ("support/escalate",),
    ]


def test_a_chat_prompt_with_everything(service: LangfuseService, reader: LangfuseReader) -> None:
    list(reader.names())
    found = reader.read(("support/answer",))
    assert (found.name, found.tags, found.description, found.unreadable) == (
        ("support/answer",),
        ("rag", "support"),
        None,
        {},
    )
    page = f"{service.url}/project/prj-support/prompts/support%2Fanswer"
    assert found.url == page
    first, second, third = found.versions
    assert (first.version, second.version, third.version) == ("1", "2", "3")
    assert third.template == Template(
        messages=(
            Message(
                role="system",
                text="You answer questions of customers of Acme. "
                "@@@langfusePrompt:name=shared/tone|label=production@@@",
            ),
            Message(role="placeholder", text="history"),
            Message(role="user", text="{{question}}\n\nDocuments:\n{{context}}"),
        ),
        format="mustache",
        is_chat=True,
    )
    assert third.template is not None
    assert third.template.variables == ("history", "question", "context")
    assert (third.labels, second.labels, first.labels) == (
        ("latest", "staging"),
        ("eu", "production"),
        ("archive",),
    )
    assert third.created == datetime(2026, 11, 29, 1, 45, 13, 591000, UTC)
    assert (third.author, third.message) == ("API", "history as a placeholder, tone by label")
    assert third.url == f"{page}?version=3"
    assert third.model == "acme-chat"
    assert third.parameters == {"max_tokens": "400", "temperature": "0.2"}
    # Of what a configuration holds besides, only the names are told.
    assert third.properties == {
        "config_keys": "response_format",
        "includes": "shared/tone|label=production",
    }


def test_includes_are_sources_whether_by_version_or_by_label(reader: LangfuseReader) -> None:
    list(reader.names())
    _, by_version, by_label = reader.read(("support/answer",)).versions
    assert by_version.derived_from == (PromptRef(name="shared/tone", version="1"),)
    # The label is on version 1 now, as the server resolved it when it was recorded.
    assert by_label.derived_from == (PromptRef(name="shared/tone", version="1"),)


def test_a_text_prompt(reader: LangfuseReader) -> None:
    found = reader.read(("support/escalate",))
    (only,) = found.versions
    assert only.template == Template(
        messages=(Message(role="user", text="Escalate {{ticket}} to {{team}}."),), format="mustache"
    )
    # The id of a person: only an organization's key on a paid plan could tell who it is.
    assert only.author == "cmx16exjp00011f7d3glqkwpy"
    assert (only.message, only.derived_from, only.parameters) == ("written in the UI", (), {})


def test_one_request_a_version_and_one_for_a_hundred_names(service: LangfuseService) -> None:
    service.prompts = {
        item.name: item for item in (prompt(f"p/{number:03d}", "a", "b") for number in range(150))
    }
    with closing(open_at(service.url)) as reader:
        names = list(reader.names())
        for name in names:
            assert isinstance(name, tuple)
            reader.read(name)
    assert len(names) == 150
    # The project, two pages of names, 300 versions.
    assert len(service.calls) == 1 + 2 + 300
    assert not service.count("label")


def test_a_label_that_is_asked_for_is_asked_once(service: LangfuseService) -> None:
    tag = "@@@langfusePrompt:name=base|label=production@@@"
    items = [prompt("base", "x", "y", labels={"production": 2})]
    items += [prompt(f"p{number}", f"{tag} {number}") for number in range(5)]
    service.prompts = {item.name: item for item in items}
    with closing(open_at(service.url, workers=1)) as reader:
        found = [reader.read(name) for name in list(reader.names())]
    assert {item.versions[0].derived_from for item in found[1:]} == {(PromptRef(name="base", version="2"),)}
    assert sum(call.query.get("label") == ["production"] for call in service.calls) == 1


def test_a_label_on_no_version_gives_no_source(service: LangfuseService) -> None:
    tags = "@@@langfusePrompt:name=p|label=nosuch@@@ @@@langfusePrompt:name=gone|label=x@@@"
    service.prompts = {"p": prompt("p", tags)}
    with closing(open_at(service.url)) as reader:
        (only,) = reader.read(("p",)).versions
    assert only.derived_from == ()
    assert only.properties["includes"] == "p|label=nosuch, gone|label=x"


def test_prompts_that_include_each_other_end(service: LangfuseService) -> None:
    def tag(name: str) -> str:
        return f"@@@langfusePrompt:name={name}|version=1@@@"

    service.prompts = {
        "a": prompt("a", tag("b") + tag("a")),
        "b": prompt("b", tag("a")),
    }
    with closing(open_at(service.url)) as reader:
        found = [reader.read(name).versions[0].derived_from for name in [("a",), ("b",)]]
    assert found == [(PromptRef(name="b", version="1"),), (PromptRef(name="a", version="1"),)]


def test_the_mark_changes_with_versions_labels_and_time(service: LangfuseService) -> None:
    def mark() -> str | None:
        with closing(open_at(service.url)) as reader:
            assert reader.mark(("support/answer",)) is None
            list(reader.names())
            return reader.mark(("support/answer",))

    marks = [mark()]
    assert mark() == marks[0]
    item = service.prompts["support/answer"]
    item.versions[0].updated = "2026-11-30T00:00:00.000Z"
    marks.append(mark())
    item.versions[1].labels.remove("eu")
    marks.append(mark())
    # A deletion leaves the time as it is.
    del item.versions[1]
    marks.append(mark())
    assert len(set(marks)) == 4


def test_a_label_that_moves_while_versions_are_read_is_on_one_version(service: LangfuseService) -> None:
    """Version 1 is read before ``production`` moves from it to version 2, version 2 after it."""
    service.prompts = {"p": prompt("p", "a", "b", labels={"production": 1})}
    first, second = service.prompts["p"].versions
    answer = service.answer

    def move(call: Call) -> Reply:
        found = answer(call)
        if call.query.get("version") == ["1"]:
            first.labels.remove("production")
            second.labels.append("production")
        return found

    service.answer = move
    with closing(open_at(service.url, workers=1)) as reader:
        list(reader.names())
        found = reader.read(("p",))
    assert [version.labels for version in found.versions] == [(), ("latest", "production")]


def test_odd_names_lead_to_their_prompts(service: LangfuseService) -> None:
    names = ["a/b/c", "50% off?", "Grüße 你好", "x" * 255, "a.v1", "a+b&c=d#e", "ends with space "]
    service.prompts = {name: prompt(name, f"text of {name}") for name in names}
    with closing(open_at(service.url)) as reader:
        assert [name for (name,) in reader.names()] == sorted(names)
        for name in names:
            (only,) = reader.read((name,)).versions
            assert only.template is not None
            assert only.template.shown == f"text of {name}"


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_without_a_url_is_unreadable(service: LangfuseService, name: str) -> None:
    service.prompts = {name: prompt(name, "x")}
    with closing(open_at(service.url)) as reader:
        list(reader.names())
        with pytest.raises(UnreadableError, match="has no URL"):
            reader.read((name,))


def test_a_prompt_that_was_not_listed_is_asked_for(reader: LangfuseReader) -> None:
    assert reader.read(("shared/tone",)).versions[1].labels == ("latest", "staging")


def test_gone_is_what_langfuse_says_twice(service: LangfuseService, reader: LangfuseReader) -> None:
    with pytest.raises(VanishedError):
        reader.read(("nosuch",))
    assert [call.query for call in service.calls] == [
        {"name": ["nosuch"], "page": ["1"], "limit": ["100"]},
        {"label": ["latest"]},
    ]


def test_an_empty_listing_alone_is_not_gone(service: LangfuseService, reader: LangfuseReader) -> None:
    answer = service.answer

    def forget(call: Call) -> Reply:
        if "name" in call.query:
            return answer_json(
                {"data": [], "meta": {"page": 1, "limit": 100, "totalItems": 0, "totalPages": 0}}
            )
        return answer(call)

    service.answer = forget
    with pytest.raises(UnreadableError, match="leaves it out"):
        reader.read(("shared/tone",))


def test_a_gateways_404_is_not_gone(service: LangfuseService, reader: LangfuseReader) -> None:
    service.fail("gateway_404", when=lambda call: "nosuch" in call.path)
    with pytest.raises(UnreachableError):
        reader.read(("nosuch",))


def test_an_endpoint_that_is_not_there_is_not_gone(service: LangfuseService, reader: LangfuseReader) -> None:
    """As a server answers that does not have the endpoint in its mode: in JSON, but not about the prompt."""
    missing = next(
        item["response"]["body"] for item in recorded("mode_events_only") if item["response"]["status"] == 404
    )
    service.missing = missing
    service.fail("404", when=lambda call: "nosuch" in call.path)
    with pytest.raises(UnreachableError):
        reader.read(("nosuch",))


def test_a_version_deleted_after_the_listing_is_left_out(service: LangfuseService) -> None:
    with closing(open_at(service.url)) as reader:
        list(reader.names())
        del service.prompts["classify-ticket"].versions[1]
        found = reader.read(("classify-ticket",))
        assert [version.version for version in found.versions] == ["1", "3", "4"]
        service.prompts["classify-ticket"].versions.clear()
        with pytest.raises(VanishedError):
            reader.read(("classify-ticket",))


def test_a_version_that_cannot_be_read_leaves_the_others(service: LangfuseService) -> None:
    service.fail("garbage", when=is_version("classify-ticket", 2))
    with closing(open_at(service.url)) as reader:
        list(reader.names())
        found = reader.read(("classify-ticket",))
    assert [version.version for version in found.versions] == ["1", "3", "4"]
    assert {version: type(error) for version, error in found.unreadable.items()} == {"2": UnreadableError}


def test_a_prompt_of_which_nothing_can_be_read_is_one_error(service: LangfuseService) -> None:
    service.fail("403", when=lambda call: "classify-ticket" in call.path)
    with closing(open_at(service.url)) as reader:
        list(reader.names())
        with pytest.raises(DeniedError):
            reader.read(("classify-ticket",))


def test_a_page_that_fails_in_the_middle_ends_the_listing(service: LangfuseService) -> None:
    service.prompts = {name: prompt(name, "x") for name in map("p{:03d}".format, range(250))}
    service.fail("garbage", when=lambda call: call.query.get("page") == ["2"])
    with closing(open_at(service.url)) as reader:
        names = reader.names()
        assert next(iter(names)) == ("p000",)
        with pytest.raises(UnreadableError):
            list(names)


@pytest.mark.parametrize("key", [authorization(secret="wrong"), "Bearer pk-lf-public-only"])
def test_keys_without_the_right_are_denied(service: LangfuseService, key: str) -> None:
    with closing(open_at(service.url, key=key)) as reader, pytest.raises(DeniedError):
        list(reader.names())


def test_another_system_is_not_taken_for_langfuse() -> None:
    with (
        Stub(lambda call: answer_json({"data": [{"version": 1}]})) as other,
        closing(open_at(other.url)) as reader,
        pytest.raises(UnreachableError, match="the keys belong to no project"),
    ):
        list(reader.names())


@pytest.mark.parametrize(
    "told",
    [
        {"version": 2},
        {"name": "other"},
        {"type": "image"},
        {"type": "chat", "prompt": "text"},
        {"prompt": ["text"]},
        {"type": "chat", "prompt": [{"role": "user", "content": {"type": "image"}}]},
        {"type": "chat", "prompt": [{"type": "placeholder"}]},
    ],
)
def test_an_answer_of_another_shape_is_unreadable(service: LangfuseService, told: dict[str, Any]) -> None:
    """Another version's answer in place of the one that was asked for, too."""
    answer = service.answer

    def change(call: Call) -> Reply:
        if call.path.endswith("escalate"):
            whole = FakeVersion(version=1, prompt="planted-text").told("support/escalate", [])
            return answer_json({**whole, **told})
        return answer(call)

    service.answer = change
    with closing(open_at(service.url)) as reader, pytest.raises(UnreadableError) as raised:
        reader.read(("support/escalate",))
    assert "planted-text" not in str(raised.value)


def test_a_large_template_is_read_whole(service: LangfuseService) -> None:
    service.prompts = {"large": prompt("large", "x" * 5_000_000)}
    with closing(open_at(service.url)) as reader:
        (only,) = reader.read(("large",)).versions
    assert only.template is not None
    assert only.template.size == 5_000_000


def test_the_limit_of_a_day_fails_at_once_and_says_so(service: LangfuseService) -> None:
    service.retry_after = "86355"
    service.fail("429")
    with closing(open_at(service.url)) as reader, pytest.raises(UnreadableError, match="23 h 59 min"):
        list(reader.names())
    assert len(service.calls) == 1


def test_the_recorded_prompts_are_those_of_the_project() -> None:
    assert sum(len(item.versions) for item in project()) == 15
