"""Builds what ``datahub-llmops doctor`` prints: a line for each thing, by sections, and a summary."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from datahub_llmops.cli.check_page import STYLES
from datahub_llmops.net.shown import clean


def page(report: Mapping[str, Any]) -> Group:
    """Build the page for rich, from the report that ``--json`` prints."""
    parts: list[RenderableType] = []
    for section, found in groupby(report["diagnoses"], key=lambda one: one["section"]):
        parts += [Text(section, style="bold"), _section([*found])]
    counts = [
        f"{count} {verdict}"
        for verdict in STYLES
        if (count := sum(one["verdict"] == verdict for one in report["diagnoses"]))
    ]
    summary = Text(report["verdict"].upper(), style=STYLES[report["verdict"]])
    summary.append(f"  {', '.join(counts)}", style="dim")
    return Group(*parts, summary)


def _section(found: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found:
        lines = [Text(f"{clean(one['name'])}: ").append(_lines(one["message"]))]
        if one["to_do"]:
            lines.append(Text(_lines(one["to_do"]), style="dim"))
        table.add_row(Text(f"  {one['verdict']}", style=STYLES[one["verdict"]]), Group(*lines))
    return table


def _lines(text: str) -> str:
    return "\n".join(clean(line) for line in text.splitlines())
