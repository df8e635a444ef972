"""Asks LangSmith for statistics of runs, and which prompts and models the runs name.

Statistics are one request whatever the number of runs, but do not tell names. So names are read from metadata of runs,
up to a bound, and a count says whether any were missed. Inputs and outputs are never asked for.
https://docs.langchain.com/langsmith/trace-query-syntax
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.net.json_values import mapping, moment, text, whole
from datahub_llmops.prompt_registries.langsmith.client import V1, V2, LangSmithServer
from datahub_llmops.prompt_registries.langsmith.sessions import written_time

_STATS: Final = f"{V1}/runs/stats"
_RUNS: Final = f"{V2}/runs/query"
_A_PAGE: Final = 1_000
MOST_PAGES: Final = 5
"""The most pages of runs whose metadata are read for the names of one span and kind."""
COMMIT: Final = "lc_hub_commit_hash"
MODEL: Final = "ls_model_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Runs of one session that began from ``start`` to before ``end``."""

    session: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Statistics of some runs. Of latencies LangSmith tells percentiles, which do not add up."""

    runs: int
    errors: int | None
    tokens: Tokens
    cost: float | None
    last: datetime | None
    feedback: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The prompts and models that runs of a span name. ``whole`` says whether all runs were looked at."""

    prompts: tuple[PromptRef, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    """The name of each model -> ``provider/model``; without the provider if runs name none, or several."""
    whole: bool = True


class Traffic:
    """The runs of one workspace."""

    def __init__(self, server: LangSmithServer) -> None:
        self._server = server

    @property
    def name(self) -> str:
        """The server, as messages begin."""
        return self._server.name

    def stats(self, span: Span, **narrowed: str | bool) -> Stats:
        """Return statistics of the runs of ``span``, narrowed by what the endpoint takes: ``filter``, ``is_root``."""
        end = span.end - timedelta(milliseconds=1)  # Both ends may belong to the range.
        body: dict[str, Any] = {
            "session": [span.session],
            "start_time": written_time(span.start),
            "end_time": written_time(end),
            **narrowed,
        }
        answer = self._server.post(_STATS, body)
        runs = whole(answer.get("run_count"))
        if runs is None:
            raise self._server.unexpected(_STATS)
        rate = number(answer.get("error_rate"))
        return Stats(
            runs=runs,
            errors=None if rate is None else round(rate * runs),
            tokens=Tokens(
                input=whole(answer.get("prompt_tokens")), output=whole(answer.get("completion_tokens"))
            ),
            cost=number(answer.get("total_cost")),
            last=moment(answer.get("last_run_start_time")),
            feedback=mapping(answer.get("feedback_stats")),
        )

    def prompts(self, span: Span) -> Names:
        """Return the versions of prompts that runs of ``span`` name."""
        rows, whole = self._metadata(span, {"filter": has(COMMIT)})
        own = self._server.workspace().handle
        found = {ref for row in rows if (ref := _prompt_of(row, own))}
        return Names(prompts=tuple(sorted(found)), whole=whole)

    def models(self, span: Span) -> Names:
        """Return the models that runs of ``span`` name, as LangSmith's metadata name them."""
        rows, whole = self._metadata(span, {"run_type": "LLM", "filter": has(MODEL)})
        providers: dict[str, set[str | None]] = {}
        for row in rows:
            if (name := text(row.get(MODEL))) is not None:
                providers.setdefault(name, set()).add(text(row.get("ls_provider")))
        models = {}
        for name, known in sorted(providers.items()):
            only = known.pop() if len(known) == 1 else None
            models[name] = f"{only}/{name}" if only else name
        return Names(models=models, whole=whole)

    def _metadata(self, span: Span, narrowed: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], bool]:
        body = {
            "project_ids": [span.session],
            "min_start_time": written_time(span.start),
            "max_start_time": written_time(span.end - timedelta(milliseconds=1)),
            "selects": ["METADATA"],
            "page_size": _A_PAGE,
            **narrowed,
        }
        rows, whole = self._server.question(_RUNS, body, MOST_PAGES)
        return [mapping(row.get("metadata")) for row in rows], whole


def has(key: str) -> str:
    """The filter for runs whose metadata have a key.

    >>> has("ls_model_name")
    'eq(metadata_key, "ls_model_name")'
    """
    return f"eq(metadata_key, {json.dumps(key)})"


def holds(key: str, value: str) -> str:
    """The filter for runs whose metadata have a value at a key.

    >>> holds("lc_hub_commit_hash", "abc")
    'and(eq(metadata_key, "lc_hub_commit_hash"), eq(metadata_value, "abc"))'
    """
    return f"and({has(key)}, eq(metadata_value, {json.dumps(value)}))"


def number(value: object) -> float | None:
    """Return a number that LangSmith writes as one, or as text.

    >>> number("0.01035"), number(0.5), number(None), number("many"), number("nan")
    (0.01035, 0.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < float("inf") else None


def _prompt_of(metadata: Mapping[str, Any], own: str | None) -> PromptRef | None:
    """Return the version that a run names, under the name that the registry gives it.

    An application that pulls from its own workspace has ``-`` for the owner, or the workspace's handle. What belongs to
    another workspace keeps its owner, as the hooks name it.
    """
    repo, hash = text(metadata.get("lc_hub_repo")), text(metadata.get(COMMIT))
    if repo is None or hash is None:
        return None
    owner = text(metadata.get("lc_hub_owner"))
    return PromptRef(name=repo if owner in (None, "-", own) else f"{owner}/{repo}", version=hash)
