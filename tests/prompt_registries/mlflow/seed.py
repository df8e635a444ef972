"""Writes what the tests read into an MLflow database, with MLflow's own SDK: run by the Python of its environment.

``python seed.py ENVIRONMENT`` makes the folder ``seeded-<digest of this script>`` in it: ``mlflow.db``, and
``seeded.json`` with the identifiers that MLflow gave.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve()
TARGET = Path(sys.argv[1]).resolve() / f"seeded-{hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]}"
FOLDER = Path(tempfile.mkdtemp())
os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    "MLFLOW_TRACKING_URI": f"sqlite:///{FOLDER / 'mlflow.db'}",
    "MLFLOW_GENAI_EVAL_MAX_WORKERS": "1",
    "MLFLOW_GENAI_EVAL_SKIP_TRACE_VALIDATION": "true",
}
os.chdir(FOLDER)

import mlflow  # noqa: E402
from mlflow.entities import AssessmentError, AssessmentSource, SpanStatus, SpanType  # noqa: E402
from mlflow.entities.model_registry import PromptModelConfig  # noqa: E402
from mlflow.genai.scorers import scorer  # noqa: E402
from mlflow.tracing.constant import SpanAttributeKey  # noqa: E402

PLANTED = "planted-payload-c0ffee"
DAYS = (20, 21)

client = mlflow.MlflowClient()
register, alias = mlflow.genai.register_prompt, mlflow.genai.set_prompt_alias
EXPERIMENT = mlflow.set_experiment("support-bot").experiment_id
OTHER = mlflow.create_experiment("batch")
client.delete_experiment(mlflow.create_experiment("retired"))


def prompts() -> None:
    """Text and chat, with settings, tags and aliases; a deleted version; a model that is not a prompt."""
    register(
        "support-answer",
        "Answer {{question}} using {{context}}.",
        commit_message="first",
        tags={"author": "ada", "task": "qa"},
        model_config=PromptModelConfig(
            provider="openai",
            model_name="gpt-4o-mini",
            temperature=0.2,
            max_tokens=256,
            stop_sequences=["END"],
        ),
    )
    register(
        "support-answer",
        [
            {"role": "system", "content": "You are {{persona}}."},
            {"role": "user", "content": "{{question}}\n\nDocuments: {{ context }}"},
        ],
        commit_message="chat form, cites sources",
        tags={"author": "jonas"},
        response_format={"type": "object", "properties": {"answer": {"type": "string"}}},
        model_config={"model_name": "gpt-4o", "temperature": 0.0},
    )
    register(
        "support-answer",
        [
            {"role": "system", "content": "You are {{persona}}. Be short."},
            {"role": "user", "content": "{{question}}\n\nDocuments: {{context}}"},
        ],
        commit_message="shorter",
    )
    register("classify-ticket", "Topic of {{text}}, one of {{topics}}?")
    register("classify-ticket", "Topic of {{text}} (one word)?", commit_message="one word")
    for name, version in (("production", 2), ("eu", 2), ("staging", 3)):
        alias("support-answer", name, version)
    alias("classify-ticket", "production", 1)
    mlflow.genai.set_prompt_tag("support-answer", "domain", "support")
    mlflow.genai.set_prompt_version_tag("support-answer", 2, "reviewed", "yes")
    register("loop.v1", "{% for d in docs %}{{ d }}\n{% endfor %}Question: {{ question }}")
    register("n" * 200, "Long {{x}}")
    for number in range(3):
        register("with-a-gap", f"Draft {number}: {{{{x}}}}")
    client.delete_prompt_version("with-a-gap", "2")
    client.create_registered_model("churn", description="no prompt")


def at(day: int, hour: int, second: int = 0) -> int:
    """Nanoseconds since 1970."""
    return int(datetime(2026, 11, day, hour, 0, second, tzinfo=UTC).timestamp()) * 10**9


def trace(
    begin: int,
    *versions: tuple[str, int],
    model: str | None = "gpt-4o-mini",
    provider: str | None = "openai",
    tokens: tuple[int, int, int] = (100, 10, 20),
    failed: bool = False,
    app: str | None = None,
    run: str | None = None,
    experiment: str = EXPERIMENT,
    name: str = "answer",
) -> str:
    """One answer of two seconds: a call of a model, and a retriever."""
    metadata = {key: value for key, value in (("mlflow.modelId", app), ("mlflow.sourceRun", run)) if value}
    root = mlflow.start_span_no_context(
        name,
        span_type=SpanType.AGENT,
        inputs={"question": PLANTED},
        metadata=metadata,
        experiment_id=experiment,
        start_time_ns=begin,
    )
    search = mlflow.start_span_no_context(
        "search",
        span_type=SpanType.RETRIEVER,
        parent_span=root,
        inputs={"query": PLANTED},
        start_time_ns=begin,
    )
    search.set_outputs([{"page_content": PLANTED, "metadata": {"doc_uri": "s3://acme-kb/returns.md"}}])
    search.end(end_time_ns=begin + 10**8)
    call = mlflow.start_span_no_context(
        "generate",
        span_type=SpanType.CHAT_MODEL,
        parent_span=root,
        inputs={"messages": [{"role": "user", "content": PLANTED}]},
        start_time_ns=begin + 10**8,
    )
    if model:
        call.set_attribute(SpanAttributeKey.MODEL, model)
    if provider:
        call.set_attribute(SpanAttributeKey.MODEL_PROVIDER, provider)
    if not failed:
        read, cached, written = tokens
        usage = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        call.set_attribute(SpanAttributeKey.CHAT_USAGE, {**usage, "cache_read_input_tokens": cached})
        call.set_outputs({"role": "assistant", "content": PLANTED})
    status = SpanStatus("ERROR" if failed else "OK", PLANTED if failed else "")
    call.end(status=status, end_time_ns=begin + 10**9)
    root.set_outputs(PLANTED)
    root.end(status=status, end_time_ns=begin + 2 * 10**9)
    if versions:
        loaded = [mlflow.genai.load_prompt(f"prompts:/{prompt}/{version}") for prompt, version in versions]
        client.link_prompt_versions_to_trace(loaded, root.trace_id)
    return str(root.trace_id)


def applications() -> dict[str, Any]:
    """Two days of an application, in two of its LoggedModels, beside traffic that is nobody's and evaluations."""
    app, newer, silent = (
        mlflow.create_external_model(name=name, model_type="agent").model_id
        for name in ("support-bot", "support-bot", "silent-bot")
    )
    for model, prompt, version in (
        (app, "support-answer", "2"),
        (app, "classify-ticket", "1"),
        (app, "support-answer", "1"),
        (newer, "support-answer", "3"),
    ):
        client.link_prompt_version_to_model(prompt, version, model)
    answer, classify = "support-answer", "classify-ticket"
    rated = [
        trace(at(20, 9), (answer, 2), app=app),
        trace(at(20, 10), (answer, 2), app=app, model="gpt-4o"),
        trace(at(20, 23, 59), (answer, 2), (classify, 1), app=app),
        trace(at(21, 0), (answer, 2), app=app, failed=True),
        trace(at(21, 8), (answer, 3), app=newer, model="acme-70b", provider="acme"),
        trace(at(21, 9), app=newer, provider=None, tokens=(50, 0, 5)),
    ]
    trace(at(21, 10), (classify, 2), name="classify")
    trace(at(21, 10), experiment=OTHER, name='it\'s a "batch"')
    trace(at(21, 11), experiment=OTHER, name="nightly")
    # What an evaluation ran is not traffic; what it rated afterwards is.
    ran, rates = evaluation_run(at(20, 11)), evaluation_run(at(21, 12))
    trace(at(20, 12), (answer, 2), app=app, run=ran)
    client.link_traces_to_run(rated[:2], rates)
    scores(rated)
    judge = trace(at(20, 13), app=app)
    client.set_trace_tag(judge, "mlflow.trace.sourceScorer", "faithfulness")
    return {"app": app, "newer": newer, "silent": silent, "ran": ran, "rates": rates, "traces": rated}


