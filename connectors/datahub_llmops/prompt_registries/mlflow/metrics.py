"""Asks MLflow's aggregates over traces: sums, counts and means by day.

Only ``=`` can be asked for, conditions are joined by AND, an answer has at most 1,000 rows and no further pages, and
rows without a value of a dimension are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from datahub_llmops.assets.observations import Window
from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.net.json_values import mapping, moment, objects, text
from datahub_llmops.prompt_registries.mlflow.tracking import bounds, days_of

PATH: Final = "/api/3.0/mlflow/traces/metrics"
_MOST_ROWS: Final = 1_000
_DAY_SECONDS: Final = 86_400
_BUCKET: Final = "time_bucket"


class TooManyError(UnreadableError):
    """A day has more different values of a dimension than MLflow returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The traces that are asked about: those of an experiment that meet all conditions."""

    experiment: str
    conditions: tuple[str, ...] = ()

    def narrowed(self, *conditions: str) -> Scope:
        return Scope(experiment=self.experiment, conditions=(*self.conditions, *conditions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A metric of MLflow, its aggregations, and what it is split by besides the day."""

    view: str
    metric: str
    aggregations: tuple[str, ...]
    dimensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    day: date
    dimensions: tuple[str, ...]
    """Values in the order of the question's dimensions."""
    values: Mapping[str, float]


class Metrics:
    """Asks one server. Raises ``ConnectorError`` only."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def ask(self, question: Question, scope: Scope, window: Window) -> Iterator[Row]:
        """Yield the rows of each day; a window with more of them than one answer holds is asked for in halves.

        Raises:
            TooManyError: one day alone has too many.
        """
        rows = self._ask_once(question, scope, window)
        if len(rows) < _MOST_ROWS:
            yield from rows
        elif window.first == window.last:
            raise TooManyError(
                f"{self._client.name}: {question.metric} has more than {_MOST_ROWS - 1} different values of "
                f"{' and '.join(question.dimensions)} on {window.first}, and MLflow returns no more of them."
            )
        else:
            middle = window.first + timedelta(days=days_of(window) // 2)
            yield from self.ask(question, scope, Window(first=window.first, last=middle - timedelta(days=1)))
            yield from self.ask(question, scope, Window(first=middle, last=window.last))

    def _ask_once(self, question: Question, scope: Scope, window: Window) -> list[Row]:
        first, last = bounds(window)
        body = {
            "experiment_ids": [scope.experiment],
            "view_type": question.view,
            "metric_name": question.metric,
            "aggregations": [{"aggregation_type": name} for name in question.aggregations],
            "dimensions": list(question.dimensions),
            "filters": list(scope.conditions),
            "time_interval_seconds": _DAY_SECONDS,
            "start_time_ms": first,
            "end_time_ms": last,
            "max_results": _MOST_ROWS,
        }
        answer = mapping(self._client.post(PATH, body, reads=True))
        return [self._row(question, point) for point in objects(answer.get("data_points"))]

    def _row(self, question: Question, point: Mapping[str, object]) -> Row:
        given, values = mapping(point.get("dimensions")), mapping(point.get("values"))
        begin = moment(given.get(_BUCKET))
        dimensions = [text(given.get(name)) for name in question.dimensions]
        numbers = {
            name: float(value)
            for name in question.aggregations
            if isinstance(value := values.get(name), (int, float)) and not isinstance(value, bool)
        }
        if begin is None or len(numbers) < len(question.aggregations):
            raise self._client.unexpected(PATH)
        return Row(day=begin.date(), dimensions=tuple(value or "" for value in dimensions), values=numbers)
