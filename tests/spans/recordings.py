"""The recorded spans of real instrumentations (``tests/wire/spans``), and what the hooks saw of the same answers."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.assemble import Assembled, AssembleOptions, assemble
from datahub_llmops.spans.attributes import Selection, first
from datahub_llmops.spans.span import Span
from support.paths import WIRE

FOLDER: Final = WIRE / "spans"
_SUFFIX: Final = ".expected.json"


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of spans; the name is ``<instrumentation>-<framework>/<case>``."""

    name: str

    @property
    def instrumentation(self) -> str:
        return str(self.expected["instrumentation"])

    @property
    def framework(self) -> str:
        return str(self.expected["framework"])

    @property
    def case(self) -> str:
        return self.name.partition("/")[2]

    @property
    def expected(self) -> Mapping[str, Any]:
        return _expected(self.name)

    @property
    def traces(self) -> Mapping[str, list[Span]]:
        """Spans by their trace, as a door yields them."""
        return _traces(self.name)

    @property
    def assembled(self) -> Mapping[str, Assembled]:
        """Answers by their trace."""
        return _assembled(self.name)

    def seen(self, expected: Mapping[str, Any]) -> list[RecordedAnswer]:
        """What the spans say of one answer of ``expected``."""
        return [one for trace in expected["traces"] for one in self.assembled[trace].answers]


def recordings() -> list[Recording]:
    """All of them."""
    found = sorted(FOLDER.glob(f"*/*{_SUFFIX}"))
    return [Recording(f"{path.parent.name}/{path.name.removesuffix(_SUFFIX)}") for path in found]


def raw_lines(name: str) -> list[str]:
    """The OTLP JSON of a recording."""
    return gzip.decompress(Path(FOLDER, f"{name}.otlp.jsonl.gz").read_bytes()).decode().splitlines()


@functools.cache
def _expected(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(Path(FOLDER, name + _SUFFIX).read_text(encoding="utf-8"))
    return found


@functools.cache
def _traces(name: str) -> Mapping[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for one in _spans(name):
        found.setdefault(one.trace, []).append(one)
    return found


@functools.cache
def _assembled(name: str) -> Mapping[str, Assembled]:
    return {trace: assemble(spans, AssembleOptions()) for trace, spans in _traces(name).items()}


def _spans(name: str) -> Iterator[Span]:
    selection = Selection()
    for line in raw_lines(name):
        for resource in json.loads(line)["resourceSpans"]:
            process = selection.pick(_attributes(resource["resource"]))
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    yield _span(span, process, scope["scope"].get("name", ""), selection)


def _span(span: Mapping[str, Any], process: Mapping[str, Any], scope: str, selection: Selection) -> Span:
    given = _attributes(span)
    kept = selection.pick(given)
    error = first(given, names.ERROR_TYPE)
    for event in span.get("events", ()):
        said = _attributes(event)
        error = error or first(said, names.ERROR_TYPE)
        if event["name"] in names.EVENTS:
            selection.event(event["name"], said, kept)
    failed = span.get("status", {}).get("code") == 2
    return Span(
        trace=span["traceId"],
        id=span["spanId"],
        parent=span.get("parentSpanId", ""),
        name=span["name"],
        started=int(span["startTimeUnixNano"]) / 1e9,
        ended=int(span["endTimeUnixNano"]) / 1e9,
        error=(error or "error") if failed else None,
        attributes=kept,
        resource=process,
        scope=scope,
    )


def _attributes(of: Mapping[str, Any]) -> dict[str, Any]:
    return {one["key"]: value_of(one["value"]) for one in of.get("attributes", ())}


def value_of(given: Mapping[str, Any]) -> Any:
    """A value of OTLP JSON as Python's."""
    if not given:
        return None
    [(kind, value)] = given.items()
    if kind == "arrayValue":
        return [value_of(one) for one in value.get("values", ())]
    if kind == "kvlistValue":
        return {one["key"]: value_of(one["value"]) for one in value.get("values", ())}
    return int(value) if kind == "intValue" else value
