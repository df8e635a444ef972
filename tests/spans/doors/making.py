"""Spans for tests of doors: the same ones in each format, with a canary in every attribute that holds content."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.spans.assemble import AssembleOptions
from datahub_llmops.spans.assembler import Assembler
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.door import Problem
from datahub_llmops.spans.doors.files import FilesDoor
from datahub_llmops.spans.doors.options import FilesOptions

DAY: Final = 86_400
TODAY: Final = (int(time.time()) // DAY - 1) * DAY
"""The start of the day that tests take for today, in seconds since the epoch. It is over: files are as old as now."""
CANARY: Final = "CANARY-7f3a"
CONTENT: Final = {
    name: f"{CANARY} {name}"
    for name in (
        "input.value",
        "output.value",
        "llm.input_messages.0.message.content",
        "llm.output_messages.0.message.content",
        "llm.prompt_template.template",
        "llm.prompt_template.variables",
        "retrieval.documents.0.document.content",
        "embedding.embeddings.0.embedding.text",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.0.content",
        "gen_ai.retrieval.query.text",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "traceloop.entity.input",
        "traceloop.entity.output",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "langfuse.observation.input",
        "langfuse.observation.output",
        "tool.parameters",
        "exception.message",
        "exception.stacktrace",
        "db.query.text",
        "user.id",
        "session.id",
    )
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """One span."""

    trace: str
    id: str
    parent: str = ""
    name: str = "ChatModel"
    started: float = TODAY + 43_200.0
    took: float = 0.5
    attributes: Mapping[str, Any] = field(default_factory=dict)
    service: str = "support-bot"
    error: str | None = None
    state: str = ""


def call(number: int, *, at: float = TODAY + 43_200.0, span: int = 1, parent: int = 0, **given: Any) -> Made:
    """Build the call of a model, in a trace of its own unless ``number`` was used before."""
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.provider": "openai",
        "llm.token_count.prompt": 10,
        "llm.token_count.completion": 3,
        **CONTENT,
    }
    return Made(
        trace=f"{number:032x}",
        id=f"{number * 1000 + span:016x}",
        parent=f"{number * 1000 + parent:016x}" if parent else "",
        started=at,
        attributes={**attributes, **given.pop("attributes", {})},
        **given,
    )


def _value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, (list, tuple)):
        return AnyValue(array_value=ArrayValue(values=[_value(one) for one in value]))
    return AnyValue(string_value=str(value))


def _pairs(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def as_message(spans: Iterable[Made]) -> bytes:
    """Return one OTLP message of OpenTelemetry's own classes."""
    data = TracesData()
    for one in spans:
        group = data.resource_spans.add()
        group.resource.attributes.extend(_pairs({"service.name": one.service, "process.command": CANARY}))
        scope = group.scope_spans.add()
        scope.scope.name = "openinference.instrumentation.langchain"
        span = scope.spans.add(
            trace_id=bytes.fromhex(one.trace),
            span_id=bytes.fromhex(one.id),
            parent_span_id=bytes.fromhex(one.parent),
            name=one.name,
            trace_state=one.state,
            start_time_unix_nano=int(one.started * 1e9),
            end_time_unix_nano=int((one.started + one.took) * 1e9),
            attributes=_pairs(one.attributes),
        )
        if one.error is not None:
            span.status.code = Status.STATUS_CODE_ERROR
            span.status.message = CANARY
            event = span.events.add(name="exception")
            event.attributes.extend(_pairs({"exception.type": one.error, "exception.message": CANARY}))
    return bytes(data.SerializeToString())


def prefixed(messages: Iterable[bytes]) -> bytes:
    """Return messages with their lengths, as the collector's file exporter writes them."""
    return b"".join(len(one).to_bytes(4, "big") + one for one in messages)


def _json_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [_json_value(one) for one in value]}}
    return {"stringValue": str(value)}


def as_line(spans: Iterable[Made], *, ids: Callable[[str], str] = str) -> bytes:
    """Return one line of OTLP JSON. ``ids`` writes a hexadecimal id in another way."""
    groups = []
    for one in spans:
        span: dict[str, Any] = {
            "traceId": ids(one.trace),
            "spanId": ids(one.id),
            "parentSpanId": ids(one.parent) if one.parent else "",
            "name": one.name,
            "traceState": one.state,
            "startTimeUnixNano": str(int(one.started * 1e9)),
            "endTimeUnixNano": str(int((one.started + one.took) * 1e9)),
            "attributes": [
                {"key": key, "value": _json_value(value)} for key, value in one.attributes.items()
            ],
        }
        if one.error is not None:
            pairs = {"exception.type": one.error, "exception.message": CANARY}
            span["status"] = {"code": 2, "message": CANARY}
            span["events"] = [
                {
                    "name": "exception",
                    "attributes": [{"key": key, "value": _json_value(value)} for key, value in pairs.items()],
                }
            ]
        resource = {"service.name": one.service, "process.command": CANARY}
        groups.append(
            {
                "resource": {
                    "attributes": [
                        {"key": key, "value": _json_value(value)} for key, value in resource.items()
                    ]
                },
                "scopeSpans": [
                    {"scope": {"name": "openinference.instrumentation.langchain"}, "spans": [span]}
                ],
            }
        )
    return json.dumps({"resourceSpans": groups}).encode() + b"\n"


