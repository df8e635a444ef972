from __future__ import annotations

import gzip
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pytest
import zstandard
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from pyarrow import parquet

from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors import columns
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.otlp_schema import TracesData as Raw
from datahub_llmops.spans.doors.reading import ObjectReader, Outcome, Part
from datahub_llmops.spans.doors.rows import Row, as_spans
from spans.doors.making import CANARY, as_line, as_message, as_observation, call, in_base64, prefixed
from support.paths import WIRE

SPANS = WIRE / "spans"
COLLECTOR = SPANS / "collector"
RECORDED = sorted(path.relative_to(SPANS).as_posix()[:-6] for path in SPANS.glob("*/*.otlp.pb.gz"))


def read(content: bytes, part: Part | None = None) -> tuple[list[tuple[Any, ...]], Outcome, ReadCounts]:
    rows: list[Row] = []
    counts = ReadCounts()
    reader = ObjectReader(Selection(), counts, rows.extend, lambda answer: None)
    outcome = reader.read(io.BytesIO(content), part or Part())
    # The number of the class says nothing by itself.
    return [span[:11] for span in as_spans(rows, reader.classes)], outcome, counts


@pytest.mark.parametrize("case", RECORDED)
def test_the_same_spans_come_out_of_protobuf_and_json(case: str) -> None:
    out_of = [
        sorted(read((SPANS / f"{case}.{form}").read_bytes())[0], key=lambda row: row[:2])
        for form in ("pb.gz", "jsonl.gz")
    ]
    assert out_of[0]
    assert [row[:4] for row in out_of[0]] == [row[:4] for row in out_of[1]]
    for binary, text in zip(*out_of, strict=True):
        assert binary[4:6] == pytest.approx(text[4:6])
        assert binary[6:] == text[6:]
    assert "CANARY" not in repr(out_of)


def test_no_form_of_the_collectors_files_loses_a_span() -> None:
    forms = {
        name: sorted(read((COLLECTOR / name).read_bytes())[0], key=lambda row: row[:2])
        for name in (
            "traces.json",
            "traces.proto",
            "traces.json.messages",
            "traces.proto.messages",
            "traces.json.zst",
            "traces.proto.zst",
        )
    }
    assert len(forms["traces.json"]) > 20
    for name, rows in forms.items():
        assert [row[:2] for row in rows] == [row[:2] for row in forms["traces.json"]], name
        assert [row[7] for row in rows] == [row[7] for row in forms["traces.json"]], name


def test_ids_in_base64_are_those_in_hexadecimal() -> None:
    spans = [call(1), call(1, span=2, parent=1)]
    assert [row[:3] for row in read(as_line(spans, ids=in_base64))[0]] == [
        (one.trace, one.id, one.parent) for one in spans
    ]
    assert [row[:3] for row in read(as_line(spans, ids=str.upper))[0]] == [
        (one.trace, one.id, one.parent) for one in spans
    ]


def test_lists_as_json_text_and_values_of_every_type() -> None:
    documents = [{"id": "a", "score": 0.5, "content": CANARY}, {"id": "b"}]
    attributes = {
        "gen_ai.retrieval.documents": json.dumps(documents),
        "retrieval.documents.0.document.id": "a",
        "retrieval.documents.0.document.score": 0.25,
        "llm.token_count.prompt": 300_000,
        "llm.token_count.completion": 5_000_000_000,
        "gen_ai.usage.cost": 0.5,
        "gen_ai.agent.name": "x" * 200,
        "datahub_llmops.index": ["urn:li:one", "urn:li:two"],
        "datahub_llmops.recorded": True,
        "tool.name": "ключ",
    }
    spans = [call(1, attributes=attributes)]
    for content in (as_line(spans), as_message(spans)):
        (row,) = read(content)[0]
        kept = row[7]
        assert kept["gen_ai.retrieval.documents"] == [
            {"id": "a", "score": 0.5, "metadata": {}},
            {"id": "b", "metadata": {}},
        ]
        assert {name: kept[name] for name in list(attributes)[1:]} == {
            **dict(list(attributes.items())[1:]),
        }
        assert CANARY not in repr(row)


