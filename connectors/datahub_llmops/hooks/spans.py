"""Finds the OpenTelemetry span in force, and has it stamped. Without a span that is recorded, this is all that runs."""

from __future__ import annotations

import sys
from typing import Any, Final

from datahub_llmops.hooks import guard
from datahub_llmops.hooks.parts import Answer, ModelCall, Part

CONTEXT: Final = "opentelemetry.context"
"""The module that an application has loaded if it uses OpenTelemetry; before that there is nothing to ask."""


def find_span() -> Any:
    """Return the span in force if it is recorded, or ``None``. Importing OpenTelemetry is left to the application."""
    # Ask for the context first: it is empty in most calls, and asking for the span takes three times as long.
    context = sys.modules.get(CONTEXT)
    current = context.get_current() if context is not None else None
    if not current:
        return None
    trace = sys.modules.get("opentelemetry.trace")
    span = trace.get_current_span(current) if trace is not None else None
    return span if span is not None and span.is_recording() else None


def begin(answer: Answer, *, recorded: bool) -> None:
    """Stamp the span in force with what is known when an answer begins."""
    try:
        span = find_span()
        if span is not None:
            from datahub_llmops.hooks import span_stamps

            answer.span = span
            span_stamps.stamp_answer(span, answer, recorded=recorded)
    except Exception as error:  # noqa: BLE001 - guarded here: a tracer may do anything
        guard.pass_over("spans.begin", error)


def end_part(answer: Answer, part: Part, *, recorded: bool) -> None:
    """Stamp the span in force when a part ends, else the one that the answer began in."""
    if type(part) is ModelCall and (part.prompt is None or part.prompt.stamped):
        return
    try:
        span = find_span() or answer.span
        if span is not None and span.is_recording():
            from datahub_llmops.hooks import span_stamps

            span_stamps.stamp_part(span, answer, part, recorded=recorded)
    except Exception as error:  # noqa: BLE001 - guarded here: a tracer may do anything
        guard.pass_over("spans.end_part", error)


def end(answer: Answer, *, recorded: bool) -> None:
    """Stamp the span of an answer with what is left, and let go of it: the answer waits for the store now."""
    try:
        span, answer.span = answer.span, None
        if span.is_recording():
            from datahub_llmops.hooks import span_stamps

            span_stamps.stamp_prompts(span, answer, recorded=recorded)
    except Exception as error:  # noqa: BLE001 - guarded here: a tracer may do anything
        guard.pass_over("spans.end", error)
