"""Finds the prompt of a model call: the one whose rendered value the model was given.

A rendered prompt is a ``PromptValue``. It reaches the model unchanged, as the list of its messages, among other
messages, or as a text. So the messages are compared, by identity where that decides, else by what they say. The prompt
that was rendered last or nearest is not evidence.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Final

from datahub_llmops.hooks.parts import Answer, Prompt
from datahub_llmops.hooks.texts import read_content

MAX_KEPT: Final = 128
"""The most rendered prompts that an open answer remembers; the oldest half is forgotten beyond it."""


def remember(answer: Answer, prompt: Prompt, value: Any) -> None:
    """Keep the value of a prompt until its answer ends."""
    inputs, prompt.inputs = prompt.inputs, None
    if answer.ended is not None or not hasattr(value, "__dict__"):
        return
    rendered = answer.rendered
    if rendered is None:
        answer.rendered = [(prompt, inputs, value)]
        return
    if len(rendered) >= MAX_KEPT:
        del rendered[: MAX_KEPT // 2]
    rendered.append((prompt, inputs, value))


def find_prompt_of_messages(answer: Answer, messages: Sequence[Any]) -> Prompt | None:
    """Return the prompt whose messages are those that a chat model is given, or are among them."""
    rendered = answer.rendered
    if not rendered or not messages:
        return None
    for prompt, _, value in reversed(rendered):
        own = value.__dict__.get("messages")
        if own is not None and len(own) == len(messages) and all(map(operator.is_, own, messages)):
            return prompt  # type: ignore[no-any-return]  # the list holds what remember() put there
    return _find_among(rendered, messages) or _find_equal(rendered, _describe(messages))


def find_prompt_of_text(answer: Answer, text: str) -> Prompt | None:
    """Return the prompt whose text a completion model is given."""
    rendered = answer.rendered or ()
    return _one_of([prompt for prompt, _, value in rendered if _text_of(value) == text])


def _find_among(rendered: Sequence[Any], messages: Sequence[Any]) -> Prompt | None:
    """Return the prompt with the most messages among those given, if all that it has rendered itself are there.

    Messages that were only passed through a placeholder may have come to the model in another way.
    """
    given = set(map(id, messages))
    best: Prompt | None = None
    most = 0
    for prompt, inputs, value in reversed(rendered):
        messages_of_value = set(map(id, _messages_of(value) or ()))
        own = messages_of_value.difference(id(one) for many in _lists_in(inputs) for one in many)
        there = len(given & messages_of_value)
        if own and own <= given and there > most:
            best, most = prompt, there
    return best


def _find_equal(rendered: Sequence[Any], described: list[tuple[Any, Any]]) -> Prompt | None:
    """Return the prompt that says what the messages say, if there is only one."""
    found = []
    for prompt, _, value in rendered:
        own = _messages_of(value)
        if (own is not None and _describe(own) == described) or [("human", _text_of(value))] == described:
            found.append(prompt)
    return _one_of(found)


def _one_of(prompts: Sequence[Prompt]) -> Prompt | None:
    """Return the last of several renderings of one prompt; of different prompts it is not known which was meant."""
    if not prompts:
        return None
    last = prompts[-1]
    same = all(one.template is last.template and one.identity == last.identity for one in prompts)
    return last if same else None


def _lists_in(inputs: Any) -> list[list[Any]]:
    return [one for one in inputs.values() if isinstance(one, list)] if isinstance(inputs, dict) else []


def _messages_of(value: Any) -> Sequence[Any] | None:
    return value.__dict__.get("messages")  # type: ignore[no-any-return]  # of a ``PromptValue``


def _text_of(value: Any) -> str:
    text = value.__dict__.get("text")
    return str(value.to_string() if text is None and "messages" in value.__dict__ else text)


def _describe(messages: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [(getattr(one, "type", None), read_content(getattr(one, "content", None))) for one in messages]
