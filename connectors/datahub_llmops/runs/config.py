"""The recipe options of ``llm-runs``, and its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from datahub.ingestion.source.state.stateful_ingestion_base import (
    StatefulIngestionConfig,
    StatefulIngestionConfigBase,
    StatefulIngestionReport,
)
from pydantic import Field

from datahub_llmops.answer_store.location import default_store
from datahub_llmops.answers.prices import PricesConfig
from datahub_llmops.answers.resolver import MapConfig
from datahub_llmops.ingestion.options import CatalogOptions
from datahub_llmops.ingestion.report import CleanReport


class RunsConfig(
    CatalogOptions, StatefulIngestionConfigBase[StatefulIngestionConfig], MapConfig, PricesConfig
):
    """Recipe options of `llm-runs`."""

    store: Path = Field(
        default_factory=lambda: Path(default_store()),
        description="The store that the hooks write, for example `/var/lib/bot/answers.db`. Default: that of this "
        "user, as in `attach`.",
    )
    application_platform: str | None = Field(
        default=None,
        description="Platform that applications are drawn on, for example `langchain`. Default: their framework.",
    )
    incidents: bool = Field(
        default=True,
        description="Whether an index whose queries are embedded with another model than it was built with gets an "
        "incident, for example `false`.",
    )
    max_embedding_runs: int = Field(
        default=100,
        ge=0,
        description="How many of the newest runs of embedding jobs become process instances, for example `10`.",
    )


@dataclass
class RunsReport(CleanReport, StatefulIngestionReport):
    """The report of a run."""

    event_not_produced_warn: bool = False
    answers_read: int = 0
    buckets: int = 0
    embedding_runs: int = 0
    applications: int = 0
    unresolved_indexes: dict[str, int] = field(default_factory=dict)
    unmatched_sources: int = 0
    records_passed_over: int = 0
    """Records of the store that cannot be understood."""
    unnamed_parts: int = 0
    """Prompts, retrievals and model calls whose name cannot be part of a URN."""
    models_that_changed: int = 0
    """Changes of the model that served where the same one was asked for."""
    models_not_observable: list[str] = field(default_factory=list)
    """Models asked for by a name that moves, such as `*-latest`, where no answer says which one served."""
    custom_aspects: str = ""
    """What was decided about typed aspects, and why."""
    store_counters: dict[str, int] = field(default_factory=dict)
