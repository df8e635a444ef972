"""A memory of the prompts that the last run saw: what need not be read again, and where labels were.

A checkpoint of its own, beside that of stale removal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from datahub.configuration.common import ConfigModel
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.source.state.checkpoint import CheckpointStateBase
from datahub.ingestion.source.state.stale_entity_removal_handler import StatefulStaleMetadataRemovalConfig
from datahub.ingestion.source.state.stateful_ingestion_base import StateProviderWrapper
from pydantic import BaseModel, Field

from datahub_llmops import __version__
from datahub_llmops.assets.prompts import Prompt, PromptVersion
from datahub_llmops.assets.templates import DIGEST_PREFIX
from datahub_llmops.ingestion.recipe_memory import RecipeMemory

_DIGITS: Final = 16
"""Of a template's digest: enough to tell two versions of one prompt apart, and to find copies of it."""
_WITHOUT_EFFECT: Final = frozenset(
    {
        "applications",
        "catalog",
        "evaluations",
        "max_workers",
        "production_labels",
        "prompt_pattern",
        "stateful_ingestion",
        "unused_after_days",
    }
)
"""Options that change nothing of what is written about a version."""


class RememberedLabel(ConfigModel):
    """Where a label was."""

    versions: list[str]
    since: datetime
    """The run that saw it there first. It came there between that run and the one before."""


class RememberedPrompt(ConfigModel):
    """One prompt as a run saw it."""

    mark: str | None = None
    """The registry's own mark; ``None`` if it gives none, or if not all of the prompt was read."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Version -> the beginning of its template's digest; empty if there is no template."""
    labels: dict[str, RememberedLabel] = Field(default_factory=dict)
    findings: dict[str, list[str]] = Field(default_factory=dict)
    """Version -> what a run found about its use."""
    seen: datetime
    """The last run that knew where the labels were."""


class PromptState(CheckpointStateBase):
    """All prompts of a recipe by their names."""

    written: str = ""
    """Fingerprint of all that decides what is written about a version."""
    digests: str = ""
    """Version of the normal form of templates whose digests are remembered."""
    prompts: dict[str, RememberedPrompt] = Field(default_factory=dict)
    kept: list[str] = Field(default_factory=list)
    """Versions that are gone from the registry, and that applications were still seen to use."""


class PromptMemory(RecipeMemory[PromptState]):
    """The memory of one recipe. Without stateful ingestion it is empty at the start of each run."""

    subject = "prompts"
    state_type = PromptState

    def __init__(
        self,
        provider: StateProviderWrapper,
        config: StatefulStaleMetadataRemovalConfig | None,
        ctx: PipelineContext,
        platform: str,
        written: str,
    ) -> None:
        super().__init__(provider, config, ctx, platform)
        self._written = written
        self.now: dict[str, RememberedPrompt] = {}
        """What this run knows."""

    def last(self, name: str) -> RememberedPrompt | None:
        """Return what the last run knew of a prompt."""
        return self.read_state().prompts.get(name)

    def last_marked(self, name: str, mark: str | None) -> RememberedPrompt | None:
        """Return what the last run knew of a prompt if the registry says that nothing changed since."""
        if mark is None or self.read_state().written != self._written:
            return None
        last = self.last(name)
        return last if last is not None and last.mark == mark else None

    @property
    def has_same_digests(self) -> bool:
        """Whether the last run computed digests as this one does."""
        return self.read_state().digests == DIGEST_PREFIX

    def commit(self, *, keep_missing: bool, kept: Iterable[str] = ()) -> None:
        """Remember this run; with ``keep_missing`` also what only the last one knew."""
        if self.committed:
            return
        last = self.read_state()
        old = last.prompts if keep_missing else {}
        state = self.state_to_commit()
        if state is not None:
            state.written = self._written
            state.digests = DIGEST_PREFIX
            state.kept = sorted({*kept, *(last.kept if keep_missing else ())})
            state.prompts = dict(sorted({**old, **self.now}.items()))


def fingerprint(config: BaseModel, typed_fields: object) -> str:
    """Digest all that decides what is written about a version, so that a change of it has everything read again.

    ``typed_fields`` are the fields of typed aspects that the target takes. Secrets are masked where they are shown.
    """
    options = {name: getattr(config, name) for name in type(config).model_fields}
    shown = sorted((name, repr(value)) for name, value in options.items() if name not in _WITHOUT_EFFECT)
    return hashlib.sha256(repr((__version__, shown, typed_fields)).encode()).hexdigest()


def template_key(version: PromptVersion) -> str:
    """The beginning of the template's digest, without the version of the normal form; empty without a template."""
    return version.template.digest.rpartition(":")[2][:_DIGITS] if version.template is not None else ""


def label_places(prompt: Prompt) -> Mapping[str, list[str]]:
    """Map each label to the versions that it points at, those that do not exist among them."""
    places: dict[str, set[str]] = {label: {version} for label, version in prompt.dangling.items()}
    for version in prompt.versions:
        for label in version.labels:
            places.setdefault(label, set()).add(version.version)
    return {label: sorted(versions) for label, versions in sorted(places.items())}
