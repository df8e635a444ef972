"""A span on its way through the spool: a plain tuple in the order of ``Span``, because ``marshal`` takes no other."""

from __future__ import annotations

import re
from binascii import Error as BadBase64
from binascii import a2b_base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

from datahub_llmops.spans.span import Span

Row: TypeAlias = tuple[
    str, str, str, str, float, float, str | None, dict[str, Any], dict[str, Any], str, float
]

_NO_IDS: Final = frozenset({"0" * 16, "0" * 32})
_THRESHOLD: Final = re.compile(r"[0-9a-f]{1,14}")
MAX_NAME: Final = 200
"""Longest name of a span that is kept, in characters."""
LONGEST_RECORD: Final = 64 * 2**20
"""Bytes of the longest line or message that is read. A longer one is passed over and reported."""


class Decoder(Protocol):
    """Reads one kind of record."""

    def decode(self, record: bytes) -> list[Row]:
        """Return the spans of a record, without their content.

        Raises:
            ValueError: it is no record of this kind. The message does not quote it.
        """
        ...


def as_spans(rows: Sequence[Row]) -> list[Span]:
    """Return the spans of rows of one trace. Those of one process share the object of its attributes again."""
    if len({id(row[8]) for row in rows}) == 1:
        return [tuple.__new__(Span, row) for row in rows]
    resources: dict[str, dict[str, Any]] = {}
    same: dict[int, dict[str, Any]] = {}
    spans = []
    for row in rows:
        resource = row[8]
        shared = same.get(id(resource))
        if shared is None:
            shared = resources.setdefault(repr(sorted(resource.items())), resource)
            same[id(resource)] = shared
        spans.append(tuple.__new__(Span, row if shared is resource else (*row[:8], shared, row[9], row[10])))
    return spans


def hexadecimal(value: Any) -> str:
    """Return an id in lower-case hexadecimal, or empty if there is none.

    OTLP in JSON has hexadecimal ids; what turns protobuf into JSON by itself writes base64; LangSmith has UUIDs.
    An id of another form stays as it is.
    """
    if not isinstance(value, str):
        return ""
    length = len(value)
    if length in (16, 32):
        return "" if value in _NO_IDS else value.lower()
    if length == 36 and value.count("-") == 4:
        return value.replace("-", "").lower()
    if (length == 24 and value.endswith("==")) or (length == 12 and value.endswith("=")):
        try:
            found = a2b_base64(value, strict_mode=True).hex()
        except BadBase64:
            return value
        return "" if found.count("0") == len(found) else found
    return value if length <= MAX_NAME else ""


@lru_cache(maxsize=4_096)
def weight_of(trace_state: str) -> float:
    """Return how many spans a span stands for: one over the probability that ``ot=th`` gives, or ``1.0``.

    https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/#sampling-threshold-value-th
    """
    for member in trace_state.split(","):
        key, _, value = member.strip().partition("=")
        if key != "ot":
            continue
        for part in value.split(";"):
            name, _, digits = part.partition(":")
            if name == "th" and _THRESHOLD.fullmatch(digits):
                return float(2**56 / (2**56 - int(digits.ljust(14, "0"), 16)))
    return 1.0