def evaluation_run(begin: int) -> str:
    """A run of the type that ``mlflow.genai.evaluate`` makes, an hour long."""
    milliseconds = begin // 10**6
    tags = {"mlflow.runType": "genai_evaluate"}
    run = client.create_run(EXPERIMENT, start_time=milliseconds, tags=tags)
    client.set_terminated(run.info.run_id, end_time=milliseconds + 3_600_000)
    return str(run.info.run_id)


def scores(traces: list[str]) -> None:
    """Of a person, a judge and code: numbers, booleans, categories, an attempt that failed, an expectation."""

    def give(number: int, name: str, kind: str, who: str, **given: Any) -> None:
        source = AssessmentSource(source_type=kind, source_id=who)
        mlflow.log_feedback(trace_id=traces[number], name=name, source=source, **given)

    give(0, "helpful", "HUMAN", "ada@acme.example", value=True, rationale=PLANTED)
    give(1, "helpful", "HUMAN", "jonas@acme.example", value=False)
    give(0, "faithfulness", "LLM_JUDGE", "openai:/gpt-4o", value=0.9)
    give(1, "faithfulness", "LLM_JUDGE", "openai:/gpt-4o", value=0.6)
    failure = AssessmentError(error_code="RATE_LIMIT", error_message=PLANTED)
    give(2, "faithfulness", "LLM_JUDGE", "openai:/gpt-4o", error=failure)
    give(3, "faithfulness", "LLM_JUDGE", "openai:/gpt-4o", value=1.0)
    give(0, "tone", "LLM_JUDGE", "openai:/gpt-4o", value="friendly")
    give(1, "tone", "LLM_JUDGE", "openai:/gpt-4o", value="rude")
    give(0, "remark", "HUMAN", "ada@acme.example", value=f"typed freely, {PLANTED}")
    person = AssessmentSource(source_type="HUMAN", source_id="ada@acme.example")
    mlflow.log_expectation(trace_id=traces[0], name="expected_response", value=PLANTED, source=person)


