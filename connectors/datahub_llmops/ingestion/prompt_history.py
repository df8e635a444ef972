"""The part of a registry's source that compares prompts with the run before: what changed, and where labels moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from datahub.metadata.schema_classes import StatusClass
from typing_extensions import override

from datahub_llmops.assets.collections import Name
from datahub_llmops.assets.prompts import LabelMove, Prompt
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.errors import CatalogError
from datahub_llmops.ingestion.emitter import Emission
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_memory import (
    PromptMemory,
    RememberedLabel,
    RememberedPrompt,
    label_places,
    template_key,
)
from datahub_llmops.ingestion.prompt_reader import PromptReader
from datahub_llmops.ingestion.prompt_registry_config import PromptRegistryReport
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.mapping import label_moves
from datahub_llmops.mapping.prompts import PlacedPrompt, holds_version, version_urn
from datahub_llmops.mapping.proposals import propose
from datahub_llmops.urns import Deployment

_TOGETHER: Final = 50
"""Prompts whose versions are looked up in the catalog at once."""


@dataclass(kw_only=True)
class PromptHistory(SourcePart[Prompt]):
    """Finds what need not be read again, and emits what changed since the last run."""

    memory: PromptMemory
    catalog: FullCatalog | None
    deployment: Deployment
    report: PromptRegistryReport
    now: datetime
    is_wanted: Callable[[Name], bool]
    """Whether the recipe's filters let a prompt of this name be read."""
    _own: set[str] | None = None
    _mentioned: set[str] = field(default_factory=set)
    """Versions about which another part said something."""
    _marks: dict[str, str | None] = field(default_factory=dict)

    def find_unchanged(self, reader: PromptReader, names: Sequence[Name]) -> set[Name]:
        """Find the prompts that are as the last run left them, in the registry and in the catalog."""
        self._marks = {name[0]: reader.mark(name) for name in names}
        known = {
            name: last
            for name in names
            if (last := self.memory.last_marked(name[0], self._marks[name[0]])) is not None
        }
        if self.catalog is None:
            return set()
        unchanged: set[Name] = set()
        try:
            listed = list(known)
            for start in range(0, len(listed), _TOGETHER):
                part = listed[start : start + _TOGETHER]
                unchanged |= self._still_held(self.catalog, {name: known[name] for name in part})
        except CatalogError as error:
            self.report.add_catalog_failure(error)
            return set()
        return unchanged

    def _still_held(self, catalog: FullCatalog, known: dict[Name, RememberedPrompt]) -> set[Name]:
        urns = {
            (name, version): version_urn(self.deployment, name[0], version)
            for name, last in known.items()
            for version in last.versions
        }
        found = catalog.aspects_of(urns.values(), ("status", "structuredProperties"))
        return {
            name
            for name, last in known.items()
            if all(
                holds_version(
                    found.get(urns[name, version], {}),
                    key,
                    [label for label, place in last.labels.items() if version in place.versions],
                    last.findings.get(version, []),
                )
                for version, key in last.versions.items()
            )
        }

    def described(self) -> set[str]:
        """The versions that this run describes, as far as prompts have been read."""
        return self._urns(self.memory.now)

    def mention(self, urn: str) -> bool:
        """Note that another part says something about an asset; whether it is a version of this recipe.

        One that this run or the last one described is, and so is one that is gone and still in use.
        """
        if self._own is None:
            last = self.memory.read_state()
            self._own = {*last.kept, *self._urns(last.prompts)} | self.described()
        if urn in self._own:
            self._mentioned.add(urn)
        return urn in self._own

    def _urns(self, prompts: Mapping[str, RememberedPrompt]) -> set[str]:
        return {
            self._urn(name, version)
            for name, known in prompts.items()
            if self.is_wanted((name,))
            for version in known.versions
        }

    def versions_of(self, prompt: Prompt) -> tuple[str, ...]:
        """List the versions of a prompt, also of one that was not read again."""
        if not prompt.unchanged:
            return tuple(version.version for version in prompt.versions)
        last = self.memory.last(prompt.name[0])
        return tuple(last.versions) if last is not None else ()

    @override
    def emissions(self, placed: PlacedPrompt) -> Iterator[Emission]:
        prompt, name = placed.item, placed.name[0]
        last = self.memory.last(name)
        if prompt.unchanged and last is not None:
            self.report.prompts_unchanged += 1
            self.memory.now[name] = last.model_copy(update={"seen": self.now})
            for version in last.versions:
                if version not in prompt.unreadable:
                    # Stale removal keeps what a run mentions; this says nothing new.
                    yield Emission(propose(self._urn(name, version), StatusClass(removed=False)))
            return
        self._warn_of_dangling(prompt)
        versions = {version.version: template_key(version) for version in prompt.versions}
        places = label_places(prompt)
        moves: list[LabelMove] = []
        if last is not None:
            self._warn_of_changed(name, last, versions)
            for version in prompt.unreadable:
                if version in last.versions:
                    versions[version] = last.versions[version]
            gone = [label for label in last.labels if label not in places]
            if prompt.unreadable:
                # They may point at what could not be read.
                places = {**places, **{label: last.labels[label].versions for label in gone}}
            moves = list(self._moves(prompt, last, places))
        self.memory.now[name] = RememberedPrompt(
            mark=None if prompt.unreadable else self._marks.get(name),
            versions=versions,
            findings=last.findings if last is not None else {},
            labels={label: self._place(last, label, where) for label, where in places.items()},
            seen=self.now,
        )
        self.report.labels_moved += len(moves)
        if self._own is not None:
            self._own.update(self._urn(name, version) for version in versions)
        for move in moves:
            at = next((version for version in (move.target, move.origin) if version in versions), None)
            if at is not None:
                yield Emission(label_moves.move_proposal(self._urn(name, at), move))

    def _urn(self, name: str, version: str) -> str:
        return version_urn(self.deployment, name, version)

    def _place(self, last: RememberedPrompt | None, label: str, where: list[str]) -> RememberedLabel:
        old = last.labels.get(label) if last is not None else None
        return (
            old
            if old is not None and old.versions == where
            else RememberedLabel(versions=where, since=self.now)
        )

    def _moves(
        self, prompt: Prompt, last: RememberedPrompt, places: Mapping[str, list[str]]
    ) -> Iterator[LabelMove]:
        for label in sorted(places.keys() | last.labels.keys()):
            was = last.labels[label].versions if label in last.labels else []
            yield from label_moves.moves_of(
                label,
                was,
                places.get(label, []),
                after=last.seen,
                before=self.now,
                by=prompt.moved_by.get(label),
            )

    def _warn_of_dangling(self, prompt: Prompt) -> None:
        for label, version in sorted(prompt.dangling.items()):
            self.report.warning(
                title="Label on a version that does not exist",
                message="The registry says so. Move the label, or remove it.",
                context=f"{prompt.name[0]}: {label} points at {version}",
            )

    def _warn_of_changed(self, name: str, last: RememberedPrompt, versions: dict[str, str]) -> None:
        if not self.memory.has_same_digests:
            return
        for version, key in versions.items():
            old = last.versions.get(version)
            if old and key and old != key:
                self.report.versions_changed.append(f"{name}.v{version}")
                self.report.warning(
                    title="Version of a prompt changed",
                    message="Its template is another one than in the last run, under the same number. The new one was "
                    "written. Registries promise that versions do not change.",
                    context=f"{name}.v{version}",
                )

    @override
    def conclusion(self, reader: Reader[Prompt]) -> Iterator[Emission]:
        kept = self._mentioned - self.described() if self._mentioned else ()
        self.memory.commit(keep_missing=bool(self.report.failures), kept=kept)
        yield from ()

    @override
    def close(self) -> None:
        # A run that broke off must not forget where labels were.
        self.memory.commit(keep_missing=True)
