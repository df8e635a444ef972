"""``.prompty`` files, versions 1 and 2 of the format.

https://prompty.ai/docs/prompty-specification and, for version 2, the package ``prompty`` 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.assets.templates import TemplateFormat
from datahub_llmops.prompt_registries.prompt_files.formats import front_matter
from datahub_llmops.prompt_registries.prompt_files.formats.parsed import MalformedError, ParsedPrompt
from datahub_llmops.prompt_registries.prompt_files.formats.roles import split_roles
from datahub_llmops.prompt_registries.prompt_files.formats.values import (
    first_text,
    mapping,
    mappings_of,
    names,
    parameters,
    text,
)

_FORMATS: Final[Mapping[str, TemplateFormat]] = {"jinja2": "jinja2", "mustache": "mustache"}


def parse_prompty(source: str) -> ParsedPrompt:
    """Parse one file.

    Raises:
        MalformedError: it has no front matter, or a template of an unknown format.
    """
    head, body = front_matter.split(source)
    if head is None:
        raise MalformedError("it has no front matter, with which a .prompty file begins")
    model = mapping(head.get("model"))
    second = "id" in model or isinstance(head.get("inputs"), list)
    more = mapping(head.get("metadata"))
    return ParsedPrompt(
        template=split_roles(body, _format(head)),
        format="prompty 2" if second else "prompty 1",
        description=text(head.get("description")),
        author=", ".join(names(head.get("authors")) or names(more.get("authors"))) or None,
        tags=names(head.get("tags")) or names(more.get("tags")),
        variables=_inputs(head.get("inputs")),
        model=_model(model),
        parameters=parameters(mapping(model.get("options" if second else "parameters"))),
        properties={
            key: value
            for key, value in (
                ("name", text(head.get("name"))),
                ("version", first_text(head.get("version"), more.get("version"))),
                ("api", first_text(model.get("api"), model.get("apiType"))),
            )
            if value
        },
    )


def _format(head: Mapping[str, Any]) -> TemplateFormat:
    stated = head.get("template")
    if isinstance(stated, Mapping):
        kind = stated.get("format", stated.get("type"))
        stated = mapping(kind).get("kind") if isinstance(kind, Mapping) else kind
    if stated is None:
        return "jinja2"
    found = _FORMATS.get(str(stated))
    if found is None:
        raise MalformedError("the format under `template` is neither jinja2 nor mustache")
    return found


def _inputs(stated: object) -> tuple[str, ...]:
    if isinstance(stated, list):
        return tuple(name for item in mappings_of(stated) if (name := text(item.get("name"))))
    return names(stated)


def _model(model: Mapping[str, Any]) -> str | None:
    """Return ``provider/model``; an Azure deployment is a name of its own, so its provider is ``azure``."""
    settings = mapping(model.get("configuration"))
    name = first_text(model.get("id"), settings.get("model"), settings.get("name"))
    provider = first_text(model.get("provider"), settings.get("type"))
    if name is None:
        name = text(settings.get("azure_deployment"))
    if name is None or provider is None:
        return name
    return f"{provider.replace('_', '-').removesuffix('-openai') or provider}/{name}"
