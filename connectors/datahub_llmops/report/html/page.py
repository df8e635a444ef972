"""Writes a report as one HTML file that needs nothing else: no network, no server, no second file.

Pages of assets are plain HTML that reads without JavaScript. They are in a ``noscript`` element: a browser that runs
the script keeps them as text, and the script shows the one that is asked for. So 20,000 pages cost what they weigh.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from datahub_llmops.net.shown import clean, clean_name
from datahub_llmops.report.html.graph_data import write_data
from datahub_llmops.report.html.neighbours import Neighbours
from datahub_llmops.report.model import Column, Edge, Report, Table

_SCRIPTS: Final = ("data.js", "layout.js", "list.js", "graph.js", "page.js")
_BREAK: Final = re.compile("\n+(?=<)|\n+$")
_WEB_ADDRESS: Final = re.compile(r"https?://[^\s/]", re.IGNORECASE)


def write_page(report: Report) -> bytes:
    """Write the file. The same report gives the same bytes."""
    style, script = _file("page.css"), "".join(map(_file, _SCRIPTS))
    html = (
        _templates()
        .get_template("page.html.jinja")
        .render(
            report=report,
            neighbours=Neighbours(report),
            data=Markup(write_data(report)),
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )
    # A name may have half of a surrogate pair, which UTF-8 does not have.
    return html.encode("utf-8", "backslashreplace")


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("datahub_llmops.report.html", ""),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        one_line=_one_line,
        lines=_lines,
        filled=filled,
        described=_are_described,
        runs=typed_runs,
        shared_evidence=shared_evidence,
        day=_day,
        moment=_moment,
    )
    templates.tests.update(web_address=_is_web_address)
    return templates


def _shown(value: object) -> object:
    """What a template prints of a value: in text of others, all letters are seen and none turns its direction."""
    if isinstance(value, Markup):
        return value
    return "" if value is None else clean_name(value) if isinstance(value, str) else value


def _one_line(markup: Markup) -> Markup:
    """A page without the line breaks between its elements: one line for each asset, which is what changes of one."""
    return Markup(_BREAK.sub("", markup))


def _lines(text: str) -> Markup:
    """A text with its lines."""
    return Markup("\n").join(clean(line) for line in text.splitlines())


def _are_described(columns: Iterable[Column]) -> bool:
    """Whether anything is said of some column besides its type, terms and tags."""
    return any(column.description or column.facts for column in columns)


def plain_runs(columns: Iterable[Column]) -> Iterator[list[Column]]:
    """Yield columns in order, those together that follow each other, have one type, and nothing else is said of."""
    run: list[Column] = []
    for column in columns:
        if run and (column.type != run[0].type or _is_special(column) or _is_special(run[0])):
            yield run
            run = []
        run.append(column)
    if run:
        yield run


def typed_runs(columns: Sequence[Column]) -> Iterator[tuple[list[Column], int]]:
    """Yield the runs of columns, each with the number of runs from it on that have its type; 0 if one before has."""
    for _, runs in groupby(plain_runs(columns), lambda run: run[0].type):
        rows = list(runs)
        for place, run in enumerate(rows):
            yield run, 0 if place else len(rows)


def _is_special(column: Column) -> bool:
    return bool(column.marks or column.description or column.facts)


def shared_evidence(edges: Sequence[Edge]) -> tuple[str, ...]:
    """Return what found the edges, if it is the same for all of several."""
    evidence = {edge.found_by for edge in edges}
    return next(iter(evidence)) if len(edges) > 1 and len(evidence) == 1 else ()


def _is_web_address(url: str | None) -> bool:
    """Whether a click on it opens a page: ``javascript:`` and ``file:`` do other things."""
    return url is not None and _WEB_ADDRESS.match(url) is not None


def _moment(time: str) -> str:
    """Write an ISO time for people: ``2026-11-30 14:28 UTC``."""
    return f"{time[:10]} {time[11:16]} UTC" if time[10:11] == "T" else time


def _day(time: str) -> str:
    return time[:10]


@dataclass(frozen=True, slots=True)
class FilledTable:
    """The columns of a table in which some row has a value."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def filled(table: Table) -> FilledTable:
    """Leave out the columns of a table in which no row has a value."""
    kept = [
        place
        for place in range(len(table.columns))
        if any(row[place : place + 1] > ("",) for row in table.rows)
    ]
    return FilledTable(_at(kept, table.columns), tuple(_at(kept, row) for row in table.rows))


def _at(places: Iterable[int], row: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("".join(row[place : place + 1]) for place in places)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _file(name: str) -> str:
    """Read a part of the page, without comments and indentation."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    lines = map(str.strip, text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))
