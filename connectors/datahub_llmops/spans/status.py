"""How a span ended, in the words of recorded answers."""

from __future__ import annotations

import functools
import re
from typing import Final

from datahub_llmops.spans.span import Span

_CONTROL_FLOW: Final = frozenset(
    {
        "GraphBubbleUp",
        "GraphInterrupt",
        "NodeInterrupt",
        "ParentCommand",
        "CancelledError",
        "GeneratorExit",
        "StopIteration",
        "StopAsyncIteration",
        "WorkflowCancelledByUser",
    }
)
"""Exceptions that a framework uses for control flow: no errors. The hooks have the same list."""
_QUALIFIED: Final = re.compile(r"[A-Za-z_][\w.]*")


def status_of(span: Span) -> tuple[str, str | None]:
    """Return status and error of a span: ``ok``, ``open``, ``interrupted``, or ``error`` with its class."""
    if span.error is not None:
        name = _class_of(span.error)
        return ("interrupted", None) if name in _CONTROL_FLOW else ("error", name)
    return ("ok" if span.ended else "open"), None


@functools.lru_cache(1_000)
def _class_of(error: str) -> str:
    """Return the class of an error without its module, as the hooks do, and a code such as ``429`` as it is."""
    return (
        error.rpartition(".")[2] if _QUALIFIED.fullmatch(error) and not error.endswith(".") else error[:200]
    )


def milliseconds(span: Span) -> int | None:
    """Return how long a span took, or ``None`` if its end is not known."""
    return max(0, round((span.ended - span.started) * 1000)) if span.ended else None
