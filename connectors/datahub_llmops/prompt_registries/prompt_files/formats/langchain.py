"""LangChain's prompts as JSON or YAML: the form that ``load_prompt`` reads, and the one that ``dumps`` writes.

They are read as plain data. LangChain's own loader would create objects and read other files.
https://python.langchain.com/api_reference/core/prompts/langchain_core.prompts.loading.load_prompt.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from datahub_llmops.assets.templates import PLACEHOLDER, Message, Template, TemplateFormat, normal_role
from datahub_llmops.prompt_registries.prompt_files.formats.parsed import (
    MalformedError,
    NotAPromptError,
    ParsedPrompt,
)
from datahub_llmops.prompt_registries.prompt_files.formats.values import array, mapping, names, text
from datahub_llmops.prompt_registries.prompt_files.formats.yaml_text import load_yaml

_FORMATS: Final[Mapping[str, TemplateFormat]] = {
    "f-string": "f-string",
    "mustache": "mustache",
    "jinja2": "jinja2",
}
_KINDS: Final = frozenset({"prompt", "few_shot", "chat"})
_CLASSES: Final = frozenset({"PromptTemplate", "ChatPromptTemplate", "FewShotPromptTemplate"})


def parse_langchain(source: str) -> ParsedPrompt:
    """Parse one file.

    Raises:
        NotAPromptError: it is some other JSON or YAML.
        MalformedError: it is a prompt of LangChain in a form that is not known.
    """
    found = load_yaml(source)
    if not isinstance(found, Mapping):
        raise NotAPromptError
    if found.get("lc") is not None and _class(found) in _CLASSES:
        inner = mapping(found.get("kwargs"))
        return _parsed(inner, _class(found), found)
    if found.get("_type") in _KINDS:
        return _parsed(found, str(found["_type"]), found)
    raise NotAPromptError


def _class(value: object) -> str:
    path = array(mapping(value).get("id"))
    return str(path[-1]) if path else ""


def _parsed(kwargs: Mapping[str, Any], kind: str, whole: Mapping[str, Any]) -> ParsedPrompt:
    if kind in ("few_shot", "FewShotPromptTemplate"):
        template = _few_shot(kwargs)
    elif isinstance(kwargs.get("messages"), list):
        template = _chat(kwargs["messages"])
    else:
        template = Template(messages=(Message(role="user", text=_text(kwargs)),), format=_format(kwargs))
    return ParsedPrompt(
        template=template,
        format="LangChain",
        description=text(whole.get("description")),
        tags=names(kwargs.get("tags")),
        variables=names(kwargs.get("input_variables")),
        properties={"class": kind} if kind in _CLASSES else {},
    )


def _text(kwargs: Mapping[str, Any]) -> str:
    if "template_path" in kwargs:
        raise MalformedError(
            "its template is in another file (`template_path`), which is not read; write it under `template`"
        )
    found = kwargs.get("template")
    if not isinstance(found, str):
        raise MalformedError("it has no text under `template`")
    return found


def _format(kwargs: Mapping[str, Any]) -> TemplateFormat:
    found = _FORMATS.get(str(kwargs.get("template_format") or "f-string"))
    if found is None:
        raise MalformedError("its `template_format` is neither f-string, mustache nor jinja2")
    return found


def _few_shot(kwargs: Mapping[str, Any]) -> Template:
    """Join prefix, example template and suffix. Examples are data, not template, and are left out."""
    example = mapping(kwargs.get("example_prompt"))
    example = mapping(example.get("kwargs")) if "lc" in example else example
    separator = kwargs.get("example_separator")
    parts = [kwargs.get("prefix"), example.get("template"), kwargs.get("suffix")]
    joined = (separator if isinstance(separator, str) else "\n\n").join(
        part for part in parts if isinstance(part, str) and part
    )
    if not joined:
        raise MalformedError("it has neither `prefix`, `example_prompt` nor `suffix`")
    return Template(messages=(Message(role="user", text=joined),), format=_format(kwargs))


def _chat(messages: list[Any]) -> Template:
    found: list[Message] = []
    formats: set[TemplateFormat] = set()
    literal: set[int] = set()
    for number, one in enumerate(messages, start=1):
        outer = mapping(one)
        kind = _class(outer) or str(outer.get("role") or outer.get("type") or "")
        kwargs = mapping(outer.get("kwargs")) if "kwargs" in outer else outer
        if normal_role(kind) == PLACEHOLDER:
            found.append(
                Message(role=PLACEHOLDER, text=str(kwargs.get("variable_name") or kwargs.get("name")))
            )
            continue
        prompt = mapping(kwargs.get("prompt"))
        inner = mapping(prompt.get("kwargs")) if "kwargs" in prompt else prompt
        content = inner.get("template", kwargs.get("content"))
        role = kwargs.get("role") if kind == "ChatMessagePromptTemplate" else kind
        if not isinstance(content, str) or not isinstance(role, str) or not role:
            raise MalformedError(f"message {number} has no role, or no text")
        if inner:
            formats.add(_format(inner))
        else:
            literal.add(len(found))
        found.append(Message(role=normal_role(role), text=content))
    if len(formats) > 1:
        raise MalformedError("its messages have templates of different formats")
    if not formats and literal:
        return Template(messages=tuple(found), format="text", is_chat=True)
    form: TemplateFormat = next(iter(formats), "f-string")
    if form == "f-string":
        # A message without a template is text as it stands: its braces are not variables.
        for at in literal:
            found[at] = replace(found[at], text=found[at].text.replace("{", "{{").replace("}", "}}"))
    return Template(messages=tuple(found), format=form, is_chat=True)
