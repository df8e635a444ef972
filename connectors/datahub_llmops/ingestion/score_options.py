"""Recipe options of every source that writes scores."""

from __future__ import annotations

import re
from typing import Self

from datahub.configuration.common import AllowDenyPattern, ConfigModel
from pydantic import Field, field_validator, model_validator

from datahub_llmops.assets.observations import Limit


class Threshold(ConfigModel):
    """What the mean of a metric must be for its assertion to pass."""

    metric: str = Field(description="Name of the metric, for example `faithfulness`.")
    at_least: float | None = Field(default=None, description="Lowest mean that passes, for example `0.8`.")
    at_most: float | None = Field(default=None, description="Highest mean that passes, for example `0.1`.")
    prompt: str = Field(
        default=".*",
        description="Regular expression on the prompt's whole name, or the application's, for example `support/.*`.",
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"evaluations.thresholds: {self.metric!r} needs at_least or at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"evaluations.thresholds: {self.metric!r} has at_least above at_most")
        return self

    @field_validator("prompt")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"evaluations.thresholds: {pattern!r} is not a regular expression: {error}"
            ) from error
        return pattern

    @property
    def limit(self) -> Limit:
        """The limit as plain data."""
        return Limit(at_least=self.at_least, at_most=self.at_most)


class ScoreOptions(ConfigModel):
    """Which scores are written, and which of them have a threshold."""

    metric_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Metrics to read, by their name, for example `{deny: ['debug_.*']}`.",
    )
    thresholds: list[Threshold] = Field(
        default_factory=list,
        description="Metrics that get an assertion; the others are kept as history without a verdict.",
    )