@pytest.mark.parametrize(
    ("state", "weight"),
    [
        ("", 1.0),
        ("ot=th:0", 1.0),
        ("ot=th:8", 2.0),
        ("vendor=x, ot=rv:abc;th:c", 4.0),
        ("ot=th:zz", 1.0),
        ("ot", 1.0),
    ],
)
def test_a_sampled_span_stands_for_others(state: str, weight: float) -> None:
    spans = [call(1, state=state)]
    for content in (as_line(spans), as_message(spans)):
        assert read(content)[0][0][10] == weight


def test_an_error_has_the_type_of_its_exception() -> None:
    spans = [call(1, error="openai.RateLimitError")]
    for content in (as_line(spans), as_message(spans)):
        (row,) = read(content)[0]
        assert row[6] == "openai.RateLimitError"
        assert CANARY not in repr(row)


def test_events_of_a_search_give_ids() -> None:
    path = SPANS / "openllmetry-langchain" / "chroma.otlp.pb.gz"
    found = [row for row in read(path.read_bytes())[0] if "db.query.result.id" in row[7]]
    assert found
    assert all(len(row[7]["db.query.result.id"]) > 0 for row in found)


def test_logs_and_metrics_are_no_spans() -> None:
    data = MetricsData()
    metric = data.resource_metrics.add().scope_metrics.add().metrics.add(name="http.requests", unit="1")
    metric.sum.data_points.add(as_int=3, start_time_unix_nano=5, time_unix_nano=7)
    metrics = data.SerializeToString()
    for content in (b'{"resourceLogs": []}\n', b'{"resourceMetrics": []}', metrics):
        rows, outcome, counts = read(content)
        assert rows == []
        assert (outcome.others, outcome.unreadable, counts.spans_unusable) == (1, 0, 0)


def test_a_document_of_many_lines_or_a_list_is_read_as_a_whole() -> None:
    line = as_line([call(1)])
    indented = json.dumps(json.loads(line), indent=1).encode()
    listed = json.dumps([as_observation(call(2)), as_observation(call(3)), 5]).encode()
    assert [row[0] for row in read(indented)[0]] == [call(1).trace]
    rows, outcome, _ = read(listed)
    assert [row[0] for row in rows] == [call(2).trace, call(3).trace]
    assert outcome.unreadable == 1


def test_observations_of_langfuse() -> None:
    line = orjson.dumps(as_observation(call(1, span=2, parent=1, error="x"))) + b"\n"
    others = b'{"id":"s1","project_id":"p1","trace_id":"t","data_type":"NUMERIC"}\n'
    rows, outcome, _ = read(line + others)
    (row,) = rows
    made = call(1, span=2, parent=1)
    assert row[:3] == (made.trace, made.id, made.parent)
    assert row[4] == pytest.approx(made.started)
    assert row[6] == "error"
    assert row[7]["langfuse.observation.usage_details"] == {"input": 10, "output": 3}
    assert row[7]["langfuse.observation.prompt.version"] == 4
    assert row[8] == {"service.name": "support-bot"}
    assert CANARY not in repr(row)
    assert outcome.others == 1


def test_a_part_of_a_file_is_what_lies_between_two_records() -> None:
    lines = [as_line([call(number)]) for number in (1, 2, 3)]
    ends = [len(b"".join(lines[: number + 1])) for number in range(3)]
    content = b"".join(lines)
    assert read(content)[1].end == ends[2]
    middle, outcome, _ = read(content, Part(start=ends[0], stop=ends[1]))
    assert [row[0] for row in middle] == [call(2).trace]
    assert outcome.end == ends[1]
    messages = [as_message([call(number)]) for number in (1, 2)]
    rest, outcome, _ = read(prefixed(messages), Part(start=len(messages[0]) + 4))
    assert [row[0] for row in rest] == [call(2).trace]
    assert outcome.end == len(prefixed(messages))


