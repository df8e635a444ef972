"""Rows as the Collector's exporter writes them, from OTLP JSON or from spans; and what comes of them.

https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/exporter/clickhouseexporter/exporter_traces.go
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from typing_extensions import override

from datahub_llmops.answer_store.recorded import ModelCall, Raw, RecordedAnswer, Retrieval
from datahub_llmops.answers.daily_totals import roll_up
from datahub_llmops.answers.names import Names
from datahub_llmops.assets.usage import Totals, model_name
from datahub_llmops.ingestion.applications.rollup import Application, Rollup
from datahub_llmops.spans.attributes import EVALUATION_EVENT
from datahub_llmops.spans.span import Span
from spans.recordings import value_of


def text_of(value: Any) -> str:
    """A value as the exporter writes it into a map of texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def rows_of_otlp(lines: Iterable[str], *, as_json: bool = False) -> Iterator[dict[str, Any]]:
    """The rows of OTLP JSON."""

    def attributes(of: Mapping[str, Any]) -> dict[str, Any]:
        found = {one["key"]: value_of(one["value"]) for one in of.get("attributes", ())}
        return found if as_json else {key: text_of(value) for key, value in found.items()}

    for line in lines:
        for resource in json.loads(line)["resourceSpans"]:
            process = attributes(resource["resource"])
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    events = span.get("events", ())
                    own = attributes(span)
                    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                    row = {
                        "Timestamp": _moment(start),
                        "TraceId": span["traceId"],
                        "SpanId": span["spanId"],
                        "ParentSpanId": span.get("parentSpanId", ""),
                        "TraceState": span.get("traceState", ""),
                        "SpanName": span["name"],
                        "ServiceName": text_of(process.get("service.name")),
                        "ResourceAttributes": process,
                        "ScopeName": scope["scope"].get("name", ""),
                        "SpanAttributes": own,
                        "Duration": (end - start) % 2**64,
                        "StatusCode": ("Unset", "Ok", "Error")[span.get("status", {}).get("code", 0)],
                        "Events.Timestamp": [_moment(int(one["timeUnixNano"])) for one in events],
                        "Events.Name": [one["name"] for one in events],
                        "Events.Attributes": [attributes(one) for one in events],
                    }
                    if as_json:
                        row["SpanAttributesKeys"] = list(own)
                    yield row


def rows_of_spans(spans: Iterable[Span]) -> Iterator[dict[str, Any]]:
    """The rows of spans as a door yields them, with their evaluations as events."""
    for span in spans:
        evaluations = span.attributes.get(EVALUATION_EVENT, [])
        start = round(span.started * 1000) * 10**6
        end = round(span.ended * 1000) * 10**6
        yield {
            "Timestamp": _moment(start),
            "TraceId": span.trace,
            "SpanId": span.id,
            "ParentSpanId": span.parent,
            "TraceState": "" if span.weight == 1.0 else "ot=th:c",
            "SpanName": span.name,
            "ServiceName": text_of(span.resource.get("service.name")),
            "ResourceAttributes": {key: text_of(value) for key, value in span.resource.items()},
            "ScopeName": span.scope,
            "SpanAttributes": {
                key: text_of(value) for key, value in span.attributes.items() if key != EVALUATION_EVENT
            },
            "Duration": (end - start) % 2**64,
            "StatusCode": "Unset" if span.error is None else "Error",
            "Events.Timestamp": [_moment(end)] * len(evaluations),
            "Events.Name": [EVALUATION_EVENT] * len(evaluations),
            "Events.Attributes": [{key: text_of(value) for key, value in one.items()} for one in evaluations],
        }


def _moment(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09}"


class PlainNames(Names):
    """Names that say what they are of, without a catalog."""

    @override
    def searched(self, retrieval: Retrieval, retriever: str | None, application: str) -> str | None:
        return None if not retrieval.index else json.dumps(retrieval.index, sort_keys=True)

    @override
    def prompt(self, raw: Raw, application: str, platform: str) -> str | None:
        return json.dumps(raw, sort_keys=True)

    @override
    def retriever(self, raw: Raw, application: str, framework: str) -> str | None:
        return f"{application}: {json.dumps(raw, sort_keys=True)}"

    @override
    def model(self, raw: Raw | None) -> str | None:
        return model_name(raw)


