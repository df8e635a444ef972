"""What a prompt file says, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from datahub_llmops.assets.templates import Template


class NotAPromptError(Exception):
    """A file that may be a prompt by its name, and is none by its content."""


class MalformedError(Exception):
    """A prompt file that cannot be understood. The message says why, in constant words and names of keys only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPrompt:
    """One version of a prompt file. A fact that the file does not state is ``None`` or empty."""

    template: Template
    format: str
    """Name of the file format."""
    description: str | None = None
    author: str | None = None
    tags: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """As the file declares them."""
    model: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
