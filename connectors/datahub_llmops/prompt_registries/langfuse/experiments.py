"""Reads the scores of experiments: one listing, and the items of each, which are as many as its dataset has.

https://langfuse.com/docs/evaluation/experiments/overview
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, ScoreKind, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import ConnectorError, UnreadableError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.json_values import moment, objects, plain, text, whole
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer
from datahub_llmops.prompt_registries.langfuse.metrics import Metrics, Query, midnight, number, written_time

LOCAL_DATA: Final = "(not a dataset of Langfuse)"
MOST_ITEMS: Final = 5_000
"""The largest experiment that is read. Its items come one by one."""
_A_PAGE: Final = 100
_KINDS: Final[Mapping[object, ScoreKind]] = {
    "NUMERIC": "numeric",
    "BOOLEAN": "boolean",
    "CATEGORICAL": "categorical",
}
_SOURCES: Final = {"ANNOTATION": Judge(kind="human"), "EVAL": Judge(kind="llm")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Experiment:
    id: str
    name: str
    start: datetime
    end: datetime
    items: int
    data_set: str | None
    scores: list[Mapping[str, Any]]


class Experiments:
    """The experiments of one project."""

    def __init__(self, server: LangfuseServer, metrics: Metrics) -> None:
        self._server = server
        self._metrics = metrics
        self._data_sets = Once(self._read_data_sets)

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        """Yield the scores of the experiments that began within ``window``, for each version that one used."""
        if self._metrics.is_legacy():
            yield FailedListing(name=("experiments",), error=self._not_there(), is_item=False)
            return
        found = list(self._list(window))
        if not found:
            return
        used = self._read_prompts(window)
        if unlinked := [item for item in found if item.id not in used]:
            yield FailedListing(name=("experiments",), error=self._without_prompt(unlinked), is_item=False)
        for item in found:
            if item.items > MOST_ITEMS:
                # Nothing that a further run could do better.
                yield FailedListing(name=(item.name,), error=self._too_large(), is_item=False)
                continue
            try:
                yield from self._build(item, sorted(used.get(item.id, ())))
            except UnreadableError as error:
                yield FailedListing(name=(item.name,), error=error)

    def _list(self, window: Window) -> Iterator[_Experiment]:
        end = midnight(window.last + timedelta(days=1))
        asked: dict[str, str | int] = {
            "fromStartTime": written_time(midnight(window.first)),
            "toStartTime": written_time(end),
            "fields": "core,scores",
            "limit": _A_PAGE,
        }
        for entry in self._server.cursors("/experiments", asked):
            id, start = text(entry.get("id")), moment(entry.get("startTime"))
            if id is None or start is None:
                raise self._server.unexpected("/experiments")
            if start < end:
                yield _Experiment(
                    id=id,
                    name=text(entry.get("name")) or id,
                    start=start,
                    end=moment(entry.get("endTime")) or start,
                    items=whole(entry.get("itemCount")) or 0,
                    data_set=text(entry.get("datasetId")),
                    scores=objects(entry.get("scores")),
                )

    def _read_prompts(self, window: Window) -> Mapping[str, set[PromptRef]]:
        """Return the versions that each experiment used, as its observations tell."""
        query = Query(
            view="observations",
            dimensions=("experimentId", "promptName", "promptVersion"),
            measures=(("count", "count"),),
            present=("experimentId", "promptName"),
        )
        # An experiment that begins on the last day may go on on the next.
        longer = Window(first=window.first, last=window.last + timedelta(days=1))
        used: defaultdict[str, set[PromptRef]] = defaultdict(set)
        for values in self._metrics.totals(query, longer):
            id, name = text(values.get("experimentId")), text(values.get("promptName"))
            version = plain(values.get("promptVersion"))
            if id and name and version:
                used[id].add(PromptRef(name=name, version=version))
        return used

    def _build(self, item: _Experiment, subjects: list[PromptRef]) -> Iterator[Scores]:
        if not subjects:
            return
        rows = [
            *item.scores,
            *(score for found in self._items(item) for score in objects(found.get("scores"))),
        ]
        series: defaultdict[tuple[str, ScoreKind, str], list[object]] = defaultdict(list)
        for row in rows:
            # Corrections and remarks are texts, which nothing can be worked out from.
            kind, metric = _KINDS.get(row.get("dataType")), text(row.get("name"))
            if kind and metric:
                series[metric, kind, text(row.get("source")) or ""].append(row.get("value"))
        page = f"{self._server.address}/project/{self._server.project().id}/datasets/{item.data_set}/runs/{item.id}"
        for (metric, kind, source), values in series.items():
            for subject in subjects:
                yield Scores(
                    metric=metric,
                    subject=subject,
                    kind=kind,
                    judge=_SOURCES.get(source, Judge(kind="code")),
                    run=item.id,
                    at=item.end,
                    count=len(values),
                    mean=None if kind == "categorical" else _mean(values),
                    data_set=self._data_set(item),
                    url=page if item.data_set else None,
                )

    def _items(self, item: _Experiment) -> Iterator[Mapping[str, Any]]:
        asked: dict[str, str | int] = {
            "fromStartTime": written_time(item.start),
            "experimentId": item.id,
            "fields": "core,scores",
            "limit": _A_PAGE,
        }
        found = self._server.cursors("/experiment-items", asked)
        items = list(islice(found, MOST_ITEMS + 1))
        if len(items) > MOST_ITEMS:
            raise self._too_large()
        yield from (entry for entry in items if entry.get("experimentId") == item.id)

    def _data_set(self, item: _Experiment) -> str:
        return LOCAL_DATA if item.data_set is None else self._data_sets().get(item.data_set, item.data_set)

    def _read_data_sets(self) -> Mapping[str, str]:
        entries = self._server.pages("/v2/datasets")
        return {str(entry.get("id")): text(entry.get("name")) or str(entry.get("id")) for entry in entries}

    def _too_large(self) -> UnreadableError:
        return UnreadableError(
            f"{self._server.name}: an experiment has more than {MOST_ITEMS:,} items, which come one by one. Its scores "
            "were left out."
        )

    def _not_there(self) -> ConnectorError:
        return UnreadableError(
            f"{self._server.name}: the server keeps traces in the form of Langfuse 3, so its experiments cannot be "
            "read. Set LANGFUSE_MIGRATION_V4_WRITE_MODE to dual or events_only, as Langfuse's guide says."
        )

    def _without_prompt(self, items: list[_Experiment]) -> ConnectorError:
        return UnreadableError(
            f"{self._server.name}: {len(items):,} experiments used no prompt of Langfuse, so it is not known what "
            "their scores belong to. Link the prompt to the generation in the experiment's task."
        )


def _mean(values: list[object]) -> float | None:
    numbers = [float(value) if isinstance(value, bool) else number(value) for value in values]
    told = [value for value in numbers if value is not None]
    return sum(told) / len(told) if told and len(told) == len(values) else None
