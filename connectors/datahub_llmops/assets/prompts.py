"""Facts about prompts as plain data, which the readers of registries return.

A fact that the registry does not state is ``None`` or empty, never a default. The text of a template is an asset, as
SQL is of a view, and belongs into no log, report or error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from datahub_llmops.assets.collections import Name
from datahub_llmops.assets.templates import Template
from datahub_llmops.errors import ConnectorError


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PromptRef:
    """One version of a prompt of the same registry, by name and version in the registry's own form."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """One version of a prompt. It never changes in its registry, apart from its labels."""

    version: str
    """In the registry's own form: ``3``, a commit hash. It becomes part of the URN, ``<name>.v<version>``."""
    template: Template | None = None
    """``None`` if the registry does not give it, for example because it is not text."""
    labels: tuple[str, ...] = ()
    """Labels, aliases or tags that point at this version now, sorted."""
    variables: tuple[str, ...] = ()
    """As the registry states them. Empty if it does not; those of the template are used then."""
    created: datetime | None = None
    author: str | None = None
    """As the registry states it, which may be an opaque id."""
    message: str | None = None
    """Commit message."""
    url: str | None = None
    """The version's page in the registry."""
    model: str | None = None
    """Model that the registry keeps with the version, as ``provider/model`` or the model alone."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Settings of the model that the registry keeps with the version, as plain text."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Facts without a place of their own that do not change from run to run, in the registry's words."""
    derived_from: tuple[PromptRef, ...] = ()
    """Versions that this one includes, or that it is a fork of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt with all its versions, oldest first.

    ``unreadable`` are the versions that exist and could not be read this time: each becomes a failure of the run, the
    others are written. ``unchanged`` says that nothing was read, since the registry's own mark is that of the run
    before; ``versions`` is empty then.
    """

    name: Name
    versions: tuple[PromptVersion, ...] = ()
    unreadable: Mapping[str, ConnectorError] = field(default_factory=dict)
    unchanged: bool = False
    dangling: Mapping[str, str] = field(default_factory=dict)
    """Labels that point at a version that the registry does not have, with that version."""
    moved_by: Mapping[str, str] = field(default_factory=dict)
    """Label -> who put it where it is, if the registry says so."""
    description: str | None = None
    tags: tuple[str, ...] = ()
    url: str | None = None
    """The prompt's page in the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMove:
    """A label that two runs saw at different versions. It moved between their instants, in UTC."""

    label: str
    origin: str | None
    """Version that it was at; ``None`` if it is new."""
    target: str | None
    """Version that it is at; ``None`` if it is gone."""
    after: datetime
    before: datetime
    by: str | None = None
    """Who moved it, if the registry says so."""
