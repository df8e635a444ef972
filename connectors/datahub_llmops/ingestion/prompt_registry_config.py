"""Recipe options and report of every source that reads an LLMOps tool: prompts, applications, evaluations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from datahub.configuration.common import AllowDenyPattern, ConfigModel
from datahub.utilities.lossy_collections import LossyList
from pydantic import Field

from datahub_llmops.ingestion.score_options import ScoreOptions
from datahub_llmops.ingestion.source import CatalogConfig, CatalogReport
from datahub_llmops.lineage.provenance import ProvenanceConfig


class PromptRegistryConfig(CatalogConfig):
    """Options that every registry of prompts shares; a connector adds where it is."""

    prompt_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Prompts to read, by their whole name, for example `{allow: ['support/.*']}`.",
    )
    include_text: bool = Field(
        default=True,
        description="Whether the text of templates is kept, as the definition of the prompt's version. `false` keeps "
        "digest, variables and size only.",
    )
    production_labels: list[str] = Field(
        default=["production", "prod", "live", "champion"],
        description="Labels that mark the version that applications are meant to run, for example `[production]`. They "
        "decide which prompts count as orphans, and which applications as behind.",
    )
    unused_after_days: int = Field(
        default=90,
        ge=1,
        description="Days without use after which a version with a production label is an orphan, for example `30`.",
    )


class ApplicationsOptions(ConfigModel):
    """Which applications are read, out of what the tool observed. A tool adds ``name``: what it takes for one."""

    pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Applications to read, by their name, for example `{deny: ['test-.*']}`.",
    )
    platform: str | None = Field(
        default=None,
        description="Platform that applications are drawn on, for example `langchain`. Default: where the catalog has "
        "an application of this name, else `langchain`. Set it as in the recipe of `llm-runs`.",
    )
    first_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="Days that the first run reads; later runs go on from the last day that was read, for example `7`.",
    )


class ApplicationsWithSources(ApplicationsOptions):
    """Which applications are read, of a tool that also tells which documents their answers were given."""

    provenance: ProvenanceConfig = Field(
        default_factory=ProvenanceConfig,
        description="How the sources of documents in traces become datasets.",
    )


class EvaluationsOptions(ScoreOptions):
    """Which scores of a tool are read."""

    first_days: int = Field(
        default=30, ge=1, le=365, description="Days that the first run reads, for example `7`."
    )


class WithApplications(ConfigModel):
    """Option of a tool that observes applications. A tool narrows the type by its own ``ApplicationsOptions``."""

    applications: ApplicationsOptions | Literal[False] = Field(
        default_factory=ApplicationsOptions,
        description="What the tool saw applications do, by day; `false` leaves it out.",
    )


class WithEvaluations(ConfigModel):
    """Option of a tool that keeps scores."""

    evaluations: EvaluationsOptions | Literal[False] = Field(
        default_factory=EvaluationsOptions,
        description="Scores that the tool keeps; `false` leaves them out.",
    )


@dataclass
class PromptRegistryReport(CatalogReport):
    """Counts of what was found; they never contain a text."""

    prompts_unchanged: int = 0
    versions_read: int = 0
    texts_too_long: int = 0
    labels_moved: int = 0
    versions_changed: LossyList[str] = field(default_factory=LossyList)
    """Versions whose template is another one than before, under the same number."""
    findings: int = 0
    applications_observed: int = 0
    days_observed: int = 0
    sources_unmatched: int = 0
    """Values that name a source of documents, and match no rule."""
    scores_read: int = 0
    assertions: int = 0