def test_parquet_of_both_exports(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from spans.doors.making import as_run

    made = [call(1), call(1, span=2, parent=1, error="x")]
    path = tmp_path / "runs.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([as_run(one) for one in made]), path)
    rows, outcome, _ = read(path.read_bytes())
    assert [row[0] for row in rows] == [one.trace for one in made]
    assert rows[1][2] == rows[0][1]
    assert [row[6] for row in rows] == [None, "error"]
    assert rows[0][4] == made[0].started
    assert rows[0][7]["gen_ai.usage.input_tokens"] == 10
    assert rows[0][7]["ls_model_name"] == "gpt-4o"
    assert rows[0][7]["lc_hub_commit_hash"] == "abc"
    assert CANARY not in repr(rows)
    assert outcome.format == "Parquet"
    observations = [as_observation(one) for one in made]
    for one in observations:
        one["metadata"] = json.dumps(one["metadata"])
    parquet.write_table(pyarrow.Table.from_pylist(observations), path)
    rows, _, _ = read(path.read_bytes())
    assert [row[:3] for row in rows] == [(one.trace, one.id, one.parent) for one in made]
    assert rows[0][7]["langfuse.observation.usage_details"] == {"input": 10, "output": 3}
    assert CANARY not in repr(rows)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(as_line([call(1)]) * 200)[:-30], "the gzip stream is cut off"),
        (zstandard.compress(as_line([call(1)]) * 200)[:-30], "the zstd stream is cut off"),
        (b"\x1f\x8b" + bytes(200), "the gzip stream is damaged"),
        (b"id,name\n1,2\n", "its format is not known"),
        (b"PAR1 and nothing", "the Parquet file is cut off or damaged"),
    ],
)
def test_what_breaks_off_says_why(content: bytes, reason: str) -> None:
    assert read(content)[1].broken == reason


def test_what_was_readable_before_the_break_counts() -> None:
    lines = b"".join(as_line([call(number)]) for number in range(1, 2_000))
    rows, outcome, _ = read(gzip.compress(lines)[:-3_000])
    assert outcome.broken
    assert 0 < len(rows) < 1_999


def test_the_export_of_langfuse_in_both_its_forms() -> None:
    folder = SPANS / "langfuse-export"
    lines, parquet = (
        sorted(read(next(folder.rglob(f"*.{form}")).read_bytes())[0], key=lambda row: row[:2])
        for form in ("jsonl.gz", "parquet")
    )
    assert len(lines) > 20
    for line, record in zip(lines, parquet, strict=True):
        assert line[:4] == record[:4]
        assert line[4:6] == pytest.approx(record[4:6])
        assert line[6:] == record[6:]
    assert any("langfuse.observation.usage_details" in row[7] for row in lines)
    assert_documents_of_retrievers(lines, "langfuse.observation.type", "RETRIEVER")
    assert "CANARY" not in repr(lines)
    manifest = next(folder.rglob("manifests/*.json")).read_bytes()
    assert read(manifest)[1].others == 1


def test_the_export_of_langsmith() -> None:
    rows = read(next((SPANS / "langsmith-export").rglob("*.parquet")).read_bytes())[0]
    assert len(rows) > 20
    assert {row[7].get("langsmith.span.kind") for row in rows} >= {"llm", "chain", "retriever"}
    assert any(row[7].get("gen_ai.usage.input_tokens") for row in rows)
    assert_documents_of_retrievers(rows, "langsmith.span.kind", "retriever")
    assert "CANARY" not in repr(rows)


def assert_documents_of_retrievers(rows: list[Any], kind: str, retriever: str) -> None:
    """Of the outputs, those of retrievers are kept, as ids and sources."""
    documents = [one for row in rows for one in row[7].get("output.value", ())]
    assert {row[7][kind] for row in rows if "output.value" in row[7]} == {retriever}
    assert len([one for one in documents if one["id"]]) > 20
    assert len([one for one in documents if one["metadata"].get("source", "").startswith("s3://kb/")]) > 20


def test_few_large_rows_of_parquet_are_read_at_once() -> None:
    text = os.urandom(2**20).hex()
    table = pyarrow.table({"id": ["1"] * 64, "outputs": [f"{number}{text}" for number in range(64)]})
    file = io.BytesIO()
    parquet.write_table(table, file)
    metadata = parquet.ParquetFile(file).metadata
    assert 4 <= columns._rows_at_once(metadata, ["id", "outputs"]) <= 8
    assert columns._rows_at_once(metadata, ["id"]) == 2_000


def test_the_archive_of_mlflow() -> None:
    paths = sorted((SPANS / "mlflow-archive").rglob("traces.pb"))
    assert paths
    for path in paths:
        rows, outcome, _ = read(path.read_bytes())
        assert rows
        assert outcome.format == "one protobuf message"
        assert "CANARY" not in repr(rows)


