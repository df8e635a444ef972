"""Asks Weave for feedback on calls, and keeps the numbers in it.

Weave sends payloads whole. Notes are not asked for; texts in other payloads are dropped where they arrive.
https://docs.wandb.ai/weave/guides/tracking/feedback
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from datahub_llmops.assets.observations import JudgeKind, Window
from datahub_llmops.net.json_values import mapping, moment, text
from datahub_llmops.prompt_registries.weave.client import WeaveServer
from datahub_llmops.prompt_registries.weave.days import PAGE, Day, by_day, since
from datahub_llmops.prompt_registries.weave.refs import Ref, parse_ref

_PATH: Final = "/feedback/query"
_FIELDS: Final = ("id", "feedback_type", "weave_ref", "call_ref", "runnable_ref", "created_at", "payload")
_SCORER: Final = "wandb.runnable."
_ANNOTATION: Final = "wandb.annotation."
_REACTION: Final = "wandb.reaction.1"
_NOTE: Final = "wandb.note.1"
_THUMBS: Final = {":thumbs_up:": True, ":thumbs_down:": False}
_DEEPEST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What one person, scorer or application said of one call: a number or a boolean for each metric."""

    id: str
    at: datetime
    call: str
    """Id of the call that it is about."""
    values: Mapping[str, float | bool]
    judge: JudgeKind
    scorer: Ref | None
    scored_by: tuple[str, ...]
    """Id of the call that the scorer made, if one did."""


class Feedback:
    """The feedback of one project."""

    def __init__(self, server: WeaveServer) -> None:
        self._server = server

    def by_day(self, window: Window) -> Iterator[Day[Given]]:
        """Yield feedback on calls, by the day on which it was given. Notes are left out."""
        return by_day(self._server, _PATH, window, self._page)

    def _page(self, start: datetime, offset: int) -> list[Given]:
        asked = since("created_at", start)
        is_note = {"$eq": [{"$getField": "feedback_type"}, {"$literal": _NOTE}]}
        body = {
            **asked,
            "query": {"$expr": {"$and": [asked["query"]["$expr"], {"$not": [is_note]}]}},
            "fields": list(_FIELDS),
            "limit": PAGE,
            "offset": offset,
        }
        rows = mapping(self._server.post(_PATH, body)).get("result")
        if not isinstance(rows, list):
            raise self._server.unexpected(_PATH)
        found = [parse_given(mapping(row)) for row in rows]
        given = [one for one in found if one is not None]
        if len(given) < len(rows):
            raise self._server.unexpected(_PATH)
        return given


def parse_given(entry: Mapping[str, Any]) -> Given | None:
    """Read one entry; ``None`` if it has not the shape of one."""
    id, kind, at = text(entry.get("id")), text(entry.get("feedback_type")), moment(entry.get("created_at"))
    about, made = parse_ref(entry.get("weave_ref")), parse_ref(entry.get("call_ref"))
    if id is None or kind is None or at is None or about is None:
        return None
    payload = mapping(entry.get("payload"))
    scorer = parse_ref(entry.get("runnable_ref"))
    judge: JudgeKind = "human" if kind == _REACTION or kind.startswith(_ANNOTATION) else "code"
    return Given(
        id=id,
        at=at,
        call=about.name if about.kind == "call" else "",
        values=_values(kind, payload),
        judge=judge,
        scorer=scorer if kind.startswith(_SCORER) else None,
        scored_by=(made.name,) if made is not None and made.kind == "call" else (),
    )


def _values(kind: str, payload: Mapping[str, Any]) -> dict[str, float | bool]:
    if kind == _REACTION:
        thumb = _THUMBS.get(text(payload.get("detoned_alias")) or text(payload.get("alias")) or "")
        return {} if thumb is None else {"thumbs_up": thumb}
    if kind.startswith(_SCORER):
        return dict(_numbers(kind.removeprefix(_SCORER), payload.get("output"), 0))
    if kind.startswith(_ANNOTATION):
        return dict(_numbers(kind.removeprefix(_ANNOTATION), payload.get("value"), 0))
    return dict(_numbers(kind, payload["value"] if payload.keys() == {"value"} else payload, 0))


def _numbers(name: str, value: object, depth: int) -> Iterator[tuple[str, float | bool]]:
    """Yield the numbers and booleans in a value, named by the way to them as Weave's pages do."""
    if isinstance(value, bool):
        yield name, value
    elif isinstance(value, (int, float)) and abs(value) < float("inf"):
        yield name, float(value)
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        for key, inner in value.items():
            yield from _numbers(f"{name}.{key}", inner, depth + 1)
