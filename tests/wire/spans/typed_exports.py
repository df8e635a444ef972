"""Write what Langfuse's and LangSmith's exports to a bucket would hold: typed after their documentation, not recorded.

``cd tests && python -m wire.spans.typed_exports``. No server that exports can be had here. The values are those of the
recorded spans of ``langfuse-langchain`` and ``langsmith-langchain``; columns and layout are those of
https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields,
https://langfuse.com/docs/api-and-data-platform/features/export-to-blob-storage and
https://docs.langchain.com/langsmith/data-export. Where LangSmith does not say the type of a column it is a guess.
"""

from __future__ import annotations

import gzip
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from support.paths import WIRE

SPANS: Final = WIRE / "spans"
PROJECT: Final = "cm0000000000000000000test"
EXPORT: Final = "00000000-0000-4000-8000-0000000000e1"
TENANT: Final = "00000000-0000-4000-8000-0000000000a1"
SESSION: Final = "00000000-0000-4000-8000-0000000000b1"
_LANGFUSE: Final = "langfuse.observation."
_LANGSMITH: Final = "langsmith.metadata."
_TEXTS: Final = pa.list_(pa.string())
_WHEN: Final = pa.timestamp("us", tz="UTC")
Span: TypeAlias = Mapping[str, Any]
Attributes: TypeAlias = Mapping[str, Any]
LANGFUSE_SCHEMA: Final = pa.schema(
    {
        **dict.fromkeys(("id", "trace_id", "project_id", "environment", "type"), pa.string()),
        **{"parent_observation_id": pa.string(), "start_time": _WHEN, "end_time": _WHEN, "name": pa.string()},
        "metadata": pa.map_(pa.string(), pa.string()),
        **dict.fromkeys(("level", "status_message", "version", "input", "output"), pa.string()),
        **dict.fromkeys(("provided_model_name", "model_parameters"), pa.string()),
        "usage_details": pa.map_(pa.string(), pa.uint64()),
        "cost_details": pa.map_(pa.string(), pa.float64()),
        **{"completion_start_time": _WHEN, "prompt_name": pa.string(), "prompt_version": pa.uint16()},
        **dict.fromkeys(("total_cost", "latency", "time_to_first_token"), pa.float64()),
        **{"model_id": pa.string(), "created_at": _WHEN, "updated_at": _WHEN, "prompt_id": pa.string()},
        **{"tool_calls": _TEXTS, "tool_call_names": _TEXTS},
        "tool_definitions": pa.map_(pa.string(), pa.string()),
        **dict.fromkeys(("usage_pricing_tier_id", "usage_pricing_tier_name", "user_id"), pa.string()),
        **{"session_id": pa.string(), "trace_name": pa.string(), "tags": _TEXTS, "release": pa.string()},
        **{"bookmarked": pa.bool_(), "public": pa.bool_(), "is_root_observation": pa.bool_()},
    }
)
LANGSMITH_SCHEMA: Final = pa.schema(
    {
        **dict.fromkeys(("id", "tenant_id", "session_id", "trace_id", "parent_run_id"), pa.string()),
        **{"parent_run_ids": _TEXTS, "reference_example_id": pa.string()},
        **{"name": pa.string(), "run_type": pa.string(), "start_time": _WHEN, "end_time": _WHEN},
        **{"status": pa.string(), "is_root": pa.bool_(), "dotted_order": pa.string()},
        **dict.fromkeys(("trace_tier", "inputs", "outputs", "error", "extra", "events"), pa.string()),
        **{"tags": _TEXTS, "feedback_stats": pa.string()},
        **dict.fromkeys(("total_tokens", "prompt_tokens", "completion_tokens"), pa.int64()),
        **dict.fromkeys(("total_cost", "prompt_cost", "completion_cost"), pa.decimal128(20, 12)),
        "first_token_time": _WHEN,
    }
)


