"""What is read of a manifest."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.load import dumpd
from langchain_core.messages import SystemMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate

from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.prompt_registries.langsmith.manifests import parse_manifest
from prompt_registries.langsmith.recordings import recorded

WITH_MODEL = recorded("commit_manifest")[1]["response"]["body"]["manifest"]


def test_what_langchain_writes_is_read() -> None:
    prompt = ChatPromptTemplate(
        [
            SystemMessage("Be brief."),
            ("system", "You are {role}."),
            MessagesPlaceholder("history"),
            ("human", "{question}"),
            ("ai", "Yes"),
        ]
    )
    found = parse_manifest(dumpd(prompt))
    assert found.template == Template(
        messages=(
            Message(role="system", text="Be brief."),
            Message(role="system", text="You are {role}."),
            Message(role="placeholder", text="history"),
            Message(role="user", text="{question}"),
            Message(role="assistant", text="Yes"),
        ),
        format="f-string",
        is_chat=True,
    )
    assert found.kind == "ChatPromptTemplate"
    assert set(found.variables) == {"role", "question", "history"}
    assert (found.model, found.parameters) == (None, {})


def test_one_template_has_one_digest_in_each_format() -> None:
    digests = {
        found.template.digest
        for prompt in (
            PromptTemplate.from_template("Answer {question}"),
            PromptTemplate.from_template("Answer {{question}}", template_format="mustache"),
            ChatPromptTemplate([("human", "Answer {question} ")]),
        )
        if (found := parse_manifest(dumpd(prompt))).template
    }
    assert digests == {
        Template(messages=(Message(role="user", text="Answer {question}"),), format="f-string").digest
    }


def test_a_prompt_with_its_model() -> None:
    found = parse_manifest(WITH_MODEL)
    assert found.template is not None
    assert (found.model, dict(found.parameters)) == ("openai/gpt-4o", {"temperature": "0.2"})


@pytest.mark.parametrize(
    ("id", "kwargs", "model"),
    [
        (["langchain_anthropic", "chat_models", "ChatAnthropic"], {"model": "claude"}, "anthropic/claude"),
        (["langchain", "chat_models", "openai", "ChatOpenAI"], {"model_name": "gpt"}, "openai/gpt"),
        (["acme", "chat_models", "ChatAcme"], {"model": "m"}, "m"),
        (["langchain", "chat_models", "openai", "ChatOpenAI"], {"model": {"lc": 1, "type": "secret"}}, None),
        (["langchain", "output_parsers", "Parser"], {"model": "no"}, None),
    ],
)
def test_the_model_is_named_as_far_as_its_class_tells(id: list[str], kwargs: Any, model: str | None) -> None:
    sequence = {"id": ["RunnableSequence"], "kwargs": {"last": {"id": id, "kwargs": kwargs}}}
    assert parse_manifest(sequence).model == model


def test_what_a_binding_sets_wins_and_of_the_rest_nothing_is_taken() -> None:
    model = {
        "id": ["langchain", "chat_models", "openai", "ChatOpenAI"],
        "kwargs": {"temperature": 0.2, "top_p": 1, "openai_api_base": "http://planted", "api_key": "planted"},
    }
    binding = {
        "id": ["langchain", "schema", "runnable", "RunnableBinding"],
        "kwargs": {"bound": model, "kwargs": {"temperature": 0, "tools": [{"name": "planted"}]}},
    }
    found = parse_manifest(
        {"id": ["RunnableSequence"], "kwargs": {"first": {}, "middle": [binding], "last": {}}}
    )
    assert found.parameters == {"temperature": "0", "top_p": "1"}
    assert "planted" not in str(found)


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"id": "ChatPromptTemplate", "kwargs": []},
        {"id": ["ChatPromptTemplate"], "kwargs": {"messages": []}},
        {"id": ["ChatPromptTemplate"], "kwargs": {"messages": ["x"]}},
        {
            "id": ["ChatPromptTemplate"],
            "kwargs": {"messages": [{"id": ["MessagesPlaceholder"], "kwargs": {}}]},
        },
        {"id": ["PromptTemplate"], "kwargs": {"template": "x", "template_format": "other"}},
        {
            "id": ["ChatPromptTemplate"],
            "kwargs": {"messages": [{"id": ["HumanMessage"], "kwargs": {"content": [{}]}}]},
        },
    ],
)
def test_what_is_no_text_has_no_template(manifest: Any) -> None:
    assert parse_manifest(manifest).template is None
