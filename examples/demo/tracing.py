"""Traces the demo's application with OpenInference, beside the hooks, into a file as an OpenTelemetry Collector writes.

Most applications are traced already. ``llm-spans`` reads such files; nothing of an application has to be changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer
from typing_extensions import override


class IntoFile(SpanExporter):
    """Appends each batch to a file, with its length before it: the Collector's `fileexporter` with `format: proto`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        message = encode_spans(spans).SerializeToString()
        with self._path.open("ab") as file:
            file.write(len(message).to_bytes(4, "big") + message)
        return SpanExportResult.SUCCESS


def trace_into(path: Path, application: str) -> Tracer:
    """Trace everything that LangChain does in this process; returns what draws a span around an answer."""
    provider = TracerProvider(resource=Resource.create({"service.name": application}))
    provider.add_span_processor(SimpleSpanProcessor(IntoFile(path)))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    return provider.get_tracer("docs-bot")
