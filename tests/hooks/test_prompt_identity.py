"""The same template has one digest in both frameworks, and it is that of registries and files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumps
from langchain_core.messages import SystemMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import ChatPromptTemplate as LlamaChat
from llama_index.core.prompts import PromptTemplate as LlamaPrompt
from llama_index.core.prompts import RichPromptTemplate

from datahub_llmops.assets.templates import digest
from datahub_llmops.prompt_registries.langfuse import facts as langfuse
from datahub_llmops.prompt_registries.mlflow import facts as mlflow
from datahub_llmops.prompt_registries.prompt_files.formats.dispatch import parse
from hooks.llamaindex.test_handlers import Model as LlamaModel
from hooks.parts import Model
from hooks.seen import Host

SYSTEM, USER = "Answer {context} as {{json}}.", "{question}"
"""As f-strings."""
DOUBLE_SYSTEM, DOUBLE_USER = "Answer {{context}} as {json}.", "{{ question }}"
INPUTS = {"context": "c", "question": "q", "history": []}

TEXT = digest([("user", f"{SYSTEM}\n{USER}")], "f-string")
CHAT = digest([("system", SYSTEM), ("user", USER)], "f-string")
WITH_HISTORY = digest([("system", SYSTEM), ("placeholder", "history"), ("user", USER)], "f-string")


def langchain(prompt: Any) -> Callable[[], object]:
    return lambda: (prompt | Model()).invoke(INPUTS)


def llamaindex(prompt: Any) -> Callable[[], object]:
    return lambda: LlamaModel().predict(prompt, **INPUTS)


def langchain_chat(format: Any) -> ChatPromptTemplate:
    system, user = (SYSTEM, USER) if format == "f-string" else (DOUBLE_SYSTEM, DOUBLE_USER)
    return ChatPromptTemplate.from_messages([("system", system), ("human", user)], template_format=format)


def langchain_text(format: Any) -> PromptTemplate:
    text = f"{SYSTEM}\n{USER}" if format == "f-string" else f"{DOUBLE_SYSTEM}\n{DOUBLE_USER}"
    return PromptTemplate.from_template(text, template_format=format)


PLACEHOLDER = ChatPromptTemplate.from_messages(
    [("system", SYSTEM), MessagesPlaceholder("history"), ("human", USER)]
)
FORMATS = ("f-string", "mustache", "jinja2")

IN_FRAMEWORKS: dict[str, tuple[Callable[[], object], str]] = {
    **{f"LangChain text {one}": (langchain(langchain_text(one)), TEXT) for one in FORMATS},
    **{f"LangChain chat {one}": (langchain(langchain_chat(one)), CHAT) for one in FORMATS},
    "LangChain chat with a placeholder": (langchain(PLACEHOLDER), WITH_HISTORY),
    "LlamaIndex rich text": (llamaindex(RichPromptTemplate(f"{DOUBLE_SYSTEM}\n{DOUBLE_USER}")), TEXT),
    "LlamaIndex rich chat": (
        llamaindex(
            RichPromptTemplate(
                f'{{% chat role="system" %}}\n{DOUBLE_SYSTEM}\n{{% endchat %}}\n\n'
                f"{{%- chat role='user' -%}}{DOUBLE_USER}{{% endchat %}}"
            )
        ),
        CHAT,
    ),
}


@pytest.mark.parametrize("way", IN_FRAMEWORKS)
def test_the_same_template_in_a_framework(host: Host, way: str) -> None:
    call, expected = IN_FRAMEWORKS[way]
    call()
    assert [prompt["digest"] for prompt in host.answer().prompts] == [expected]


def test_llamaindex_leaves_braces_around_what_is_no_variable(host: Host) -> None:
    """A name in braces is always a variable to it, so JSON is what may stand there unescaped."""
    text = 'As {"a": 1} or {{}}: {question}'
    LlamaModel().predict(LlamaPrompt(text), question="q")
    chat = [ChatMessage(role="system", content=text), ChatMessage(role="user", content=USER)]
    LlamaModel().predict(LlamaChat(message_templates=chat), question="q")
    as_f_string = 'As {{"a": 1}} or {{{{}}}}: {question}'
    assert [prompt["digest"] for one in host.answers() for prompt in one.prompts] == [
        digest([("user", as_f_string)], "f-string"),
        digest([("system", as_f_string), ("user", USER)], "f-string"),
    ]


def test_a_message_without_a_template_is_text(host: Host) -> None:
    prompt = ChatPromptTemplate.from_messages([SystemMessage("Answer {context} as {json}."), ("human", USER)])
    langchain(prompt)()
    text = digest([("system", "Answer {{context}} as {{json}}."), ("user", USER)], "f-string")
    assert host.answer().prompts[0]["digest"] == text


def from_langfuse(kind: str, prompt: Any) -> str:
    found = langfuse.parse_version({"version": 1, "type": kind, "prompt": prompt}, None)
    assert found is not None
    assert found.version.template is not None
    return found.version.template.digest


def from_mlflow(kind: str, text: str) -> str:
    tags = [{"key": "mlflow.prompt.text", "value": text}, {"key": "_mlflow_prompt_type", "value": kind}]
    found = mlflow.parse_version({"version": "1", "tags": tags}, labels=(), url=None)
    assert found is not None
    assert found.template is not None
    return found.template.digest


MESSAGES = [{"role": "system", "content": DOUBLE_SYSTEM}, {"role": "user", "content": DOUBLE_USER}]
HISTORY = {"type": "placeholder", "name": "history"}


def test_the_same_template_in_a_registry() -> None:
    assert from_langfuse("text", f"{DOUBLE_SYSTEM}\n{DOUBLE_USER}") == TEXT
    assert from_langfuse("chat", MESSAGES) == CHAT
    assert from_langfuse("chat", [MESSAGES[0], HISTORY, MESSAGES[1]]) == WITH_HISTORY
    assert from_mlflow("text", f"{DOUBLE_SYSTEM}\n{DOUBLE_USER}") == TEXT
    assert from_mlflow("chat", json.dumps(MESSAGES)) == CHAT


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_template_as_langchain_and_langsmith_keep_it(format: str) -> None:
    assert parse("a.json", dumps(langchain_text(format)), "mustache").template.digest == TEXT
    assert parse("a.json", dumps(langchain_chat(format)), "mustache").template.digest == CHAT


def test_a_placeholder_as_langchain_and_langsmith_keep_it() -> None:
    assert parse("a.json", dumps(PLACEHOLDER), "mustache").template.digest == WITH_HISTORY
