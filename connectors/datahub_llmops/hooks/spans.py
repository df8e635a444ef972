"""Finds the current OpenTelemetry span, and has it stamped. Without a span that is recorded, this is all that runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from datahub_llmops.hooks import guard
from datahub_llmops.hooks.parts import Answer, ModelCall, Part

CONTEXT: Final = "opentelemetry.context"
"""The module that an application has loaded if it uses OpenTelemetry; before that there is nothing to ask."""


def find_span() -> Any:
    """Return the current span if it is recorded, or ``None``. Importing OpenTelemetry is left to the application."""
    # Ask for the context first: it is empty in most calls, and asking for the span takes three times as long.
    current = (_get_context or _find_api)()
    if not current:
        return None
    span = _get_span(current)
    return span if span.is_recording() else None


_get_context: Callable[[], Any] | None = None
_get_span: Callable[[Any], Any]
"""OpenTelemetry's own functions, once the application has loaded them: looking them up takes as long as asking."""
_stamps: Any = None
"""The module ``span_stamps``, once there was a span."""


def _find_api() -> Any:
    """Keep OpenTelemetry's functions, and return the current context."""
    global _get_context, _get_span
    get_context = getattr(sys.modules.get(CONTEXT), "get_current", None)
    get_span = getattr(sys.modules.get("opentelemetry.trace"), "get_current_span", None)
    if get_context is None or get_span is None:
        return None
    _get_context, _get_span = get_context, get_span
    return get_context()


def _load_stamps() -> Any:
    global _stamps
    from datahub_llmops.hooks import span_stamps

    _stamps = span_stamps
    return span_stamps


def begin(answer: Answer) -> None:
    """Remember the current span when an answer begins. It is stamped together with the first part."""
    try:
        span = find_span()
        if span is not None:
            answer.stamps = (_stamps or _load_stamps()).find_stamps(span)
            answer.span = span
    except Exception as error:  # noqa: BLE001 - guarded here: a tracer may do anything
        guard.pass_over("spans.begin", error)


def end_part(answer: Answer, part: Part, recorded: bool) -> None:
    """Stamp the current span when a part ends, else the one in which the answer began."""
    if (
        type(part) is ModelCall
        and (part.prompt is None or part.prompt.stamped)
        and (answer.stamped or answer.span is None)
    ):
        return
    try:
        # As in ``find_span``: each call is felt here.
        current = (_get_context or _find_api)()
        span = _get_span(current) if current else answer.span
        if span is None:
            return
        if not span.is_recording():
            span = answer.span
            if span is None or not span.is_recording():
                return
        (_stamps or _load_stamps()).stamp_part(span, answer, part, recorded)
    except Exception as error:  # noqa: BLE001 - guarded here: a tracer may do anything
        guard.pass_over("spans.end_part", error)


def end(answer: Answer, recorded: bool) -> None:
    """Stamp the span of an answer with what is left, and let go of it: the answer waits for the store now."""
    try:
        if answer.span.is_recording():
            _stamps.stamp_rest(answer, recorded)
    except Exception as error:  # noqa: BLE001 - guarded here: a tracer may do anything
        guard.pass_over("spans.end", error)
    answer.span = answer.stamps = None
