"""What the reader says of the prompts of the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.prompt_registries.weave.reader import WeaveReader
from datahub_llmops.prompt_registries.weave.source import WeaveSource
from datahub_llmops.testing import OpenReader
from datahub_llmops.testing.contracts import RegistryContract
from prompt_registries.weave.service import WeaveService, digests, open_at, prompt
from support.stub import answer_json

NAMES = ["classify-ticket", "support-answer", "describe-page", "greet"]


@pytest.fixture
def service() -> Iterator[WeaveService]:
    with WeaveService() as server:
        yield server


@pytest.fixture
def reader(service: WeaveService) -> Iterator[WeaveReader]:
    with closing(open_at(service.url)) as opened:
        yield opened


class TestContract(RegistryContract):
    source = WeaveSource

    @pytest.fixture
    def open_reader(self, service: WeaveService) -> OpenReader:
        return lambda: open_at(service.url)


def test_prompts_are_listed_and_other_objects_are_not(reader: WeaveReader) -> None:
    assert list(reader.names()) == [(name,) for name in NAMES]


def test_a_chat_prompt_with_its_versions(service: WeaveService, reader: WeaveReader) -> None:
    found = reader.read(("support-answer",))
    assert (found.description, found.unreadable, found.dangling) == ("answers to customers", {}, {})
    assert [version.version for version in found.versions] == digests("support-answer")
    assert [version.labels for version in found.versions] == [(), (), ("latest",)]
    second = found.versions[1]
    assert second.template == Template(
        messages=(
            Message(role="system", text="Be brief."),
            Message(role="user", text="Answer {question} from {context}."),
        ),
        format="f-string",
        is_chat=True,
    )
    assert second.created == datetime(2026, 11, 30, 0, 21, 50, 13002, tzinfo=UTC)
    page = f"{service.url}/acme/rag-bot/weave/objects/support-answer/versions/{second.version}"
    assert (second.url, second.author) == (page, None)
    assert second.properties == {"version_index": "1", "class": "MessagesPrompt"}
    last = found.versions[2].template
    assert last is not None
    assert last.variables == ("question", "context")


def test_a_text_prompt_and_its_author(reader: WeaveReader) -> None:
    first, second = reader.read(("classify-ticket",)).versions
    assert first.template == Template(
        messages=(Message(role="user", text="Is {text} about billing?"),), format="f-string"
    )
    assert (first.author, second.author) == (None, "VXNlcjo0Mg==")


@pytest.mark.parametrize(("name", "kind"), [("describe-page", "MessagesPrompt"), ("greet", "EasyPrompt")])
def test_what_is_no_text_has_no_template_and_says_its_class(
    reader: WeaveReader, name: str, kind: str
) -> None:
    (only,) = reader.read((name,)).versions
    assert (only.template, only.properties["class"]) == (None, kind)


def test_aliases_are_labels_where_the_server_knows_them(service: WeaveService) -> None:
    first, second, third = digests("support-answer")
    # The service may tell its own ``latest`` beside the others.
    service.aliases = {first: ["production", "latest"], third: ["staging", "latest"]}
    with closing(open_at(service.url)) as reader:
        labels = {version.version: version.labels for version in reader.read(("support-answer",)).versions}
    assert labels == {first: ("production",), second: (), third: ("latest", "staging")}


def test_versions_are_in_the_order_of_weave(service: WeaveService, reader: WeaveReader) -> None:
    for entry in service.objects:
        entry["created_at"] = "2026-11-30T00:00:00"
    service.objects.reverse()
    assert [version.version for version in reader.read(("support-answer",)).versions] == digests(
        "support-answer"
    )


def test_requests(service: WeaveService) -> None:
    service.objects = [entry for number in range(400) for entry in prompt(f"p{number:03d}", "a", "b", "c")]
    with closing(open_at(service.url)) as reader:
        names = list(reader.names())
        assert len(names) == 400
        # Whether it knows aliases, 1,200 versions in two pages, and the page that ends them.
        assert len(service.calls) == 1 + 2 + 1
        reader.read(names[0])
        assert len(service.calls) == 4 + 2
    assert all(call.json["metadata_only"] for call in service.calls[:4]), "texts are for reading only"


def test_all_pages_are_read_even_if_they_are_smaller_than_asked_for(
    service: WeaveService, reader: WeaveReader
) -> None:
    service.objects = prompt("p", *map(str, range(450)))
    answered = service.answer
    service.answer = lambda call: answered(
        type(call)(
            method=call.method,
            path=call.path,
            headers=call.headers,
            body=call.body.replace(b'"limit": 200', b'"limit": 90'),
        )
    )
    assert len(reader.read(("p",)).versions) == 450


@pytest.mark.parametrize(
    "change",
    [
        lambda service: service.objects.extend(prompt("support-answer", "new")),
        lambda service: service.aliases.update({digests("support-answer")[0]: ["production"]}),
        lambda service: service.objects[3].update(is_latest=0),
    ],
)
def test_a_mark_changes_with_what_it_stands_for(
    service: WeaveService, change: Callable[[WeaveService], object]
) -> None:
    def mark() -> str | None:
        with closing(open_at(service.url)) as reader:
            list(reader.names())
            return reader.mark(("support-answer",))

    service.aliases = {}
    service.objects = [entry for entry in service.objects if entry["object_id"] == "support-answer"]
    service.objects.insert(0, *prompt("other", "x"))
    before = mark()
    change(service)
    assert before is not None
    assert mark() != before


@pytest.mark.parametrize("value", [None, "text", [], {}])
def test_a_version_without_its_content_is_named(
    service: WeaveService, reader: WeaveReader, value: object
) -> None:
    first, second = digests("classify-ticket")
    next(entry for entry in service.objects if entry["digest"] == first)["val"] = value
    found = reader.read(("classify-ticket",))
    assert ([version.version for version in found.versions], list(found.unreadable)) == ([second], [first])
    next(entry for entry in service.objects if entry["digest"] == second)["val"] = value
    with pytest.raises(UnreadableError):
        reader.read(("classify-ticket",))


@pytest.mark.parametrize("answer", [{}, [], {"objs": None}, {"objs": [{}]}, {"objs": ["x"]}])
def test_an_answer_of_another_shape_is_a_failure(
    service: WeaveService, reader: WeaveReader, answer: object
) -> None:
    list(reader.names())
    service.answer = lambda call: answer_json(answer)
    with pytest.raises(UnreadableError):
        reader.read(("greet",))


def test_the_versions_of_another_prompt_are_a_failure(service: WeaveService, reader: WeaveReader) -> None:
    list(reader.names())
    service.answer = lambda call: answer_json({"objs": prompt("other", "a")})
    with pytest.raises(UnreadableError, match="does not look like"):
        reader.read(("greet",))


@pytest.mark.parametrize("name", ["gone", "nosuch"])
def test_gone_is_what_weave_says_is_gone(reader: WeaveReader, name: str) -> None:
    with pytest.raises(VanishedError):
        reader.read((name,))


@pytest.mark.parametrize(
    "name", ["no-prompt", "support-answer"], ids=["of another class", "hidden from the listing"]
)
def test_what_is_there_and_not_listed_is_not_gone(
    service: WeaveService, reader: WeaveReader, name: str
) -> None:
    service.others += [entry for entry in service.objects if entry["object_id"] == name]
    service.objects = []
    with pytest.raises(UnreadableError, match="is there"):
        reader.read((name,))


@pytest.mark.parametrize(
    "answer",
    [
        {"detail": "Not Found"},
        {"reason": "Project acme/rag-bot not found"},
        {"reason": ""},
        {"message": "Obj greet:latest not found"},
    ],
)
def test_other_words_say_nothing_of_a_prompt(
    service: WeaveService, reader: WeaveReader, answer: dict[str, Any]
) -> None:
    answered = service.answer
    service.unpublish("greet")
    service.answer = lambda call: answer_json(answer, 404) if call.path == "/obj/read" else answered(call)
    with pytest.raises(UnreachableError):
        reader.read(("greet",))


def test_a_listing_that_is_refused_says_nothing_of_a_prompt(
    service: WeaveService, reader: WeaveReader
) -> None:
    list(reader.names())
    service.unpublish("greet")
    service.fail("404", when=lambda call: call.path == "/objs/query")
    with pytest.raises(UnreadableError):
        reader.read(("greet",))


def test_a_wrong_key_is_denied(service: WeaveService) -> None:
    with closing(open_at(service.url, key="wrong")) as reader, pytest.raises(DeniedError):
        list(reader.names())


def test_a_closed_reader_fails(service: WeaveService) -> None:
    reader = open_at(service.url)
    list(reader.names())
    reader.close()
    reader.close()
    with pytest.raises(UnreadableError):
        reader.read(("greet",))
    with pytest.raises(UnreadableError):
        list(reader.names())
