"""Ten million spans in files: the door of ``llm-spans`` beside a bare loop that decodes the same files.

The spans are those of a real application under OpenInference (``tests/wire/spans``), with ids, times, texts, numbers
of tokens and documents of their own, so that no two answers are alike. In protobuf, the fields of an attribute are in
the order of most SDKs, or with ``--value-first`` in that of the Collector's own exporters. The bare loop parses each
message with OpenTelemetry's own classes, or each line with orjson, and reads all attributes of each span into a
dictionary. Each measurement is a process of its own; CPU seconds are those of the process. With ``--others 9``, nine of
ten spans are those of a web service without a language model.

    python benchmarks/spans_files.py [--spans 10000000] [--format protobuf|json|both] [--value-first] [--others N]
        [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.spans.assemble import AssembleOptions
from datahub_llmops.spans.assembler import Assembler
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.files import FilesDoor
from datahub_llmops.spans.doors.keys import DAY
from datahub_llmops.spans.doors.options import FilesOptions
from datahub_llmops.spans.doors.otlp_schema import TracesData as Swapped

RECORDED = Path(__file__).parent.parent / "tests/wire/spans/openinference-langchain/features.otlp.pb.gz"
OBJECT_SPANS = 100_000
"""Spans of one object."""
NOON = 1_796_000_000 // DAY * DAY + DAY // 2
DOCUMENTS = 10_000
"""Documents that retrievals find."""
OWN = re.compile(r"0000000000(\d\d)\b|kb/(\d+)\.md|text (\d+)|(QUESTION|ANSWER|ARGUMENT)")
TOKENS = ("llm.token_count.prompt", "llm.token_count.completion", "llm.token_count.total")


def templates() -> list[Any]:
    """Return what was recorded."""
    data = TracesData.FromString(gzip.decompress(RECORDED.read_bytes()))
    return list(data.resource_spans)


def other_spans(count: int) -> Any:
    """Return spans of a web service that has nothing to do with a language model, nine in each trace."""
    group = TracesData().resource_spans.add()
    group.resource.attributes.extend([text("service.name", "web-shop"), text("service.version", "12")])
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.asgi"
    for number in range(count):
        place = number % 9
        span = scope.spans.add(
            trace_id=(1 << 64 | number // 9).to_bytes(16, "big"),
            span_id=(1 << 32 | number).to_bytes(8, "big"),
            parent_span_id=b"" if place == 0 else (1 << 32 | number - place).to_bytes(8, "big"),
            name=f"GET /orders/{place}",
            kind=2,
            start_time_unix_nano=NOON * 10**9 + number * 10**6,
            end_time_unix_nano=NOON * 10**9 + number * 10**6 + 5 * 10**6,
        )
        span.attributes.extend(
            [
                text("http.request.method", "GET"),
                text("http.route", f"/orders/{place}"),
                text("url.path", f"/orders/{place}/kb/{number}.md"),
                text("url.scheme", "https"),
                text("server.address", "shop.example"),
                text("client.address", "192.0.2.7"),
                text(
                    "user_agent.original",
                    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                ),
            ]
        )
        span.attributes.add(key="server.port").value.int_value = 443
        span.attributes.add(key="http.response.status_code").value.int_value = 200
    return group


def text(key: str, value: str) -> Any:
    """Return an attribute with a text."""
    return KeyValue(key=key, value=AnyValue(string_value=value))


def write(folder: Path, spans: int, form: str, swapped: bool = False, others: int = 0) -> None:
    """Write objects with copies of the recorded traces over one day, in the order of their time.

    ``others`` is how many spans of another service come with each span of a recorded trace.
    """
    # As a collector batches them: one entry for each process, and in it one for each instrumentation.
    groups: dict[bytes, Any] = {}
    scopes: dict[tuple[bytes, bytes], Any] = {}
    batch = TracesData()
    for group in templates():
        process = group.resource.SerializeToString()
        if process not in groups:
            groups[process] = batch.resource_spans.add()
            groups[process].resource.CopyFrom(group.resource)
        for scope in group.scope_spans:
            key = (process, scope.scope.SerializeToString())
            if key not in scopes:
                scopes[key] = groups[process].scope_spans.add()
                scopes[key].scope.CopyFrom(scope.scope)
            scopes[key].spans.extend(scope.spans)
    if others:
        own = sum(len(scope.spans) for scope in scopes.values())
        batch.resource_spans.append(other_spans(own * others))
    raw = batch.SerializeToString()
    count = sum(len(scope.spans) for group in batch.resource_spans for scope in group.scope_spans)
    first = min(
        span.start_time_unix_nano
        for group in batch.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    )
    rounds = -(-spans // count)
    shift = random.Random(1)
    written = number = 0
    file: Any = None
    for turn in range(rounds):
        data = TracesData.FromString(raw)
        salt = shift.getrandbits(128).to_bytes(16, "big")
        begin = int((NOON - DAY // 2 + (DAY - 600) * turn / rounds) * 1e9)
        for group in data.resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    span.trace_id = bytes(a ^ b for a, b in zip(span.trace_id, salt, strict=True))
                    span.span_id = bytes(a ^ b for a, b in zip(span.span_id, salt[:8], strict=True))
                    if span.parent_span_id:
                        span.parent_span_id = bytes(
                            a ^ b for a, b in zip(span.parent_span_id, salt[:8], strict=True)
                        )
                    for one in span.attributes:
                        make_own(one, turn)
                    length = span.end_time_unix_nano - span.start_time_unix_nano
                    span.start_time_unix_nano += begin - first
                    span.end_time_unix_nano = span.start_time_unix_nano + length
        if file is None:
            file = (folder / f"{number:05}.{form}").open("wb")
        if form == "protobuf":
            message = data.SerializeToString()
            if swapped:
                message = value_first(message)
            file.write(len(message).to_bytes(4, "big") + message)
        else:
            file.write(orjson.dumps(as_json(data)) + b"\n")
        written += count
        if written >= OBJECT_SPANS * (number + 1):
            file.close()
            file, number = None, number + 1
    if file is not None:
        file.close()


def make_own(one: Any, turn: int) -> None:
    """Give an attribute texts, documents and tokens of its own."""

    def own(match: re.Match[str]) -> str:
        identity, key, text, word = match.groups()
        if word:
            return f"{word} {turn}"
        number = (int(identity or key or text) + turn * 7) % DOCUMENTS
        return f"{number:012}" if identity else f"kb/{number}.md" if key else f"text {number}"

    if one.value.WhichOneof("value") == "string_value":
        one.value.string_value = OWN.sub(own, one.value.string_value)
    elif one.key in TOKENS:
        one.value.int_value += turn % 1_999


def value_first(message: bytes) -> bytes:
    """Return a message with the value of each attribute before its name, as Go's marshalling of the Collector does."""
    data = Swapped.FromString(message)
    for group in data.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                span.attributes[:] = [swap(pair) for pair in span.attributes]
    return bytes(data.SerializeToString())


