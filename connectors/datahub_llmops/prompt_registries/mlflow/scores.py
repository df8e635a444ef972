"""Scores that an MLflow server keeps: of evaluation runs, and of traffic by the day of the traces."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Final

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import ConnectorError, UnreadableError
from datahub_llmops.net.http import path_part
from datahub_llmops.prompt_registries.mlflow.metrics import Scope
from datahub_llmops.prompt_registries.mlflow.ratings import Values, count_values, judge_of
from datahub_llmops.prompt_registries.mlflow.tracking import EVALUATION, SOURCE_RUN, Rating, Run, Sighting
from datahub_llmops.prompt_registries.mlflow.traffic import Place, Traffic

_MEAN: Final = "/mean"
_EVER: Final = date(2020, 1, 1)
"""An evaluation may rate traces of any age; MLflow has traces since 2024."""


def read_scores(traffic: Traffic) -> Iterator[Scores | FailedListing]:
    """Yield the scores of runs that ended in the window, and of each application's traces by day.

    Raises ``ConnectorError`` if no application can be listed.
    """
    if failed := traffic.look_up():
        yield failed
        return
    for run in traffic.tracking.runs(traffic.experiments, traffic.window, deleted=False):
        if run.type != EVALUATION or run.ended is None:
            continue
        if traffic.window.first <= run.ended.date() <= traffic.window.last:
            try:
                yield from list(_of_run(traffic, run, run.ended))
            except ConnectorError as error:
                yield FailedListing(name=(run.id,), error=error)
    places: dict[str, list[Place]] = {}
    for place in traffic.places():
        if isinstance(place, FailedListing):
            yield place
        else:
            places.setdefault(place.application, []).append(place)
    for application, of_it in places.items():
        try:
            yield from list(_of_traffic(traffic, application, of_it))
        except ConnectorError as error:
            yield FailedListing(name=(application,), error=error)


def _of_run(traffic: Traffic, run: Run, ended: datetime) -> Iterator[Scores]:
    """The scores of one evaluation, for each version of a prompt that it used, and for its application."""
    subjects: list[PromptRef | str] = [*run.prompts, *sorted(traffic.applications_of(run))]
    if not subjects:
        return
    condition = f"{SOURCE_RUN} = '{run.id}'"
    ever = Window(first=_EVER, last=ended.date())
    scope = Scope(experiment=run.experiment, conditions=(f"trace.{condition}",))
    for metric, days in sorted(count_values(traffic.metrics, scope, ever).items()):
        mean = run.metrics.get(f"{metric}{_MEAN}")
        found = traffic.tracking.newest(run.experiment, ever, (condition, _rated(metric)))
        rating = _rating(found, metric, of_run=run.id)
        # Others may have rated the same traces, before and since.
        if mean is None and (rating is None or rating.run != run.id):
            continue
        values = Values()
        for part in days.values():
            values.add(part, 1)
        judge = judge_of(rating) if rating else _unknown(metric)
        for subject in subjects:
            yield Scores(
                metric=metric,
                subject=subject,
                kind=values.kind,
                judge=judge,
                run=run.id,
                at=ended,
                count=values.scored,
                mean=values.mean if mean is None else mean,
                categories=values.categories(judge),
                failed=values.failed,
                data_set=run.data_set,
                url=traffic.page(run.experiment, f"runs/{path_part(run.id)}"),
            )


def _of_traffic(traffic: Traffic, application: str, places: list[Place]) -> Iterator[Scores]:
    """The scores of all traces of an application, by day, in all its experiments and versions."""
    counted: dict[str, dict[date, Values]] = {}
    for place in places:
        parts = [(1, count_values(traffic.metrics, place.scope, traffic.window))]
        for term in traffic.terms(place.scope.experiment) if parts[0][1] else ():
            scope = place.scope.narrowed(*term.conditions)
            parts.append((term.sign, count_values(traffic.metrics, scope, traffic.window)))
        for sign, part in parts:
            for metric, days in part.items():
                for day, values in days.items():
                    counted.setdefault(metric, {}).setdefault(day, Values()).add(values, sign)
    for metric, days in sorted(counted.items()):
        left = {day: values for day, values in sorted(days.items()) if round(values.given) > 0}
        judge = _judge(traffic, places, metric) if left else None
        for day, values in left.items():
            yield Scores(
                metric=metric,
                subject=application,
                kind=values.kind,
                judge=judge or _unknown(metric),
                run=day.isoformat(),
                at=datetime.combine(day, time(), UTC),
                count=values.scored,
                mean=values.mean,
                categories=values.categories(judge) if judge else {},
                failed=values.failed,
                url=places[-1].page,
            )


def _judge(traffic: Traffic, places: list[Place], metric: str) -> Judge | None:
    """Who gave the newest score of a metric. MLflow's aggregates do not tell who scored."""
    found: list[Sighting] = []
    for place in places:
        newest = traffic.newest(place.scope.experiment, (*place.conditions, _rated(metric)))
        found += [newest] if newest else []
    last = max(found, key=lambda sighting: sighting.at or datetime.min.replace(tzinfo=UTC), default=None)
    rating = _rating(last, metric)
    return judge_of(rating) if rating else None


def _rating(found: Sighting | None, metric: str, *, of_run: str | None = None) -> Rating | None:
    ratings = [rating for rating in found.ratings if rating.metric == metric] if found else []
    own = [rating for rating in ratings if rating.run == of_run]
    return next(iter([*own, *ratings]), None)


def _rated(metric: str) -> str:
    if "`" in metric:
        raise UnreadableError(
            f"MLflow cannot be asked who scored {metric!r}: its name has a backtick. Rename it."
        )
    return f"feedback.`{metric}` IS NOT NULL"


def _unknown(metric: str) -> Judge:
    raise UnreadableError(
        f"MLflow counts scores of {metric!r}, and no trace that it returns says who gave them."
    )
