"""Takes back what was counted as ``source=spans`` before the stamp of a host arrived.

An inner span may be read before its root. Its answer counts under ``source=spans`` until the root says that a host has
recorded it. The day is then counted again without that partition, so zeros replace the records of the partition.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from datahub_llmops import urns
from datahub_llmops.assets.usage import Totals
from datahub_llmops.catalog.protocol import Aspect, FullCatalog
from datahub_llmops.catalog.usage_records import SPANS
from datahub_llmops.ingestion.applications.rollup import Application, Rollup, prompts_drawn
from datahub_llmops.net.json_values import mapping, text

_DATASET: Final = "datasetUsageStatistics"
_TYPED: Final = "llmUsage"
_CALLS: Final = {_DATASET: "totalSqlQueries", _TYPED: "calls"}
_VERSION: Final = f"{SPANS}/version="
_MILLISECONDS: Final = 1000


def take_back(
    found: Rollup,
    recorded: Iterable[tuple[str, int]],
    catalog: FullCatalog | None,
    env: str,
    *,
    typed: bool,
) -> None:
    """Add zeros for records of the catalog that whole days, counted again, do not have any more.

    Args:
        found: what was counted, with its indexes settled.
        recorded: the applications and days, in seconds since 1970, with answers that a host recorded as well.
        catalog: where the earlier records are; without it, nothing is known of them.
        env: environment of the models.
        typed: whether the catalog has typed aspects.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    if catalog is None:
        return
    days: dict[str, set[int]] = {}
    for name, day in recorded:
        days.setdefault(name, set()).add(day)
    for name, own in days.items():
        application = found.applications[name]
        log = catalog.series(application.log, _DATASET, min(own) * _MILLISECONDS)
        for day in sorted(own):
            if SPANS in _parts(log, _DATASET, day):
                _take_back_day(found, application, day, catalog, env, typed=typed)


def _take_back_day(
    found: Rollup, application: Application, day: int, catalog: FullCatalog, env: str, *, typed: bool
) -> None:
    def parts(urn: str) -> set[str]:
        names = [_DATASET] if urn.startswith("urn:li:dataset:") else []
        names += [_TYPED] if typed else []
        return {
            part
            for name in names
            for part in _parts(catalog.series(urn, name, day * _MILLISECONDS), name, day)
        }

    indexes = {index for known in application.indexes_of.values() for index in known}
    datasets = {application.log, *application.retrievers, *prompts_drawn(application), *indexes}
    models = {urns.model(name, env=env): name for name in application.models}
    for urn in datasets:
        if SPANS in parts(urn):
            found.usage.setdefault((urn, day, SPANS), Totals())
    for urn, name in models.items():
        if SPANS in parts(urn):
            found.models.setdefault((name, day, SPANS), Totals())
    of_job = parts(application.job)
    if SPANS in of_job:
        found.whole.setdefault((application.name, day, SPANS), Totals())
        versions = {part.removeprefix(_VERSION) for part in of_job if part.startswith(_VERSION)}
        for version in versions or {""}:
            nothing = Totals(first=float(day), last=float(day))
            found.versions.setdefault((application.name, version, day, SPANS), nothing)


def _parts(records: Iterable[Aspect], name: str, day: int) -> set[str]:
    """List the partitions of a day that have answers of spans alone."""
    return {
        part
        for record in records
        if record.get("timestampMillis") == day * _MILLISECONDS and record.get(_CALLS[name])
        for part in (text(mapping(record.get("partitionSpec")).get("partition")) or "",)
        if part == SPANS or part.startswith(_VERSION)
    }
