"""A span on its way through the spool: a plain tuple, because ``marshal`` takes no other."""

from __future__ import annotations

import re
from binascii import Error as BadBase64
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from datahub_llmops.spans.attributes import SERVICE
from datahub_llmops.spans.doors.span_classes import SpanClasses
from datahub_llmops.spans.span import Span
from datahub_llmops.spans.twins import is_one_of_two

Row: TypeAlias = tuple[str, str, str, int, float, float, dict[str, Any] | tuple[Any, ...] | None, int]
"""Trace, id, parent, number of the class, start, end, the attributes that vary, and the number of the process.

A span without a class has the contents of a class and of its process instead: see ``whole``.
"""

T = TypeVar("T")
_NO_ID, _NO_TRACE = "0" * 16, "0" * 32
_LENGTHS: Final = frozenset({0, 16, 32})
_THRESHOLD: Final = re.compile(r"[0-9a-f]{1,14}")
MAX_NAME: Final = 200
"""Longest name of a span that is kept, in characters."""
LONGEST_RECORD: Final = 64 * 2**20
"""Bytes of the longest line or message that is read. A longer one is skipped and reported."""


class Decoder(Protocol):
    """Reads one kind of record."""

    def decode(self, record: bytes) -> list[Row]:
        """Return the spans of a record, without their content.

        Raises:
            ValueError: it is not a record of this kind. The message does not quote it.
        """
        ...


def whole(
    ids: tuple[str, str, str],
    times: tuple[float, float],
    name: str,
    error: str | None,
    attributes: dict[str, Any],
    resource: Mapping[str, Any],
    scope: str,
    weight: float = 1.0,
) -> Row:
    """Return the row of a span without a class. ``ids`` are those of its trace, of itself and of its parent."""
    return (*ids, 0, *times, (name, error, attributes, dict(resource), scope, weight), 0)


def as_spans(rows: Iterable[Row], classes: SpanClasses) -> list[Span]:
    """Return the spans of rows of one trace. Those of one process share the object of its attributes."""
    listed, processes = classes.listed, classes.processes
    resources: dict[str, Mapping[str, Any]] = {}
    spans = []
    for trace, own, parent, number, started, ended, rest, process in rows:
        if type(rest) is tuple:
            name, error, attributes, resource, scope, weight = rest
            resource = resources.setdefault(repr(sorted(resource.items())), resource)
        else:
            name, error, attributes, scope, weight = listed[number]
            if rest is not None:
                attributes = {**attributes, **rest}  # type: ignore[dict-item]  # mypy does not tell the tuple from others
            resource = processes[process]
        fields = trace, own, parent, name, started, ended, error, attributes, resource, scope, weight, number
        spans.append(tuple.__new__(Span, fields))
    return spans


def tracers_of(rows: Iterable[Row], classes: SpanClasses) -> set[tuple[str, str]]:
    """Return the tracers of spans without a parent, each with its service: see ``twins.mixed_services``."""
    found: set[tuple[str, str]] = set()
    first = [(row[3], row[7], row[6]) for row in rows if not row[2]]
    for number, process in {(number, process) for number, process, _ in first if number}:
        one = classes.listed[number]
        if is_one_of_two(one.name, one.attributes, one.scope):
            found.add((one.scope, str(classes.processes[process].get(SERVICE[0]))))
    for _, _, rest in first:
        if type(rest) is tuple:
            name, _, attributes, resource, scope, _ = rest
            if is_one_of_two(name, attributes, scope):
                found.add((scope, str(resource.get(SERVICE[0]))))
    return found


def hexadecimal(value: Any) -> str:
    """Return an id in lower-case hexadecimal, or empty if there is none.

    OTLP in JSON has hexadecimal ids; what turns protobuf into JSON by itself writes base64; LangSmith has UUIDs.
    An id of another form stays as it is.
    """
    if not isinstance(value, str):
        return ""
    length = len(value)
    if length == 16 or length == 32:
        return value.lower() if value != _NO_ID and value != _NO_TRACE else ""
    if length == 36 and value.count("-") == 4:
        return value.replace("-", "").lower()
    if (length == 24 and value.endswith("==")) or (length == 12 and value.endswith("=")):
        try:
            found = a2b_base64(value, strict_mode=True).hex()
        except BadBase64:
            return value
        return "" if found.count("0") == len(found) else found
    return value if length <= MAX_NAME else ""


def hexadecimals(values: Sequence[Any]) -> Sequence[str]:
    """Return ids as ``hexadecimal`` does, which takes less time for many that are so already."""
    try:
        text = "".join(values)
    except TypeError:
        return list(map(hexadecimal, values))
    if {*map(len, values)} <= _LENGTHS and text == text.lower() and _NO_ID not in text:
        return values
    return list(map(hexadecimal, values))


def picker(places: Sequence[int]) -> Callable[[Sequence[T]], tuple[T, ...]]:
    """Return a function that returns the items at some places."""
    if not places:
        return lambda values: ()
    if len(places) == 1:
        place = places[0]
        return lambda values: (values[place],)
    return itemgetter(*places)


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
