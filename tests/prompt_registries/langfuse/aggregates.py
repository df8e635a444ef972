"""Works out Langfuse's aggregates from recorded rows; ``test_service.py`` compares them with the recorded ones.

The generations were recorded one by one, and so were the traces and the scores. Of the other observations only the
numbers are known: how many each trace has, and of which kinds. They are put together here as the seed wrote them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from prompt_registries.langfuse.recordings import recorded

Rows: TypeAlias = list[dict[str, Any]]

_SPANS = {
    6: [("AGENT", "answer"), ("EMBEDDING", "embed question"), ("RETRIEVER", "search")],
    5: [("SPAN", "experiment-item-run"), ("SPAN", "experiment-item-task")],
}
_MORE_SPANS = {
    6: [("GUARDRAIL", "no personal data")],
    5: [("SPAN", "experiment-item-evaluation"), ("EVALUATOR", "exact")],
}


def traces() -> Rows:
    return [item for exchange in recorded("traces_v1") for item in exchange["response"]["body"]["data"]]


def observations() -> Rows:
    """All observations of the recorded project, with the dimensions and measures of the endpoint."""
    return list(_observations())


def _observations() -> Iterator[dict[str, Any]]:
    generations: defaultdict[str, Rows] = defaultdict(list)
    for exchange in recorded("observations"):
        for item in exchange["response"]["body"]["data"]:
            if item["type"] == "GENERATION":
                generations[item["traceId"]].append(item)
    experiments = {
        item["traceId"]: item["experimentId"]
        for exchange in recorded("experiment_items")
        for item in exchange["response"]["body"]["data"]
    }
    embedded = 0
    for trace in sorted(traces(), key=lambda trace: str(trace["timestamp"])):
        found = [_generation(item, trace) for item in generations[trace["id"]]]
        size = len(trace["observations"])
        spans = [
            _span(trace, kind, name)
            for kind, name in _SPANS.get(size, _spans_of(trace)) + _MORE_SPANS.get(size, [])
        ]
        for span in spans:
            if span["type"] == "EMBEDDING":
                tokens = 12 + embedded
                span |= {"providedModelName": "acme-embed-small", "inputTokens": tokens}
                span |= {"totalTokens": tokens, "totalCost": tokens * 2e-8, "inputCost": tokens * 2e-8}
                embedded += 1
        if spans:
            spans[0] |= {"isRootObservation": True, "latency": round(trace["latency"] * 1000)}
            # Langfuse's SDK gives the trace's name to the first observation only, unless it is set around all.
            spans[0]["traceName"] = trace["name"]
        yield from ({**row, "experimentId": experiments.get(trace["id"])} for row in spans + found)


def _spans_of(trace: Mapping[str, Any]) -> list[tuple[str, str]]:
    name = trace["name"]
    if name == "nightly-import":
        return [("SPAN", name), ("EVENT", "done")]
    if name == "chat acme-chat":
        return []
    return [("AGENT", "answer")] if name == "support-bot" else [("SPAN", name)]


def _row(trace: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    carries_name = trace["name"] in ("support-bot", "Execute evaluator: faithfulness-judge", "chat acme-chat")
    return {
        "traceId": trace["id"],
        "startTime": trace["timestamp"],
        "traceName": trace["name"] if carries_name else None,
        "environment": trace["environment"],
        "release": trace["release"],
        "traceRelease": trace["release"],
        "version": trace["version"],
        "tags": trace["tags"],
        "level": "DEFAULT",
        "isRootObservation": False,
        "promptName": None,
        "promptVersion": None,
        "providedModelName": None,
        "latency": 0,
        **dict.fromkeys(("inputTokens", "outputTokens", "totalTokens"), 0),
        **dict.fromkeys(("inputCost", "outputCost", "totalCost"), 0.0),
        **values,
    }


def _span(trace: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    return _row(trace, type=kind, name=name)


def _generation(item: Mapping[str, Any], trace: Mapping[str, Any]) -> dict[str, Any]:
    return _row(
        trace,
        type=item["type"],
        name=item["name"],
        level=item["level"],
        startTime=item["startTime"],
        latency=round(item["latency"] * 1000),
        isRootObservation=item["isRootObservation"],
        promptName=item["promptName"] or None,
        promptVersion=item["promptVersion"],
        providedModelName=item["model"] or None,
        inputTokens=item["inputUsage"],
        outputTokens=item["outputUsage"],
        totalTokens=item["totalUsage"],
        inputCost=item["inputCost"] or 0.0,
        outputCost=item["outputCost"] or 0.0,
        totalCost=item["totalCost"],
    )


def scores() -> Rows:
    """All scores with what the endpoint joins to them: the trace, the observation."""
    traced = {trace["id"]: trace for trace in traces()}
    seen = {item["id"]: item for exchange in recorded("observations") for item in _data(exchange)}
    found = []
    for exchange in recorded("scores_v3"):
        if "fromTimestamp" not in exchange["request"]["query"]:
            continue
        for item in _data(exchange):
            subject = item["subject"]
            trace_id = subject.get("traceId") or (subject["id"] if subject["kind"] == "trace" else None)
            observation = seen.get(subject["id"]) if subject["kind"] == "observation" else None
            found.append(
                {
                    "startTime": item["timestamp"],
                    **{key: item[key] for key in ("name", "source", "dataType", "environment")},
                    "configId": item["configId"],
                    "value": float(item["value"]) if not isinstance(item["value"], str) else None,
                    "stringValue": item["value"] if isinstance(item["value"], str) else None,
                    "isOnTrace": trace_id in traced,
                    "traceName": traced[trace_id]["name"] if trace_id in traced else None,
                    "traceRelease": traced[trace_id]["release"] if trace_id in traced else None,
                    "tags": traced[trace_id]["tags"] if trace_id in traced else [],
                    "isOnObservation": subject["kind"] == "observation",
                    "observationPromptName": (observation or {}).get("promptName") or None,
                    "observationPromptVersion": (observation or {}).get("promptVersion"),
                    "observationModelName": (observation or {}).get("model") or None,
                }
            )
    return found


def _data(exchange: Mapping[str, Any]) -> Rows:
    rows: Rows = exchange["response"]["body"].get("data", [])
    return rows


_JOINED = {
    **dict.fromkeys(("traceName", "traceRelease", "tags"), "isOnTrace"),
    **dict.fromkeys(
        ("observationPromptName", "observationPromptVersion", "observationModelName"), "isOnObservation"
    ),
}
"""Dimensions of score views for which rows without a trace, or an observation, are dropped."""
_VIEWS = {"scores-numeric": ("NUMERIC", "BOOLEAN"), "scores-boolean": ("BOOLEAN",)}


def aggregate(query: Mapping[str, Any], rows: Rows, scored: Rows) -> Rows:
    """Answer a query of ``/v2/metrics`` over observations and scores."""
    view, fields = query["view"], [item["field"] for item in query.get("dimensions", [])]
    counts_scores = view.startswith("scores")
    if counts_scores:
        kinds = _VIEWS.get(view, ("CATEGORICAL",))
        rows = [row for row in scored if row["dataType"] in kinds]
        rows = [row for row in rows if all(row[_JOINED[field]] for field in fields if field in _JOINED)]
    start, end = (datetime.fromisoformat(query[key]) for key in ("fromTimestamp", "toTimestamp"))
    rows = [row for row in rows if start <= _when(row) <= end]
    for condition in query.get("filters", []):
        rows = [row for row in rows if _holds(condition, row)]
    granularity = (query.get("timeDimension") or {}).get("granularity")
    groups: dict[str, Rows] = {}
    for row in rows:
        key: dict[str, Any] = {field: row[field] for field in fields}
        if granularity:
            key["time_dimension"] = _bucket(_when(row), granularity)
        groups.setdefault(json.dumps(key), []).append(row)
    measures = [(item["measure"], item["aggregation"]) for item in query["metrics"]]
    found = [{**json.loads(key), **_measured(members, measures)} for key, members in groups.items()]
    for order in reversed(query.get("orderBy") or []):
        found.sort(key=lambda row: row[order["field"]], reverse=order["direction"] == "desc")
    if granularity and not query.get("orderBy"):
        found = _filled(found, fields, measures, start, end, granularity, "" if counts_scores else None)
    most: int = query.get("config", {}).get("row_limit", 100)
    return found[:most]


def _filled(
    found: Rows,
    fields: Sequence[str],
    measures: Sequence[tuple[str, str]],
    start: datetime,
    end: datetime,
    granularity: str,
    empty: str | None,
) -> Rows:
    """Add a row for each bucket without data: they count as rows too."""
    step = timedelta(days=1) if granularity == "day" else timedelta(hours=1)
    taken = {row["time_dimension"] for row in found}
    bucket = start.replace(minute=0, second=0, microsecond=0)
    bucket = bucket.replace(hour=0) if granularity == "day" else bucket
    while bucket < end:
        if _bucket(bucket, granularity) not in taken:
            # The columns of scores cannot be null.
            zero = None if empty is None else 0
            nothing = {f"{how}_{name}": 0 if how == "count" else zero for name, how in measures}
            values = {**dict.fromkeys(fields, empty), "time_dimension": _bucket(bucket, granularity)}
            found.append({**values, **nothing})
        bucket += step
    return sorted(found, key=lambda row: str(row["time_dimension"]))


def _measured(rows: Rows, measures: Sequence[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, how in measures:
        values = [row[name] for row in rows] if name != "count" else []
        if how == "count":
            found["count_count"] = len(rows)
        elif how == "sum":
            found[f"sum_{name}"] = sum(value for value in values if value is not None)
        elif how == "avg":
            found[f"avg_{name}"] = sum(values) / len(values)
    return found


def _holds(condition: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    value, wanted = row[condition["column"]], condition["value"]
    match condition["operator"]:
        case "is not null":
            return value is not None
        case "=":
            return bool(value == wanted)
        case "any of":
            return value in wanted
        case "none of":
            return value not in wanted
    raise AssertionError(condition)


def _when(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["startTime"]).astimezone(UTC)


def _bucket(when: datetime, granularity: str) -> str:
    return when.strftime("%Y-%m-%d" if granularity == "day" else "%Y-%m-%dT%H:00:00Z")