def spans_of(name: str) -> list[tuple[Span, Attributes]]:
    """The recorded spans and their attributes, parents before children."""
    text = gzip.decompress((SPANS / f"{name}.otlp.jsonl.gz").read_bytes()).decode()
    found = [
        (span, {one["key"]: _value(one["value"]) for one in span.get("attributes", ())})
        for line in text.splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    return sorted(found, key=lambda one: int(one[0]["startTimeUnixNano"]))


def _value(given: Mapping[str, Any]) -> Any:
    [(kind, value)] = given.items()
    if kind == "arrayValue":
        return [_value(one) for one in value.get("values", ())]
    return int(value) if kind == "intValue" else value


def _when(nanoseconds: str) -> datetime:
    return datetime.fromtimestamp(int(nanoseconds) // 1000 / 1e6, UTC)


# Langfuse


def observations() -> Iterator[dict[str, Any]]:
    """Rows of ``observations_v2``."""
    spans = [
        (span, found)
        for span, found in spans_of("langfuse-langchain/features")
        if _LANGFUSE + "type" in found
    ]
    names = {span["traceId"]: span["name"] for span, _ in reversed(spans)}
    known = {span["spanId"] for span, _ in spans}
    for span, found in spans:
        begun, ended = _when(span["startTimeUnixNano"]), _when(span["endTimeUnixNano"])
        root = span.get("parentSpanId") not in known
        yield {
            "id": span["spanId"],
            "trace_id": span["traceId"],
            "project_id": PROJECT,
            "environment": found.get("langfuse.environment", "default"),
            "type": found[_LANGFUSE + "type"].upper(),
            "parent_observation_id": "" if root else span["parentSpanId"],
            "start_time": begun,
            "end_time": ended,
            "name": span["name"],
            "metadata": {
                key.removeprefix(_LANGFUSE + "metadata."): str(value)
                for key, value in found.items()
                if key.startswith(_LANGFUSE + "metadata.")
            },
            "level": found.get(_LANGFUSE + "level", "DEFAULT"),
            "status_message": found.get(_LANGFUSE + "status_message", ""),
            "version": "",
            "input": found.get(_LANGFUSE + "input", ""),
            "output": found.get(_LANGFUSE + "output", ""),
            "provided_model_name": found.get(_LANGFUSE + "model.name", ""),
            "model_parameters": found.get(_LANGFUSE + "model.parameters", ""),
            "usage_details": json.loads(found.get(_LANGFUSE + "usage_details", "{}")),
            "cost_details": _cost(found),
            "completion_start_time": None,
            "prompt_name": found.get(_LANGFUSE + "prompt.name", ""),
            "prompt_version": found.get(_LANGFUSE + "prompt.version"),
            "total_cost": sum(_cost(found).values()),
            "latency": (ended - begun).total_seconds(),
            "time_to_first_token": None,
            "model_id": "clm-gpt-4o-mini" if _cost(found) else "",
            "created_at": ended,
            "updated_at": ended,
            "prompt_id": "",
            "tool_calls": [],
            "tool_call_names": [],
            "tool_definitions": {},
            "usage_pricing_tier_id": None,
            "usage_pricing_tier_name": None,
            "user_id": "CANARY-USER",
            "session_id": "CANARY-SESSION",
            "trace_name": names[span["traceId"]],
            "tags": [],
            "release": found.get("langfuse.release", ""),
            "bookmarked": False,
            "public": False,
            "is_root_observation": root,
        }


def _cost(found: Attributes) -> dict[str, float]:
    """What Langfuse's price list makes of the tokens; not in the spans."""
    usage = json.loads(found.get(_LANGFUSE + "usage_details", "{}"))
    prices = {"input": 0.15e-6, "input_cache_read": 0.075e-6, "output": 0.6e-6, "output_reasoning": 0.6e-6}
    return {key: usage[key] * price for key, price in prices.items() if key in usage}


def write_langfuse(target: Path) -> None:
    rows = list(observations())
    stamp = "2026-11-30T04-00-00"
    folder = target / PROJECT
    (folder / "observations_v2").mkdir(parents=True)
    (folder / "manifests").mkdir()
    prices = dict.fromkeys(("input_price", "output_price", "total_price"))
    lines = "".join(json.dumps({**row, **prices}, default=_text) + "\n" for row in rows)
    text = folder / "observations_v2" / f"{stamp}.jsonl.gz"
    text.write_bytes(gzip.compress(lines.encode(), mtime=0))
    columns = folder / "observations_v2" / f"{stamp}.parquet"
    table = pa.Table.from_pylist([_pairs(row) for row in rows], LANGFUSE_SCHEMA)
    pq.write_table(table, columns, compression="zstd")
    files = [
        _file(text, "JSONL", compressed=True, rows=len(rows)),
        _file(columns, "PARQUET", compressed=False, rows=None),
    ]
    window = {"minTimestamp": "2026-11-30T03:00:00.000Z", "maxTimestamp": "2026-11-30T04:00:00.000Z"}
    manifest = {
        "window": window,
        "exportSource": "OBSERVATIONS_V2",
        "tables": ["observations_v2"],
        "files": files,
    }
    (folder / "manifests" / f"{stamp}.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _file(path: Path, kind: str, *, compressed: bool, rows: int | None) -> dict[str, Any]:
    return {
        "key": f"{PROJECT}/observations_v2/{path.name}",
        "table": "observations_v2",
        "format": kind,
        "compressed": compressed,
        "size": path.stat().st_size,
        "rowCount": rows,
    }


def _text(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S.%f}"


def _pairs(row: dict[str, Any]) -> dict[str, Any]:
    """Maps as pyarrow takes them."""
    return {key: list(value.items()) if isinstance(value, dict) else value for key, value in row.items()}


# LangSmith


def runs() -> Iterator[dict[str, Any]]:
    """Rows of a bulk export."""
    spans = spans_of("langsmith-langchain/features")
    numbers = {span["spanId"]: str(uuid.UUID(f"0000000000004000{span['spanId']}")) for span, _ in spans}
    above: dict[str, list[str]] = {}
    order: dict[str, str] = {}
    for span, found in spans:
        number, parent = numbers[span["spanId"]], span.get("parentSpanId", "")
        begun, ended = _when(span["startTimeUnixNano"]), _when(span["endTimeUnixNano"])
        above[number] = [*above[numbers[parent]], numbers[parent]] if parent in numbers else []
        before = order[numbers[parent]] + "." if parent in numbers else ""
        order[number] = f"{before}{begun:%Y%m%dT%H%M%S%f}Z{number}"
        failed = span.get("status", {}).get("code") == 2
        metadata = {
            key.removeprefix(_LANGSMITH): value for key, value in found.items() if key.startswith(_LANGSMITH)
        }
        yield {
            "id": number,
            "tenant_id": TENANT,
            "session_id": SESSION,
            "trace_id": above[number][0] if above[number] else number,
            "parent_run_id": numbers.get(parent),
            "parent_run_ids": above[number],
            "reference_example_id": None,
            "name": span["name"],
            "run_type": found.get("langsmith.span.kind", "chain"),
            "start_time": begun,
            "end_time": ended,
            "status": "error" if failed else "success",
            "is_root": not above[number],
            "dotted_order": order[number],
            "trace_tier": "shortlived",
            "inputs": found.get("gen_ai.prompt", "{}"),
            "outputs": found.get("gen_ai.completion"),
            "error": span["status"].get("message") if failed else None,
            "extra": json.dumps({"metadata": metadata, "runtime": {"library": "langchain-core"}}),
            "events": "[]",
            "tags": [one for one in found.get("langsmith.span.tags", "").split(", ") if one],
            "feedback_stats": "{}",
            "total_tokens": found.get("gen_ai.usage.total_tokens", 0),
            "prompt_tokens": found.get("gen_ai.usage.input_tokens", 0),
            "completion_tokens": found.get("gen_ai.usage.output_tokens", 0),
            "total_cost": None,
            "prompt_cost": None,
            "completion_cost": None,
            "first_token_time": None,
        }


def write_langsmith(target: Path) -> None:
    rows = list(runs())
    day = rows[0]["start_time"]
    place = f"export_id={EXPORT}/tenant_id={TENANT}/session_id={SESSION}/runs"
    folder = target / place / f"year={day.year}/month={day.month}/day={day.day}"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, LANGSMITH_SCHEMA), folder / "0.parquet", compression="zstd")


def main() -> None:
    for name, write in (("langfuse-export", write_langfuse), ("langsmith-export", write_langsmith)):
        target = SPANS / name
        shutil.rmtree(target, ignore_errors=True)
        write(target)


if __name__ == "__main__":
    main()
