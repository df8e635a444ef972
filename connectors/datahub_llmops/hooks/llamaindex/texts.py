"""Finds the user's question in what a LlamaIndex call is given, and the text of the answer in what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from datahub_llmops.hooks.parts import get_fast, text_of

_QUESTIONS: Final = ("user_msg", "query", "question", "input", "message", "prompt", "topic")
"""Names under which workflows and tools are given a question."""


def read_question(arguments: Mapping[str, Any]) -> str | None:
    """Return the question in the arguments of a call: a text, a query, a message, or the event that starts a workflow.

    >>> read_question({"ctx": None, "kwargs": {"user_msg": "How?"}})
    'How?'
    >>> read_question({"self": object(), "args": ("How?", 3)})
    'How?'
    """
    for value in arguments.values():
        text = _read(value)
        if text is not None:
            return text
    return None


def _read(value: Any) -> str | None:
    if type(value) is str:
        return value or None
    if isinstance(value, Mapping):
        found = (_read(value[name]) for name in _QUESTIONS if name in value)
        return next((text for text in found if text is not None), None)
    if isinstance(value, (tuple, list)):
        return _read_sequence(value)
    given = get_fast(value, "_data")
    if isinstance(given, Mapping):  # An event keeps what it does not declare here.
        return _read({**value.__dict__, **given})
    return text_of(value) if not hasattr(value, "retrieve") else None


def _read_sequence(values: Sequence[Any]) -> str | None:
    """Return the last message of a user, or the first positional argument. Texts and nodes in lists are not a
    question."""
    for one in reversed(values):
        role = get_fast(one, "role")
        if role is None:
            break
        if getattr(role, "value", role) == "user":
            return text_of(one)
    return _read(values[0]) if isinstance(values, tuple) and values else None


def read_answer(result: Any) -> str | None:
    """Return the text of a response, also where it is in the message of an agent or in the event that ends its run."""
    for _ in range(3):
        text = text_of(result)
        if text is not None or result is None:
            return text
        result = get_fast(result, "response") or get_fast(result, "result")
    return None
