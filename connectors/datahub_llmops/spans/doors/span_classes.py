"""What the spans of a run have in common, each combination once and by number.

An application makes the same spans all day. Name, tracer and the attributes that identify a part are the same ones
again and again; only ids, times, counts and documents differ. So a span on its way has the number of its class, and
only what differs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from datahub_llmops.spans.attributes import first, is_document, varies

MAX_CLASSES: Final = 20_000
"""Classes that a run keeps, about a kilobyte each. A span of another class is stored as a whole."""
MAX_FACTS: Final = 100_000
MAX_PROCESSES: Final = 20_000


class SpanClass(NamedTuple):
    """What all spans of one class have in common: see ``span.Span``."""

    name: str
    error: str | None
    attributes: Mapping[str, Any]
    """Those that do not vary."""
    scope: str
    weight: float


class SpanClasses:
    """The classes and processes of one run. Numbers begin at 1; ``0`` says that there is no room for another one."""

    def __init__(self) -> None:
        self.listed: list[SpanClass] = [SpanClass("", None, {}, "", 1.0)]
        self.processes: list[Mapping[str, Any]] = [{}]
        self._processes: dict[str, int] = {}
        self._classes: dict[Hashable, int] = {}
        self._facts: dict[Hashable, int] = {}
        self._attributes: list[tuple[str, Any] | None] = [None]

    def process(self, attributes: Mapping[str, Any]) -> int:
        """Return the number of the process with these attributes."""
        key = repr(sorted(attributes.items()))
        found = self._processes.get(key, 0)
        if not found and len(self.processes) <= MAX_PROCESSES:
            found = self._processes[key] = len(self.processes)
            self.processes.append(attributes)
        return found

    def fact(self, name: str, value: Any) -> int:
        """Return the number of an attribute that has a value."""
        # ``1``, ``1.0`` and ``True`` are equal to Python.
        return self._fact(
            (name, value) if type(value) is str else (name, type(value), repr(value)), (name, value)
        )

    def value(self, facts: Iterable[int], names: Iterable[str]) -> Any:
        """Return the value of the first of some names that facts are about, or ``None``."""
        wanted = {*names}
        known = self._attributes
        return first(
            dict(one for fact in facts if (one := known[fact]) is not None and one[0] in wanted), names
        )

    def presence(self, name: str) -> int:
        """Return the number of the fact that there is an attribute of this name, whatever its value."""
        return self._fact(name, None)

    def _fact(self, key: Hashable, attribute: tuple[str, Any] | None) -> int:
        found = self._facts.get(key, 0)
        if not found and len(self._attributes) <= MAX_FACTS:
            found = self._facts[key] = len(self._attributes)
            self._attributes.append(attribute)
        return found

    def sort(self, attributes: Mapping[str, Any], facts: list[int], varying: dict[str, Any]) -> None:
        """Add attributes to those that a span shares with others, and to those that differ."""
        for name, value in attributes.items():
            if not varies(name):
                facts.append(self.fact(name, value))
                continue
            varying[name] = value
            if not is_document(name):
                facts.append(self.presence(name))

    def number(
        self, name: str, error: str | None, facts: Sequence[int], scope: str, weight: float, has_ended: bool
    ) -> int:
        """Return the number of the class with these properties."""
        key = name, error, scope, weight, has_ended, *facts
        found = self._classes.get(key, 0)
        if not found and 0 not in facts and len(self.listed) <= MAX_CLASSES:
            known = [one for fact in facts if (one := self._attributes[fact]) is not None]
            found = self._classes[key] = len(self.listed)
            self.listed.append(SpanClass(name, error, dict(known), scope, weight))
        return found
