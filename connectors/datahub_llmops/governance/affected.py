"""What an asset affects downstream: the applications with their answers a day, and everything on the way to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from datahub_llmops.catalog.protocol import FullCatalog, Lineage
from datahub_llmops.catalog.usage_records import records_to_add
from datahub_llmops.governance.finding import Affected
from datahub_llmops.net.json_values import whole

APPLICATION: Final = "LLM Application"
ANSWER_LOG: Final = "Answer Log"
_DAYS: Final = 30


def users_of(catalog: FullCatalog, downstream: Lineage, now: datetime) -> tuple[Affected, ...]:
    """List the applications in a walk downstream, the busiest first.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    nodes = {node.urn: node for node in downstream.nodes}
    logs: dict[str, str] = {}
    for edge in downstream.edges:
        log = nodes.get(edge.downstream)
        if log is not None and log.subtype == ANSWER_LOG:
            logs[edge.upstream] = log.urn
    since = round((now - timedelta(days=_DAYS)).timestamp() * 1000)
    found = [
        Affected(
            urn=node.urn,
            name=node.name,
            answers_a_day=_answers_a_day(catalog, logs[node.urn], since) if node.urn in logs else None,
        )
        for node in nodes.values()
        if node.subtype == APPLICATION and node.type == "dataJob"
    ]
    return tuple(sorted(found, key=lambda one: (-(one.answers_a_day or 0.0), one.name, one.urn)))


def _answers_a_day(catalog: FullCatalog, log: str, since: int) -> float | None:
    """The mean over the days on which answers were counted; ``None`` if none were."""
    records = records_to_add(catalog.series(log, "datasetUsageStatistics", since))
    days = {record.get("timestampMillis") for record in records}
    answers = sum(whole(record.get("totalSqlQueries")) or 0 for record in records)
    return answers / len(days) if days else None
