"""What an LLMOps tool observed of applications, as plain data: usage by day, and scores.

The tools aggregate; nothing here is a trace, and nothing holds a text of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias

from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens

JudgeKind: TypeAlias = Literal["human", "code", "llm"]
ScoreKind: TypeAlias = Literal["numeric", "boolean", "categorical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Whole days in UTC, from ``first`` to ``last``, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What an application did on one day in UTC, as the tool adds it up.

    Without ``prompt`` and ``model`` it counts the application's answers; with one of them, or both, the calls of models
    that used this version or model. A number that the tool does not state is ``None``, and ``cost`` is ``None`` too
    where the tool has no price for the model.
    """

    application: str
    day: date
    calls: int
    prompt: PromptRef | None = None
    model: str | None = None
    """``provider/model``, or the model alone if the tool does not name the provider."""
    version: str | None = None
    """Version of the application, if the tool counts by it."""
    errors: int | None = None
    tokens: Tokens = field(default_factory=Tokens)
    cost: float | None = None
    currency: str = "USD"
    milliseconds: float | None = None
    """Sum of the latencies of all calls."""
    last: datetime | None = None
    """Time of the last call, if the tool states it."""
    definition: str | None = None
    """The tool's own page of the application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedSource:
    """A source that documents of an application's answers carried: the value of a provenance field, as an edge only."""

    application: str
    field: str
    value: str
    chunks: int
    last: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Who scored: a person, code, or an LLM with its model. Another judge begins another series."""

    kind: JudgeKind
    name: str | None = None
    version: str | None = None
    model: str | None = None
    prompt: PromptRef | None = None
    """The judge's own prompt, which is not a prompt of the application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a score must be: ``at_least``, ``at_most``, or both."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        """Whether ``value`` is within the limit."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of one metric that one asset got in one experiment, or on one day of traffic.

    ``subject`` is a version of a prompt, or the name of an application. ``mean`` is that of numbers; of booleans it is
    the share that is true; categories have none. ``failed`` counts the attempts of the judge that gave no score.
    """

    metric: str
    subject: PromptRef | str
    kind: ScoreKind
    judge: Judge
    run: str
    """Identifies the run within the tool, for example the experiment's id, or the day in ISO form."""
    at: datetime
    count: int
    mean: float | None = None
    categories: Mapping[str, int] = field(default_factory=dict)
    """Category -> how often it was given. Categories that a person typed freely are not to be read."""
    unexpected: int | None = None
    """How many single scores were outside of the tool's own limit, if it says so."""
    failed: int = 0
    data_set: str | None = None
    """Name of the evaluation data set; ``None`` for traffic."""
    limit: Limit | None = None
    """The tool's own threshold of the metric."""
    url: str | None = None
