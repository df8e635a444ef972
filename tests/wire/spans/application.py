"""One application under one instrumentation and our hooks, run by the environment ``instrumentations``.

``python -m wire.spans.application INSTRUMENTATION FRAMEWORK CASES FOLDER`` writes the spans and ``CASE.expected.json``
there; README.md says what is in them. CASES is a JSON object of cases and their ``Addresses``.
"""

from __future__ import annotations

import contextvars
import gzip
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_answer
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer
from datahub_llmops.hooks import guard
from support.paths import TESTS
from wire.spans import otlp
from wire.spans.receiver import Receiver
from wire.spans.steps import IDS, OTHER_IDS, STAMPED, Addresses, Step
from wire.spans.tracers import INSTRUMENTATIONS, Tracing

if TYPE_CHECKING:
    from wire.spans.langchain_steps import LangChainSteps
    from wire.spans.llamaindex_steps import LlamaIndexSteps

SERVICE: Final = "support-bot"
_PLACES: Final = {sys.prefix: "/venv", sys.base_prefix: "/python", str(TESTS.parent): "/app"}
_TELEMETRY: Final = (
    "openinference-instrumentation",
    "opentelemetry-instrumentation-",
    "opentelemetry-sdk",
    "mlflow-tracing",
    "langfuse",
    "langsmith",
)
_FRAMEWORKS: Final = {
    "langchain": ("langchain", "langchain-core", "langgraph", "openai"),
    "llama-index": ("llama-index-core", "llama-index-workflows", "openai"),
}
_LEFT_OUT: Final = ("host", "index_number", "parts_cut", "chunks_cut", "weight", "query_text", "answer_text")
"""Of what the hooks saw: hosts of the recording, of applications and of stores, and what is the same everywhere."""


def main(instrumentation: str, framework: str, cases: str, folder: str) -> None:
    logging.disable(logging.WARNING)
    guard.reraise = True
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with Receiver() as receiver, tempfile.TemporaryDirectory() as scratch:
        os.environ |= {
            "RECEIVER": receiver.url,
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/v1/traces",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": SERVICE,
        }
        handle = lineage.attach(SERVICE, version="7", store=Path(scratch) / "answers.db")
        tracing = INSTRUMENTATIONS[instrumentation](framework)
        for case, addresses in json.loads(cases).items():
            steps = _steps(framework, case, Addresses(**addresses), tracing)
            recorded = list(_record(steps, tracing, receiver, handle, Path(scratch), stamped=case == STAMPED))
            expected = {
                "instrumentation": instrumentation,
                "framework": framework,
                "versions": _versions(framework),
                "indexes": _indexes(framework, case),
                "answers": [answer for _, answers in recorded for answer in answers],
            }
            _save(target, case, [requests for requests, _ in recorded if requests], expected)
        assert handle.stats()["degraded"] == [], handle.stats()
        handle.detach()


def _save(target: Path, case: str, steps: list[list[Any]], expected: dict[str, Any]) -> None:
    sent = [one for requests in steps for one in requests]
    for one in sent:
        if case != STAMPED:
            otlp.unstamp(one)
        otlp.relocate(one, _PLACES)
    lines = [otlp.to_json(otlp.merge(requests)) + "\n" for requests in steps]
    _write(target / f"{case}.otlp.pb.gz", otlp.merge(sent).SerializeToString())
    _write(target / f"{case}.otlp.jsonl.gz", "".join(lines).encode())
    (target / f"{case}.expected.json").write_text(_lines(expected), encoding="utf-8")


def _lines(expected: dict[str, Any]) -> str:
    """JSON with one answer on each line."""
    answers = ",\n".join(json.dumps(one) for one in expected["answers"])
    head = json.dumps({key: value for key, value in expected.items() if key != "answers"})
    return f'{head[:-1]}, "answers": [\n{answers}\n]}}\n'


def _write(path: Path, content: bytes) -> None:
    """Without the time in it: the same content is the same file."""
    path.write_bytes(gzip.compress(content, mtime=0))


