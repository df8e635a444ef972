"""Adds up MLflow's aggregates so that a part of the traces can be subtracted again.

MLflow knows no ``!=``: traffic without evaluations is the sum of all traces less those of each evaluation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, TypeAlias

from datahub_llmops.assets.observations import Window
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.prompt_registries.mlflow.metrics import Metrics, Question, Scope

Key: TypeAlias = tuple[str, ...]

CALLS: Final = Question(
    view="TRACES", metric="trace_count", aggregations=("COUNT",), dimensions=("trace_status",)
)
_LATENCY: Final = Question(view="TRACES", metric="latency", aggregations=("AVG",))
_TOKENS: Final = {
    "input": Question(view="TRACES", metric="input_tokens", aggregations=("SUM",)),
    "cached": Question(view="TRACES", metric="cache_read_input_tokens", aggregations=("SUM",)),
    "cache_write": Question(view="TRACES", metric="cache_creation_input_tokens", aggregations=("SUM",)),
    "output": Question(view="TRACES", metric="output_tokens", aggregations=("SUM",)),
}
_SPANS: Final = Question(view="SPANS", metric="span_count", aggregations=("COUNT",))
_BY_TYPE: Final = replace(_SPANS, dimensions=("span_type",))
_BY_MODEL: Final = replace(_SPANS, dimensions=("span_model_name", "span_status", "span_type"))
_BY_PROVIDER: Final = replace(_SPANS, dimensions=("span_model_name", "span_status", "span_model_provider"))
# The mean beside the sum tells how many calls have a cost at all.
_COST: Final = Question(
    view="SPANS", metric="total_cost", aggregations=("SUM", "AVG"), dimensions=("span_model_name",)
)
_COST_BY_PROVIDER: Final = replace(_COST, dimensions=("span_model_name", "span_model_provider"))
_FINISHED: Final = frozenset({"OK", "ERROR"})
_MODEL_CALLS: Final = frozenset({"CHAT_MODEL", "LLM", "EMBEDDING"})
"""Types of spans that cost something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSums:
    """The calls of one model. ``cost`` is ``None`` if a call that did not fail has none."""

    model: str
    calls: int
    errors: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class DaySums:
    """Everything that was counted on one day, under keys of one's own making: all of it can be added."""

    counted: defaultdict[Key, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, other: DaySums, sign: int) -> None:
        for key, value in other.counted.items():
            self.counted[key] += sign * value

    @property
    def calls(self) -> int:
        return round(self.counted["calls",])

    @property
    def errors(self) -> int:
        return round(self.counted["errors",])

    @property
    def milliseconds(self) -> float | None:
        """Sum of all latencies; ``None`` while a trace is not finished, or if MLflow has no latency."""
        known = ("milliseconds",) in self.counted and self.calls == round(self.counted["finished",])
        return self.counted["milliseconds",] if known else None

    @property
    def tokens(self) -> Tokens:
        held = {
            kind: round(self.counted["tokens", kind]) for kind in _TOKENS if ("tokens", kind) in self.counted
        }
        return Tokens(**held)

    @property
    def cost(self) -> float | None:
        """Cost of all calls of models; ``None`` unless that of each is known, and if there was none."""
        costs = [model.cost for model in self.models()]
        if not costs or None in costs or self.counted["typed",] > self.counted["typed with a model",]:
            return None
        return sum(cost for cost in costs if cost is not None)

    def models(self) -> Iterator[ModelSums]:
        """The calls of each model, under ``provider/model`` where MLflow knows the provider."""
        for name in sorted({key[1] for key in self.counted if key[0] == "model"}):
            rest = self._of("model", name)
            for provider in sorted({key[2] for key in self.counted if key[:2] == ("provider", name)}):
                part = self._of("provider", name, provider)
                rest = [whole - piece for whole, piece in zip(rest, part, strict=True)]
                yield from _model(f"{provider}/{name}", part)
            yield from _model(name, rest)

    def _of(self, *key: str) -> list[float]:
        return [self.counted[*key, what] for what in ("calls", "errors", "cost", "priced")]


def _model(name: str, numbers: list[float]) -> Iterator[ModelSums]:
    calls, errors, cost, priced = numbers
    if round(calls) > 0:
        # What failed costs nothing, as far as MLflow knows.
        known = round(priced) >= round(calls - errors) and round(priced) > 0
        yield ModelSums(model=name, calls=round(calls), errors=round(errors), cost=cost if known else None)


Sums: TypeAlias = dict[date, DaySums]


def measure(metrics: Metrics, scope: Scope, window: Window) -> Sums:
    """Count everything in a scope, by day. One request if there is nothing, else eleven."""
    found: defaultdict[date, DaySums] = defaultdict(DaySums)
    for row in metrics.ask(CALLS, scope, window):
        (status,), counted, count = row.dimensions, found[row.day].counted, row.values["COUNT"]
        counted["calls",] += count
        counted["errors",] += count if status == "ERROR" else 0
        counted["finished",] += count if status in _FINISHED else 0
    if not found:
        return {}
    for row in metrics.ask(_LATENCY, scope, window):
        counted = found[row.day].counted
        counted["milliseconds",] += row.values["AVG"] * counted["finished",]
    for kind, question in _TOKENS.items():
        for row in metrics.ask(question, scope, window):
            found[row.day].counted["tokens", kind] += row.values["SUM"]
    _measure_models(metrics, scope, window, found)
    return dict(found)


def _measure_models(
    metrics: Metrics, scope: Scope, window: Window, found: defaultdict[date, DaySums]
) -> None:
    for row in metrics.ask(_BY_TYPE, scope, window):
        if row.dimensions[0] in _MODEL_CALLS:
            found[row.day].counted["typed",] += row.values["COUNT"]
    for row in metrics.ask(_BY_MODEL, scope, window):
        name, status, kind = row.dimensions
        counted, count = found[row.day].counted, row.values["COUNT"]
        counted["model", name, "calls"] += count
        counted["model", name, "errors"] += count if status == "ERROR" else 0
        counted["typed with a model",] += count if kind in _MODEL_CALLS else 0
    for row in metrics.ask(_BY_PROVIDER, scope, window):
        name, status, provider = row.dimensions
        counted, count = found[row.day].counted, row.values["COUNT"]
        counted["provider", name, provider, "calls"] += count
        counted["provider", name, provider, "errors"] += count if status == "ERROR" else 0
    for question, prefix in ((_COST, "model"), (_COST_BY_PROVIDER, "provider")):
        for row in metrics.ask(question, scope, window):
            counted, total, mean = found[row.day].counted, row.values["SUM"], row.values["AVG"]
            counted[prefix, *row.dimensions, "cost"] += total
            # Nothing costs nothing: whether that is a price or none, a mean of 0 does not tell.
            counted[prefix, *row.dimensions, "priced"] += total / mean if mean else 0.0
