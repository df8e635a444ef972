"""Questions and answers in the shapes that LlamaIndex passes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import FunctionTool

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks.llamaindex.texts import read_answer, read_question
from hooks.llamaindex.test_handlers import FunctionModel, Model
from hooks.seen import Host


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"str_or_query_bundle": QueryBundle("q")}, "q"),
        ({"message": "q", "chat_history": None}, "q"),
        ({"args": ("q",), "kwargs": {}}, "q"),
        ({"args": (), "kwargs": {"input": "q"}}, "q"),
        ({"messages": [ChatMessage(role="system", content="s"), ChatMessage(role="user", content="q")]}, "q"),
        ({"messages": [ChatMessage(role="user", content="q"), ChatMessage(role="tool", content="t")]}, "q"),
        ({"user_msg": ChatMessage(role="user", content="q")}, "q"),
        ({"nodes": [NodeWithScore(node=TextNode(text="t"))], "query_bundle": None}, None),
        ({"texts": ["a", "b"]}, None),
        ({}, None),
    ],
)
def test_read_question(arguments: dict[str, Any], expected: str | None) -> None:
    assert read_question(arguments) == expected


class Ended:
    """As an event that ends a workflow holds what an agent says."""

    def __init__(self, result: object) -> None:
        self.result = result


class Said:
    def __init__(self, response: object) -> None:
        self.response = response


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, None),
        ("a", "a"),
        (Said("a"), "a"),
        (Ended(Said(ChatMessage(role="assistant", content="a"))), "a"),
        (Ended({"answer": "a"}), "a"),
        (Ended(3), None),
    ],
)
def test_read_answer(result: object, expected: str | None) -> None:
    assert read_answer(result) == expected


@pytest.mark.parametrize("kind", ["agent", "workflow"])
def test_an_agent(host: Host, kind: str) -> None:
    lineage.attach("support-bot", store=host.path, capture_text=True)
    agent: Any = FunctionAgent(tools=[], llm=FunctionModel(), name="helper", description="helps")
    if kind == "workflow":
        agent = AgentWorkflow(agents=[agent], root_agent="helper")

    async def run() -> None:
        await agent.run(user_msg="the question")

    asyncio.run(run())
    found = host.answer()
    assert (found.query_text, found.answer_text) == ("the question", "forty two")


def test_a_tool_and_a_model(host: Host) -> None:
    lineage.attach("support-bot", store=host.path, capture_text=True)
    FunctionTool.from_defaults(lambda input: f"{input}!", name="shout").call(input="the question")
    Model().complete("the question")
    assert [(one.query_text, one.answer_text) for one in host.answers()] == [
        ("the question", "the question!"),
        ("the question", "forty two"),
    ]
