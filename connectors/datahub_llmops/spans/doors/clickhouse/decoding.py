"""Attributes as ClickHouse has them: everything is a text there, and what is missing is empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final


def decoded(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return the attributes that are there. ``Selection`` takes texts for everything.

    >>> decoded({"service.name": "bot", "host.name": ""})
    {'service.name': 'bot'}
    """
    return {name: value for name, value in attributes.items() if value != ""}


_THRESHOLD: Final = re.compile(r"(?:^|,)\s*ot=[^,]*?\bth:([0-9a-f]{1,14})(?![0-9a-f])")


def weight_of(trace_state: str) -> float:
    """Return how many spans a span stands for: one over the probability that ``ot=th`` gives, or ``1.0``.

    https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/#sampling-threshold-value-th

    >>> weight_of("vendor=1,ot=th:c"), weight_of("")
    (4.0, 1.0)
    """
    found = _THRESHOLD.search(trace_state)
    return 2**56 / (2**56 - int(found[1].ljust(14, "0"), 16)) if found else 1.0
