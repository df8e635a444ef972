"""OTLP in its two encodings: bytes of ``ExportTraceServiceRequest``, and a line of JSON for one ``TracesData``.

The JSON is that of https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hex, enums as numbers,
64-bit integers as strings.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

OURS = "datahub_llmops."
"""Prefix of the attributes that the hooks stamp."""


def spans_of(request: Any) -> Iterator[Any]:
    """Every span of a request, in its order."""
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def merge(requests: list[Any]) -> Any:
    """One request with what several hold."""
    merged = ExportTraceServiceRequest()
    for request in requests:
        merged.resource_spans.extend(request.resource_spans)
    return merged


def unstamp(request: Any) -> None:
    """Remove what our hooks stamped: what remains is what the instrumentation says by itself."""
    for span in spans_of(request):
        kept = [one for one in span.attributes if not one.key.startswith(OURS)]
        del span.attributes[:]
        span.attributes.extend(kept)


def relocate(request: Any, places: Mapping[str, str]) -> None:
    """Give folders of this machine other names: stack traces and messages have them."""
    for span in spans_of(request):
        values = [one.value for one in span.attributes]
        values += [one.value for event in span.events for one in event.attributes]
        for value in values:
            _relocate(value, places)
        for folder, name in places.items():
            span.status.message = span.status.message.replace(folder, name)


def _relocate(value: Any, places: Mapping[str, str]) -> None:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        for folder, name in places.items():
            value.string_value = value.string_value.replace(folder, name)
    elif kind == "array_value":
        for one in value.array_value.values:
            _relocate(one, places)
    elif kind == "kvlist_value":
        for one in value.kvlist_value.values:
            _relocate(one.value, places)


def to_json(request: Any) -> str:
    """One line."""
    value = MessageToDict(request, use_integers_for_enums=True)
    for resource in value.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                for part in (span, *span.get("links", ())):
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in part:
                            part[key] = base64.b64decode(part[key]).hex()
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
