"""The question and the answer in the shapes in which chains and graphs pass them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel

from datahub_llmops.hooks.texts import find_question, find_reply


class State(BaseModel):
    """State of a graph."""

    question: str
    generation: str = ""


@dataclass
class Plain:
    """The same, as a dataclass."""

    messages: list[Any]


BLOCKS: list[Any] = [
    {"type": "text", "text": "How "},
    {"type": "image_url", "image_url": "x"},
    {"type": "text", "text": "long?"},
]


@pytest.mark.parametrize(
    "value",
    [
        "How long?",
        {"question": "How long?", "documents": []},
        {"query": "How long?"},
        {"input": "How long?", "chat_history": [HumanMessage("hi")]},
        {"input": [HumanMessage("How long?")]},
        {"input": {"question": "How long?"}},
        {"messages": [("user", "How long?")]},
        {"messages": [{"role": "user", "content": "How long?"}]},
        {"messages": [{"role": "user", "content": BLOCKS}]},
        {"messages": [SystemMessage("s"), HumanMessage("hi"), AIMessage("ho"), HumanMessage("How long?")]},
        {
            "messages": [
                HumanMessage("How long?"),
                AIMessage("", tool_calls=[]),
                ToolMessage("t", tool_call_id="1"),
            ]
        },
        {"messages": [ChatMessage(role="user", content="How long?")]},
        {"messages": "How long?"},
        {"messages": ["How long?"]},
        [HumanMessage("How long?")],
        ("human", "How long?"),
        {"role": "user", "content": "How long?"},
        HumanMessage(BLOCKS),
        {"topic": "How long?", "k": 3},
        State(question="How long?"),
        Plain([HumanMessage("How long?")]),
    ],
)
def test_a_question(value: Any) -> None:
    assert find_question(value) == "How long?"


@pytest.mark.parametrize(
    "value",
    [
        "",
        None,
        {},
        [],
        {"input": ""},
        {"messages": []},
        {"messages": [AIMessage("ho")]},
        {"a": "x", "b": "y"},
        object(),
        7,
    ],
)
def test_no_question(value: Any) -> None:
    assert find_question(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "Five days.",
        AIMessage("Five days."),
        AIMessage([{"type": "text", "text": "Five "}, "days."]),
        {"question": "q", "generation": "Five days.", "documents": []},
        {"question": "q", "response": AIMessage("Five days.")},
        {"input": "q", "context": [], "answer": "Five days."},
        {"query": "q", "result": "Five days.", "source_documents": []},
        {"input": "q", "output": "Five days."},
        {"messages": [HumanMessage("q"), AIMessage("Five days.")]},
        {"messages": [("user", "q"), ("assistant", "Five days.")]},
        {"messages": [{"role": "assistant", "content": "Five days."}], "question": "q"},
        {"output": {"answer": "Five days."}},
        [AIMessage("Five days.")],
        State(question="q", generation="Five days."),
    ],
)
def test_a_reply(value: Any) -> None:
    assert find_reply(value) == "Five days."


@pytest.mark.parametrize(
    "value",
    [{"question": "q"}, {"input": "q", "documents": []}, {"messages": [HumanMessage("q")]}, {}, None, 7],
)
def test_a_question_is_no_reply(value: Any) -> None:
    assert find_reply(value) is None


def test_a_state_that_contains_itself() -> None:
    state: dict[str, Any] = {}
    state["input"] = state
    assert find_question(state) is None
