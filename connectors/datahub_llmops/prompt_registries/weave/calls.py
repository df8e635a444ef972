"""Asks Weave for calls: when each ran, what it used, and which versions of prompts its inputs refer to.

Inputs and outputs are never asked for. Which calls were given a version, Weave finds by itself: it filters by
references in inputs. Whatever a call carries beside the facts below is dropped where it arrives.
https://docs.wandb.ai/weave/reference/service-api
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from datahub_llmops.assets.observations import Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.net.json_values import mapping, moment, text, whole
from datahub_llmops.prompt_registries.weave.client import WeaveServer
from datahub_llmops.prompt_registries.weave.days import PAGE, Day, by_day, since
from datahub_llmops.prompt_registries.weave.refs import object_ref, parse_ref

_CALLS: Final = "/calls/stream_query"
_COUNT: Final = "/calls/query_stats"
_COLUMNS: Final = ("op_name", "trace_id", "parent_id", "started_at", "ended_at", "summary")
_TOGETHER: Final = 500
"""Ids in one request. Weave takes 1,000."""
_VERSIONS: Final = 250
"""Versions in one request, with two references each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """What a call, with all calls below it, used of one model."""

    calls: int
    tokens: Tokens
    cost: float | None
    """``None`` too where Weave knows no price: it then tells 0, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call, without what went in and came out."""

    id: str
    trace: str
    parent: str | None
    op: str
    at: datetime
    """When it began."""
    ended: datetime | None
    failed: bool
    milliseconds: float | None
    models: Mapping[str, ModelUse] = field(default_factory=dict)
    evaluation: str | None = None
    """The evaluation that its input ``self`` refers to, where that was asked for."""

    @property
    def is_evaluation(self) -> bool:
        """Whether it is one of Weave's own steps of an evaluation, which are not answers of an application."""
        return self.op.startswith("Evaluation.")


