"""How a span ended, in the words of recorded answers."""

from __future__ import annotations

import functools
import re
from typing import Final

from datahub_llmops.spans.span import Span

CONTROL_FLOW: Final = frozenset(
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
"""Exceptions that a framework uses for control flow, not for errors. The hooks have the same list."""
MAX_ERROR: Final = 200
_CLASS: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_NO_CLASS: Final = frozenset({"error", "_OTHER", "Exception"})
"""Words for any error. LangSmith's exporter makes an ``Exception`` of every one."""
_CODE: Final = re.compile(r"\d{3}|[A-Z][A-Z_]{2,40}")
_OK: Final = ("ok", None)
_OPEN: Final = ("open", None)


def status_of(span: Span) -> tuple[str, str | None]:
    """Return status and error of a span: ``ok``, ``open``, ``interrupted``, or ``error`` with its class."""
    if span.error is not None:
        return _failed(span.error)
    return _OK if span.ended else _OPEN


@functools.lru_cache(1_000)
def _failed(error: str) -> tuple[str, str | None]:
    """Return the class of an error without its module, as the hooks do, or a code of HTTP or gRPC.

    >>> _failed("chromadb.errors.NotFoundError"), _failed("429"), _failed("langgraph.errors.GraphInterrupt")
    (('error', 'NotFoundError'), ('error', '429'), ('interrupted', None))
    >>> _failed("No articles for jane@example.org")  # A message is content.
    ('error', None)
    """
    text = error.strip()[:MAX_ERROR]
    if _CODE.fullmatch(text):
        return "error", text
    if not _CLASS.fullmatch(text) or text in _NO_CLASS:
        return "error", None
    name = text.rpartition(".")[2]
    return ("interrupted", None) if name in CONTROL_FLOW else ("error", name)


def milliseconds(span: Span) -> int | None:
    """Return how long a span took, or ``None`` if its end is not known."""
    return duration(span.started, span.ended)


def duration(started: float, ended: float) -> int | None:
    """Return the milliseconds between two times, or ``None`` if the second is not known."""
    return max(0, round((ended - started) * 1000)) if ended else None
