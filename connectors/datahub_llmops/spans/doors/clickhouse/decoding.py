"""Attributes as ClickHouse has them: everything is a text there. This gives back what the tracer wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.assets import span_names


def decoded(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return attributes with lists and truth values in the form that ``Selection`` takes.

    Numbers stay texts: what reads them takes both.

    >>> decoded({"datahub_llmops.index": '["urn:li:x"]', "datahub_llmops.recorded": "true", "service.name": "true"})
    {'datahub_llmops.index': ['urn:li:x'], 'datahub_llmops.recorded': True, 'service.name': 'true'}
    """
    return {
        name: _value(value) if name.startswith(span_names.PREFIX) else value
        for name, value in attributes.items()
        if value != ""
    }


def _value(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    if value.startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


_THRESHOLD: Final = re.compile(r"(?:^|,)\s*ot=[^,]*?\bth:([0-9a-f]{1,14})(?![0-9a-f])")


def weight_of(trace_state: str) -> float:
    """Return how many spans a span stands for: one over the probability that ``ot=th`` gives, or ``1.0``.

    https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/#sampling-threshold-value-th

    >>> weight_of("vendor=1,ot=th:c"), weight_of("")
    (4.0, 1.0)
    """
    found = _THRESHOLD.search(trace_state)
    return 2**56 / (2**56 - int(found[1].ljust(14, "0"), 16)) if found else 1.0
