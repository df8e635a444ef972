"""Turns what an MLflow server says of its prompts into plain facts.

MLflow keeps a prompt as a registered model, and a version as a version of the model, both with tags that say so.
https://mlflow.org/docs/latest/genai/prompt-registry/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from datahub_llmops.assets.prompts import PromptVersion
from datahub_llmops.assets.templates import Message, Template, TemplateFormat
from datahub_llmops.net.json_values import mapping, mappings, objects, plain, text, utc, written_whole

IS_PROMPT: Final = "mlflow.prompt.is_prompt"
_TEXT: Final = "mlflow.prompt.text"
_TYPE: Final = "_mlflow_prompt_type"
_MODEL: Final = "_mlflow_prompt_model_config"
_RESPONSE_FORMAT: Final = "_mlflow_prompt_response_format"
_EXPERIMENTS: Final = "_mlflow_experiment_ids"
_AUTHOR: Final = "author"
"""MLflow keeps no author. Its documentation, and its users, write one as this tag."""
_MLFLOWS_OWN: Final = ("mlflow.", "_mlflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredPrompt:
    """A prompt without its versions."""

    name: str
    mark: str
    """Changes with a new or deleted version, an alias, a tag of the prompt, a tag of the latest version."""
    description: str | None = None
    tags: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Version -> its aliases, sorted."""
    experiments: tuple[str, ...] = ()
    """Identifiers of the experiments that it belongs to."""
    latest: int | None = None
    """Number of the latest version; ``None`` if there is none."""


def tags_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Read a list of keys and values."""
    pairs = ((text(tag.get("key")), tag.get("value")) for tag in objects(item.get("tags")))
    return {key: value for key, value in pairs if key and isinstance(value, str)}


def parse_prompt(model: Mapping[str, Any]) -> RegisteredPrompt | None:
    """Parse a registered model; ``None`` if it is not a prompt, or has no name."""
    name, tags = text(model.get("name")), tags_of(model)
    if name is None or tags.get(IS_PROMPT, "").lower() != "true":
        return None
    labels: dict[str, list[str]] = {}
    for entry in objects(model.get("aliases")):
        alias, version = text(entry.get("alias")), plain(entry.get("version"))
        if alias and version:
            labels.setdefault(version, []).append(alias)
    latest = [written_whole(entry.get("version")) for entry in objects(model.get("latest_versions"))]
    return RegisteredPrompt(
        name=name,
        mark=_digest([model.get("last_updated_timestamp"), labels, tags, model.get("latest_versions")]),
        description=text(model.get("description")),
        tags=tuple(sorted(f"{key}:{value}" for key, value in tags.items() if not _is_mlflows_own(key))),
        labels={version: tuple(sorted(aliases)) for version, aliases in labels.items()},
        experiments=tuple(part for part in tags.get(_EXPERIMENTS, "").split(",") if part),
        latest=max((number for number in latest if number is not None), default=None),
    )


def parse_version(
    item: Mapping[str, Any], *, labels: tuple[str, ...], url: str | None
) -> PromptVersion | None:
    """Parse one version of a prompt; ``None`` if it has no number or no template that can be read."""
    tags = tags_of(item)
    version, template = plain(item.get("version")), _template(tags)
    if version is None or template is None:
        return None
    settings = mapping(_parsed(tags.get(_MODEL)))
    response_format = _parsed(tags.get(_RESPONSE_FORMAT))
    properties = {key: value for key, value in tags.items() if not _is_mlflows_own(key) and key != _AUTHOR}
    if response_format is not None:
        properties["response_format"] = json.dumps(response_format, sort_keys=True, ensure_ascii=False)
    return PromptVersion(
        version=version,
        template=template,
        labels=labels,
        created=moment_of(item.get("creation_timestamp")),
        author=tags.get(_AUTHOR) or None,
        message=text(item.get("description")),
        url=url,
        model=_model(settings),
        parameters=_parameters(settings),
        properties=properties,
    )


def moment_of(milliseconds: object) -> datetime | None:
    """Return a time that is written in milliseconds since 1970, as a number or as text."""
    found = written_whole(milliseconds)
    return None if found is None else utc(found / 1000)


def version_number(version: PromptVersion) -> tuple[int, str]:
    """Versions of MLflow are numbers: the key to sort them by."""
    return written_whole(version.version) or 0, version.version


def _template(tags: Mapping[str, str]) -> Template | None:
    written = tags.get(_TEXT)
    if written is None:
        return None
    if tags.get(_TYPE) != "chat":
        messages = [Message(role="user", text=written)]
        return Template(messages=tuple(messages), format=_format(messages))
    messages = []
    parsed = _parsed(written)
    for entry in mappings(parsed):
        role, content = text(entry.get("role")), entry.get("content")
        if role is None or not isinstance(content, str):
            return None
        messages.append(Message(role=role, text=content))
    return Template(messages=tuple(messages), format=_format(messages), is_chat=True) if messages else None


def _format(messages: Iterable[Message]) -> TemplateFormat:
    """MLflow decides by the blocks of Jinja which of the two formats a template has."""
    has_blocks = any("{%" in message.text and "%}" in message.text for message in messages)
    return "jinja2" if has_blocks else "mustache"


def _model(settings: Mapping[str, Any]) -> str | None:
    provider, name = text(settings.get("provider")), text(settings.get("model_name"))
    return f"{provider}/{name}" if provider and name else name


def _parameters(settings: Mapping[str, Any]) -> dict[str, str]:
    rest = ((key, value) for key, value in settings.items() if key not in ("provider", "model_name"))
    return {key: plain(value) or json.dumps(value, ensure_ascii=False) for key, value in rest}


def _parsed(written: str | None) -> object:
    """Return JSON that MLflow keeps as text; ``None`` if it is none."""
    try:
        return None if written is None else json.loads(written)
    except (ValueError, RecursionError):
        return None


def _is_mlflows_own(key: str) -> bool:
    return key.startswith(_MLFLOWS_OWN)


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
