"""Reads the templates of LangChain's prompts, so that one template is one version.

A prompt's start event carries its serialised form. LangChain does not serialise few-shot prompts: it writes their
``repr``, with the values of partial variables and the addresses of objects, so every object would be a version of its
own. Such a template is read from the prompt object, which is on the stack: ``invoke`` and ``ainvoke`` send the event.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from datahub_llmops.assets.templates import TemplateFormat
from datahub_llmops.hooks.prompt_identity import Part, join_names, read_parts, template_format
from datahub_llmops.hooks.vendor_attributes import find_attribute

_DEPTH: Final = 24
"""The most frames between an event and the prompt that sends it; there are about eight."""
_known: Final[dict[int, tuple[object, Any]]] = {}
"""Templates by the number of their serialised form, which LangChain keeps for each object."""


def read_template(serialized: Any) -> Any:
    """Return the serialised form if all of the template is in it, else variables, then role, text, format of each part.

    The second is in the form that ``prompt_identity.read_llamaindex`` returns.
    """
    key = id(serialized)
    try:
        owner, template = _known[key]
    except KeyError:
        owner = None
    if owner is not None and owner is serialized:
        return template
    template = serialized
    if isinstance(serialized, Mapping) and read_parts(serialized) is None:
        prompt = _find_prompt()
        if prompt is not None:
            template = describe(prompt)
    if len(_known) >= 256:
        _known.clear()
    _known[key] = serialized, template
    return template


def _find_prompt() -> Any:
    """Return the prompt object that sends its start event."""
    frame: Any = sys._getframe(2)
    for _ in range(_DEPTH):
        if frame is None:
            return None
        one = frame.f_locals.get("self") if frame.f_code.co_name in ("invoke", "ainvoke") else None
        if one is not None:
            return one if hasattr(type(one), "format_prompt") else None
        frame = frame.f_back
    return None


def describe(prompt: Any) -> tuple[str, ...]:
    """Return the variables of a prompt, then role, text and format of each part, without the partial variables."""
    variables = join_names(find_attribute(prompt, "input_variables"))
    return (variables, *(text for part in _parts_of(prompt) for text in part))


def _parts_of(prompt: Any) -> Iterator[Part]:
    messages = find_attribute(prompt, "messages")
    example = find_attribute(prompt, "example_prompt")
    if example is not None:
        yield from _few_shot(prompt, example)
    elif isinstance(messages, (list, tuple)):
        for message in messages:
            yield from _message(message)
    else:
        yield "human", _text(prompt), _format(prompt)


def _few_shot(prompt: Any, example: Any) -> Iterator[Part]:
    yield from _affix(prompt, "prefix")
    yield from (("example", text, format) for _, text, format in _parts_of(example))
    yield from _examples(prompt)
    yield from _affix(prompt, "suffix")


def _affix(prompt: Any, which: str) -> Iterator[Part]:
    """Yield what stands before or behind the examples: a text or a template."""
    text = find_attribute(prompt, which)
    if isinstance(text, str):
        if text:
            yield "human", text, _format(prompt)
    elif text is not None:
        yield from _parts_of(text)


def _examples(prompt: Any) -> Iterator[Part]:
    """Yield the examples of a template, or the class that selects them at run time."""
    selector = find_attribute(prompt, "example_selector")
    if selector is not None:
        yield "selector", type(selector).__name__, "text"
    examples = find_attribute(prompt, "examples")
    for one in examples if isinstance(examples, Sequence) else ():
        yield "example", _dump(one), "text"


def _message(message: Any) -> Iterator[Part]:
    kind = type(message).__name__
    variable = find_attribute(message, "variable_name")
    if isinstance(variable, str):
        yield "placeholder", variable, "text"
        return
    if (
        find_attribute(message, "example_prompt") is not None
        or find_attribute(message, "messages") is not None
    ):
        yield from _parts_of(message)
        return
    role = find_attribute(message, "role")
    inner = find_attribute(message, "prompt")
    if inner is None:
        yield kind, _dump(find_attribute(message, "content")), "text"
        return
    inner = inner if isinstance(inner, (list, tuple)) else [inner]
    text = "\n".join(_text(one) for one in inner)
    yield role if isinstance(role, str) else kind, text, _format(inner[0]) if inner else "text"


def _format(prompt: Any) -> TemplateFormat:
    return template_format(find_attribute(prompt, "template_format"))


def _text(prompt: Any) -> str:
    """Return the text of a plain template, or what describes a template for an image or a dictionary."""
    template = find_attribute(prompt, "template")
    return type(prompt).__name__ if template is None else _dump(template)


def _dump(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, default=lambda thing: type(thing).__name__)
