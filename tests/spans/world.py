"""Spans for tests, as a door yields them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from datahub_llmops.spans.span import Span

SERVICE: Mapping[str, Any] = {"service.name": "support-bot", "service.version": "3"}
OTHER_SERVICE: Mapping[str, Any] = {"service.name": "handbook"}
BEGIN = 1_790_000_000.0

_numbers = itertools.count(1)


def span(
    name: str = "work",
    parent: Span | None = None,
    *,
    kind: str | None = None,
    resource: Mapping[str, Any] = SERVICE,
    scope: str = "openinference.instrumentation.langchain",
    error: str | None = None,
    weight: float = 1.0,
    took: float | None = 0.5,
    **attributes: Any,
) -> Span:
    """Build a span that begins after all others, below ``parent``. Two underscores in a name stand for a dot."""
    number = next(_numbers)
    given = {key.replace("__", "."): value for key, value in attributes.items()}
    if kind is not None:
        given["openinference.span.kind"] = kind
    started = BEGIN + number / 1000
    return Span(
        trace="0af7651916cd43dd8448eb211c80319c",
        id=f"{number:016x}",
        parent=parent.id if parent is not None else "",
        name=name,
        started=started,
        ended=0.0 if took is None else started + took,
        error=error,
        attributes=given,
        resource=resource,
        scope=scope,
        weight=weight,
    )
