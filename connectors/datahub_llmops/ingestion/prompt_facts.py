"""The part of a registry's source that describes the versions of each prompt, and their composition."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from typing_extensions import override

from datahub_llmops.assets.prompts import Prompt, PromptVersion
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_registry_config import PromptRegistryReport
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.run_target import RunTarget
from datahub_llmops.mapping import prompts as mapping
from datahub_llmops.mapping.prompts import PlacedPrompt
from datahub_llmops.mapping.proposals import propose


@dataclass(kw_only=True)
class PromptFacts(SourcePart[Prompt]):
    """Emits what the registry says of each version."""

    platform: str
    emitter: RunEmitter
    target: RunTarget
    report: PromptRegistryReport
    include_text: bool
    described: Callable[[], Collection[str]]
    """The versions that this run describes."""
    _included: set[str] = field(default_factory=set)
    """Versions that others include."""

    @override
    def opening(self) -> Iterator[Emission]:
        yield from self.emitter.emit_platform(self.platform)
        yield from self.emitter.emit_definitions()

    @override
    def emissions(self, placed: PlacedPrompt) -> Iterator[Emission]:
        versions = placed.item.versions
        self.report.versions_read += len(versions)
        for number, error in placed.item.unreadable.items():
            self.report.failure(
                title="Version of a prompt could not be read",
                message="It was left out of this run, and nothing is deleted in this run.",
                context=f"{placed.name[0]}.v{number}: {error}",
            )
        yield from self._memberships(placed)
        urns = {
            version.version: mapping.version_urn(placed.deployment, placed.name[0], version.version)
            for version in versions
        }
        present = self.emitter.read_aspects(urns.values(), ("upstreamLineage", "viewProperties"))
        for version in versions:
            urn = urns[version.version]
            found = present.get(urn, {})
            self._included.update(mapping.included_versions(placed, version))
            text = version.template.shown if self.include_text and version.template is not None else None
            left_out = self._bytes_too_many(placed, version, text)
            if left_out is not None:
                text = None
            yield from emit(mapping.version_proposals(placed, version, text, left_out))
            if text is None and found.get("viewProperties", {}).get("viewLogic"):
                # An earlier run wrote it, and an aspect cannot be removed by itself.
                yield Emission(propose(urn, mapping.text_aspect("", "text")))
            yield from self.emitter.emit_typed(urn, [mapping.prompt_info(placed, version)], primary=True)
            upstreams = found.get("upstreamLineage", {})
            yield from emit(mapping.composition_proposals(placed, version, upstreams))

    def _bytes_too_many(self, placed: PlacedPrompt, version: PromptVersion, text: str | None) -> int | None:
        """The size of a text that the target does not take, which is reported; ``None`` if it takes it."""
        longest = self.target.longest_text
        if text is None or longest is None or (size := len(text.encode("utf-8", "replace"))) <= longest:
            return None
        self.report.texts_too_long += 1
        self.report.warning(
            title="Text of a template left out",
            message="A server does not take a text of this length. Digest, variables and all else were written.",
            context=f"{placed.name[0]}.v{version.version}: {size:,} bytes, more than {longest:,}",
        )
        return size

    def _memberships(self, placed: PlacedPrompt) -> Iterator[Emission]:
        versions = placed.item.versions
        for version, sort_id in zip(versions, mapping.sort_ids(versions), strict=True):
            proposal = mapping.membership_proposal(placed, version, sort_id)
            if version is not versions[-1]:
                yield Emission(proposal)
                continue
            # A server refuses the set before the version that it names is in it.
            yield from self.emitter.emit_first(proposal, primary=True)
            # Whether one that could not be read is newer, is not known.
            if not placed.item.unreadable and self.target.takes(proposal.entityUrn):
                yield Emission(mapping.set_proposal(placed, version), primary=False)

    @override
    def conclusion(self, reader: Reader[Prompt]) -> Iterator[Emission]:
        # Only now: what this run describes itself must not be taken for an asset of others.
        missing = sorted(self._included.difference(self.described())) if self._included else []
        yield from self.report.guard(self.emitter.emit_missing_datasets(missing))
