"""Turns what Phoenix says of its prompts into plain facts.

REST has the templates, GraphQL everything around them. https://arize.com/docs/phoenix/prompt-engineering
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from datahub_llmops.assets.prompts import PromptVersion
from datahub_llmops.assets.templates import Message, Template, TemplateFormat, normal_role
from datahub_llmops.net.http import path_part
from datahub_llmops.net.json_values import mapping, mappings, moment, objects, plain, text, whole

EVALUATOR: Final = "evaluator"
"""Label of the prompts that evaluators of Phoenix make for themselves."""

VERSION_FIELDS: Final = """id sequenceNumber createdAt metadata user{username} tags{name user{username}}"""
PROMPT_FIELDS: Final = f"""id name description metadata labels{{name}} sourcePrompt{{name}}
 promptVersions(first:100){{pageInfo{{hasNextPage}} edges{{node{{{VERSION_FIELDS}}}}}}}"""

_FORMATS: Final[Mapping[object, TemplateFormat]] = {
    "MUSTACHE": "mustache",
    "F_STRING": "f-string",
    "NONE": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """What Phoenix tells about a version besides its template."""

    number: int
    created: datetime | None = None
    author: str | None = None
    tags: tuple[str, ...] = ()
    tagged_by: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFacts:
    """A prompt without its templates. ``versions`` is by the id of the version."""

    id: str
    name: str
    description: str | None = None
    labels: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    """The prompt that it was cloned from."""
    versions: Mapping[str, VersionFacts] = field(default_factory=dict)
    has_more: bool = False
    """Whether ``versions`` are the newest ones only."""

    @property
    def mark(self) -> str | None:
        """What changes with a version, a tag, a label, the description or the metadata. Versions never change."""
        if self.has_more:
            return None
        state = [self.id, self.description, self.labels, sorted(self.metadata.items()), self.source]
        versions = [[id, version.number, version.tags] for id, version in sorted(self.versions.items())]
        return hashlib.sha256(json.dumps([state, versions]).encode()).hexdigest()[:32]

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(sorted({*self.labels, *(f"{key}:{value}" for key, value in self.metadata.items())}))

    @property
    def moved_by(self) -> Mapping[str, str]:
        return {tag: who for version in self.versions.values() for tag, who in version.tagged_by.items()}


def parse_prompt(node: Mapping[str, Any]) -> PromptFacts | None:
    """Read ``PROMPT_FIELDS``, or a prompt of REST; ``None`` if it has not the shape of one."""
    id, name = text(node.get("id")), text(node.get("name"))
    if id is None or name is None:
        return None
    listed = mapping(node.get("promptVersions"))
    versions = parse_version_facts([mapping(edge.get("node")) for edge in objects(listed.get("edges"))])
    if versions is None:
        return None
    labels = [text(label.get("name")) for label in objects(node.get("labels"))]
    return PromptFacts(
        id=id,
        name=name,
        description=text(node.get("description")),
        labels=tuple(sorted({label for label in labels if label})),
        metadata=_plain_values(node.get("metadata")),
        source=text(mapping(node.get("sourcePrompt")).get("name")),
        versions=versions,
        has_more=mapping(listed.get("pageInfo")).get("hasNextPage") is True,
    )


def parse_version_facts(nodes: list[Mapping[str, Any]]) -> dict[str, VersionFacts] | None:
    """Read ``VERSION_FIELDS`` of some versions; ``None`` if one has no id or number."""
    found: dict[str, VersionFacts] = {}
    for node in nodes:
        id, number = text(node.get("id")), whole(node.get("sequenceNumber"))
        if id is None or number is None:
            return None
        tags = [
            (name, text(mapping(tag.get("user")).get("username")))
            for tag in objects(node.get("tags"))
            if (name := text(tag.get("name")))
        ]
        found[id] = VersionFacts(
            number=number,
            created=moment(node.get("createdAt")),
            author=text(mapping(node.get("user")).get("username")),
            tags=tuple(sorted({name for name, _ in tags})),
            tagged_by={name: who for name, who in tags if who},
            properties=_plain_values(node.get("metadata")),
        )
    return found


def parse_version(
    item: Mapping[str, Any], facts: VersionFacts, *, prompt: PromptFacts, page: str
) -> PromptVersion | None:
    """Read one version of REST; ``None`` if it has not the shape of one.

    Its number is its version, as Phoenix shows it. What applications write into their traces is its id, which is a
    property. A template with calls of tools in its messages is not text, so it has none.
    """
    id, template = text(item.get("id")), mapping(item.get("template"))
    if id is None or template.get("type") != "chat":
        return None
    properties = {**facts.properties, "id": id}
    if prompt.source:
        properties["cloned_from"] = prompt.source
    if tools := _tool_names(item):
        properties["tools"] = ", ".join(tools)
    if schema := text(mapping(mapping(item.get("response_format")).get("json_schema")).get("name")):
        properties["response_format"] = schema
    return PromptVersion(
        version=str(facts.number),
        template=_parse_template(template, _FORMATS.get(item.get("template_format"))),
        labels=facts.tags,
        created=facts.created,
        author=facts.author,
        message=text(item.get("description")),
        url=f"{page}/versions/{path_part(id)}",
        model=_model(item),
        parameters=_parameters(item),
        properties=properties,
    )


def prompt_page(address: str, id: str) -> str:
    """Build the address of a prompt's page.

    >>> prompt_page("https://phoenix.example", "UHJvbXB0OjE=")
    'https://phoenix.example/prompts/UHJvbXB0OjE%3D'
    """
    return f"{address}/prompts/{path_part(id)}"


def _parse_template(template: Mapping[str, Any], format: TemplateFormat | None) -> Template | None:
    if format is None:
        return None
    messages = [_parse_message(entry) for entry in objects(template.get("messages"))]
    if not messages or None in messages:
        return None
    return Template(messages=tuple(message for message in messages if message), format=format, is_chat=True)


def _parse_message(entry: Mapping[str, Any]) -> Message | None:
    role, content = text(entry.get("role")), entry.get("content")
    if role is None:
        return None
    if isinstance(content, str):
        return Message(role=normal_role(role), text=content)
    parts = [part.get("text") for part in mappings(content)]
    texts = [part for part in parts if isinstance(part, str)]
    return Message(role=normal_role(role), text="\n".join(texts)) if texts and texts == parts else None


def _model(item: Mapping[str, Any]) -> str | None:
    provider, name = text(item.get("model_provider")), text(item.get("model_name"))
    return f"{provider.lower()}/{name}" if provider and name else name


def _parameters(item: Mapping[str, Any]) -> dict[str, str]:
    """Read the settings of the model, which are below the name of its provider."""
    given = mapping(item.get("invocation_parameters"))
    settings = mapping(given.get(text(given.get("type")) or ""))
    found = {key: _written(value) for key, value in sorted(settings.items())}
    return {key: value for key, value in found.items() if value is not None}


def _written(value: object) -> str | None:
    if isinstance(value, list) and all(isinstance(part, (str, int, float)) for part in value):
        return json.dumps(value, ensure_ascii=False) if value else None
    return plain(value)


def _tool_names(item: Mapping[str, Any]) -> list[str]:
    tools = objects(mapping(item.get("tools")).get("tools"))
    names = [text(mapping(tool.get("function")).get("name")) for tool in tools]
    return [name for name in names if name]


def _plain_values(value: object) -> dict[str, str]:
    found = ((key, plain(inner)) for key, inner in sorted(mapping(value).items()))
    return {key: inner for key, inner in found if key and inner is not None}
