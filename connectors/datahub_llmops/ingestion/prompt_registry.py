"""The source of every registry of prompts: versions, their labels and composition, and what the tool observed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar, cast

from datahub.configuration.common import AllowDenyPattern, ConfigModel
from datahub.ingestion.api.decorators import SourceCapability, capability
from typing_extensions import override

from datahub_llmops.aspects.generated import PromptInfoClass
from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.catalog.urn_text import datasets_prefix
from datahub_llmops.ingestion.applications.observed_part import ApplicationsMemory, ObservedApplications
from datahub_llmops.ingestion.assigned_facts import AssignedFacts
from datahub_llmops.ingestion.emitter import Emission
from datahub_llmops.ingestion.evaluations import Evaluations, EvaluationsMemory
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_capabilities import PromptFact
from datahub_llmops.ingestion.prompt_clashes import ClashFilter
from datahub_llmops.ingestion.prompt_facts import PromptFacts
from datahub_llmops.ingestion.prompt_history import PromptHistory
from datahub_llmops.ingestion.prompt_memory import PromptMemory, fingerprint
from datahub_llmops.ingestion.prompt_reader import PromptReader
from datahub_llmops.ingestion.prompt_registry_config import (
    PromptRegistryConfig,
    PromptRegistryReport,
    WithApplications,
    WithEvaluations,
)
from datahub_llmops.ingestion.prompt_uses import PromptUses
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.retraction import Retraction
from datahub_llmops.ingestion.source import CatalogSource
from datahub_llmops.mapping.prompts import PlacedPrompt, place_prompt

__all__ = ["PromptRegistryConfig", "PromptRegistryReport", "PromptRegistrySource"]

PromptRegistryConfigT = TypeVar("PromptRegistryConfigT", bound=PromptRegistryConfig)


@capability(SourceCapability.DELETION_DETECTION, "By stateful ingestion")
@capability(
    SourceCapability.LINEAGE_COARSE, "By the composition of prompts, as far as the registry states it"
)
@capability(SourceCapability.PLATFORM_INSTANCE, "By the option `platform_instance`")
@capability(
    SourceCapability.TEST_CONNECTION, "Distinguishes a server that cannot be reached from one that refuses"
)
class PromptRegistrySource(CatalogSource[PromptRegistryConfigT, Prompt]):
    """What a connector of a registry extends: it sets ``platform``, ``config_type``, ``declares`` and ``open``.

    The reader that ``open`` returns is a ``PromptReader``, and a ``UsageReader`` and ``ScoreReader`` as far as the
    config is ``WithApplications`` and ``WithEvaluations``. Its ``read`` raises ``VanishedError`` only if the registry
    itself says that the prompt does not exist.
    """

    noun: ClassVar[str] = "prompt"
    name_filters: ClassVar[tuple[str, ...]] = ("prompt_pattern",)
    declares: ClassVar[Mapping[PromptFact, str]]
    """The facts that the registry states, each with a remark or `yes`. The contract test checks them."""
    report: PromptRegistryReport

    @classmethod
    @override
    def new_report(cls) -> PromptRegistryReport:
        return PromptRegistryReport()

    @classmethod
    @abstractmethod
    @override
    def open(cls, config: PromptRegistryConfigT) -> PromptReader: ...

    @override
    def build_parts(self) -> Sequence[SourcePart[Prompt]]:
        config = self.config
        typed = sorted(self.target.decision.fields.get(PromptInfoClass.ASPECT_NAME, ()))
        memory = PromptMemory(
            self.state_provider,
            config.stateful_ingestion,
            self.ctx,
            self.platform,
            fingerprint(config, typed),
        )
        self._history = PromptHistory(
            memory=memory,
            catalog=self.catalog,
            deployment=self.deployment,
            report=self.report,
            now=self.now,
            is_wanted=self.is_wanted,
        )
        facts = PromptFacts(
            platform=self.platform,
            emitter=self.emitter,
            target=self.target,
            report=self.report,
            include_text=config.include_text,
            described=self._history.described,
        )
        retraction = Retraction[Prompt](
            assigned=AssignedFacts(self.state_provider, config.stateful_ingestion, self.ctx, self.platform),
            target=self.target,
            report=self.report,
            is_shared=self.is_shared,
            is_wanted=self.is_wanted,
            # No prompt is shared with another source, so what is gone is retired with its facts.
            list_assets=lambda urn, prompt: (),
            empty_aspects=(),
            own_assets=True,
            is_unchanged=lambda prompt: prompt.unchanged,
        )
        uses = PromptUses(
            memory=memory,
            catalog=self.catalog,
            is_unwritten=self.opened.unwritten,
            deployment=self.deployment,
            config=config,
            report=self.report,
            now=self.now,
        )
        # The last two have to know of every failure.
        return (facts, *self.observation_parts(), uses, retraction, self._history)

    def observation_parts(self) -> Sequence[SourcePart[Prompt]]:
        """Create the parts for what the tool observed: its applications and its scores, as far as they are wanted.

        They read in ``conclusion``, from the reader that ``open`` returned.
        """
        tool: ConfigModel = self.config
        parts = list[SourcePart[Prompt]]()
        if isinstance(tool, WithApplications) and tool.applications:
            parts.append(
                ObservedApplications(
                    options=tool.applications,
                    deployment=self.deployment,
                    emitter=self.emitter,
                    catalog=self.catalog,
                    report=self.report,
                    memory=ApplicationsMemory(
                        self.state_provider, self.config.stateful_ingestion, self.ctx, self.platform
                    ),
                    now=self.now,
                )
            )
        if isinstance(tool, WithEvaluations) and tool.evaluations:
            options = tool.applications if isinstance(tool, WithApplications) else False
            parts.append(
                Evaluations(
                    options=tool.evaluations,
                    application_pattern=options.pattern if options else AllowDenyPattern.allow_all(),
                    application_platform=options.platform if options else None,
                    is_prompt_wanted=self.is_wanted,
                    deployment=self.deployment,
                    emitter=self.emitter,
                    catalog=self.catalog,
                    report=self.report,
                    memory=EvaluationsMemory(
                        self.state_provider, self.config.stateful_ingestion, self.ctx, self.platform
                    ),
                    now=self.now,
                )
            )
        return parts

    @override
    def emissions(self) -> Iterator[Emission]:
        versions = datasets_prefix(self.platform)
        for emission in super().emissions():
            urn = emission.proposal.entityUrn or ""
            if not emission.primary and urn.startswith(versions) and self._history.mention(urn):
                # Whatever part says it, it is about an asset of this recipe. As one of others it would get no status,
                # and never be removed.
                yield replace(emission, primary=True)
            else:
                yield emission

    @override
    def place(self, item: Prompt) -> PlacedPrompt:
        return place_prompt(item, self.deployment)

    @override
    def _read_items(self, reader: Reader[Prompt], names: Sequence[Name]) -> Iterator[tuple[Name, Prompt]]:
        clashes = ClashFilter(deployment=self.deployment, versions_of=self._history.versions_of)
        in_order = clashes.in_order(names)
        unchanged = self._history.find_unchanged(cast(PromptReader, reader), names)
        read = super()._read_items(_ReadsWhatChanged(reader, unchanged), in_order)
        yield from clashes.without_clashes(read, names)


@dataclass(frozen=True, slots=True)
class _ReadsWhatChanged:
    """A reader that does not ask for the prompts that are ``unchanged``."""

    reader: Reader[Prompt]
    unchanged: Collection[Name]

    def names(self) -> Iterable[Name | FailedListing]:
        return self.reader.names()

    def read(self, name: Name) -> Prompt:
        return Prompt(name=name, unchanged=True) if name in self.unchanged else self.reader.read(name)

    def close(self) -> None:
        self.reader.close()
