"""Adds up the usage of one asset over the days that a catalog has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.catalog.usage_records import records_to_add
from datahub_llmops.net.json_values import whole

TYPED: Final = "llmUsage"
"""Our own time series, with tokens and cost. A server has it only with the model plugin."""
PLAIN: Final = "datasetUsageStatistics"
"""DataHub's, with calls only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotals:
    """Sums over the days that are known. A number that is not known of each day is ``None``.

    Days are in milliseconds since 1970. ``days`` is their number.
    """

    calls: int
    days: int
    first_day: int
    last_day: int
    errors: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None


def read_usage(series: Mapping[str, Sequence[Aspect]]) -> UsageTotals | None:
    """Add up the typed series of an asset, or else DataHub's own; ``None`` if it has neither."""
    return _typed(series.get(TYPED, ())) or _plain(series.get(PLAIN, ()))


def _typed(records: Iterable[Aspect]) -> UsageTotals | None:
    added = records_to_add(records)
    total = _calls(added, "calls")
    if total is None:
        return None
    costs = [record.get("cost") for record in added]
    currencies = {record.get("currency") for record in added if record.get("cost") is not None}
    known = all(isinstance(cost, (int, float)) for cost in costs) and len(currencies) == 1
    return replace(
        total,
        errors=_sum_known(record.get("errors") for record in added),
        input_tokens=_sum_known(record.get("inputTokens") for record in added),
        output_tokens=_sum_known(record.get("outputTokens") for record in added),
        cost=sum(float(cost) for cost in costs if isinstance(cost, (int, float))) if known else None,
        currency=str(next(iter(currencies))) if known else None,
    )


def _plain(records: Iterable[Aspect]) -> UsageTotals | None:
    return _calls(records_to_add(records), "totalSqlQueries")


def _calls(records: Sequence[Aspect], key: str) -> UsageTotals | None:
    days = {day for record in records if (day := whole(record.get("timestampMillis"))) is not None}
    if not days:
        return None
    return UsageTotals(
        calls=sum(whole(record.get(key)) or 0 for record in records),
        days=len(days),
        first_day=min(days),
        last_day=max(days),
    )


def _sum_known(values: Iterable[object]) -> int | None:
    found = list(values)
    numbers = [number for value in found if (number := whole(value)) is not None]
    return sum(numbers) if numbers and len(numbers) == len(found) else None
