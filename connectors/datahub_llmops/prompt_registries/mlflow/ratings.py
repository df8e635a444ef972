"""Counts assessments by their value. Which values are kept, and which are dropped on arrival.

A value is a number, a boolean, a word of a judge, or whatever a person typed.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from datahub_llmops.assets.observations import Judge, ScoreKind, Window
from datahub_llmops.prompt_registries.mlflow.listing import quoted
from datahub_llmops.prompt_registries.mlflow.metrics import Metrics, Question, Scope, TooManyError
from datahub_llmops.prompt_registries.mlflow.tracking import Rating

FEEDBACK: Final = "assessment.type = 'feedback'"
"""Not what somebody expected as an answer, which is an assessment too."""
BY_NAME: Final = Question(
    view="ASSESSMENTS", metric="assessment_count", aggregations=("COUNT",), dimensions=("assessment_name",)
)
_BY_VALUE: Final = replace(BY_NAME, dimensions=("assessment_name", "assessment_value"))
_MEAN: Final = Question(
    view="ASSESSMENTS", metric="assessment_value", aggregations=("AVG",), dimensions=("assessment_name",)
)
_YES: Final = {"yes": 1.0, "no": 0.0}
"""The words that MLflow itself counts as true and false."""
_MOST_CATEGORIES: Final = 20
_LONGEST_CATEGORY: Final = 40
_KINDS: Final = {"CODE": "code", "LLM_JUDGE": "llm", "AI_JUDGE": "llm"}


@dataclass(slots=True)
class Values:
    """The values of one metric on one day: everything in it can be added, and subtracted again."""

    given: float = 0.0
    """Assessments, those without a value too."""
    numbers: Counter[float] = field(default_factory=Counter)
    booleans: Counter[bool] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    unseen: float = 0.0
    """Assessments with more different values than MLflow returns."""
    total: float = 0.0
    """Their sum, as far as MLflow counts with them."""

    def add(self, other: Values, sign: int) -> None:
        self.given += sign * other.given
        self.unseen += sign * other.unseen
        self.total += sign * other.total
        for number, count in other.numbers.items():
            self.numbers[number] += sign * count
        for flag, count in other.booleans.items():
            self.booleans[flag] += sign * count
        for word, count in other.words.items():
            self.words[word] += sign * count

    def count_value(self, written: str, count: int) -> None:
        """Count a value as MLflow writes it, in JSON. What is not a value is an attempt that failed."""
        try:
            value = json.loads(written)
        except (ValueError, RecursionError):
            return
        if isinstance(value, bool):
            self.booleans[value] += count
        elif isinstance(value, (int, float)):
            self.numbers[float(value)] += count
        elif isinstance(value, str) and value.strip().lower() in _YES:
            self.booleans[bool(_YES[value.strip().lower()])] += count
        elif value is not None:
            self.words[value if isinstance(value, str) else ""] += count

    @property
    def scored(self) -> int:
        """Assessments that have a value."""
        return round(self.numbers.total() + self.booleans.total() + self.words.total() + self.unseen)

    @property
    def failed(self) -> int:
        """Attempts that gave no value."""
        return max(0, round(self.given) - self.scored)

    @property
    def kind(self) -> ScoreKind:
        if self.numbers.total() or (self.unseen and not self.words.total()):
            return "numeric"
        return "categorical" if self.words.total() else "boolean"

    @property
    def mean(self) -> float | None:
        """Mean of numbers, or the share that is true; ``None`` if some values are neither."""
        counted = self.numbers.total() + self.booleans.total() + self.unseen
        if not round(counted) or self.words.total():
            return None
        total = sum(number * count for number, count in self.numbers.items()) + self.booleans[True]
        return (total + self.total) / counted

    def categories(self, judge: Judge) -> dict[str, int]:
        """The words of code and of judges, if they are few and short. What a person typed is not kept."""
        found = {word: round(count) for word, count in sorted(self.words.items()) if round(count) > 0}
        short = all(0 < len(word) <= _LONGEST_CATEGORY for word in found)
        return found if judge.kind != "human" and short and len(found) <= _MOST_CATEGORIES else {}


def count_values(metrics: Metrics, scope: Scope, window: Window) -> dict[str, dict[date, Values]]:
    """Count the feedback in a scope, by metric and day of the traces."""
    scope = scope.narrowed(FEEDBACK)
    found: defaultdict[str, dict[date, Values]] = defaultdict(dict)
    for row in metrics.ask(BY_NAME, scope, window):
        found[row.dimensions[0]].setdefault(row.day, Values()).given += row.values["COUNT"]
    if not found:
        return {}
    try:
        _add_values(metrics, scope, window, found)
    except TooManyError:
        for name in found:
            _count_one(metrics, scope, window, found, name)
    return dict(found)


def _add_values(metrics: Metrics, scope: Scope, window: Window, found: dict[str, dict[date, Values]]) -> None:
    # The whole answer before anything is counted: it may turn out to be too long.
    for row in list(metrics.ask(_BY_VALUE, scope, window)):
        name, written = row.dimensions
        days = found.setdefault(name, {})
        days.setdefault(row.day, Values()).count_value(written, round(row.values["COUNT"]))


def _count_one(
    metrics: Metrics, scope: Scope, window: Window, found: dict[str, dict[date, Values]], name: str
) -> None:
    """Count one metric alone; by its mean if it has more different values than MLflow returns."""
    value = quoted(name)
    own = scope.narrowed(f"assessment.name = {value}") if value else None
    try:
        if own is not None:
            _add_values(metrics, own, window, found)
            return
    except TooManyError:
        pass
    means = {
        row.day: row.values["AVG"]
        for row in metrics.ask(_MEAN, own or scope, window)
        if row.dimensions[0] == name
    }
    for day, values in found[name].items():
        if day in means:
            values.unseen, values.total = values.given, means[day] * values.given
        else:
            values.words[""] = round(values.given)


def judge_of(rating: Rating) -> Judge:
    """Who gave a rating. A person is not named: the identifier is an address, mostly.

    >>> judge_of(Rating(metric="tone", source="LLM_JUDGE", by="openai:/gpt-4o", version="2"))
    Judge(kind='llm', name=None, version='2', model='openai/gpt-4o', prompt=None)
    """
    kind = _KINDS.get(rating.source)
    version = rating.version.removeprefix("sha256:")[:12] if rating.version else None
    if kind == "llm":
        provider, colon, model = (rating.by or "").partition(":/")
        name = f"{provider}/{model}" if colon and provider and model else None
        return Judge(kind="llm", name=None if name else rating.by, version=version, model=name)
    if kind == "code":
        return Judge(kind="code", name=rating.by, version=version)
    return Judge(kind="human")
