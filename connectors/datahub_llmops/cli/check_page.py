"""Builds what ``datahub-llmops check`` prints: the verdict, a line for each check, who owns and who uses the asset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.governance.finding import Affected, CheckReport, Finding, Verdict
from datahub_llmops.net.shown import clean, clean_name
from datahub_llmops.queries.labels import Labels

STYLES: Final[dict[Verdict, str]] = {"ok": "green", "not ok": "bold red", "not known": "yellow"}
_SHOWN: Final = 8
"""Applications that are listed by name."""


def page(report: CheckReport, labels: Labels) -> Group:
    """Build the page for rich."""
    labels.learn(urn for finding in report.findings for urn in finding.path)
    labels.learn(report.owners)
    head = Text(clean_name(report.name), style="bold")
    kind = " · ".join(clean(part) for part in (report.subtype, report.platform) if part)
    head.append(f"  {kind}  ", style="dim")
    head.append(report.verdict.upper(), style=STYLES[report.verdict])
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in report.findings:
        table.add_row(
            Text(f"  {finding.verdict}", style=STYLES[finding.verdict]),
            finding.check,
            Group(*_lines(finding, labels)),
        )
    parts: list[RenderableType] = [head, table]
    if report.owners:
        parts.append(Text("owners: " + ", ".join(clean(labels.of(owner)) for owner in report.owners)))
    parts.append(Text("affected: " + (", ".join(_users(report.affected)) or "no application is known")))
    return Group(*parts)


def _lines(finding: Finding, labels: Labels) -> Iterator[Text]:
    yield Text(clean(finding.message))
    if len(finding.path) > 1:
        way = " → ".join(clean(labels.of(urn) or full_name(urn)) for urn in finding.path)
        yield Text(f"path: {way}", style="dim")
    if finding.verdict != "ok":
        advice = finding.to_do or finding.missing
        if advice:
            yield Text(clean(advice), style="dim")


def _users(affected: tuple[Affected, ...]) -> Iterator[str]:
    for one in affected[:_SHOWN]:
        often = f" ({one.answers_a_day:,.0f} answers a day)" if one.answers_a_day is not None else ""
        yield clean_name(one.name) + often
    if len(affected) > _SHOWN:
        yield f"and {len(affected) - _SHOWN} more"
