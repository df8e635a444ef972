"""Finds the user's question in what an application is called with, and its answer in what it returns.

Both come in the shapes that chains and graphs use: a text, a message, a list of messages, or a state with keys of the
application's own. What is not understood is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from datahub_llmops.hooks.parts import get_fast

_QUESTIONS: Final = ("question", "query", "input", "user_input", "user_query", "user_question", "prompt", "q")
_REPLIES: Final = (
    "answer",
    "output",
    "generation",
    "response",
    "reply",
    "result",
    "output_text",
    "final_answer",
    "final_output",
    "final_response",
    "completion",
    "text",
)
_USER: Final = frozenset({"human", "user", "HumanMessage", "HumanMessageChunk"})
_MODEL: Final = frozenset({"ai", "assistant", "model", "AIMessage", "AIMessageChunk"})
_DEPTH: Final = 4


def find_question(value: object) -> str | None:
    """Return the user's question, or ``None``.

    >>> find_question({"messages": [("system", "Be brief."), ("user", "How long?"), ("ai", "Which order?")]})
    'How long?'
    >>> find_question({"input": [{"role": "user", "content": [{"type": "text", "text": "How long?"}]}]})
    'How long?'
    >>> find_question({"topic": "refunds", "history": []})
    'refunds'
    >>> find_question({"a": "one", "b": "two"})
    """
    if type(value) is str:
        return value or None
    return _find(value, _QUESTIONS, _USER, 0) or _only_text(value)


def find_reply(value: object, question: str | None = None) -> str | None:
    """Return the application's answer, or ``None``. ``question`` tells it from the question in the same state.

    >>> find_reply({"question": "How long?", "generation": "Five days.", "documents": []})
    'Five days.'
    >>> find_reply({"ask": "How long?", "summary": "Five days."}, "How long?")
    'Five days.'
    >>> find_reply({"messages": [{"role": "user", "content": "How long?"}]})
    """
    if isinstance(value, str):  # LangChain has a class of texts.
        return value or None
    return _find(value, _REPLIES, _MODEL, 0) or (_only_text(value, question) if question else None)


def _find(value: object, keys: tuple[str, ...], roles: frozenset[str], depth: int) -> str | None:
    if isinstance(value, str):
        return value or None
    if value is None or depth > _DEPTH:
        return None
    if isinstance(value, (list, tuple)):
        return _find_in_list(value, keys, roles, depth)
    message = None if type(value) is dict and "content" not in value else _read_message(value)
    if message is not None:
        return message[1]
    state = value if isinstance(value, Mapping) else getattr(value, "__dict__", None)
    if not isinstance(state, Mapping):
        return None
    for key in keys:
        if key not in state:
            continue
        inner = state[key]
        if type(inner) is str:
            if inner:
                return inner
        elif inner is not None:
            text = _find(inner, keys, roles, depth + 1)
            if text is not None:
                return text
    messages = state.get("messages")
    if isinstance(messages, (list, tuple)):
        return _find_in_list(messages, keys, roles, depth)
    return _find(messages, keys, roles, depth + 1) if roles is _USER else None


def _find_in_list(
    found: list[Any] | tuple[Any, ...], keys: tuple[str, ...], roles: frozenset[str], depth: int
) -> str | None:
    """Return the text of the last message of one of ``roles``, or the texts of content blocks."""
    if not found:
        return None
    single = _read_message(found)
    if single is not None:
        return single[1] if single[0] in roles else None
    are_messages = False
    for one in reversed(found):
        message = _read_message(one)
        if message is not None:
            if message[0] in roles and message[1]:
                return message[1]
            are_messages = True
    if are_messages:
        return None
    return read_content(found) or _find(found[-1], keys, roles, depth + 1)


def _read_message(value: object) -> tuple[str, str | None] | None:
    """Return role and text of a message: an object, a dictionary with role and content, or a pair of both."""
    if isinstance(value, Mapping):
        role = value.get("role", value.get("type"))
        if isinstance(role, str) and "content" in value:
            return role, read_content(value["content"])
        return None
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and isinstance(value[0], str) and value[0] in _USER | _MODEL | {"system"}:
            return value[0], read_content(value[1])
        return None
    own = getattr(value, "__dict__", None)
    if own is None or "content" not in own:
        return None
    role = own.get("type", own.get("role"))
    role = getattr(role, "value", role)
    if role == "chat":
        role = own.get("role")
    if not isinstance(role, str):
        return None
    content = own["content"]
    return role, (content or None) if type(content) is str else read_content(content)


def read_content(content: object) -> str | None:
    """Return the text of a message's content, which is a text or a list of blocks.

    >>> read_content([{"type": "text", "text": "in "}, "blocks", {"type": "image_url"}])
    'in blocks'
    """
    if isinstance(content, str):
        return content or None
    if not isinstance(content, (list, tuple)):
        return None
    return "".join(_texts(content)) or None


def _texts(blocks: Iterable[Any]) -> Iterable[str]:
    for block in blocks:
        text = block if isinstance(block, str) else get_value(block, "text")
        if isinstance(text, str):
            yield text


def get_value(thing: object, name: str) -> Any:
    """Return a key of a mapping or an attribute of anything else, or ``None``."""
    return thing.get(name) if isinstance(thing, Mapping) else get_fast(thing, name)


def _only_text(value: object, besides: str | None = None) -> str | None:
    """Return the only text of a state whose keys say nothing."""
    if not isinstance(value, Mapping) or "messages" in value:
        return None
    texts = [one for one in value.values() if isinstance(one, str) and one and one != besides]
    return texts[0] if len(texts) == 1 else None
