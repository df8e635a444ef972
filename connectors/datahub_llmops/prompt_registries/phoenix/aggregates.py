"""Asks Phoenix for sums and counts over the spans of a project, as expressions and days restrict them.

An expression is Python over one span: ``llm.model_name == 'gpt-4o' and span_kind == 'LLM'``. Nothing lists the values
of an attribute, so each value is found by one span that has none of those found before: requests grow with the number
of values, not of spans. https://arize.com/docs/phoenix/tracing/how-to-tracing/importing-and-exporting-traces
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from datahub_llmops.assets.observations import Window
from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.json_values import mapping, text, whole
from datahub_llmops.prompt_registries.phoenix.client import GRAPHQL, PhoenixServer

MOST_VALUES: Final = 200
"""Different values of an attribute that are looked for within one window of a project."""
IS_CALL: Final = "span_kind == 'LLM'"
_CELLS: Final = 6
"""Scopes in one request. Each takes up to seven aggregates, of up to a second each where there are many spans."""
_DAYS: Final = 31
"""Counts in one request. Phoenix refuses one with more than 50 aliases."""
_ON_PROJECT: Final = "node(id:$p){... on Project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The spans of one day that meet all conditions: the traces with any of them, or the calls of models."""

    day: date
    conditions: tuple[str, ...] = ()
    counts_traces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    calls: int
    errors: int
    input: int
    output: int
    cost: float | None
    """``None`` if Phoenix has no price for a part of it."""


