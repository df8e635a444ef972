"""Where the spans are, as plain values of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickHouseOptions:
    """The table and how to reach it.

    ``timeout_sec`` is the deadline of one statement; ClickHouse stops it by itself shortly before. ``max_days`` is how
    far back is read. ``columns`` maps the exporter's names of columns to those of the table, where they differ.
    """

    url: str
    database: str = "default"
    table: str = "otel_traces"
    user: str = "default"
    password: str | None = field(default=None, repr=False)
    timeout_sec: float = 300.0
    retry_max_times: int = 3
    ca_certificate_path: Path | None = None
    disable_ssl_verification: bool = False
    max_days: int = 30
    columns: Mapping[str, str] = field(default_factory=dict)
