"""Experiments, applications and evaluation runs of an MLflow server, as far as usage and scores need them.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from datahub_llmops.assets.observations import Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import VanishedError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.net.json_values import mapping, mappings, moment, objects, plain, text
from datahub_llmops.prompt_registries.mlflow.facts import moment_of, tags_of
from datahub_llmops.prompt_registries.mlflow.listing import post_pages

_V2: Final = "/api/2.0/mlflow"
_TRACES: Final = "/api/3.0/mlflow/traces/search"
_A_PAGE: Final = 500
_MODELS_A_PAGE: Final = 50
"""A LoggedModel brings all its metrics and parameters along."""
_EXPERIMENTS_AT_ONCE: Final = 100
_LONGEST_RUN: Final = timedelta(days=7)
"""Runs that began earlier than this before a day are not asked for its traces."""

LINKED_PROMPTS: Final = "mlflow.linkedPrompts"
SOURCE_RUN: Final = "metadata.`mlflow.sourceRun`"
EVALUATION: Final = "genai_evaluate"
NO_TRAFFIC: Final = frozenset({EVALUATION, "test"})
"""Types of runs whose own traces are not traffic of an application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A version of an application, which ``mlflow.set_active_model`` names."""

    id: str
    name: str
    experiment: str
    prompts: tuple[PromptRef, ...] = ()
    """Versions of prompts that were ever loaded in it."""
    runs: frozenset[str] = frozenset()
    """Identifiers of the runs that evaluated it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run with a type: an evaluation, a test."""

    id: str
    experiment: str
    type: str
    started: datetime | None
    ended: datetime | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    prompts: tuple[PromptRef, ...] = ()
    data_set: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One score of one trace, without its value: who gave it."""

    metric: str
    source: str
    """``HUMAN``, ``CODE`` or ``LLM_JUDGE``."""
    by: str | None = None
    version: str | None = None
    run: str | None = None
    """The evaluation that gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is kept of a trace: none of its texts."""

    at: datetime | None
    prompts: str | None
    """The prompt versions that it used, in MLflow's own writing."""
    run: str | None = None
    """The run in which it was made."""
    ratings: tuple[Rating, ...] = ()


def parse_links(written: str | None) -> tuple[PromptRef, ...]:
    """Parse ``mlflow.linkedPrompts``: JSON in a tag.

    >>> parse_links('[{"name": "answer", "version": "2"}]')
    (PromptRef(name='answer', version='2'),)
    """
    try:
        parsed = json.loads(written or "[]")
    except (ValueError, RecursionError):
        return ()
    pairs = ((text(item.get("name")), plain(item.get("version"))) for item in objects(parsed))
    return tuple(PromptRef(name=name, version=version) for name, version in pairs if name and version)


def write_link(ref: PromptRef) -> str:
    """Write the tag of a trace that used one version only, exactly as MLflow does: filters compare its text."""
    return json.dumps([{"name": ref.name, "version": ref.version}])


def bounds(window: Window) -> tuple[int, int]:
    """The first and the last millisecond of a window, since 1970."""
    begin = datetime.combine(window.first, time(), UTC)
    end = datetime.combine(window.last + timedelta(days=1), time(), UTC)
    return int(begin.timestamp()) * 1000, int(end.timestamp()) * 1000 - 1


def days_of(window: Window) -> int:
    return (window.last - window.first).days + 1


