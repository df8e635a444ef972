"""Record spans with evaluations and decisions of guardrails; README.md says what for.

Run by the environment ``instrumentations``: ``cd tests && ../.venv/environments/instrumentations/bin/python -m
wire.spans.record_evaluations``
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Final

from openinference.instrumentation import (
    Annotation,
    get_annotation_attributes,
    get_evaluation_attributes,
    get_llm_attributes,
    get_span_kind_attributes,
)
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import use_span

from wire.spans.otlp import to_json

TARGET: Final = Path(__file__).resolve().parent / "evaluations"
BEGIN: Final = 1_796_000_000 * 10**9
TEXT: Final = "CANARY-EXPLANATION"


class Recorder:
    """Spans of one service, each of which begins a millisecond after the one before."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({"service.name": "support-bot"}))
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._tracer = provider.get_tracer("openinference.instrumentation.langchain")
        self._now = BEGIN

    def span(self, name: str, *attributes: dict[str, Any], events: tuple[dict[str, Any], ...] = ()) -> Any:
        """Start a span below the current one."""
        self._now += 10**6
        span = self._tracer.start_span(name, start_time=self._now)
        for one in attributes:
            span.set_attributes(one)
        for event in events:
            span.add_event("gen_ai.evaluation.result", event, timestamp=self._now)
        return span

    def finished(self) -> Any:
        return encode_spans(self._exporter.get_finished_spans())


def main() -> None:
    recorder = Recorder()
    for score, label, decision in ((0.9, "good", "allow"), (0.4, "bad", "deny"), (-0.1, "good", "allow")):
        top = recorder.span(
            "POST /chat",
            get_evaluation_attributes(
                evaluations=[Annotation(name="tone", label=label, explanation=TEXT, annotator_kind="HUMAN")],
                scope="trace",
            ),
            get_evaluation_attributes(
                evaluations=[Annotation(name="session mood", score=1.0)], scope="session"
            ),
        )
        with use_span(top):
            chain = recorder.span(
                "RunnableSequence",
                get_span_kind_attributes("chain"),
                get_annotation_attributes(
                    annotations=[
                        Annotation(
                            name="faithfulness",
                            score=score,
                            label=label,
                            explanation=TEXT,
                            annotator_kind="LLM",
                            identifier=f"result-{score}",
                            metadata={"rubric": TEXT},
                        ),
                        Annotation(name="remark", label=TEXT * 5, annotator_kind="HUMAN"),
                    ]
                ),
            )
            with use_span(chain):
                guard = recorder.span(
                    "apply_guardrail Content Safety",
                    # The words of a proposal for OpenTelemetry, which no package here writes.
                    {
                        "gen_ai.operation.name": "apply_guardrail",
                        "gen_ai.guardian.name": "Content Safety",
                        "gen_ai.security.target.type": "llm_input",
                        "gen_ai.security.decision.type": decision,
                        "gen_ai.security.decision.reason": TEXT,
                    },
                )
                guard.end(end_time=recorder._now)
                call = recorder.span(
                    "ChatOpenAI",
                    get_span_kind_attributes("llm"),
                    get_llm_attributes(
                        provider="openai", model_name="gpt-5", token_count={"prompt": 10, "completion": 5}
                    ),
                    events=(
                        {
                            "gen_ai.evaluation.name": "Relevance",
                            "gen_ai.evaluation.score.value": 4.0,
                            "gen_ai.evaluation.score.label": "relevant",
                            "gen_ai.evaluation.explanation": TEXT,
                        },
                        {"gen_ai.evaluation.name": "Relevance", "error.type": "timeout"},
                    )
                    if score > 0
                    else (),
                )
                call.end(end_time=recorder._now)
            chain.end(end_time=recorder._now)
        top.end(end_time=recorder._now)
    request = recorder.finished()
    TARGET.mkdir(exist_ok=True)
    (TARGET / "rated.otlp.pb.gz").write_bytes(gzip.compress(request.SerializeToString(), mtime=0))
    (TARGET / "rated.otlp.jsonl.gz").write_bytes(gzip.compress(to_json(request).encode(), mtime=0))


if __name__ == "__main__":
    main()
