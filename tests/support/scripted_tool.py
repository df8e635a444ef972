"""A registry of prompts with traces and scores, which yields what a test wrote down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from pydantic import Field
from typing_extensions import override

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, RetrievedSource, Scores, Window
from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_reader import PromptReader
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource
from datahub_llmops.ingestion.prompt_registry_config import (
    ApplicationsWithSources,
    WithApplications,
    WithEvaluations,
)
from support.scripted_prompts import PLATFORM, ScriptedPromptReader

OBSERVED: list[Observed | RetrievedSource | FailedListing | Exception] = []
"""What the tool yields of applications, whatever it is asked for; an exception breaks it off."""

SCORES: list[Scores | FailedListing | Exception] = []
"""The same of scores."""

WINDOWS: list[Window] = []
"""The windows of which it was asked what applications did."""

SCORE_WINDOWS: list[Window] = []
"""The same of scores."""

NOW: list[datetime] = []
"""The time of the run."""

SOURCE = f"{__name__}.ScriptedToolSource"
"""Type of the source in a recipe."""


def on(day: int, hour: int = 12) -> datetime:
    """Some time on a day of November 2026. A run is on the 20th unless a test says otherwise."""
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def reset() -> None:
    for held in (OBSERVED, SCORES, WINDOWS, SCORE_WINDOWS):
        held.clear()
    NOW[:] = [on(20)]


def observed(day: int, calls: int = 10, application: str = "support-bot", **facts: Any) -> Observed:
    return Observed(application=application, day=date(2026, 11, day), calls=calls, **facts)


class ScriptedToolReader(ScriptedPromptReader):
    def observed(self, window: Window) -> Iterable[Observed | RetrievedSource | FailedListing]:
        WINDOWS.append(window)
        for one in OBSERVED:
            if isinstance(one, Exception):
                raise one
            yield one

    def scores(self, window: Window) -> Iterable[Scores | FailedListing]:
        SCORE_WINDOWS.append(window)
        for one in SCORES:
            if isinstance(one, Exception):
                raise one
            if not isinstance(one, Scores) or window.first <= one.at.date() <= window.last:
                yield one


class ScriptedToolConfig(PromptRegistryConfig, WithApplications, WithEvaluations):
    applications: ApplicationsWithSources | Literal[False] = Field(default_factory=ApplicationsWithSources)


@platform_name("Scripted tool", id=PLATFORM)
@config_class(ScriptedToolConfig)
@support_status(SupportStatus.ALPHA)
class ScriptedToolSource(PromptRegistrySource[ScriptedToolConfig]):
    platform = PLATFORM
    config_type = ScriptedToolConfig

    @classmethod
    @override
    def open(cls, config: ScriptedToolConfig) -> PromptReader:
        return ScriptedToolReader()

    @override
    def build_parts(self) -> Sequence[SourcePart[Prompt]]:
        [self.now] = NOW
        return super().build_parts()
