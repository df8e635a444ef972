"""Builds what the page's script searches, filters and draws: assets, columns and edges, as compact JSON.

Words that many assets share stand once, in ``words``, and an asset has their numbers. Names and URNs are those of the
written pages. ``data.js`` is the reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, TypeAlias

from datahub_llmops.governance.finding import Verdict
from datahub_llmops.net.shown import clean
from datahub_llmops.report.model import Asset, Column, ColumnEdge, Edge, Mark, Report

Json: TypeAlias = "str | int | Sequence[Json] | Mapping[str, Json] | None"

VERDICTS: Final[tuple[Verdict, ...]] = ("not known", "ok", "not ok")
_NOT_IN_CATALOG: Final = 1
_CHECKED: Final = 2
_DEPRECATED: Final = 4


@dataclass(slots=True)
class Words:
    """Texts by number, in the order in which they were first asked for."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """Return the number of a text, which is made safe to show."""
        return self.numbers.setdefault(clean(text), len(self.numbers))

    def many(self, texts: Iterable[str]) -> list[int]:
        """Return the numbers of texts, each once, in order."""
        return list(dict.fromkeys(map(self.number, texts)))


def write_data(report: Report) -> str:
    """Write the JSON. It has no ``<``, so that it can stand in a ``script`` element whatever names contain."""
    words = Words()
    places = {asset.urn: place for place, asset in enumerate(report.assets)}
    data: dict[str, Json] = {
        "assets": [_asset(asset, words) for asset in report.assets],
        "edges": [_edge(edge, places, words) for edge in report.edges],
        "prompts": [clean(prompt.name) for prompt in report.prompts],
        "answers": [[clean(answer.id), clean(answer.application)] for answer in report.answers],
        "roots": [places[urn] for urn in report.roots if urn in places],
        "columns": int(report.columns),
    }
    data["words"] = list(words.numbers)
    # In ASCII: a URN may have letters that turn the direction of what stands after them.
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _asset(asset: Asset, words: Words) -> Json:
    return _trimmed(
        [
            words.number(asset.kind),
            words.number(asset.platform or ""),
            VERDICTS.index(asset.verdict),
            _flags(asset),
            words.many(asset.path),
            words.many(owner.name for owner in asset.owners),
            _marks(asset.marks, words),
            [words.number(column.path) for column in asset.columns],
            _marks_of_columns(asset.columns, words),
            asset.version and clean(asset.version),
        ]
    )


def _flags(asset: Asset) -> int:
    return (
        (0 if asset.in_catalog else _NOT_IN_CATALOG)
        | (_CHECKED if asset.checks else 0)
        | (_DEPRECATED if asset.deprecated else 0)
    )


def _marks(marks: Iterable[Mark], words: Words) -> list[int]:
    return words.many(("#" if mark.kind == "tag" else "") + mark.name for mark in marks)


def _marks_of_columns(columns: Sequence[Column], words: Words) -> list[Json]:
    """List place and marks of each column that has some."""
    return [(place, *_marks(column.marks, words)) for place, column in enumerate(columns) if column.marks]


def _edge(edge: Edge, places: Mapping[str, int], words: Words) -> Json:
    return _trimmed(
        [
            places[edge.upstream],
            places[edge.downstream],
            words.number(", ".join(edge.found_by)),
            [
                # Most columns come from the end of the edge itself, and need no place of their own.
                [*_pairs(pairs, words)]
                if source == edge.upstream
                else [-1 - places[source], *_pairs(pairs, words)]
                for source, pairs in groupby(edge.columns, lambda pair: pair.upstream.asset)
                if source in places
            ],
            edge.not_confirmed_since,
            [
                number
                for use in edge.uses
                if use.column.asset in places
                for number in (
                    places[use.column.asset],
                    words.number(use.column.path),
                    words.number(", ".join(use.used_in)),
                )
            ],
        ]
    )


def _pairs(pairs: Iterable[ColumnEdge], words: Words) -> Iterator[int]:
    for pair in pairs:
        yield words.number(pair.upstream.path)
        yield words.number(pair.downstream.path)


def _trimmed(row: list[Json]) -> list[Json]:
    """Leave out what is empty at the end."""
    while row and not row[-1]:
        row.pop()
    return row