def in_base64(hexadecimal: str) -> str:
    """Return an id as protobuf's own JSON writes bytes."""
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def as_observation(one: Made) -> dict[str, Any]:
    """Return an observation of Langfuse's export that came by OpenTelemetry."""
    return {
        "id": one.id,
        "trace_id": one.trace,
        "project_id": "p1",
        "parent_observation_id": one.parent,
        "type": "GENERATION",
        "name": one.name,
        "start_time": _written(one.started),
        "end_time": _written(one.started + one.took),
        "level": "DEFAULT" if one.error is None else "ERROR",
        "status_message": CANARY,
        "input": CANARY,
        "output": CANARY,
        "provided_model_name": "gpt-4o",
        "usage_details": {"input": 10, "output": 3},
        "cost_details": {"total": 0.01},
        "prompt_name": "answer",
        "prompt_version": 4,
        "trace_name": "support",
        "tool_calls": [CANARY],
        "metadata": {
            "attributes": {key: value for key, value in one.attributes.items() if key in CONTENT},
            "resourceAttributes": {"service.name": one.service},
            "scope": {"name": "langfuse-sdk"},
            "note": CANARY,
        },
    }


def as_run(one: Made) -> dict[str, Any]:
    """Return a run of LangSmith's bulk export."""
    return {
        "id": f"{int(one.id, 16):032x}",
        "trace_id": one.trace,
        "parent_run_id": f"{int(one.parent, 16):032x}" if one.parent else None,
        "name": one.name,
        "run_type": "llm",
        "start_time": datetime.fromtimestamp(one.started, UTC),
        "end_time": datetime.fromtimestamp(one.started + one.took, UTC),
        "status": "success" if one.error is None else "error",
        "inputs": CANARY,
        "outputs": CANARY,
        "error": CANARY if one.error else None,
        "events": CANARY,
        "session_id": "11111111-2222-3333-4444-555555555555",
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "total_cost": 0.01,
        "extra": json.dumps(
            {
                "metadata": {
                    "ls_model_name": "gpt-4o",
                    "ls_provider": "openai",
                    "lc_hub_repo": "answer",
                    "lc_hub_commit_hash": "abc",
                    "note": CANARY,
                },
                "invocation_params": {"stop": CANARY},
            }
        ),
    }


def key(seconds: float, form: str = "year=%Y/month=%m/day=%d") -> str:
    """Return the folder of a time in the key of an object."""
    return datetime.fromtimestamp(seconds, UTC).strftime(form)


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


class Collected:
    """Stands for the counting of the source: keeps the answers."""

    def __init__(self) -> None:
        self.answers: list[RecordedAnswer] = []
        self.recorded: list[RecordedAnswer] = []

    def roll_up(self, answers: Iterable[RecordedAnswer], recorded: Iterable[RecordedAnswer] = ()) -> Any:
        self.recorded = list(recorded)
        self.answers = list(answers)

    @property
    def tokens(self) -> int:
        """Tokens of all calls of models."""
        return sum(call.tokens_in or 0 for answer in self.answers for call in answer.models)


@dataclass
class Run:
    """One run of the door over a place."""

    door: FilesDoor
    days: tuple[int, ...]
    counted: Collected
    problems: list[Problem]
    position: dict[str, Any]

    @property
    def titles(self) -> list[str]:
        return [one.title for one in self.problems]


def open_door(
    *files: str | Path,
    problems: list[Problem] | None = None,
    now: float = TODAY + DAY,
    storage: Mapping[str, Any] | None = None,
    max_days: int = 30,
) -> FilesDoor:
    """Open a door with the real assembly of answers behind it."""
    return FilesDoor(
        FilesOptions(files=tuple(str(one) for one in files), storage=storage or {}, max_days=max_days),
        selection=Selection(),
        assemble=Assembler(AssembleOptions()),
        tell=(problems if problems is not None else []).append,
        now=lambda: now,
    )


def run(*files: str | Path, position: Mapping[str, Any] | None = None, **given: Any) -> Run:
    """Read everything that is new and count its days, as the source does."""
    problems: list[Problem] = []
    door = open_door(*files, problems=problems, **given)
    counted = Collected()
    try:
        days = door.days(json.loads(json.dumps(position or {})))
        if days:
            door.count(days, counted)  # type: ignore[arg-type]
        return Run(door, days, counted, problems, door.position())
    finally:
        door.close()


def ids(answers: Sequence[RecordedAnswer]) -> list[str]:
    """Return the ids of answers, in order."""
    return sorted(answer.id for answer in answers)