@pytest.mark.parametrize("spans", ["no list", 7, {"scopeSpans": []}])
def test_spans_that_are_no_list_are_not_understood(spans: Any) -> None:
    rows, outcome, _ = read(json.dumps({"resourceSpans": spans}).encode() + b"\n" + as_line([call(1)]))
    assert (len(rows), outcome.unreadable) == (1, 1)


@pytest.mark.parametrize("spans", [None, []])
def test_no_spans_are_nothing_to_understand(spans: Any) -> None:
    rows, outcome, _ = read(json.dumps({"resourceSpans": spans}).encode() + b"\n" + as_line([call(1)]))
    assert (len(rows), outcome.unreadable) == (1, 0)


def test_a_line_that_is_odd_in_one_place_is_read_apart_from_it() -> None:
    made = [call(1), call(2)]
    expected = read(as_line(made))[0]
    line = json.loads(as_line(made))
    spans = [group["scopeSpans"][0]["spans"][0] for group in line["resourceSpans"]]
    # Numbers that others write as texts, texts that are numbers, and what is none of OTLP's.
    spans[0]["startTimeUnixNano"] = int(spans[0]["startTimeUnixNano"])
    spans[0]["attributes"] += [{"key": 7, "value": {}}, {"key": "llm.provider", "value": 7}, 7, None]
    spans[0]["attributes"].append({"key": "llm.system", "value": {"stringValue": 7}})
    spans[1]["links"] = [7]
    line["resourceSpans"] += [7, {"scopeSpans": [{"spans": [7, {"traceId": 7, "spanId": [], "name": {}}]}]}]
    content = json.dumps(line).encode() + b"\n"
    found, outcome, counts = read(content)
    assert found == expected
    assert counts.spans_unusable == 1
    assert not outcome.unreadable
    assert CANARY not in repr(found)


@pytest.mark.parametrize("deep", [500, 100_000])
def test_a_value_that_is_nested_too_deep_is_no_value(deep: int) -> None:
    nested = b'{"arrayValue":{"values":[' * deep + b"{}" + b"]}}" * deep
    line = as_line([call(1)]).replace(b'{"stringValue": "openai"}', nested)
    assert nested in line
    _, outcome, counts = read(line + as_line([call(2)]))
    assert counts.spans_read + outcome.unreadable == 2
    assert counts.spans_read >= 1


@pytest.mark.parametrize("swapped", [False, True], ids=["name first", "value first"])
def test_a_text_that_ends_like_a_name_is_none(swapped: bool) -> None:
    attributes = {"openinference.span.kind": "LLM", "llm.provider": "openai"}
    plain = as_message([made_with({**attributes, "llm.model_name": "gpt-4o"})])
    trapped = as_message([made_with({**attributes, "": f"{CANARY}\n\x0ellm.model_name"})])
    found = read(
        prefixed([value_first(one) if swapped else one for one in (plain, trapped, plain, trapped)])
    )[0]
    assert [row[7].get("llm.model_name") for row in found] == ["gpt-4o", None] * 2
    assert CANARY not in repr(found)


def made_with(attributes: dict[str, Any]) -> Any:
    return replace(call(1), attributes=attributes)


def value_first(message: bytes) -> bytes:
    """Write the value of each attribute before its name, as the Collector's own exporters do."""
    data = Raw.FromString(message)
    for group in data.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                pairs = []
                for pair in span.attributes:
                    named = pair[0] == 10
                    end = pair[1] + 2 if named else 0
                    pairs.append(pair[end:] + pair[:end])
                span.attributes[:] = pairs
    return bytes(data.SerializeToString())


@pytest.mark.parametrize("form", [as_line, as_message])
def test_documents_that_an_output_has_are_not_read_again(form: Any) -> None:
    output = json.dumps(
        {"documents": [{"id": "a", "page_content": CANARY, "metadata": {"source": "kb/1.md"}}]}
    )
    flat = {
        "retrieval.documents.0.document.metadata": json.dumps({"source": "kb/1.md"}),
        "openinference.span.kind": "RETRIEVER",
    }
    (alone,), (both,) = (
        read(form([made_with(attributes)]))[0] for attributes in (flat, {**flat, "output.value": output})
    )
    assert "retrieval.documents.0.document.metadata" in alone[7]
    assert both[7]["output.value"] == [{"id": "a", "score": None, "metadata": {"source": "kb/1.md"}}]
    assert "retrieval.documents.0.document.metadata" not in both[7]
