"""What an MLflow server saw applications do, by its own aggregates.

The requests grow with days, applications, versions of prompts and evaluations, and not with traces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import ConnectorError
from datahub_llmops.prompt_registries.mlflow.listing import quoted
from datahub_llmops.prompt_registries.mlflow.metrics import Scope
from datahub_llmops.prompt_registries.mlflow.sums import DaySums, Sums, measure
from datahub_llmops.prompt_registries.mlflow.tracking import parse_links, write_link
from datahub_llmops.prompt_registries.mlflow.traffic import Place, Traffic


def observe(traffic: Traffic) -> Iterator[Observed | FailedListing]:
    """Yield what each application did on each day; raises ``ConnectorError`` if none can be listed."""
    if failed := traffic.look_up():
        yield failed
        return
    for place in traffic.places():
        if isinstance(place, FailedListing):
            yield place
            continue
        try:
            yield from list(_observe(traffic, place))
        except ConnectorError as error:
            yield FailedListing(name=(place.application,), error=error)


def _observe(traffic: Traffic, place: Place) -> Iterator[Observed]:
    sums = _count(traffic, place.scope)
    for day, total in sorted(sums.items()):
        row = partial(
            Observed, application=place.application, day=day, version=place.version, definition=place.page
        )
        yield _whole(row, total)
        for model in total.models():
            yield row(model=model.model, calls=model.calls, errors=model.errors, cost=model.cost)
    if sums:
        yield from _observe_prompts(traffic, place)


def _observe_prompts(traffic: Traffic, place: Place) -> Iterator[Observed]:
    """Count by the text of ``mlflow.linkedPrompts``, the only way that the aggregates have.

    A version is counted where it was used alone, and with the others of its newest trace.
    """
    counted: dict[str, Sums] = {}
    for ref in place.prompts:
        seen = _last_use(traffic, place, ref)
        if seen is None:
            continue
        last, together = seen
        found: Sums = {}
        for written in sorted({write_link(ref), together}):
            if written not in counted:
                counted[written] = _count(
                    traffic, place.scope.narrowed(f"trace.tag.`mlflow.linkedPrompts` = '{written}'")
                )
            for day, total in counted[written].items():
                found.setdefault(day, DaySums()).add(total, 1)
        for day, total in sorted(found.items()):
            row = partial(
                Observed,
                application=place.application,
                day=day,
                version=place.version,
                definition=place.page,
                prompt=ref,
                last=last if last and last.date() == day else None,
            )
            yield _whole(row, total)


def _last_use(traffic: Traffic, place: Place, ref: PromptRef) -> tuple[datetime | None, str] | None:
    """The time of the newest answer with a version of a prompt, and all prompts of this answer."""
    value = quoted(f"{ref.name}/{ref.version}")
    if value is None:
        return None
    found = traffic.newest(place.scope.experiment, (*place.conditions, f"prompt = {value}"))
    if found is None:
        return None
    return found.at, found.prompts if found.prompts and ref in parse_links(found.prompts) else write_link(ref)


def _count(traffic: Traffic, scope: Scope) -> Sums:
    """Count a scope without what evaluations and judges ran in it."""
    sums = measure(traffic.metrics, scope, traffic.window)
    for term in traffic.terms(scope.experiment) if sums else ():
        part = measure(traffic.metrics, scope.narrowed(*term.conditions), traffic.window)
        for day, total in part.items():
            sums.setdefault(day, DaySums()).add(total, term.sign)
    return {day: total for day, total in sums.items() if total.calls > 0}


def _whole(row: Callable[..., Observed], total: DaySums) -> Observed:
    return row(
        calls=total.calls,
        errors=total.errors,
        tokens=total.tokens,
        cost=total.cost,
        milliseconds=total.milliseconds,
    )
