"""Reads the scores of a Phoenix server: annotations of traffic by day, experiments by their own summaries.

https://arize.com/docs/phoenix/evaluation
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import partial
from typing import Any, Final

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, JudgeKind, ScoreKind, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import ConnectorError, UnreadableError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.http import path_part
from datahub_llmops.net.json_values import mapping, moment, objects, strings, text, whole
from datahub_llmops.prompt_registries.phoenix.aggregates import (
    IS_CALL,
    Aggregates,
    Cell,
    bounds,
    restricted,
)
from datahub_llmops.prompt_registries.phoenix.client import GRAPHQL, PhoenixServer
from datahub_llmops.prompt_registries.phoenix.usage import VERSION, Place, Usage, months

_SUMMARY: Final = "scoreCount labelCount meanScore labelFractions{label fraction}"
_SLOW: Final = 2
"""Summaries in one request. One takes ten seconds where there are hundreds of thousands of spans."""
_JUDGES: Final[Mapping[object, JudgeKind]] = {"HUMAN": "human", "LLM": "llm", "CODE": "code"}

_CONFIGS: Final = """query($after:String){annotationConfigs(first:100,after:$after){
 pageInfo{hasNextPage endCursor} edges{node{__typename ... on CategoricalAnnotationConfig{name values{label}}}}}}"""
_NAMES: Final = """query($p:ID!,$t:TimeRange!){node(id:$p){... on Project{
 spanAnnotationMetricNames(timeRange:$t) traceAnnotationMetricNames(timeRange:$t)}}}"""
_SAMPLE: Final = """query($p:ID!,$c:String!,$t:TimeRange!){node(id:$p){... on Project{
 spans(first:1,filterCondition:$c,timeRange:$t){edges{node{
 spanAnnotations{name annotatorKind} trace{traceAnnotations{name annotatorKind}}}}}}}}"""
_DATA_SETS: Final = """query($after:String){datasets(first:100,after:$after){
 pageInfo{hasNextPage endCursor} edges{node{id name experimentCount}}}}"""
_EXPERIMENTS: Final = """query($id:ID!,$after:String){node(id:$id){... on Dataset{experiments(first:100,after:$after){
 pageInfo{hasNextPage endCursor} edges{node{id name createdAt metadata
 annotationSummaries{annotationName errorCount scoreCount labelCount meanScore labelFractions{label fraction}}
 runs(first:1){edges{node{annotations(first:100){edges{node{name annotatorKind}}}}}}}}}}}}"""


@dataclass(frozen=True, slots=True)
class _Metric:
    """The annotations of one name, of spans or of whole traces."""

    annotation: str
    name: str
    """What the metric is called here. The two kinds may share a name, and are not the same."""
    of_traces: bool

    @property
    def summary(self) -> str:
        return "traceAnnotationSummary" if self.of_traces else "spanAnnotationSummary"

    @property
    def condition(self) -> str:
        """The spans that have it."""
        kept = f"{'trace_annotations' if self.of_traces else 'annotations'}[{self.annotation!r}]"
        return f"({kept}.score is not None or {kept}.label is not None)"

    def annotations(self, span: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The annotations of a span, or of its trace, of any name."""
        if self.of_traces:
            return objects(mapping(span.get("trace")).get("traceAnnotations"))
        return objects(span.get("spanAnnotations"))


