"""Plain text and Markdown with front matter, and Jinja templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from datahub_llmops.assets.templates import TemplateFormat
from datahub_llmops.prompt_registries.prompt_files.formats import front_matter
from datahub_llmops.prompt_registries.prompt_files.formats.parsed import (
    MalformedError,
    NotAPromptError,
    ParsedPrompt,
)
from datahub_llmops.prompt_registries.prompt_files.formats.roles import split_roles
from datahub_llmops.prompt_registries.prompt_files.formats.values import (
    first_text,
    mapping,
    names,
    parameters,
    plain,
    text,
)

_FORMATS: Final[Mapping[str, TemplateFormat]] = {
    "f-string": "f-string",
    "fstring": "f-string",
    "mustache": "mustache",
    "handlebars": "mustache",
    "jinja2": "jinja2",
    "jinja": "jinja2",
    "text": "text",
    "none": "text",
}


def parse_text(source: str, default: TemplateFormat) -> ParsedPrompt:
    """Parse a text file. ``default`` is the format of a template whose front matter states none.

    Raises:
        NotAPromptError: it has no front matter, so nothing says that it is a prompt.
        MalformedError: its front matter cannot be understood.
    """
    head, body = front_matter.split(source)
    if head is None:
        raise NotAPromptError
    stated = first_text(head.get("template_format"), head.get("format"))
    format = default if stated is None else _FORMATS.get(stated.lower())
    if format is None:
        raise MalformedError("its `template_format` is neither f-string, mustache, jinja2 nor text")
    model = head.get("model")
    settings = mapping(model)
    return ParsedPrompt(
        template=split_roles(body, format),
        format="front matter",
        description=text(head.get("description")),
        author=", ".join(names(head.get("authors")) or names(head.get("author"))) or None,
        tags=names(head.get("tags")),
        variables=names(head.get("variables")) or names(head.get("inputs")),
        model=first_text(model, settings.get("name"), settings.get("id")),
        parameters=parameters(
            {
                **parameters(settings, without=("name", "id")),
                **mapping(head.get("parameters")),
                **mapping(head.get("config")),
                **{key: head[key] for key in ("temperature", "max_tokens", "top_p") if key in head},
            }
        ),
        properties={
            key: value for key in ("name", "title", "version") if (value := plain(head.get(key))) is not None
        },
    )


def parse_jinja(source: str) -> ParsedPrompt:
    """Take a whole file as a Jinja template, as Promptflow does."""
    return ParsedPrompt(template=split_roles(source, "jinja2"), format="Jinja")
