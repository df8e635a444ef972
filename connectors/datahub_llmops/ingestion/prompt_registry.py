"""The source of every registry of prompts: versions, their labels and composition, and what the tool observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar

from datahub.ingestion.api.decorators import SourceCapability, capability
from typing_extensions import override

from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.ingestion.assigned_facts import AssignedFacts
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_capabilities import PromptFact
from datahub_llmops.ingestion.prompt_facts import PromptFacts
from datahub_llmops.ingestion.prompt_registry_config import PromptRegistryConfig, PromptRegistryReport
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

    @override
    def build_parts(self) -> Sequence[SourcePart[Prompt]]:
        config = self.config
        facts = PromptFacts(
            platform=self.platform,
            emitter=self.emitter,
            target=self.target,
            report=self.report,
            include_text=config.include_text,
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
        )
        # The retraction comes last: it has to know of every failure.
        return (facts, *self.observation_parts(), retraction)

    def observation_parts(self) -> Sequence[SourcePart[Prompt]]:
        """Create the parts for what the tool observed: its applications and its scores, as far as they are wanted.

        They read in ``conclusion``, from the reader that ``open`` returned.
        """
        return ()

    @override
    def place(self, item: Prompt) -> PlacedPrompt:
        return place_prompt(item, self.deployment)
