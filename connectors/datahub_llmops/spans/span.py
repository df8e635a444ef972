"""One span as plain data, without any content. Every door yields it, and everything behind the doors works on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

Attributes: TypeAlias = Mapping[str, Any]
"""The attributes that ``attributes.Selection`` kept, by their original names.

A value is a text, a number, a truth value, a list of these, or what a reducer of ``attributes`` made of JSON text.
"""


class Span(NamedTuple):
    """One span of a trace. A named tuple, because ten million of them are made in one run.

    Ids are lower-case hexadecimal; spans of tools whose ids are not hexadecimal keep theirs unchanged. Times are in
    seconds since the epoch.

    Sources: https://opentelemetry.io/docs/specs/otel/trace/api/#span,
    https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
    """

    trace: str
    id: str
    parent: str
    """Empty for the first span of a trace."""
    name: str
    started: float
    ended: float
    """``0.0`` if the span has not ended, or the door does not know."""
    error: str | None
    """The type of the error if the span failed, or ``"error"`` if it does not tell; ``None`` if it did not fail."""
    attributes: Attributes
    resource: Attributes
    """Attributes of the process, such as ``service.name``. Spans of one process share the object."""
    scope: str
    """Name of the instrumentation, for example ``openinference.instrumentation.langchain``."""
    weight: float = 1.0
    """How many spans this one stands for where the tracer sampled and said how (``ot=th`` of the trace state).

    https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
    """
    of_class: int = 0
    """Spans of one run with the same number differ in nothing but their ids, times, process, and the values of
    attributes that vary (``attributes.varies``). ``0`` says that nothing is known of others."""
