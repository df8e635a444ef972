"""Writes a report as Markdown for wikis and pull requests: a table of its assets, and a Mermaid diagram. Pure.

https://github.github.com/gfm/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from datahub_llmops.catalog.urn_text import entity_type, full_name
from datahub_llmops.errors import ReportError
from datahub_llmops.report.diagram import mark_names, named
from datahub_llmops.report.mermaid import write_mermaid
from datahub_llmops.report.model import Answer, Asset, Report

_ASSETS: Final = ("Name", "Kind", "Platform", "Owners", "Terms and tags", "Checks")
_ANSWERS: Final = ("Answer", "Application", "Started", "Status", "Documents", "Sources", "Not known")
_LONGEST: Final = 200
_NOT_IN_CODE: Final = frozenset("`|\\")
"""Signs that a span of code in a table does not hold in every reader of Markdown."""
_PROSE: Final = frozenset(" .,;:-()'")


def write_markdown(report: Report) -> str:
    """Write the table of a report's assets, its diagram, and its answers. Columns are in the diagram only."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield "# Lineage"
    yield ""
    yield _summary(report)
    for note in (*_asked(report), *map(_prose, report.notes)):
        yield ""
        yield note
    if report.assets:
        yield ""
        yield from _table(_ASSETS, map(_asset_row, report.assets))
        yield ""
        yield from _diagram(report)
    if report.answers:
        yield ""
        yield "## Answers"
        yield ""
        yield from _table(_ANSWERS, (_answer_row(answer, report) for answer in report.answers))


def _summary(report: Report) -> str:
    edges = len({(edge.upstream, edge.downstream) for edge in report.edges})
    as_of = f" The newest fact is of {report.as_of[:16].replace('T', ' ')} UTC." if report.as_of else ""
    return f"{_counted(len(report.assets), 'asset')}, {_counted(edges, 'edge')}.{as_of}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _asked(report: Report) -> Iterator[str]:
    if report.roots:
        names = ", ".join(_name(report.by_urn[urn].name) for urn in report.roots if urn in report.by_urn)
        direction = " and ".join(f"{one}stream" for one in report.directions)
        hops = f", within {_counted(report.hops, 'hop')}" if report.hops is not None else ""
        yield f"Asked for: {names}, {direction}{hops}."
    if report.filters:
        yield f"Filtered by: {', '.join(f'{one.title} {_name(one.text)}' for one in report.filters)}."


def _diagram(report: Report) -> Iterator[str]:
    try:
        drawn = write_mermaid(replace(report, notes=()))
    except ReportError as error:
        yield f"No diagram: {_prose(str(error))}."
        return
    yield "```mermaid"
    yield drawn.rstrip("\n")
    yield "```"


def _table(titles: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield _row(titles)
    yield _row(("---",) * len(titles))
    yield from map(_row, rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _asset_row(asset: Asset) -> tuple[str, ...]:
    return (
        _name(asset.name),
        _name(asset.kind),
        _name(asset.platform) if asset.platform else "",
        ", ".join(_name(owner.name) for owner in asset.owners),
        ", ".join(_name(mark) for mark in mark_names(asset)),
        asset.verdict,
    )


def _answer_row(answer: Answer, report: Report) -> tuple[str, ...]:
    datasets = (urn for urn in answer.sources if entity_type(urn) == "dataset")
    names = (report.by_urn[urn].name if urn in report.by_urn else full_name(urn) for urn in datasets)
    return (
        _name(answer.id),
        _name(answer.application),
        (answer.started or "")[:16].replace("T", " "),
        _name(answer.status),
        f"{len(answer.documents):,}",
        ", ".join(map(_name, sorted(set(names)))),
        "; ".join(map(_name, answer.gaps)),
    )


def _name(text: str) -> str:
    """Write a name that is text whatever it contains: no link, no mention, no emphasis."""
    text = named(text, _LONGEST)
    if text.replace(" ", "").isalnum():
        return text
    return f"<code>{_encoded(text, frozenset(' '))}</code>" if _NOT_IN_CODE & set(text) else f"`{text}`"


def _prose(text: str) -> str:
    return _encoded(text, _PROSE)


def _encoded(text: str, plain: frozenset[str]) -> str:
    """Write as a number whatever Markdown or HTML may take for a sign of their own."""
    return "".join(letter if letter.isalnum() or letter in plain else f"&#{ord(letter)};" for letter in text)
