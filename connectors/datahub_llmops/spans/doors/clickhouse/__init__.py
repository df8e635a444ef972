"""Spans in the table that the OpenTelemetry Collector's `clickhouseexporter` writes: the engine adds them up."""

from __future__ import annotations

from datahub_llmops.spans.doors.clickhouse.door import ClickHouseDoor
from datahub_llmops.spans.doors.clickhouse.options import ClickHouseOptions

__all__ = ["ClickHouseDoor", "ClickHouseOptions"]