class Tracking:
    """What the connector asks of the tracking server. Every method raises ``ConnectorError`` only."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def experiments(self) -> list[Experiment]:
        """List all experiments that are not deleted, by their identifiers.

        Raises:
            DeniedError: the user may see none, which MLflow says in an empty list.
        """
        path = f"{_V2}/experiments/search"
        found = []
        for page in post_pages(self._client, path, {"max_results": _A_PAGE}, "experiments"):
            for entry in page:
                id, name = text(entry.get("experiment_id")), text(entry.get("name"))
                if id is None or name is None:
                    raise self._client.unexpected(path)
                found.append(Experiment(id=id, name=name))
        if not found:
            self._ask_for_the_first()
        return sorted(found, key=lambda experiment: (len(experiment.id), experiment.id))

    def _ask_for_the_first(self) -> None:
        """Every server begins with experiment 0, and says 403 or 404 if it is asked for it alone."""
        try:
            self._client.get(f"{_V2}/experiments/get", {"experiment_id": "0"})
        except VanishedError:
            return

    def models(self, experiments: Iterable[Experiment]) -> list[LoggedModel]:
        """List the LoggedModels of the experiments, oldest first."""
        path = f"{_V2}/logged-models/search"
        order = [{"field_name": "creation_time", "ascending": True}]
        found: dict[str, LoggedModel] = {}
        for ids in _parts([experiment.id for experiment in experiments]):
            body = {"experiment_ids": ids, "max_results": _MODELS_A_PAGE, "order_by": order}
            for page in post_pages(self._client, path, body, "models"):
                for entry in page:
                    info = mapping(entry.get("info"))
                    id, name = text(info.get("model_id")), text(info.get("name"))
                    experiment = text(info.get("experiment_id"))
                    if id is None or name is None or experiment is None:
                        raise self._client.unexpected(path)
                    links = parse_links(tags_of(info).get(LINKED_PROMPTS))
                    metrics = objects(mapping(entry.get("data")).get("metrics"))
                    found[id] = LoggedModel(
                        id=id,
                        name=name,
                        experiment=experiment,
                        prompts=links,
                        runs=frozenset(run for metric in metrics if (run := text(metric.get("run_id")))),
                    )
        return list(found.values())

    def runs(self, experiments: Iterable[Experiment], window: Window, *, deleted: bool) -> list[Run]:
        """List the runs with a type that may have made traces within the window, those of deleted ones too."""
        path = f"{_V2}/runs/search"
        first, last = bounds(window)
        earliest = first - int(_LONGEST_RUN.total_seconds()) * 1000
        conditions = (
            "tags.`mlflow.runType` LIKE '%'",
            f"attributes.start_time >= {earliest}",
            f"attributes.start_time <= {last}",
        )
        found: dict[str, Run] = {}
        for ids in _parts([experiment.id for experiment in experiments]):
            body = {
                "experiment_ids": ids,
                "filter": " AND ".join(conditions),
                "max_results": _A_PAGE,
                "order_by": ["attributes.start_time ASC"],
                "run_view_type": "ALL" if deleted else "ACTIVE_ONLY",
            }
            for page in post_pages(self._client, path, body, "runs"):
                for entry in page:
                    run = parse_run(entry)
                    if run is None:
                        raise self._client.unexpected(path)
                    found[run.id] = run
        return list(found.values())

    def newest(self, experiment: str, window: Window, conditions: Iterable[str]) -> Sighting | None:
        """Find the newest trace of a window that meets the conditions. Its texts are dropped on arrival."""
        first, last = bounds(window)
        body = {
            "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}],
            "filter": " AND ".join((f"timestamp_ms >= {first}", f"timestamp_ms <= {last}", *conditions)),
            "max_results": 1,
            "order_by": ["timestamp_ms DESC"],
        }
        answer = mapping(self._client.post(_TRACES, body, reads=True))
        return next((_sighting(trace) for trace in mappings(answer.get("traces"))), None)


def parse_run(entry: Mapping[str, Any]) -> Run | None:
    """Parse one entry of ``runs/search``; ``None`` if it has no identifier."""
    info, data, inputs = (mapping(entry.get(part)) for part in ("info", "data", "inputs"))
    id, experiment = text(info.get("run_id")), text(info.get("experiment_id"))
    tags = tags_of(data)
    if id is None or experiment is None:
        return None
    data_sets = (mapping(item.get("dataset")) for item in objects(inputs.get("dataset_inputs")))
    return Run(
        id=id,
        experiment=experiment,
        type=tags.get("mlflow.runType", ""),
        started=moment_of(info.get("start_time")),
        ended=moment_of(info.get("end_time")),
        metrics=dict(_metrics(data)),
        prompts=parse_links(tags.get(LINKED_PROMPTS)),
        # Data that was given inline is called "dataset" by MLflow, which names nothing.
        data_set=next(
            (text(item.get("name")) for item in data_sets if item.get("source_type") != "code"), None
        ),
    )


def _metrics(data: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for metric in objects(data.get("metrics")):
        key, value = text(metric.get("key")), metric.get("value")
        if key and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield key, float(value)


def _sighting(trace: Mapping[str, Any]) -> Sighting:
    return Sighting(
        at=moment(trace.get("request_time")),
        prompts=text(mapping(trace.get("tags")).get(LINKED_PROMPTS)),
        run=text(mapping(trace.get("trace_metadata")).get("mlflow.sourceRun")),
        ratings=tuple(_ratings(trace)),
    )


def _ratings(trace: Mapping[str, Any]) -> Iterator[Rating]:
    for entry in objects(trace.get("assessments")):
        source, about = mapping(entry.get("source")), mapping(entry.get("metadata"))
        metric, kind = text(entry.get("assessment_name")), text(source.get("source_type"))
        # One that somebody overrode is no longer valid.
        if metric and kind and isinstance(entry.get("feedback"), Mapping) and entry.get("valid") is not False:
            version = about.get("mlflow.assessment.scorerVersion") or about.get(
                "mlflow.assessment.scorerDigest"
            )
            yield Rating(metric=metric, source=kind, by=text(source.get("source_id")), version=plain(version))


def _parts(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _EXPERIMENTS_AT_ONCE):
        yield ids[start : start + _EXPERIMENTS_AT_ONCE]