def exact(outputs: object, expectations: dict[str, object]) -> bool:
    return outputs == expectations["expected_response"]


def length(outputs: str) -> float:
    return float(len(outputs))


def answer(question: str, version: int = 2) -> str:
    mlflow.genai.load_prompt(f"prompts:/support-answer/{version}")
    return "42"


def evaluations(app: str) -> dict[str, str]:
    """Real ones, by ``mlflow.genai.evaluate``: of inline data, and of a managed data set for the application."""
    run_it = mlflow.trace(answer, name="answer", span_type=SpanType.AGENT)
    scorers = [scorer(exact), scorer(length)]
    rows = [
        {
            "inputs": {"question": f"{PLANTED} {number}"},
            "expectations": {"expected_response": "42" if number else "41"},
        }
        for number in range(4)
    ]
    with mlflow.start_run(run_name="nightly") as run:
        mlflow.genai.evaluate(data=rows[:2], predict_fn=run_it, scorers=scorers)
    golden = mlflow.genai.create_dataset(name="qa-golden", experiment_id=[EXPERIMENT])
    golden.merge_records(rows)
    found = mlflow.genai.evaluate(data=golden, predict_fn=run_it, scorers=scorers, model_id=app)
    return {"nightly": run.info.run_id, "golden": found.run_id}


def main() -> None:
    prompts()
    seeded = applications()
    seeded |= evaluations(seeded["app"])
    mlflow.flush_trace_async_logging()
    seeded |= {"experiment": EXPERIMENT, "other": OTHER, "version": mlflow.__version__}
    seeded["today"] = datetime.now(UTC).date().isoformat()
    (FOLDER / "seeded.json").write_text(json.dumps(seeded))
    # Whole or not at all: other runs of the tests look for it too.
    part = TARGET.with_name(f"{TARGET.name}.{os.getpid()}")
    part.mkdir(parents=True)
    for name in ("mlflow.db", "seeded.json"):
        shutil.copy(FOLDER / name, part / name)
    if not TARGET.is_dir():
        part.rename(TARGET)
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(FOLDER, ignore_errors=True)


main()