def swap(pair: bytes) -> bytes:
    """Put the value of an attribute before its name."""
    end = pair[1] + 2
    return pair[end:] + pair[:end]


def as_json(data: Any) -> dict[str, Any]:
    """Return OTLP JSON as the collector writes it: ids in hexadecimal, whole numbers as texts."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [pair(one) for one in group.resource.attributes]},
                "scopeSpans": [
                    {
                        "scope": {"name": scope.scope.name, "version": scope.scope.version},
                        "spans": [
                            {
                                "traceId": span.trace_id.hex(),
                                "spanId": span.span_id.hex(),
                                "parentSpanId": span.parent_span_id.hex(),
                                "flags": span.flags,
                                "name": span.name,
                                "kind": span.kind,
                                "startTimeUnixNano": str(span.start_time_unix_nano),
                                "endTimeUnixNano": str(span.end_time_unix_nano),
                                "attributes": [pair(one) for one in span.attributes],
                                "status": {"code": span.status.code} if span.status.code else {},
                            }
                            for span in scope.spans
                        ],
                    }
                    for scope in group.scope_spans
                ],
            }
            for group in data.resource_spans
        ]
    }


def pair(one: Any) -> dict[str, Any]:
    """Return a ``KeyValue`` as JSON."""
    return {"key": one.key, "value": value(one.value)}


def value(one: Any) -> dict[str, Any]:
    """Return an ``AnyValue`` as JSON."""
    kind = one.WhichOneof("value")
    if kind == "int_value":
        return {"intValue": str(one.int_value)}
    if kind == "array_value":
        return {"arrayValue": {"values": [value(each) for each in one.array_value.values]}}
    names = {"string_value": "stringValue", "double_value": "doubleValue", "bool_value": "boolValue"}
    return {names[kind]: getattr(one, kind)} if kind in names else {}


def bare_protobuf(folder: Path) -> int:
    """Decode each span into a dictionary of its attributes, and count."""
    spans = 0
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            while head := file.read(4):
                data = TracesData.FromString(file.read(int.from_bytes(head, "big")))
                for group in data.resource_spans:
                    for scope in group.scope_spans:
                        for span in scope.spans:
                            found = {
                                "trace": span.trace_id.hex(),
                                "id": span.span_id.hex(),
                                "parent": span.parent_span_id.hex(),
                                "name": span.name,
                                "start": span.start_time_unix_nano,
                                "end": span.end_time_unix_nano,
                                "status": span.status.code,
                            }
                            for one in span.attributes:
                                kind = one.value.WhichOneof("value")
                                found[one.key] = getattr(one.value, kind) if kind else None
                            spans += 1
    return spans


def bare_json(folder: Path) -> int:
    """Decode each span into a dictionary of its attributes, and count."""
    spans = 0
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            for line in file:
                for group in orjson.loads(line)["resourceSpans"]:
                    for scope in group["scopeSpans"]:
                        for span in scope["spans"]:
                            found = {
                                "trace": span["traceId"],
                                "id": span["spanId"],
                                "parent": span["parentSpanId"],
                                "name": span["name"],
                                "start": int(span["startTimeUnixNano"]),
                                "end": int(span["endTimeUnixNano"]),
                                "status": span["status"].get("code"),
                            }
                            for one in span["attributes"]:
                                for kind, each in one["value"].items():
                                    found[one["key"]] = int(each) if kind == "intValue" else each
                            spans += 1
    return spans


class Totals:
    """Counts answers; everything behind the door is the same for every source of answers."""

    def __init__(self) -> None:
        self.answers = 0

    def roll_up(self, answers: Iterable[RecordedAnswer], recorded: Iterable[RecordedAnswer] = ()) -> Any:
        """Count."""
        self.answers = sum(1 for _ in answers)


def door(folder: Path) -> int:
    """Read all with the door: decode, spool, bring together by trace, assemble."""
    found = FilesDoor(
        FilesOptions(files=(str(folder),)),
        selection=Selection(()),
        assemble=Assembler(AssembleOptions()),
        tell=lambda problem: print(problem, file=sys.stderr),
        now=lambda: float(NOON + DAY),
    )
    began = time.process_time()
    days = found.days({})
    read = time.process_time() - began
    totals = Totals()
    found.count(days, totals)  # type: ignore[arg-type]
    found.close()
    print(f"    of which reading {read:.1f} s; {totals.answers:,} answers, {found.counts.spans_read:,} spans")
    return found.counts.spans_read


def measure(what: Callable[[Path], int], folder: Path) -> tuple[int, float, float, float]:
    """Run it in a process of its own. Return spans, CPU seconds, seconds, and the most memory in MB."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_measured, args=(what, folder, results))
    process.start()
    process.join()
    found: tuple[int, float, float, float] = results.get()
    return found


