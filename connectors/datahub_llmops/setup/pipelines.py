"""Examines how the last run of each pipeline ended, and how long ago: by what local catalogs say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from datahub_llmops.catalog.local.pipeline_runs import KEPT_DAYS, PipelineRun, read
from datahub_llmops.errors import CatalogError
from datahub_llmops.net.shown import clean
from datahub_llmops.setup import words
from datahub_llmops.setup.diagnosis import Diagnosis
from datahub_llmops.setup.recipes import Recipe

_DAY: Final = 86_400.0
_NO_RECIPE: Final = (
    f"run its recipe, which is not among these. If it is gone for good, the catalog forgets it {KEPT_DAYS} days after "
    "the run."
)


def read_runs(where: str) -> tuple[PipelineRun, ...] | None:
    """Read the last runs that a catalog knows; ``None`` if it cannot be read, which ``examine_catalog`` explains."""
    try:
        return read(Path(where).expanduser())
    except CatalogError:
        return None


def run_of(recipe: Recipe, runs: Sequence[PipelineRun]) -> PipelineRun | None:
    """Return the last run of the pipeline of a recipe."""
    return next((run for run in runs if run.key == recipe.pipeline), None)


def examine_pipelines(
    where: str, runs: Sequence[PipelineRun], recipes: Sequence[Recipe], now: float, most_days: float
) -> list[Diagnosis]:
    """Examine the last runs into one catalog. ``recipes`` are those that write it."""
    return [*_ended(where, runs, recipes, now, most_days), *_never(where, runs, recipes)]


def _ended(
    where: str, runs: Sequence[PipelineRun], recipes: Sequence[Recipe], now: float, most_days: float
) -> Iterator[Diagnosis]:
    for run in runs:
        recipe = next((one.name for one in recipes if one.pipeline == run.key), None)
        yield _judged(where, run, recipe, now, most_days)


def _judged(where: str, run: PipelineRun, recipe: str | None, now: float, most_days: float) -> Diagnosis:
    since = words.age(now - run.ended / 1_000)
    again = f"datahub ingest -c {recipe}" if recipe else _NO_RECIPE
    name = _name(run, where)
    if run.outcome == "SUCCESS":
        if now - run.ended / 1_000 > most_days * _DAY:
            return Diagnosis(
                section="pipelines",
                name=name,
                verdict="not ok",
                message=f"It ended well, but {since}: what is in the catalog is stale.",
                to_do=f"Run it, and schedule it: {again}",
            )
        return Diagnosis(section="pipelines", name=name, verdict="ok", message=f"It ended well {since}.")
    if run.outcome == "UNKNOWN":
        return Diagnosis(
            section="pipelines",
            name=name,
            verdict="not known",
            message=f"It ran {since}, and the catalog does not know how it ended.",
            to_do=f"Run it again: {again}",
        )
    how = "failed" if run.outcome == "FAILURE" else "was stopped"
    before = "has never ended well" if run.succeeded is None else _before(now - run.succeeded / 1_000)
    return Diagnosis(
        section="pipelines",
        name=name,
        verdict="not ok",
        message=f"It {how} {since}, and {before}.",
        to_do=f"Run it, and read the end of its report: {again}",
    )


def _before(seconds: float) -> str:
    return f"ended well for the last time {words.age(seconds)}"


def _never(where: str, runs: Sequence[PipelineRun], recipes: Sequence[Recipe]) -> Iterator[Diagnosis]:
    for recipe in recipes:
        if run_of(recipe, runs) is None:
            yield Diagnosis(
                section="pipelines",
                name=f"{recipe.name} into {clean(where)}",
                verdict="not known",
                message="The catalog knows no run of it.",
                to_do=f"Run it: datahub ingest -c {recipe.name}",
            )


def _name(run: PipelineRun, where: str) -> str:
    instance = f" ({run.instance})" if run.instance else ""
    named = run.pipeline or "without pipeline_name"
    return clean(f"{named}, {run.source}{instance}, into {where}")
