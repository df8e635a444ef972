"""Dotprompt's ``.prompt`` files: YAML front matter and a Handlebars template.

https://google.github.io/dotprompt/reference/
"""

from __future__ import annotations

import re
from typing import Final

from datahub_llmops.assets.templates import PLACEHOLDER, Message, Template
from datahub_llmops.prompt_registries.prompt_files.formats import front_matter
from datahub_llmops.prompt_registries.prompt_files.formats.parsed import ParsedPrompt
from datahub_llmops.prompt_registries.prompt_files.formats.values import (
    mapping,
    names,
    parameters,
    plain,
    text,
)

_HELPER: Final = re.compile(r"\{\{\s*(?:role\s+[\"'](\w+)[\"']|(history))\s*\}\}")
_COMMENT: Final = re.compile(r"\{\{!--.*?--\}\}|\{\{![^}]*\}\}", re.DOTALL)


def parse_dotprompt(source: str) -> ParsedPrompt:
    """Parse one file, which may lack the front matter.

    Raises:
        MalformedError: its front matter cannot be understood.
    """
    head, body = front_matter.split(source)
    head = head or {}
    schema = mapping(mapping(head.get("input")).get("schema"))
    variables = names(schema.get("properties") if "properties" in schema else schema)
    return ParsedPrompt(
        template=_split(_COMMENT.sub("", body)),
        format="dotprompt",
        description=text(head.get("description")),
        variables=tuple(name.partition("(")[0].removesuffix("?").strip() for name in variables),
        model=text(head.get("model")),
        parameters=parameters(mapping(head.get("config"))),
        properties={
            key: value
            for key in ("name", "variant", "version")
            if (value := plain(head.get(key))) is not None
        },
    )


def _split(body: str) -> Template:
    """Split at the helpers `role` and `history`. Text before the first role is the user's."""
    marks = list(_HELPER.finditer(body))
    if not marks:
        return Template(messages=(Message(role="user", text=body),), format="mustache")
    found: list[Message] = []
    role, start = "user", 0
    for mark in marks:
        if body[start : mark.start()].strip():
            found.append(Message(role=role, text=body[start : mark.start()]))
        if mark[2]:
            # What follows a history without a role of its own is a message of the model's.
            found.append(Message(role=PLACEHOLDER, text="history"))
            role = "model"
        else:
            role = mark[1]
        start = mark.end()
    if body[start:].strip():
        found.append(Message(role=role, text=body[start:]))
    return Template(messages=tuple(found), format="mustache", is_chat=True)
