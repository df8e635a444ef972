"""Each instrumentation as its documentation sets it up, and all of them sending OTLP to one address."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def _nothing() -> None:
    """Nothing is held back."""


def _no_guardrail(passed: bool) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """One instrumentation at work."""

    flush: Callable[[], object]
    """Send what is held back."""
    config: dict[str, Any] = field(default_factory=dict)
    """What LangChain's calls must be given for it."""
    guardrail: Callable[[bool], AbstractContextManager[None]] = _no_guardrail
    """A span of a guardrail's verdict, where the instrumentation has such a thing."""
    server: Callable[[], AbstractContextManager[Any]] = nullcontext
    """A span as the instrumentation of a server makes it around each request."""
    roots: bool = True
    """Whether the instrumentation itself has a span around an answer."""
    template: Callable[..., AbstractContextManager[Any]] | None = None
    """How the application names its prompt, where the instrumentation has a way of its own."""


def provider_of(service: str) -> TracerProvider:
    """A provider that exports as ``service``."""
    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.version": "7"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _global_provider() -> TracerProvider:
    provider = provider_of(os.environ["OTEL_SERVICE_NAME"])
    trace.set_tracer_provider(provider)
    return provider


def _server(provider: TracerProvider) -> Callable[[], AbstractContextManager[Any]]:
    tracer = provider.get_tracer("opentelemetry.instrumentation.asgi")
    kind = trace.SpanKind.SERVER
    return lambda: tracer.start_as_current_span("POST /ask", kind=kind)


def _openinference(framework: str, *, client: bool = False) -> Tracing:
    from openinference.instrumentation import OITracer, TraceConfig, using_prompt_template

    provider = _global_provider()
    if framework == "langchain":
        from openinference.instrumentation.langchain import LangChainInstrumentor

        LangChainInstrumentor().instrument(tracer_provider=provider)
    else:
        from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

        LlamaIndexInstrumentor().instrument(tracer_provider=provider)
    if client:
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=provider)
    tracer: Any = OITracer(provider.get_tracer("guardrails"), config=TraceConfig())

    @contextmanager
    def guardrail(passed: bool) -> Iterator[None]:
        with tracer.start_as_current_span("toxicity", openinference_span_kind="guardrail") as span:
            span.set_input("CANARY-QUESTION of a guardrail")
            span.set_output("pass" if passed else "fail")
            yield

    return Tracing(
        flush=provider.force_flush,
        guardrail=guardrail,
        template=using_prompt_template,
        server=_server(provider),
    )


def _openinference_and_client(framework: str) -> Tracing:
    return _openinference(framework, client=True)


def _openinference_and_openllmetry(framework: str) -> Tracing:
    """The framework by the one, the model's SDK by the other: two vendors that know nothing of each other."""
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    tracing = _openinference(framework)
    OpenAIInstrumentor().instrument(tracer_provider=trace.get_tracer_provider())
    return tracing


def _openllmetry(framework: str) -> Tracing:
    provider = _global_provider()
    if framework == "langchain":
        from opentelemetry.instrumentation.langchain import LangchainInstrumentor as Instrumentor
    else:
        from opentelemetry.instrumentation.llamaindex import LlamaIndexInstrumentor as Instrumentor
    from opentelemetry.instrumentation.chromadb import ChromaInstrumentor
    from opentelemetry.instrumentation.lancedb import LanceInstrumentor
    from opentelemetry.instrumentation.milvus import MilvusInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    from opentelemetry.instrumentation.qdrant import QdrantInstrumentor

    for each in (
        Instrumentor,
        OpenAIInstrumentor,
        ChromaInstrumentor,
        LanceInstrumentor,
        MilvusInstrumentor,
        QdrantInstrumentor,
    ):
        each().instrument(tracer_provider=provider)
    return Tracing(flush=provider.force_flush, server=_server(provider))