class Calls:
    """The calls of one project. ``versions`` lists all versions of its prompts."""

    def __init__(self, server: WeaveServer, versions: Callable[[], Sequence[PromptRef]]) -> None:
        self._server = server
        self._versions = versions

    @property
    def name(self) -> str:
        """The server, as messages begin."""
        return self._server.name

    def roots(self, window: Window) -> Iterator[Day[CallRow]]:
        """Yield the calls that no other call made, day by day."""
        return self._by_day(window, {"trace_roots_only": True})

    def given(self, ref: PromptRef, window: Window) -> Iterator[Day[CallRow]]:
        """Yield the calls whose inputs refer to a version, day by day."""
        return self._by_day(window, {"input_refs": self._refs(ref)})

    def used(self, start: datetime) -> list[PromptRef]:
        """Find the versions that any call since ``start`` was given, by halves of all versions."""
        found: list[PromptRef] = []
        versions = self._versions()
        for place in range(0, len(versions), _VERSIONS):
            found += self._used(versions[place : place + _VERSIONS], start)
        return found

    def of_ids(self, ids: Iterable[str]) -> list[CallRow]:
        """Read calls by their ids. Those that are gone are left out."""
        return list(self._chunks("call_ids", ids))

    def roots_of(self, traces: Iterable[str]) -> list[CallRow]:
        """Read the first calls of traces, and which of them are evaluations."""
        return list(self._chunks("trace_ids", traces, {"trace_roots_only": True}))

    def evaluations(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Map the ids of evaluations that ran to the name of what was run. Their inputs are references only."""
        columns = ["op_name", "started_at", "inputs.self"]
        return {row.id: row.evaluation for row in self._chunks("call_ids", ids, columns=columns)}

    def traces_given(self, ref: PromptRef, traces: Iterable[str]) -> set[str]:
        """Find those of ``traces`` in which a call was given a version."""
        return {row.trace for row in self._chunks("trace_ids", traces, {"input_refs": self._refs(ref)})}

    def _refs(self, ref: PromptRef) -> list[str]:
        """The references by which a call is given a version: itself, and the messages that it was filled into."""
        itself = object_ref(self._server.project, ref.name, ref.version)
        return [itself, f"{itself}/attr/messages/index/0/key/role"]

    def _used(self, refs: Sequence[PromptRef], start: datetime) -> list[PromptRef]:
        if not refs or not self._is_any_used(refs, start):
            return []
        if len(refs) == 1:
            return list(refs)
        half = len(refs) // 2
        return self._used(refs[:half], start) + self._used(refs[half:], start)

    def _is_any_used(self, refs: Sequence[PromptRef], start: datetime) -> bool:
        asked = {"filter": {"input_refs": [one for ref in refs for one in self._refs(ref)]}, "limit": 1}
        answer = self._server.post(_COUNT, {**asked, "query": since("started_at", start)["query"]})
        count = whole(mapping(answer).get("count"))
        if count is None:
            raise self._server.unexpected(_COUNT)
        return count > 0

    def _by_day(self, window: Window, narrowed: Mapping[str, Any]) -> Iterator[Day[CallRow]]:
        def page(start: datetime, offset: int) -> list[CallRow]:
            return self._page(narrowed, offset, _COLUMNS, **since("started_at", start))

        return by_day(self._server, _CALLS, window, page)

    def _chunks(
        self,
        key: str,
        values: Iterable[str],
        narrowed: Mapping[str, Any] | None = None,
        columns: Sequence[str] = _COLUMNS,
    ) -> Iterator[CallRow]:
        known = list(dict.fromkeys(values))
        for place in range(0, len(known), _TOGETHER):
            asked = {**(narrowed or {}), key: known[place : place + _TOGETHER]}
            offset = 0
            while found := self._page(asked, offset, columns):
                yield from found
                offset += len(found)
                if len(found) < PAGE:
                    break

    def _page(
        self, narrowed: Mapping[str, Any], offset: int, columns: Sequence[str], **more: Any
    ) -> list[CallRow]:
        body = {
            "filter": dict(narrowed),
            "columns": list(columns),
            "include_costs": "summary" in columns,
            "limit": PAGE,
            "offset": offset,
            **more,
        }
        rows = [parse_call(mapping(row)) for row in self._server.lines(_CALLS, body)]
        found = [row for row in rows if row is not None]
        if len(found) < len(rows):
            raise self._server.unexpected(_CALLS)
        return found


def parse_call(entry: Mapping[str, Any]) -> CallRow | None:
    """Read one call; ``None`` if the entry has not the shape of one."""
    id, trace, op = text(entry.get("id")), text(entry.get("trace_id")), text(entry.get("op_name"))
    at = moment(entry.get("started_at"))
    if id is None or trace is None or op is None or at is None:
        return None
    summary = mapping(entry.get("summary"))
    told = mapping(summary.get("weave"))
    ref, itself = parse_ref(op), parse_ref(mapping(entry.get("inputs")).get("self"))
    ended = moment(entry.get("ended_at"))
    return CallRow(
        id=id,
        trace=trace,
        parent=text(entry.get("parent_id")),
        op=op if ref is None else ref.name,
        at=at,
        ended=ended,
        failed=told.get("status") == "error",
        milliseconds=None if ended is None else (ended - at).total_seconds() * 1000,
        models=_models(mapping(summary.get("usage")), mapping(told.get("costs"))),
        evaluation=itself.name if itself is not None and itself.kind == "object" else None,
    )


def _models(usage: Mapping[str, Any], costs: Mapping[str, Any]) -> dict[str, ModelUse]:
    found = {}
    for model, use in usage.items():
        told = mapping(use)
        found[model] = ModelUse(
            calls=whole(told.get("requests")) or 1,
            tokens=Tokens(
                input=_first(told, "prompt_tokens", "input_tokens"),
                output=_first(told, "completion_tokens", "output_tokens"),
            ),
            cost=_cost(mapping(costs.get(model))),
        )
    return found


def _first(told: Mapping[str, Any], *names: str) -> int | None:
    """OpenAI and Anthropic name their tokens differently, and Weave keeps the provider's names."""
    return next((number for name in names if (number := whole(told.get(name))) is not None), None)


def _cost(told: Mapping[str, Any]) -> float | None:
    parts = [told.get(f"{kind}_tokens_total_cost") for kind in ("prompt", "completion")]
    numbers = [float(part) for part in parts if isinstance(part, (int, float)) and not isinstance(part, bool)]
    return sum(numbers) or None


def add_tokens(parts: Iterable[Tokens]) -> Tokens:
    """Add tokens up. A kind that one of them does not tell is not known of the sum.

    >>> add_tokens([Tokens(input=1, output=2), Tokens(input=3)])
    Tokens(input=4, cached=None, cache_write=None, output=None, reasoning=None)
    """
    found = list(parts)

    def total(kind: Callable[[Tokens], int | None]) -> int | None:
        numbers = [kind(tokens) for tokens in found]
        known = [number for number in numbers if number is not None]
        return sum(known) if known and len(known) == len(numbers) else None

    return Tokens(input=total(lambda tokens: tokens.input), output=total(lambda tokens: tokens.output))