def _steps(framework: str, case: str, at: Addresses, tracing: Tracing) -> Iterator[Step]:
    steps: LangChainSteps | LlamaIndexSteps
    if framework == "langchain":
        from wire.spans.langchain_steps import LangChainSteps

        steps = LangChainSteps(at, tracing)
    else:
        from wire.spans.llamaindex_steps import LlamaIndexSteps

        steps = LlamaIndexSteps(at, tracing)
    if case == "features":
        yield from steps.features()
    else:
        yield from steps.of_store("chroma" if case == STAMPED else case)


def _record(
    steps: Iterator[Step],
    tracing: Tracing,
    receiver: Receiver,
    handle: Any,
    scratch: Path,
    *,
    stamped: bool,
) -> Iterator[tuple[list[Any], list[dict[str, Any]]]]:
    """Requests and answers of each step."""
    known: set[str] = set()
    server = tracing.server if stamped or not tracing.roots else nullcontext
    for step in steps:
        tracing.flush()
        receiver.drain()  # What made the step ready is none of it.
        assert handle.flush(10)
        known |= {one.id for one in _answers(scratch)}
        # As a server does it: what an instrumentation leaves in the context ends with the request.
        contextvars.copy_context().run(_serve, step, server)
        time.sleep(0.05)
        tracing.flush()
        assert handle.flush(10)
        requests = receiver.drain()
        assert requests or not step.answers, step.name
        answers = [one for one in _answers(scratch) if one.id not in known]
        assert len(answers) == step.answers, (step.name, [(one.root, one.status) for one in answers])
        yield requests, list(_expected(answers, otlp.merge(requests), step)) if answers else []


def _indexes(framework: str, case: str) -> dict[str, list[str]]:
    """The ids that each index of the case holds, by the name that the index has in its store."""
    before = "data_" if (framework, case) == ("llama-index", "pgvector") else ""
    return {f"{before}docs": IDS, f"{before}manual": OTHER_IDS}


def _serve(step: Step, server: Callable[[], AbstractContextManager[Any]]) -> None:
    with server() if step.answers else nullcontext():
        if step.fails:
            _fail(step)
        else:
            step.run()


def _fail(step: Step) -> None:
    try:
        step.run()
    except Exception as error:  # noqa: BLE001  # each vendor has its own
        logging.info(error)
        return
    raise AssertionError(f"{step.name} did not fail")


def _answers(scratch: Path) -> list[RecordedAnswer]:
    path = scratch / "answers.db"
    if not path.exists():
        return []
    store = Store.read(path)
    known = Identities(store)
    found = [load_answer(row, known) for row in store.answers()]
    store.close()
    return found[::-1]


def _expected(answers: list[RecordedAnswer], request: Any, step: Step) -> Iterator[dict[str, Any]]:
    """Answers of one step, oldest first, with their traces.

    Of several answers each has a trace of its own, and they began in the same order; or all share all traces.
    """
    begun: dict[str, int] = {}
    for span in otlp.spans_of(request):
        trace = span.trace_id.hex()
        begun[trace] = min(span.start_time_unix_nano, begun.get(trace, span.start_time_unix_nano))
    traces = sorted(begun, key=begun.__getitem__)
    apart = len(answers) > 1 and len(answers) == len(traces)
    shared = [[one] for one in traces] if apart else [traces] * len(answers)
    for answer, own in zip(sorted(answers, key=lambda one: one.started), shared, strict=True):
        seen: Any = _without(asdict(answer))
        yield {"step": step.name, "traces": own, **seen}


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(one) for key, one in value.items() if key not in _LEFT_OUT}
    return [_without(one) for one in value] if isinstance(value, (list, tuple)) else value


def _versions(framework: str) -> dict[str, str]:
    installed = {one.name: one.version for one in distributions()}
    return {
        name: installed[name]
        for name in sorted(installed)
        if name in _FRAMEWORKS[framework] or name.startswith(_TELEMETRY)
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
