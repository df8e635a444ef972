"""Turns Langfuse's JSON of prompts into plain facts.

https://api.reference.langfuse.com
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.assets.prompts import PromptVersion
from datahub_llmops.assets.templates import PLACEHOLDER, Message, Template
from datahub_llmops.net.http import path_part
from datahub_llmops.net.json_values import (
    mapping,
    mappings,
    moment,
    plain,
    strings,
    text,
    whole,
    written_whole,
)

_INCLUDED: Final = re.compile(r"@@@langfusePrompt:name=([^|]+?)\|(version|label)=([^|]+?)@@@")
"""A part of a template that Langfuse replaces by another prompt.

https://langfuse.com/docs/prompt-management/features/composability
"""
_PARAMETERS: Final = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "seed", "n", "stop"),
        *("max_tokens", "max_output_tokens", "max_completion_tokens"),
        *("frequency_penalty", "presence_penalty", "repetition_penalty"),
        *("reasoning_effort", "verbosity", "service_tier", "tool_choice", "parallel_tool_calls"),
        *("logprobs", "top_logprobs", "stream"),
    }
)
"""Settings of models. The configuration of a prompt is free: of its other keys only the names are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A prompt as the listing tells it."""

    name: str
    versions: tuple[int, ...]
    """Oldest first."""
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    updated: str
    """When a version was written last, or a label moved. A deletion does not change it."""

    @property
    def mark(self) -> str:
        """What changes whenever a version is written or deleted, or a label moves."""
        state = json.dumps([self.versions, self.labels, self.tags], separators=(",", ":"))
        return f"{self.updated} {hashlib.sha256(state.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """A prompt that a template includes: a version of it, or whichever has the label."""

    name: str
    version: str | None = None
    label: str | None = None

    @property
    def shown(self) -> str:
        """As Langfuse writes it."""
        return f"{self.name}|version={self.version}" if self.version else f"{self.name}|label={self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One version as Langfuse tells it, with the prompts that it includes."""

    version: PromptVersion
    includes: tuple[Include, ...] = ()


def parse_listed(entry: Mapping[str, Any]) -> Listed | None:
    """Read one entry of the listing; ``None`` if it has not the shape of one."""
    name, updated = text(entry.get("name")), text(entry.get("lastUpdatedAt"))
    versions = entry.get("versions")
    if name is None or updated is None or not isinstance(versions, list) or not versions:
        return None
    numbers = [whole(version) for version in versions]
    if None in numbers:
        return None
    return Listed(
        name=name,
        versions=tuple(sorted({number for number in numbers if number is not None})),
        labels=tuple(sorted(strings(entry.get("labels")))),
        tags=tuple(sorted(strings(entry.get("tags")))),
        updated=updated,
    )


def parse_version(answer: Mapping[str, Any], url: str | None) -> Found | None:
    """Read one version; ``None`` if it has not the shape of one. ``url`` is the prompt's page.

    ``isActive`` says no more than the label ``production``, so it is ignored. ``createdBy`` is ``API``, or the opaque
    id of a person.
    """
    number = whole(answer.get("version"))
    template = _parse_template(answer)
    if number is None or template is None:
        return None
    includes = tuple(dict.fromkeys(_find_includes(template)))
    config = mapping(answer.get("config"))
    found = PromptVersion(
        version=str(number),
        template=template,
        labels=tuple(sorted(set(strings(answer.get("labels"))))),
        created=moment(answer.get("createdAt")),
        author=text(answer.get("createdBy")),
        message=text(answer.get("commitMessage")),
        url=f"{url}?version={number}" if url else None,
        model=text(config.get("model")),
        parameters=_parse_parameters(config),
        properties=_parse_properties(config, includes),
    )
    return Found(version=found, includes=includes)


def prompt_page(origin: str, project: str, name: str) -> str:
    """Build the address of a prompt's page.

    >>> prompt_page("https://langfuse.example", "prj-support", "support/answer")
    'https://langfuse.example/project/prj-support/prompts/support%2Fanswer'
    """
    return f"{origin}/project/{path_part(project)}/prompts/{path_part(name)}"


def _parse_template(answer: Mapping[str, Any]) -> Template | None:
    kind, prompt = answer.get("type"), answer.get("prompt")
    if kind == "text" and isinstance(prompt, str):
        return Template(messages=(Message(role="user", text=prompt),), format="mustache")
    if kind != "chat" or not isinstance(prompt, list):
        return None
    messages = [_parse_message(item) for item in mappings(prompt)]
    if any(message is None for message in messages):
        return None
    return Template(
        messages=tuple(message for message in messages if message), format="mustache", is_chat=True
    )


def _parse_message(item: Mapping[str, Any]) -> Message | None:
    if item.get("type") == "placeholder":
        name = text(item.get("name"))
        return Message(role=PLACEHOLDER, text=name) if name else None
    role, content = text(item.get("role")), item.get("content")
    return Message(role=role, text=content) if role and isinstance(content, str) else None


def _find_includes(template: Template) -> Iterator[Include]:
    for message in template.messages:
        for name, kind, value in _INCLUDED.findall(message.text):
            if kind == "label":
                yield Include(name=name, label=value)
            elif (number := written_whole(value)) is not None:
                yield Include(name=name, version=str(number))


def _parse_parameters(config: Mapping[str, Any]) -> dict[str, str]:
    found = {key: plain(value) for key, value in sorted(config.items()) if key in _PARAMETERS}
    return {key: value for key, value in found.items() if value is not None}


def _parse_properties(config: Mapping[str, Any], includes: tuple[Include, ...]) -> dict[str, str]:
    found = {}
    if others := sorted(set(config) - _PARAMETERS - {"model"}):
        found["config_keys"] = ", ".join(others)
    if includes:
        found["includes"] = ", ".join(include.shown for include in includes)
    return found