@dataclass
class Options:
    """A price for every model, so that a wrong number of tokens is a wrong cost."""

    env: str = "PROD"
    application_platform: str | None = None

    def call_cost(self, call: ModelCall, /) -> float | None:
        if call.cost is not None:
            return call.cost
        tokens = call.tokens
        if tokens.input is None or tokens.output is None:
            return None
        plain = tokens.input - (tokens.cached or 0)
        return None if plain < 0 else plain * 0.01 + tokens.output * 0.05 + (tokens.cached or 0) * 0.001


@dataclass
class PlainCounting:
    """Counts as the source does, and keeps what it was given."""

    answers: list[RecordedAnswer] = field(default_factory=list)

    def roll_up(self, answers: Iterable[RecordedAnswer], recorded: Iterable[RecordedAnswer] = ()) -> Rollup:
        def kept() -> Iterator[RecordedAnswer]:
            for answer in answers:
                self.answers.append(answer)
                yield answer

        def passed_over(answer: RecordedAnswer, error: Exception) -> None:
            raise AssertionError(error)

        return roll_up(
            kept(), PlainNames(), Options(), passed_over, None, lambda answer, application, day: "spans"
        )

    def index(self, raw: Raw | None) -> str | None:
        raise NotImplementedError

    def prompt(self, raw: Raw, application: str) -> str | None:
        raise NotImplementedError

    def model(self, raw: Raw | None) -> str | None:
        raise NotImplementedError

    def application(self, name: str) -> Application | None:
        raise NotImplementedError


def shown(found: Rollup) -> dict[str, Any]:
    """Everything in a roll-up that two doors have to agree on."""

    def total(one: Totals) -> dict[str, Any]:
        return {
            "calls": one.calls,
            "first": round(one.first, 3),
            "last": round(one.last, 3),
            "tokens": {key: round(value, 6) for key, value in sorted(one.tokens.items())},
            "errors": one.errors,
            "cost": None if one.cost is None else round(one.cost, 6),
            "milliseconds": None if one.milliseconds is None else round(one.milliseconds, 3),
            "histogram": one.histogram,
            "chunks": one.distinct_chunks,
        }

    return {
        "answers": found.answers,
        "unresolved": found.unresolved,
        "unnamed": found.unnamed,
        "usage": {key: total(one) for key, one in sorted(found.usage.items())},
        "whole": {key: total(one) for key, one in sorted(found.whole.items())},
        "versions": {key: total(one) for key, one in sorted(found.versions.items())},
        "models": {key: total(one) for key, one in sorted(found.models.items())},
        # Which host asked is lost: traces of all hosts are added up.
        "query models": {
            index: sorted({model for model, _ in models})
            for index, models in sorted(found.query_models.items())
        },
        "scores": {
            key: {**asdict(one), "total": round(one.total, 6)} for key, one in sorted(found.scores.items())
        },
        "served": {key: dict(days) for key, days in sorted(found.served.items())},
        "applications": {
            name: {
                "first": round(one.first, 3),
                "last": round(one.last, 3),
                "framework": one.framework,
                "retrievers": {key: round(when, 3) for key, when in sorted(one.retrievers.items())},
                "indexes": {
                    key: {index: round(when, 3) for index, when in sorted(of.items())}
                    for key, of in sorted(one.indexes_of.items())
                },
                "prompts": {key: round(when, 3) for key, when in sorted(one.prompts.items())},
                "models": {key: round(when, 3) for key, when in sorted(one.models.items())},
            }
            for name, one in sorted(found.applications.items())
        },
    }


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two values differ, one line for each."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for key in sorted({*one, *other}, key=repr):
            if key not in one or key not in other:
                found.append(f"{where}/{key}: only {'the first' if key in one else 'the second'} has it")
            else:
                found += differences(one[key], other[key], f"{where}/{key}")
        return found
    return [] if one == other else [f"{where}: {one!r} != {other!r}"]