def _genai(framework: str) -> Tracing:
    # Without these two it writes no content, and no documents either.
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
    provider = _global_provider()
    if framework == "langchain":
        from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor as Instrumentor
    else:
        from opentelemetry.instrumentation.genai.llama_index import LlamaIndexInstrumentor as Instrumentor
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    Instrumentor().instrument(tracer_provider=provider)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return Tracing(flush=provider.force_flush, server=_server(provider), roots=framework != "llama-index")


def _mlflow(framework: str, *, client: bool = False) -> Tracing:
    # Not its default, a database here: the spans leave by OTLP.
    os.environ["MLFLOW_TRACKING_URI"] = os.environ["RECEIVER"]
    import mlflow
    from mlflow.tracing import provider as inside

    if framework == "langchain":
        mlflow.langchain.autolog()
    else:
        mlflow.llama_index.autolog()
    if client:
        mlflow.openai.autolog()

    @contextmanager
    def guardrail(passed: bool) -> Iterator[None]:
        with mlflow.start_span("toxicity", span_type="GUARDRAIL") as span:
            span.set_inputs("CANARY-QUESTION of a guardrail")
            span.set_outputs("pass" if passed else "fail")
            yield

    def flush() -> None:
        found: Any = inside.provider.get()  # None until the first span.
        if found is not None:
            found.force_flush()

    return Tracing(flush=flush, guardrail=guardrail)


def _mlflow_and_client(framework: str) -> Tracing:
    return _mlflow(framework, client=True)


def _mlflow_semconv(framework: str) -> Tracing:
    """Its own translation to the attributes of OpenTelemetry."""
    os.environ["MLFLOW_ENABLE_OTEL_GENAI_SEMCONV"] = "true"
    return _mlflow(framework)


def _langfuse(framework: str) -> Tracing:
    from langfuse import Langfuse
    from langfuse.langchain import CallbackHandler

    assert framework == "langchain", "for LlamaIndex Langfuse recommends OpenInference's"
    client = Langfuse(
        public_key="pk-lf-of-a-test",
        secret_key="sk-lf-of-a-test",
        base_url=os.environ["RECEIVER"],
        environment="production",
        release="2026.11",
    )

    @contextmanager
    def guardrail(passed: bool) -> Iterator[None]:
        with client.start_as_current_observation(
            name="toxicity", as_type="guardrail", input="CANARY-QUESTION of a guardrail"
        ) as span:
            span.update(output="pass" if passed else "fail")
            yield

    return Tracing(flush=client.flush, config={"callbacks": [CallbackHandler()]}, guardrail=guardrail)


def _langsmith(framework: str) -> Tracing:
    assert framework == "langchain", "it has nothing of its own for LlamaIndex"
    os.environ["LANGSMITH_TRACING"] = "true"
    os.environ["LANGSMITH_TRACING_MODE"] = "otel"
    # Else it describes the commit of the folder that it runs in.
    os.environ["LANGCHAIN_REVISION_ID"] = "2026.11"
    os.environ["LANGSMITH_ENDPOINT"] = os.environ["RECEIVER"]
    os.environ["LANGSMITH_API_KEY"] = "lsv2_of_a_test"
    os.environ["LANGSMITH_PROJECT"] = "support"
    # Its client takes this one.
    provider = _global_provider()
    from langchain_core.tracers.langchain import wait_for_all_tracers
    from langsmith import run_trees

    def flush() -> None:
        wait_for_all_tracers()
        run_trees.get_cached_client().flush()
        provider.force_flush()

    return Tracing(flush=flush)


INSTRUMENTATIONS: Final[dict[str, Callable[[str], Tracing]]] = {
    "openinference": _openinference,
    "openinference-openai": _openinference_and_client,
    "openinference-openllmetry": _openinference_and_openllmetry,
    "openllmetry": _openllmetry,
    "genai": _genai,
    "mlflow": _mlflow,
    "mlflow-openai": _mlflow_and_client,
    "mlflow-semconv": _mlflow_semconv,
    "langfuse": _langfuse,
    "langsmith": _langsmith,
}
