"""The reader of prompts against a real MLflow server that MLflow's own SDK filled, and against what one recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.prompt_registries.mlflow.listing import absent
from datahub_llmops.prompt_registries.mlflow.reader import MlflowReader
from prompt_registries.mlflow.recorded import recorded
from support.stub import Call, Reply, Stub, answer_json

LONG = "n" * 200
PROMPTS = {"support-answer", "classify-ticket", "loop.v1", "with-a-gap", LONG}


@contextmanager
def reader_of(url: str, **options: Any) -> Iterator[MlflowReader]:
    client = HttpClient(system="MLflow", base_url=url, absent=absent, retries=0)
    with closing(MlflowReader(client, url=url, **options)) as reader:
        yield reader


@pytest.fixture
def reader(mlflow_server: Stub) -> Iterator[MlflowReader]:
    with reader_of(mlflow_server.url) as made:
        yield made


def test_prompts_are_listed_and_models_are_not(reader: MlflowReader) -> None:
    assert [name for (name,) in reader.names()] == sorted(PROMPTS)


def test_a_version_with_all_that_mlflow_keeps(reader: MlflowReader, mlflow_server: Stub) -> None:
    prompt = reader.read(("support-answer",))
    page = f"{mlflow_server.url}/#/prompts/support-answer"
    assert prompt.description == "first"
    # The tags of a version become the prompt's too, the last one wins: so MLflow states them.
    assert prompt.tags == ("author:jonas", "domain:support", "task:qa")
    assert (prompt.url, prompt.unreadable) == (page, {})
    first, second, third = prompt.versions
    assert [version.version for version in prompt.versions] == ["1", "2", "3"]
    assert (first.message, first.author, first.url) == ("first", "ada", f"{page}?promptVersion=1")
    assert first.template == Template(
        messages=(Message(role="user", text="Answer {{question}} using {{context}}."),), format="mustache"
    )
    assert first.model == "openai/gpt-4o-mini"
    assert first.parameters == {"temperature": "0.2", "max_tokens": "256", "stop_sequences": '["END"]'}
    assert first.properties == {"task": "qa"}
    assert first.created is not None
    assert (datetime.now(UTC) - first.created).days < 400
    assert second.template is not None
    assert second.template.is_chat
    assert second.template.messages == (
        Message(role="system", text="You are {{persona}}."),
        Message(role="user", text="{{question}}\n\nDocuments: {{ context }}"),
    )
    assert second.template.variables == ("persona", "question", "context")
    assert (second.labels, third.labels, first.labels) == (("eu", "production"), ("staging",), ())
    assert (second.model, second.parameters) == ("gpt-4o", {"temperature": "0.0"})
    assert json.loads(second.properties["response_format"])["type"] == "object"
    assert second.properties["reviewed"] == "yes"
    # Nobody is said to have written it: the author of the prompt's tag wrote another version.
    assert third.author is None


def test_a_deleted_version_is_gone_and_the_others_keep_their_numbers(reader: MlflowReader) -> None:
    assert [version.version for version in reader.read(("with-a-gap",)).versions] == ["1", "3"]


def test_blocks_of_jinja_make_a_template_of_jinja(reader: MlflowReader) -> None:
    (version,) = reader.read(("loop.v1",)).versions
    assert version.template is not None
    assert version.template.format == "jinja2"


def test_a_listed_prompt_costs_one_request(reader: MlflowReader, mlflow_server: Stub) -> None:
    for name in list(reader.names()):
        reader.read(name)
    assert len(mlflow_server.calls) == 1 + len(PROMPTS)


def test_the_mark_changes_with_a_label_a_version_and_a_tag(mlflow_server: Stub) -> None:
    def marks(change: Callable[[dict[str, object]], None]) -> str | None:
        real = mlflow_server.answer

        def answer(call: Call) -> Reply:
            listed = json.loads(real(call).body)
            for model in listed["registered_models"]:
                if model["name"] == "support-answer":
                    change(model)
            return answer_json(listed)

        with Stub(answer) as changed, reader_of(changed.url) as reader:
            list(reader.names())
            return reader.mark(("support-answer",))

    same = marks(lambda model: None)
    assert same == marks(lambda model: None)
    others = {
        marks(lambda model: model.update(aliases=[{"alias": "production", "version": "3"}])),
        marks(lambda model: model.update(last_updated_timestamp=1)),
        marks(lambda model: model.update(tags=[{"key": "mlflow.prompt.is_prompt", "value": "true"}])),
    }
    assert len(others | {same}) == 4


def test_what_was_not_listed_has_no_mark_and_is_asked_for_by_its_name(
    reader: MlflowReader, mlflow_server: Stub
) -> None:
    assert reader.mark(("support-answer",)) is None
    assert reader.read(("support-answer",)).versions
    assert [call.path.rpartition("/mlflow/")[2] for call in mlflow_server.calls] == [
        "registered-models/get",
        "model-versions/search",
    ]


@pytest.mark.parametrize("name", ["nosuch", "churn"])
def test_only_mlflow_says_that_a_prompt_is_gone(name: str, reader: MlflowReader) -> None:
    with pytest.raises(VanishedError):
        reader.read((name,))


def test_a_gateways_404_is_no_deletion(reader: MlflowReader, mlflow_server: Stub) -> None:
    mlflow_server.fail("gateway_404")
    with pytest.raises(UnreachableError):
        reader.read(("support-answer",))


def test_versions_that_are_not_shown_are_no_deletion(reader: MlflowReader, mlflow_server: Stub) -> None:
    """As for a user who may list the prompt, but whose permission goes before its versions are read."""
    real = mlflow_server.answer
    mlflow_server.answer = lambda call: answer_json({}) if "model-versions" in call.path else real(call)
    list(reader.names())
    with pytest.raises(UnreadableError, match="permissions"):
        reader.read(("support-answer",))


def test_a_version_without_a_template_is_a_failure_of_its_own(
    reader: MlflowReader, mlflow_server: Stub
) -> None:
    real = mlflow_server.answer

    def answer(call: Call) -> Reply:
        found = json.loads(real(call).body)
        for version in found.get("model_versions", []):
            if version["version"] == "2":
                version["tags"] = [tag for tag in version["tags"] if tag["key"] != "mlflow.prompt.text"]
        return answer_json(found)

    mlflow_server.answer = answer
    prompt: Prompt = reader.read(("support-answer",))
    assert [version.version for version in prompt.versions] == ["1", "3"]
    assert list(prompt.unreadable) == ["2"]


def test_pages_are_followed_and_a_change_in_between_is_seen(
    reader: MlflowReader, mlflow_server: Stub
) -> None:
    """Two versions a page, as the server makes them when it is asked for two."""
    real = mlflow_server.answer

    def answer(call: Call) -> Reply:
        return real(Call(method=call.method, path=call.path, query={**call.query, "max_results": ["2"]}))

    mlflow_server.answer = answer
    assert {name for (name,) in reader.names()} == PROMPTS
    # Two of its three versions are on the first page.
    assert [version.version for version in reader.read(("support-answer",)).versions] == ["1", "2", "3"]

    def changed(call: Call) -> Reply:
        if not call.path.endswith("/get"):
            return answer(call)
        model = json.loads(real(call).body)
        model["registered_model"]["last_updated_timestamp"] += 1
        return answer_json(model)

    mlflow_server.answer = changed
    with pytest.raises(UnreadableError, match="changed while it was read"):
        reader.read(("support-answer",))


def test_a_user_without_permission_sees_nothing_and_deletes_nothing() -> None:
    with recorded("without permission") as server, reader_of(server.url) as reader:
        assert list(reader.names()) == []
        for name in ("p", "no such"):
            with pytest.raises(DeniedError):
                reader.read((name,))
    # The same prompts by one who may read them.
    with recorded("admin") as server, reader_of(server.url) as reader:
        assert list(reader.names()) == [("p",)]
        assert [version.version for version in reader.read(("p",)).versions] == ["1"]
        with pytest.raises(VanishedError):
            reader.read(("no such",))


def test_nobody_is_let_in_without_a_login() -> None:
    with recorded("nobody") as server, reader_of(server.url) as reader, pytest.raises(DeniedError):
        list(reader.names())


def test_another_server_is_not_taken_for_mlflow() -> None:
    with (
        Stub(lambda call: answer_json({"collections": []})) as other,
        reader_of(other.url) as reader,
        pytest.raises(UnreachableError, match="not MLflow"),
    ):
        list(reader.names())