def _measured(what: Callable[[Path], int], folder: Path, results: Any) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    spans = what(folder)
    spent = (time.process_time() - cpu, time.perf_counter() - began)
    results.put((spans, *spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    """Write the files, measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=10_000_000)
    parser.add_argument("--format", choices=("protobuf", "json", "both"), default="both")
    parser.add_argument("--value-first", action="store_true")
    parser.add_argument("--others", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    top = given.folder or Path(tempfile.mkdtemp(prefix="spans-"))
    try:
        for form in ("protobuf", "json") if given.format == "both" else (given.format,):
            folder = top / form
            folder.mkdir(parents=True, exist_ok=True)
            if not any(folder.iterdir()):
                write(folder, given.spans, form, given.value_first, given.others)
            size = sum(path.stat().st_size for path in folder.iterdir())
            print(f"{form}: {size / 1e9:.2f} GB")
            base = 0.0
            for name, what in (
                ("bare loop", bare_protobuf if form == "protobuf" else bare_json),
                ("door", door),
            ):
                spans, cpu, wall, memory = measure(what, folder)
                base = base or cpu
                print(
                    f"  {name:10} {spans:>12,} spans {cpu:8.1f} CPU s {wall:8.1f} s {cpu / spans * 1e6:6.2f} us a span"
                    f" {memory:6.0f} MB  {cpu / base:5.2f}x",
                    flush=True,
                )
    finally:
        if given.folder is None:
            shutil.rmtree(top)


if __name__ == "__main__":
    main()
