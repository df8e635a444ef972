"""Applications with what they used, added up by day: what every source that knows of applications fills.

Each dimension is counted by itself and never as a cross product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from datahub_llmops.answer_store.recorded import Raw, Score
from datahub_llmops.assets.observations import JudgeKind
from datahub_llmops.assets.usage import Totals
from datahub_llmops.lineage.found_by import FoundBy

DAY: Final = 86_400
MAX_SERIES: Final = 10_000
"""Series of scores in one run, about as many as ten applications have in a month with thirty metrics."""
MAX_UNNAMED_PROMPTS: Final = 20
"""Prompts without a name that an application is given in the graph, the most used ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest of several sightings of an asset."""

    when: float
    raw: Raw


class Served(NamedTuple):
    """A model that served, as the provider named it; ``None`` is what it did not say."""

    model: str | None
    fingerprint: str | None


@dataclass(slots=True, kw_only=True)
class ScoreSums:
    """Scores of one metric by one kind of judge, of one asset on one day."""

    numbers: int = 0
    """Scores that are numbers."""
    total: float = 0.0
    categories: dict[str, int] = field(default_factory=dict)
    """How often each label was given where there is no number."""
    failed: int = 0
    """Attempts of the judge that gave no score."""

    def add(self, score: Score) -> None:
        """Add a score, or equal ones."""
        if score.value is not None:
            self.numbers += score.times
            self.total += score.value
        elif score.category is not None:
            self.categories[score.category] = self.categories.get(score.category, 0) + score.times
        else:
            self.failed += score.times

    def merge(self, other: ScoreSums) -> None:
        """Add other scores of the same metric, application and day."""
        self.numbers += other.numbers
        self.total += other.total
        self.failed += other.failed
        for category, times in other.categories.items():
            self.categories[category] = self.categories.get(category, 0) + times


@dataclass(slots=True, kw_only=True)
class Application:
    """One application: the assets that it used, by URN, with the time of the last use."""

    name: str
    framework: str | None
    """``None`` if only a tool saw the application: it does not know."""
    platform: str
    job: str
    """URN of the application itself."""
    log: str
    """URN of its answer log."""
    retrievers: dict[str, float] = field(default_factory=dict)
    indexes_of: dict[str, dict[str, float]] = field(default_factory=dict)
    ways: dict[str, dict[str, set[FoundBy]]] = field(default_factory=dict)
    """How edges were found, by downstream and upstream: those of retrievers to their indexes, and of the application to
    what it used. What is not listed was found as the witness finds everything."""
    prompts: dict[str, float] = field(default_factory=dict)
    unnamed_prompts: dict[str, tuple[float, float]] = field(default_factory=dict)
    models: dict[str, float] = field(default_factory=dict)
    sources: dict[str, float] = field(default_factory=dict)
    """Datasets that its documents name as their source, where no retriever is known."""
    definition: str | None = None
    """A tool's page of the application."""
    facts: dict[str, Newest] = field(default_factory=dict)
    """Retrievers and prompts by URN, as they described themselves at their last use."""
    itself: Newest | None = None
    """Version of the application in its last answer."""
    framework_versions: dict[str, str] = field(default_factory=dict)
    """The version of each framework in the last answer that it made."""
    first: float = float("inf")
    last: float = 0.0


@dataclass(slots=True, kw_only=True)
class Rollup:
    """The totals of all counted answers. A day is the time of its start, in seconds since the epoch.

    ``host`` stands for who counted: the host of the hooks, or a tool's platform.
    """

    applications: dict[str, Application] = field(default_factory=dict)
    usage: dict[tuple[str, int, str], Totals] = field(default_factory=dict)
    """By (index, retriever, prompt or answer log, day, host)."""
    whole: dict[tuple[str, int, str], Totals] = field(default_factory=dict)
    """By (application, day, host)."""
    versions: dict[tuple[str, str, int, str], Totals] = field(default_factory=dict)
    """By (application, version, day, host); an empty version is that of answers without one."""
    models: dict[tuple[str, int, str], Totals] = field(default_factory=dict)
    """By (model, day, host)."""
    query_models: dict[str, dict[tuple[str, str], float]] = field(default_factory=dict)
    """Index -> embedding model of queries of it and host, with the time of the last."""
    served: dict[tuple[str, str], dict[int, set[Served]]] = field(default_factory=dict)
    """By (application, model asked for): the models that served on each day."""
    scores: dict[tuple[str, str, int, str, JudgeKind], ScoreSums] = field(default_factory=dict)
    """By (application, answer log or version of a prompt, day, metric, kind of judge)."""
    scores_left_out: int = 0
    """Scores beyond ``MAX_SERIES``."""
    unresolved: dict[str, int] = field(default_factory=dict)
    unnamed: int = 0
    """Prompts, retrievals and model calls whose name cannot be part of a URN. The rest of their answers counts."""
    answers: int = 0

    def add_score(self, series: tuple[str, str, int, str, JudgeKind], score: Score) -> None:
        """Add a score to its series, unless there are too many: a metric that is a text is another each time."""
        sums = self.scores.get(series)
        if sums is None:
            if len(self.scores) >= MAX_SERIES:
                self.scores_left_out += score.times
                return
            sums = self.scores[series] = ScoreSums()
        sums.add(score)

    def close_day(self, day: int) -> None:
        """Free the sets of chunks of a day that is over: those of a month would not fit into memory."""
        for (_, at, _), total in self.usage.items():
            if at == day:
                total.close()


def prompts_drawn(application: Application) -> dict[str, float]:
    """The prompts that become inputs: all named ones, and the most used unnamed ones (each rendering is a new one)."""
    ranked = sorted(application.unnamed_prompts.items(), key=lambda item: (-item[1][0], item[0]))
    return {**application.prompts, **{urn: last for urn, (_, last) in ranked[:MAX_UNNAMED_PROMPTS]}}
