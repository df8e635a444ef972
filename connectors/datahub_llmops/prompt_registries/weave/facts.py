"""Turns Weave's JSON of published objects into plain facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.net.json_values import mapping, moment, strings, text, whole

LATEST = "latest"
"""The label that Weave itself keeps on the newest version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One version of an object, as ``/objs/query`` tells it."""

    name: str
    digest: str
    index: int
    labels: tuple[str, ...]
    created: datetime | None
    author: str | None
    """Id of a user, which says nothing to a person."""
    kind: str | None
    """Its class: ``StringPrompt``, ``MessagesPrompt``, or another."""
    value: Mapping[str, Any] | None
    """``None`` if it is no JSON object; empty where only metadata were asked for."""


def parse_published(entry: Mapping[str, Any]) -> Published | None:
    """Read one version; ``None`` if the entry has not the shape of one."""
    name, digest = text(entry.get("object_id")), text(entry.get("digest"))
    index, latest = whole(entry.get("version_index")), whole(entry.get("is_latest"))
    if name is None or digest is None or index is None or latest is None:
        return None
    value = entry.get("val")
    return Published(
        name=name,
        digest=digest,
        index=index,
        labels=_labels(strings(entry.get("aliases")), is_latest=bool(latest)),
        created=moment(entry.get("created_at")),
        author=text(entry.get("wb_user_id")),
        kind=text(entry.get("leaf_object_class")) or text(mapping(value).get("_class_name")),
        value=value if isinstance(value, Mapping) else None,
    )


def _labels(aliases: list[str], *, is_latest: bool) -> tuple[str, ...]:
    """Return the aliases and ``latest``, which ``is_latest`` alone decides: it is never on two versions."""
    return tuple(sorted({*aliases, LATEST} if is_latest else {*aliases} - {LATEST}))


def mark(versions: Iterable[Published]) -> str:
    """What changes whenever a prompt does: a version, or a label. The content of a version never changes."""
    state = sorted((version.index, version.digest, version.labels) for version in versions)
    return hashlib.sha256(json.dumps(state).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def template_of(value: Mapping[str, Any]) -> Template | None:
    """Return the template of a prompt, which Weave fills by ``str.format``.

    ``None`` for a prompt that is not text, such as one with images, and for other classes: how these fill their texts
    is their own affair. A class that is derived from one of the two is read as that one.

    >>> template_of({"_class_name": "StringPrompt", "content": "Is {text} about billing?"}).variables
    ('text',)
    """
    classes = {text(value.get("_class_name")), *strings(value.get("_bases"))}
    content, messages = value.get("content"), value.get("messages")
    if "StringPrompt" in classes and isinstance(content, str):
        return Template(messages=(Message(role="user", text=content),), format="f-string")
    if "MessagesPrompt" in classes and isinstance(messages, list):
        return _chat(messages)
    return None


def _chat(messages: list[Any]) -> Template | None:
    found: list[Message] = []
    for item in map(mapping, messages):
        role, content = text(item.get("role")), item.get("content")
        if role is None or not isinstance(content, str):
            return None
        found.append(Message(role=role, text=content))
    return Template(messages=tuple(found), format="f-string", is_chat=True) if found else None
