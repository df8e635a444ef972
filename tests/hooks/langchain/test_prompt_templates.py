"""One template is one version, whatever it is filled with and in whichever process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.example_selectors import LengthBasedExampleSelector, SemanticSimilarityExampleSelector
from langchain_core.prompts import (
    ChatPromptTemplate,
    FewShotChatMessagePromptTemplate,
    FewShotPromptTemplate,
    PromptTemplate,
)
from langchain_core.prompts.few_shot_with_templates import FewShotPromptWithTemplates
from langchain_core.vectorstores import InMemoryVectorStore

from hooks.parts import Model, NamedEmbedding
from hooks.seen import Host

EXAMPLES = [{"q": "1+1", "a": "2"}, {"q": "2+2", "a": "4"}]
ONE = PromptTemplate.from_template("Q {q} A {a}")
PAIR = ChatPromptTemplate.from_messages([("human", "{q}"), ("ai", "{a}")])
IMAGE = {"type": "image_url", "image_url": {"url": "{picture}"}}


def few(date: str, examples: Any = EXAMPLES, suffix: str = "Q {question}") -> Any:
    return FewShotPromptTemplate(
        examples=examples,
        example_prompt=ONE,
        prefix="Today is {date}",
        suffix=suffix,
        input_variables=["question", "date"],
    ).partial(date=date)


def few_selected(date: str) -> Any:
    selector = SemanticSimilarityExampleSelector.from_examples(
        EXAMPLES, NamedEmbedding(size=8), InMemoryVectorStore, k=1
    )
    return FewShotPromptTemplate(
        example_selector=selector,
        example_prompt=ONE,
        prefix="Today is {date}",
        suffix="Q {question}",
        input_variables=["question", "date"],
    ).partial(date=date)


def few_by_length(date: str) -> Any:
    selector = LengthBasedExampleSelector(examples=EXAMPLES, example_prompt=ONE, max_length=len(date) + 20)
    return FewShotPromptTemplate(
        example_selector=selector,
        example_prompt=ONE,
        suffix="Q {question} on {date}",
        input_variables=["question", "date"],
    ).partial(date=date)


def few_with_templates(date: str) -> Any:
    return FewShotPromptWithTemplates(
        examples=EXAMPLES,
        example_prompt=ONE,
        prefix=PromptTemplate.from_template("Today is {date}"),
        suffix=PromptTemplate.from_template("Q {question}"),
        input_variables=["question", "date"],
    ).partial(date=date)


def chat(date: str) -> Any:
    shots = FewShotChatMessagePromptTemplate(examples=EXAMPLES, example_prompt=PAIR)
    return ChatPromptTemplate.from_messages(
        [("system", "Today is {date}"), shots, ("human", "{question}")]
    ).partial(date=date)


def image(date: str) -> Any:
    human = ("human", [{"type": "text", "text": "{question}"}, IMAGE])
    return ChatPromptTemplate.from_messages([("system", "See"), human]).partial(
        picture=f"https://example.org/{date}"
    )


def dated(date: str) -> Any:
    prompt = ChatPromptTemplate.from_messages([("system", "Today is {date}"), ("human", "{question}")])
    return prompt.partial(date=lambda: date)


WAYS: dict[str, Callable[[str], Any]] = {
    "few-shot": few,
    "few-shot with a selector": few_selected,
    "few-shot by length": few_by_length,
    "few-shot of templates": few_with_templates,
    "few-shot in a chat": chat,
    "an image": image,
    "a function of the date": dated,
}


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
def test_a_template_is_one_version(host: Host, way: str, how: str) -> None:
    for date in ("day 1", "day 2"):
        chain = WAYS[way](date) | Model()
        if how == "sync":
            chain.invoke({"question": "x"})
        else:
            asyncio.run(chain.ainvoke({"question": "x"}))
    first, second = host.answers()
    assert first.prompts == second.prompts
    assert first.prompts[0]["variables"] == "question"
    assert [one.prompt for one in (*first.models, *second.models)] == [0, 0]


def test_templates_that_differ_are_two_versions(host: Host) -> None:
    made = [few("d"), few("d", EXAMPLES[:1]), few("d", suffix="Ask {question}"), few_selected("d"), chat("d")]
    for prompt in made:
        (prompt | Model()).invoke({"question": "x"})
    assert len({one.prompts[0]["digest"] for one in host.answers()}) == len(made)


def test_neither_addresses_nor_values_of_variables_are_in_a_version(host: Host) -> None:
    from datahub_llmops.hooks.prompt_identity import read_serialized

    def serialized(address: str, date: str) -> dict[str, Any]:
        inner = {"type": "not_implemented", "id": ["few"], "repr": f"<at {address}>"}
        return {"id": ["chat"], "kwargs": {"messages": [inner], "partial_variables": {"date": date}}}

    assert read_serialized(serialized("0x1", "d1")) == read_serialized(serialized("0x2", "d2"))