class AnnotationScores:
    """A ``ScoreReader`` of one server. ``usage`` says what an application is, and which versions it used."""

    def __init__(self, server: PhoenixServer, usage: Usage) -> None:
        self._server = server
        self._usage = usage
        self._aggregates = Aggregates(server)
        self._categories = Once(self._read_categories)

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores of the traffic of each day, then those of each experiment."""
        for month in months(window):
            for place in self._usage.places(month):
                if isinstance(place, FailedListing):
                    yield place
                    continue
                try:
                    yield from list(self._of_traffic(place, month))
                except ConnectorError as error:
                    yield FailedListing(name=(place.application,), error=error)
        yield from self._of_experiments(window)

    def _of_traffic(self, place: Place, window: Window) -> Iterator[Scores]:
        start, end = bounds(window.first, window.last)
        asked = {"p": place.project, "t": {"start": start, "end": end}}
        node = mapping(self._server.ask(_NAMES, asked).get("node"))
        metrics = _metrics(
            strings(node.get("spanAnnotationMetricNames")), strings(node.get("traceAnnotationMetricNames"))
        )
        days = self._usage.active_days(place, window) if metrics else []
        if not days:
            return
        subjects: list[tuple[PromptRef | str, tuple[str, ...]]] = [(place.application, place.conditions)]
        for value, ref in self._usage.versions(place, window).items():
            if ref is not None:
                subjects.append((ref, (*place.conditions, IS_CALL, f"{VERSION} == {value!r}")))
        for metric in metrics:
            judge = self._judge(place, metric, asked)
            if judge is None:
                continue
            for subject, conditions in subjects:
                if metric.of_traces and conditions:
                    continue  # Phoenix does not restrict summaries of traces, and says nothing of it.
                cells = [Cell(day=day, conditions=conditions) for day in days]
                answers = self._aggregates.ask(
                    place.project, cells, partial(_summary_fields, metric), most=_SLOW
                )
                for cell, answer in zip(cells, answers, strict=True):
                    found = self._build(
                        mapping(answer.get(metric.summary)),
                        metric=metric.name,
                        annotation=metric.annotation,
                        subject=subject,
                        judge=judge,
                        run=cell.day.isoformat(),
                        at=datetime.combine(cell.day, time(), UTC),
                        url=f"{self._server.address}/projects/{path_part(place.project)}",
                    )
                    if found is not None:
                        yield found

    def _judge(self, place: Place, metric: _Metric, asked: Mapping[str, object]) -> Judge | None:
        """Return who gave the scores, as one of them in the window says; ``None`` if there are none here.

        The summaries do not say it.
        """
        variables = {**asked, "c": " and ".join((*place.conditions, metric.condition))}
        spans = mapping(mapping(self._server.ask(_SAMPLE, variables).get("node")).get("spans"))
        for edge in objects(spans.get("edges")):
            for annotation in metric.annotations(mapping(edge.get("node"))):
                kind = _JUDGES.get(annotation.get("annotatorKind"))
                if kind and annotation.get("name") == metric.annotation:
                    return Judge(kind=kind)
        return None

    def _of_experiments(self, window: Window) -> Iterator[Scores | FailedListing]:
        unlinked = 0
        for data_set in self._server.connection(_DATA_SETS, {}, "datasets"):
            id, name = text(data_set.get("id")), text(data_set.get("name"))
            if id is None or name is None:
                raise self._server.unexpected(GRAPHQL)
            if not data_set.get("experimentCount"):
                continue
            for experiment in self._server.connection(_EXPERIMENTS, {"id": id}, "node", "experiments"):
                created = moment(experiment.get("createdAt"))
                if created is None:
                    raise self._server.unexpected(GRAPHQL)
                if not window.first <= created.date() <= window.last:
                    continue
                ref = self._usage.find_ref(text(mapping(experiment.get("metadata")).get("prompt_version")))
                if ref is None:
                    unlinked += 1
                    continue
                yield from self._of_experiment(experiment, created, ref, name, id)
        if unlinked:
            error = UnreadableError(
                f"{self._server.name}: {unlinked} experiments name no version of a prompt, so their scores belong to "
                "none. Set prompt_version in the metadata of an experiment to the id of the version."
            )
            yield FailedListing(name=("experiments",), error=error, is_item=False)

    def _of_experiment(
        self, experiment: Mapping[str, Any], at: datetime, ref: PromptRef, data_set: str, data_set_id: str
    ) -> Iterator[Scores]:
        judges: dict[str, Judge] = {}
        for run in objects(mapping(experiment.get("runs")).get("edges")):
            annotations = mapping(mapping(run.get("node")).get("annotations"))
            for edge in objects(annotations.get("edges")):
                node = mapping(edge.get("node"))
                metric, kind = text(node.get("name")), _JUDGES.get(node.get("annotatorKind"))
                if metric and kind:
                    judges[metric] = Judge(kind=kind)
        run_id = text(experiment.get("id")) or ""
        page = f"{self._server.address}/datasets/{path_part(data_set_id)}/compare?experimentId={path_part(run_id)}"
        for summary in objects(experiment.get("annotationSummaries")):
            metric = text(summary.get("annotationName"))
            if metric is None or metric not in judges:
                continue
            found = self._build(
                summary,
                metric=metric,
                subject=ref,
                judge=judges[metric],
                run=run_id,
                at=at,
                url=page,
                data_set=data_set,
                failed=whole(summary.get("errorCount")) or 0,
            )
            if found is not None:
                yield found

    def _build(
        self,
        summary: Mapping[str, Any],
        *,
        metric: str,
        subject: PromptRef | str,
        judge: Judge,
        run: str,
        at: datetime,
        url: str,
        annotation: str | None = None,
        data_set: str | None = None,
        failed: int = 0,
    ) -> Scores | None:
        """Build the scores of a metric; ``None`` if there are none, or only words that somebody typed freely."""
        scored, labelled = whole(summary.get("scoreCount")) or 0, whole(summary.get("labelCount")) or 0
        mean = summary.get("meanScore")
        kind: ScoreKind = "numeric"
        categories: dict[str, int] = {}
        if not scored or not isinstance(mean, (int, float)):
            known = self._categories().get(annotation or metric, frozenset())
            shares = objects(summary.get("labelFractions"))
            kind, mean, scored = "categorical", None, labelled
            for share in shares:
                label, fraction = text(share.get("label")), share.get("fraction")
                if label in known and label is not None and isinstance(fraction, (int, float)):
                    categories[label] = round(fraction * labelled)
            if not categories:
                return None
        return Scores(
            metric=metric,
            subject=subject,
            kind=kind,
            judge=judge,
            run=run,
            at=at,
            count=scored,
            mean=None if mean is None else float(mean),
            categories=categories,
            failed=failed,
            data_set=data_set,
            url=url,
        )

    def _read_categories(self) -> dict[str, frozenset[str]]:
        """Return the labels of each metric that has a list of them."""
        configs = self._server.connection(_CONFIGS, {}, "annotationConfigs")
        return {
            name: frozenset(
                label for value in objects(config.get("values")) if (label := text(value.get("label")))
            )
            for config in configs
            if (name := text(config.get("name")))
        }


def _metrics(of_spans: list[str], of_traces: list[str]) -> list[_Metric]:
    """Name the metrics. Annotations of traces that share a name with those of spans are told apart."""
    spans = [_Metric(name, name, of_traces=False) for name in sorted(set(of_spans))]
    traces = [
        _Metric(name, f"{name} (trace)" if name in of_spans else name, of_traces=True)
        for name in sorted(set(of_traces))
    ]
    return [*spans, *traces]


def _summary_fields(metric: _Metric, cell: Cell, days: str) -> list[str]:
    named = f"annotationName:{json.dumps(metric.annotation)},{days}"
    return [f"{metric.summary}{restricted(named, *cell.conditions)}{{{_SUMMARY}}}"]