class Aggregates:
    """Asks one server. Raises ``ConnectorError`` only."""

    def __init__(self, server: PhoenixServer) -> None:
        self._server = server

    def projects(self) -> Iterator[tuple[str, str]]:
        """Yield id and name of the projects. Phoenix leaves out those of experiments and of evaluators of datasets."""
        query = """query($after:String){projects(first:100,after:$after){
 pageInfo{hasNextPage endCursor} edges{node{id name}}}}"""
        for node in self._server.connection(query, {}, "projects"):
            id, name = text(node.get("id")), text(node.get("name"))
            if id is None or name is None:
                raise self._server.unexpected(GRAPHQL)
            yield id, name

    def count(self, project: str, cells: Sequence[Cell]) -> list[int]:
        """Count the traces or calls of each cell."""
        found = self.ask(project, cells, lambda cell, days: [_counted(cell, days)], most=_DAYS)
        return [self._count_of(cell, answer) for cell, answer in zip(cells, found, strict=True)]

    def measure(self, project: str, cells: Sequence[Cell], unpriced: Sequence[str]) -> list[Sums]:
        """Add up each cell. ``unpriced`` are the models that Phoenix has no price for."""
        names = ", ".join(repr(name) for name in unpriced)
        nameless = "llm.model_name is None"
        costless = f"({nameless} or llm.model_name in [{names}])" if names else nameless

        def fields(cell: Cell, days: str) -> list[str]:
            calls = restricted(days, *cell.conditions, IS_CALL)
            own = cell.conditions if cell.counts_traces else (*cell.conditions, IS_CALL)
            failed = restricted(days, *own, "status_code == 'ERROR'")
            free = restricted(days, *cell.conditions, IS_CALL, costless, "llm.token_count.total > 0")
            return [
                _counted(cell, days),
                f"errors:{'traceCount' if cell.counts_traces else 'recordCount'}{failed}",
                f"tokenCountPrompt{calls}",
                f"tokenCountCompletion{calls}",
                f"unpriced:recordCount{free}",
                f"costSummary{calls}{{total{{cost}}}}",
            ]

        found = self.ask(project, cells, fields)
        return [
            _sums(self._count_of(cell, answer), answer) for cell, answer in zip(cells, found, strict=True)
        ]

    def _count_of(self, cell: Cell, answer: Mapping[str, Any]) -> int:
        count = whole(answer.get("traceCount" if cell.counts_traces else "recordCount"))
        if count is None:
            raise self._server.unexpected(GRAPHQL)
        return count

    def ask(
        self,
        project: str,
        cells: Sequence[Cell],
        fields: Callable[[Cell, str], list[str]],
        most: int = _CELLS,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield what each cell is answered. ``fields`` writes them, given the time range of the cell."""
        for start in range(0, len(cells), most):
            part = cells[start : start + most]
            asked = [
                f"c{number}:{_ON_PROJECT}{{{' '.join(fields(cell, _range(cell.day)))}}}}}"
                for number, cell in enumerate(part)
            ]
            answer = self._server.ask(f"query($p:ID!){{{' '.join(asked)}}}", {"p": project})
            for number in range(len(part)):
                found = answer.get(f"c{number}")
                if not isinstance(found, Mapping):
                    raise self._server.unexpected(GRAPHQL)
                yield found

    def find_values(
        self, project: str, window: Window, attribute: str, condition: str, *path: str
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the values of an attribute, each with the attributes of one span that has it.

        ``path`` leads to the value. The texts that come with it are dropped here.
        """
        query = f"""query($p:ID!,$c:String!,$t:TimeRange!){{{_ON_PROJECT}{{
 spans(first:1,filterCondition:$c,timeRange:$t){{edges{{node{{attributes}}}}}}}}}}}}"""
        start, end = bounds(window.first, window.last)
        found: dict[str, Mapping[str, Any]] = {}
        while len(found) < MOST_VALUES:
            known = f" and {attribute} not in [{', '.join(map(repr, found))}]" if found else ""
            variables = {
                "p": project,
                "c": f"({condition}) and {attribute} is not None{known}",
                "t": {"start": start, "end": end},
            }
            spans = mapping(mapping(self._server.ask(query, variables).get("node")).get("spans"))
            edges = spans.get("edges")
            if not isinstance(edges, list):
                raise self._server.unexpected(GRAPHQL)
            if not edges:
                return list(found.items())
            value, llm = _read_value(mapping(mapping(edges[0]).get("node")).get("attributes"), path)
            if value is None or value in found:
                raise UnreadableError(
                    f"{self._server.name}: {attribute} of a span is not text, so its values cannot be listed. Write it "
                    "as text."
                )
            found[value] = llm
        raise UnreadableError(
            f"{self._server.name}: {attribute} has more than {MOST_VALUES} values between {window.first} and "
            f"{window.last}. Name things by words that repeat, or leave the application out by applications.pattern."
        )


def days_of(window: Window) -> list[date]:
    return [window.first + timedelta(days=number) for number in range((window.last - window.first).days + 1)]


def _read_value(written: object, path: Sequence[str]) -> tuple[str | None, Mapping[str, Any]]:
    """Return the value at ``path``, and the attributes of the model without its texts."""
    try:
        found: Any = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        found = None
    llm = mapping(mapping(found).get("llm"))
    for part in path:
        if isinstance(found, str):
            # Metadata may be text within text.
            try:
                found = json.loads(found)
            except (ValueError, RecursionError):
                found = None
        found = mapping(found).get(part)
    return text(found), {"provider": llm.get("provider")}


def _counted(cell: Cell, days: str) -> str:
    if cell.counts_traces:
        return f"traceCount{restricted(days, *cell.conditions)}"
    return f"recordCount{restricted(days, *cell.conditions, IS_CALL)}"


def restricted(days: str, *conditions: str) -> str:
    """Write the arguments of an aggregate."""
    if not conditions:
        return f"({days})"
    joined = " and ".join(f"({condition})" for condition in conditions)
    return f"(filterCondition:{json.dumps(joined)},{days})"


def _range(day: date) -> str:
    start, end = bounds(day, day)
    return f'timeRange:{{start:"{start}",end:"{end}"}}'


def bounds(first: date, last: date) -> tuple[str, str]:
    begin, end = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(days=1)))
    return begin.isoformat(), end.isoformat()


def _sums(calls: int, answer: Mapping[str, Any]) -> Sums:
    cost = mapping(mapping(answer.get("costSummary")).get("total")).get("cost")
    unpriced = whole(answer.get("unpriced")) != 0
    return Sums(
        calls=calls,
        errors=whole(answer.get("errors")) or 0,
        input=_number(answer.get("tokenCountPrompt")),
        output=_number(answer.get("tokenCountCompletion")),
        cost=float(cost) if isinstance(cost, (int, float)) and not unpriced else None,
    )


def _number(value: object) -> int:
    return round(value) if isinstance(value, (int, float)) else 0
