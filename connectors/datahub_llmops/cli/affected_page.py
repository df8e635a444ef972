"""Builds what ``datahub-llmops affected`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from datahub_llmops.catalog.urn_text import asset_of, full_name
from datahub_llmops.cli.render import kind_of
from datahub_llmops.governance.impact import End, Impact, Index, Use
from datahub_llmops.net.shown import clean, clean_name
from datahub_llmops.queries.labels import Labels
from datahub_llmops.queries.sentences import not_confirmed

_SHOWN = 20
"""Assets of one kind that are listed by name; ``--json`` has them all."""


def page(impact: Impact, labels: Labels) -> Group:
    """Build the page for rich."""
    labels.learn(impact.owners)
    stated = (*impact.uses, *impact.not_known)
    labels.learn(urn for one in stated for urn in (asset_of(one.column), one.index or one.job))
    marks = _marks(impact)
    head = Text(clean_name(impact.name), style="bold")
    head.append(f"  {kind_of(impact.subtype, impact.type)}", style="not bold cyan")
    if impact.platform:
        head.append(f" · {clean(impact.platform)}", style="not bold dim")
    parts: list[RenderableType] = [head, *(Text(_end(one)) for one in impact.ends)]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rows: list[tuple[str, list[str]]] = [
        ("indexes", [_index(one, labels) + marks.get(one.urn, "") for one in impact.indexes]),
        ("jobs", [_named(one.name, one.owners, labels) + marks.get(one.urn, "") for one in impact.jobs]),
        ("prompts", [clean_name(one.name) + marks.get(one.urn, "") for one in impact.prompts]),
        (
            "applications",
            [
                clean_name(one.name)
                + (f" ({one.answers_a_day:,.0f} answers a day)" if one.answers_a_day is not None else "")
                + marks.get(one.urn, "")
                for one in impact.applications
            ],
        ),
        (
            "others",
            [
                f"{clean_name(one.name)} ({kind_of(one.subtype, one.type)})" + marks.get(one.urn, "")
                for one in impact.others
            ],
        ),
        ("used in", [_use(one, labels) for one in impact.uses]),
        (
            "not known",
            [
                f"{clean_name(one.job_name)} reads {labels.of(asset_of(one.column))} and does not say whether it joins "
                "or filters by its columns"
                for one in impact.not_known
            ],
        ),
    ]
    for title, lines in rows:
        if lines:
            table.add_row(Text(title, style="dim"), Text("\n".join(_cut(lines))))
    parts.append(table if table.row_count else Text("Nothing in the catalog depends on it."))
    if impact.owners:
        parts.append(Text("owners: " + ", ".join(labels.of(owner) for owner in impact.owners)))
    return Group(*parts)


def _marks(impact: Impact) -> dict[str, str]:
    """What stands behind an asset that only a join, a filter or the like affects."""
    marks = dict.fromkeys(impact.indirect, " (indirect)")
    for use in impact.uses:
        for urn in (use.job, use.index):
            if urn in marks:
                marks[urn] = f" (used in: {', '.join(use.used_in)})"
    return marks


def _use(use: Use, labels: Labels) -> str:
    way = clean_name(use.job_name) + (f" → {labels.of(use.index)}" if use.index else "")
    since = f"  {not_confirmed(use.not_confirmed_since)}" if use.not_confirmed_since else ""
    return f"{', '.join(use.used_in)}: {labels.column(use.column)} → {way}{since}"


def _cut(lines: list[str]) -> Iterator[str]:
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"and {len(lines) - _SHOWN:,} more; --json lists all"


def _end(end: End) -> str:
    when = f"retires {end.on}" if end.on else "is deprecated"
    named = end.replacement
    named = full_name(named) if named and named.startswith("urn:li:") else named
    instead = f", replacement {clean(named)}" if named else ""
    link = f", {clean(end.link)}" if end.link else ""
    return f"{when}{instead} (source: {clean(end.source)}{link})"


def _index(one: Index, labels: Labels) -> str:
    if one.chunks is None:
        again = "how many chunks it has is not known"
    elif one.tokens is None:
        again = f"{one.chunks:,} chunks, of unknown size"
    else:
        again = f"{one.chunks:,} chunks, at most {one.tokens:,} tokens to embed again"
        if one.cost is not None:
            again += f", {one.cost:,.2f} USD"
    return f"{_named(one.name, one.owners, labels)}: {again}"


def _named(name: str, owners: Iterable[str], labels: Labels) -> str:
    who = ", ".join(labels.of(owner) for owner in owners)
    return clean_name(name) + (f" (owned by {who})" if who else "")
