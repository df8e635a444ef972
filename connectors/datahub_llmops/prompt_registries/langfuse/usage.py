"""Reads what applications did, by day: two aggregates for each window of a month.

An application is what the option ``name`` says: Langfuse has no entity for one. Evaluators and experiments are traces
of the same project, in environments of their own; they are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, TypeAlias

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.json_values import plain, strings, text, whole
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer
from datahub_llmops.prompt_registries.langfuse.metrics import MOST_ROWS, Metrics, Query, Row, windows

ApplicationName: TypeAlias = Literal["trace_name", "environment", "release", "tag", "project"]

UNNAMED: Final = "(unnamed)"
"""In messages: what happened outside of any application."""
_DIMENSIONS: Final[Mapping[ApplicationName, tuple[str, ...]]] = {
    "trace_name": ("traceName",),
    "environment": (),  # Always asked for.
    "release": ("traceRelease",),
    "tag": ("tags",),
    "project": (),
}
_OF_TRACES: Final = {"traceName": "name", "traceRelease": "release"}
"""Names of dimensions where traces are counted, on servers that keep them in the form of Langfuse 3."""
_CALL_MEASURES: Final = (
    ("count", "count"),
    ("latency", "sum"),
    ("inputTokens", "sum"),
    ("outputTokens", "sum"),
    ("totalCost", "sum"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    application: str
    day: date
    prompt: PromptRef | None = None
    model: str | None = None


@dataclass(slots=True)
class _Sum:
    """Totals; a number that was never told stays ``None``."""

    calls: int = 0
    errors: int | None = None
    milliseconds: float | None = None
    input: int = 0
    output: int = 0
    cost: float | None = None

    @property
    def tokens(self) -> Tokens:
        """Those from a cache are part of the input. Langfuse tells 0 if it was told none."""
        return Tokens(input=self.input, output=self.output) if self.input or self.output else Tokens()

    def add(self, row: Row, *, states_errors: bool) -> None:
        calls = round(row.number("count_count") or 0)
        self.calls += calls
        if states_errors:
            self.errors = (self.errors or 0) + (calls if row.values.get("level") == "ERROR" else 0)
        if (milliseconds := row.number("sum_latency")) is not None:
            self.milliseconds = (self.milliseconds or 0.0) + milliseconds
        self.input += round(row.number("sum_inputTokens") or 0)
        self.output += round(row.number("sum_outputTokens") or 0)
        if (cost := row.number("sum_totalCost")) is not None:
            self.cost = (self.cost or 0.0) + cost


class Usage:
    """A ``UsageReader`` of one project. ``has_price`` says whether Langfuse knows what a model costs."""

    def __init__(
        self,
        server: LangfuseServer,
        metrics: Metrics,
        *,
        name: ApplicationName,
        has_price: Callable[[str], bool],
    ) -> None:
        self._server = server
        self._metrics = metrics
        self._name = name
        self._has_price = has_price

    def observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        """Yield the usage of each day, month by month."""
        for month in windows(window):
            yield from self._observed(month)

    def applications_of(self, row: Row) -> list[str]:
        """Return the names of the applications that a row counts for; none if it has no name."""
        if self._name == "project":
            return [self._server.project().name]
        if self._name == "tag":
            return sorted(set(strings(row.values.get("tags"))))
        field = {"trace_name": "traceName", "environment": "environment", "release": "traceRelease"}[
            self._name
        ]
        name = text(row.values.get(field)) or text(row.values.get(_OF_TRACES.get(field, field)))
        return [name] if name else []

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions that tell the application."""
        return _DIMENSIONS[self._name]

    @property
    def dimensions_of_scores(self) -> tuple[str, ...] | None:
        """The same for scores; ``None`` if they do not tell it: the environment of a score is not its trace's."""
        return None if self._name == "environment" else self.dimensions

    def _observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        full: set[date] = set()
        calls, unnamed = self._read_calls(window, full)
        answers = self._read_answers(window, full)
        for day in sorted(full):
            yield FailedListing(name=(day.isoformat(),), error=self._too_many(day))
        if unnamed:
            yield FailedListing(name=(UNNAMED,), error=self._without_name(unnamed), is_item=False)
        yield from self._build(
            {key: total for key, total in calls.items() if key.day not in full},
            {key: total for key, total in answers.items() if key.day not in full},
        )

    def _read_calls(self, window: Window, full: set[date]) -> tuple[dict[_Key, _Sum], int]:
        """Add up the calls of models by application, version and model, and count those of no application."""
        query = Query(
            view="observations",
            dimensions=(
                *self.dimensions,
                "environment",
                "promptName",
                "promptVersion",
                "providedModelName",
                "level",
            ),
            measures=_CALL_MEASURES,
        )
        found: defaultdict[_Key, _Sum] = defaultdict(_Sum)
        unnamed = 0
        for row in self._metrics.rows(query, window, full):
            prompt, model = _prompt_of(row), text(row.values.get("providedModelName"))
            if is_internal(row) or (prompt is None and model is None):
                continue
            applications = self.applications_of(row)
            unnamed += 0 if applications else round(row.number("count_count") or 0)
            for application in applications:
                key = _Key(application=application, day=row.day, prompt=prompt, model=model)
                found[key].add(row, states_errors=True)
        return found, unnamed

    def _read_answers(self, window: Window, full: set[date]) -> dict[_Key, _Sum]:
        """Count the answers by application: its traces, by the observation that each begins with."""
        legacy = self._metrics.is_legacy()
        if legacy:
            own = tuple(_OF_TRACES.get(field, field) for field in self.dimensions)
            # A trace has no level, and only traces with observations have a latency.
            query = Query(view="traces", dimensions=(*own, "environment"), measures=(("count", "count"),))
        else:
            query = Query(
                view="observations",
                dimensions=(*self.dimensions, "environment", "isRootObservation", "level"),
                measures=(("count", "count"), ("latency", "sum")),
            )
        found: defaultdict[_Key, _Sum] = defaultdict(_Sum)
        for row in self._metrics.rows(query, window, full):
            if is_internal(row) or not (legacy or _is_true(row.values.get("isRootObservation"))):
                continue
            for application in self.applications_of(row):
                found[_Key(application=application, day=row.day)].add(row, states_errors=not legacy)
        return found

    def _build(self, calls: Mapping[_Key, _Sum], answers: Mapping[_Key, _Sum]) -> Iterator[Observed]:
        """Build what is known of each day: the answers with all that their calls took, then the calls."""
        page = f"{self._server.address}/project/{self._server.project().id}/traces"
        of_day: defaultdict[_Key, list[Observed]] = defaultdict(list)
        for key, total in calls.items():
            of_day[_Key(application=key.application, day=key.day)].append(
                Observed(
                    application=key.application,
                    day=key.day,
                    calls=total.calls,
                    prompt=key.prompt,
                    model=key.model,
                    errors=total.errors,
                    tokens=total.tokens,
                    cost=self._cost(total, key.model),
                    milliseconds=total.milliseconds,
                    definition=page,
                )
            )
        for key in sorted({*of_day, *answers}, key=lambda key: (key.day, key.application)):
            total = answers.get(key, _Sum())
            parts = of_day.get(key, [])
            yield Observed(
                application=key.application,
                day=key.day,
                calls=total.calls,
                errors=total.errors,
                tokens=_sum_of_tokens(parts),
                cost=_sum_of_costs(parts),
                milliseconds=total.milliseconds,
                definition=page,
            )
            yield from parts

    def _cost(self, total: _Sum, model: str | None) -> float | None:
        """Return the cost; ``None`` if it is 0 because Langfuse has no price for the model, or was told no tokens."""
        if total.cost:
            return total.cost
        spent = total.input + total.output
        return 0.0 if spent and total.cost is not None and model and self._has_price(model) else None

    def _too_many(self, day: date) -> UnreadableError:
        return UnreadableError(
            f"{self._server.name}: an hour of {day} has more than {MOST_ROWS:,} combinations of application, prompt "
            "and model, which is more than Langfuse returns. Nothing of that day was read. Give traces names that "
            "repeat, or set applications.name to something coarser."
        )

    def _without_name(self, calls: int) -> UnreadableError:
        return UnreadableError(
            f"{self._server.name}: {calls:,} calls of models belong to no application, since they have no "
            f"{self._name}. They were left out. Set it around the whole trace (propagate_attributes), or choose "
            "another applications.name."
        )


def is_internal(row: Row) -> bool:
    """Whether a row counts evaluators or experiments of Langfuse itself."""
    environment = text(row.values.get("environment")) or ""
    return environment == "sdk-experiment" or environment.startswith("langfuse-")


def _prompt_of(row: Row) -> PromptRef | None:
    name, version = text(row.values.get("promptName")), plain(row.values.get("promptVersion"))
    return PromptRef(name=name, version=version) if name and version else None


def _is_true(value: object) -> bool:
    return value is True or whole(value) == 1 or value == "true"


def _sum_of_tokens(parts: list[Observed]) -> Tokens:
    told = [part.tokens for part in parts if part.tokens != Tokens()]
    if not told:
        return Tokens()
    return Tokens(
        input=sum(tokens.input or 0 for tokens in told), output=sum(tokens.output or 0 for tokens in told)
    )


def _sum_of_costs(parts: list[Observed]) -> float | None:
    """Return what all calls cost; ``None`` unless it is known for each that took tokens."""
    costs = [part.cost for part in parts if part.tokens != Tokens() or part.cost is not None]
    return None if not costs or None in costs else sum(cost for cost in costs if cost is not None)
