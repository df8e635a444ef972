"""GitHub Models' ``.prompt.yml`` files.

https://docs.github.com/en/github-models/use-github-models/storing-prompts-in-github-repositories
"""

from __future__ import annotations

from collections.abc import Mapping

from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.prompt_registries.prompt_files.formats.parsed import MalformedError, ParsedPrompt
from datahub_llmops.prompt_registries.prompt_files.formats.values import (
    array,
    mapping,
    mappings_of,
    parameters,
    text,
)
from datahub_llmops.prompt_registries.prompt_files.formats.yaml_text import load_yaml


def parse_github_models(source: str) -> ParsedPrompt:
    """Parse one file, which may be JSON too.

    Raises:
        MalformedError: it has no list `messages` of roles with text.
    """
    found = load_yaml(source)
    if not isinstance(found, Mapping) or not array(found.get("messages")):
        raise MalformedError("it has no list `messages`")
    messages = []
    for number, message in enumerate(array(found["messages"]), start=1):
        role, content = mapping(message).get("role"), mapping(message).get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise MalformedError(f"message {number} has no role, or no text as content")
        messages.append(Message(role=role, text=content))
    evaluators = [name for item in mappings_of(found.get("evaluators")) if (name := text(item.get("name")))]
    return ParsedPrompt(
        template=Template(messages=tuple(messages), format="mustache", is_chat=True),
        format="GitHub Models",
        description=text(found.get("description")),
        model=text(found.get("model")),
        parameters=parameters(mapping(found.get("modelParameters"))),
        properties={
            key: value
            for key, value in (("name", text(found.get("name"))), ("evaluators", ", ".join(evaluators)))
            if value
        },
    )
