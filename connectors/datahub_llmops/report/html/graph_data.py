"""Builds what the page's script searches, filters and draws: assets, columns and edges, as compact JSON.

Texts and lists that many assets share stand once, in ``words`` and ``lists``, and an asset has their numbers. Each
field is an array over all assets or edges; one that few of them have is an object by their places. Names and URNs are
those of the written pages. ``data.js`` is the reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, pairwise
from typing import Final, TypeAlias

from datahub_llmops.governance.finding import Verdict
from datahub_llmops.net.shown import clean_name
from datahub_llmops.report.model import Asset, Column, ColumnEdge, Edge, Mark, Report

Json: TypeAlias = "str | int | Sequence[Json] | Mapping[str, Json] | None"

VERDICTS: Final[tuple[Verdict, ...]] = ("not known", "ok", "not ok")
_NOT_IN_CATALOG: Final = 1
_CHECKED: Final = 2
_DEPRECATED: Final = 4
_VERDICT: Final = 8


class Shared:
    """Texts and lists of numbers by number, in the order in which they were first asked for."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}
        self.lists: dict[tuple[int, ...], int] = {(): 0}

    def word(self, text: str) -> int:
        """Return the number of a text, which is made safe to show."""
        return self.words.setdefault(clean_name(text), len(self.words))

    def each(self, texts: Iterable[str]) -> list[int]:
        """Return the numbers of texts, each once, in order."""
        return list(dict.fromkeys(map(self.word, texts)))

    def list(self, numbers: Iterable[int]) -> int:
        """Return the number of a list; that of an empty one is 0."""
        return self.lists.setdefault(tuple(numbers), len(self.lists))


def write_data(report: Report) -> str:
    """Write the JSON. It has no ``<``, so that it can stand in a ``script`` element whatever names contain."""
    shared = Shared()
    places = {asset.urn: place for place, asset in enumerate(report.assets)}
    data: dict[str, Json] = {
        "assets": _assets(report.assets, shared),
        "edges": _edges(report.edges, places, shared),
        "prompts": [clean_name(prompt.name) for prompt in report.prompts],
        "answers": [[clean_name(answer.id), clean_name(answer.application)] for answer in report.answers],
        "roots": [places[urn] for urn in report.roots if urn in places],
        "columns": int(report.columns),
    }
    data["words"] = list(shared.words)
    data["lists"] = list(shared.lists)
    # In ASCII: a URN may have letters that turn the direction of what stands after them.
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _assets(assets: Sequence[Asset], shared: Shared) -> Json:
    return {
        "kind": [shared.word(asset.kind) for asset in assets],
        "platform": [shared.word(asset.platform or "") for asset in assets],
        "state": [_state(asset) for asset in assets],
        "path": [shared.list(shared.each(asset.path)) for asset in assets],
        "owners": [shared.list(shared.each(owner.name for owner in asset.owners)) for asset in assets],
        "marks": [shared.list(_marks(asset.marks, shared)) for asset in assets],
        "columns": [shared.list(shared.word(column.path) for column in asset.columns) for asset in assets],
        "marked": _few(_marks_of_columns(asset.columns, shared) for asset in assets),
        "version": _few(asset.version and clean_name(asset.version) for asset in assets),
    }


def _few(values: Iterable[Json]) -> Json:
    """Values by their places, without those that are empty."""
    return {str(place): value for place, value in enumerate(values) if value}


def _state(asset: Asset) -> int:
    return (
        (0 if asset.in_catalog else _NOT_IN_CATALOG)
        | (_CHECKED if asset.checks else 0)
        | (_DEPRECATED if asset.deprecated else 0)
        | VERDICTS.index(asset.verdict) * _VERDICT
    )


def _marks(marks: Iterable[Mark], shared: Shared) -> list[int]:
    return shared.each(("#" if mark.kind == "tag" else "") + clean_name(mark.name) for mark in marks)


def _marks_of_columns(columns: Sequence[Column], shared: Shared) -> list[Json]:
    """List place and marks of each column that has some."""
    return [(place, *_marks(column.marks, shared)) for place, column in enumerate(columns) if column.marks]


def _edges(edges: Sequence[Edge], places: Mapping[str, int], shared: Shared) -> Json:
    return {
        # Edges stand by their upstream: a difference to the one before has fewer digits than a place.
        "up": _differences(places[edge.upstream] for edge in edges),
        "down": [places[edge.downstream] for edge in edges],
        "found": [shared.word(", ".join(edge.found_by)) for edge in edges],
        "columns": [shared.list(_pairs(edge, places, shared)) for edge in edges],
        "since": _few(edge.not_confirmed_since for edge in edges),
        "uses": _few([*_uses(edge, places, shared)] for edge in edges),
    }


def _differences(numbers: Iterable[int]) -> list[int]:
    return [after - before for before, after in pairwise(chain((0,), numbers))]


def _pairs(edge: Edge, places: Mapping[str, int], shared: Shared) -> Iterator[int]:
    """Yield an upstream and a downstream column in turn. A negative number before them, -1 - place, says whose the
    upstream columns are from there on; those of the edge's own upstream come first, and need none."""
    pairs = sorted(edge.columns, key=lambda pair: pair.upstream.asset != edge.upstream)
    for source, columns in groupby(pairs, _source):
        if source in places:
            if source != edge.upstream:
                yield -1 - places[source]
            for pair in columns:
                yield shared.word(pair.upstream.path)
                yield shared.word(pair.downstream.path)


def _source(pair: ColumnEdge) -> str:
    return pair.upstream.asset


def _uses(edge: Edge, places: Mapping[str, int], shared: Shared) -> Iterator[int]:
    """Yield asset, column and the words for how it is used, in turn."""
    for use in edge.uses:
        if use.column.asset in places:
            yield places[use.column.asset]
            yield shared.word(use.column.path)
            yield shared.word(", ".join(use.used_in))
