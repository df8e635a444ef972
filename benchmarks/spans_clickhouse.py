"""Spans in ClickHouse, added up by its engine, beside the same spans in files: the two doors of ``llm-spans``.

The spans are those of ``spans_files.py``, with its ``--others``. The engine is chdb behind the small server of the
tests, in the environment `clickhouse` that ``make environments`` makes. Both doors end in the same roll-up. CPU seconds
and the most memory of the engine are those of the server's process, because that is where ClickHouse spends them. The
floor is one statement that only reads the columns that the door needs, and groups ids by trace.

    python benchmarks/spans_clickhouse.py [--spans 10000000] [--format protobuf|json|none] [--others N]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import spans_files  # noqa: E402
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData  # noqa: E402
from typing_extensions import override  # noqa: E402

from datahub_llmops.spans.assemble import AssembleOptions  # noqa: E402
from datahub_llmops.spans.assembler import Assembler  # noqa: E402
from datahub_llmops.spans.attributes import Selection  # noqa: E402
from datahub_llmops.spans.doors.clickhouse import ClickHouseDoor, ClickHouseOptions  # noqa: E402
from datahub_llmops.spans.doors.files import FilesDoor  # noqa: E402
from datahub_llmops.spans.doors.keys import DAY  # noqa: E402
from datahub_llmops.spans.doors.options import FilesOptions  # noqa: E402
from spans.doors.clickhouse.engine import PASSWORD, Engine, running  # noqa: E402
from spans.doors.clickhouse.exporting import PlainCounting, rows_of_otlp, shown  # noqa: E402
from spans.recordings import raw_lines  # noqa: E402

RECORDED = "openinference-langchain/features"
Result = tuple[int, int, float, float, float]
"""Answers, spans, CPU seconds, seconds, most megabytes."""


class _Forgotten(list[Any]):
    """Takes the place of a list that would grow with the answers."""

    @override
    def append(self, value: Any) -> None:
        del value


def fill(engine: Engine, spans: int, others: int = 0) -> str:
    """Insert copies of the recorded traces over one day, with the ids, times, texts and numbers that the files have."""
    database = engine.database()
    engine.command(f"CREATE TABLE {database}.recorded AS {database}.otel_traces ENGINE = Memory")
    engine.command(
        f"ALTER TABLE {database}.recorded ADD COLUMN names Array(String), "
        "ADD COLUMN parts Array(Array(Tuple(before String, kind UInt8, number UInt32)))"
    )
    rows = list(rows_of_otlp(raw_lines(RECORDED)))
    if others:
        data = TracesData(resource_spans=[spans_files.other_spans(len(rows) * others)])
        rows += rows_of_otlp([json.dumps(spans_files.as_json(data))])
    for row in rows:
        attributes = row.pop("SpanAttributes")
        row["names"], row["parts"] = list(attributes), [parts(*one) for one in attributes.items()]
    engine.insert(database, rows, "recorded")
    rounds = -(-spans // len(rows))
    begin = spans_files.NOON - DAY // 2
    columns = (
        "SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName, ScopeVersion, Duration, "
        "StatusCode, `Events.Timestamp`, `Events.Name`, `Events.Attributes`"
    )
    document = f"toString((x.number + number * 7) % {spans_files.DOCUMENTS})"
    own = (
        f"concat(x.before, multiIf(x.kind = 1, leftPad({document}, 12, '0'), x.kind = 2, {document}, "
        "x.kind = 3, toString(number), x.kind = 4, toString(x.number + number % 1999), ''))"
    )
    values = f"arrayMap(one -> arrayStringConcat(arrayMap(x -> {own}, one)), parts)"
    step = (DAY - 600) * 10**9 // rounds
    for first in range(0, rounds, 2_000):
        engine.command(
            f"INSERT INTO {database}.otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanAttributes, {columns}) "
            f"SELECT fromUnixTimestamp64Nano({begin * 10**9} + number * {step} + toUnixTimestamp64Nano(Timestamp) - "
            f"(SELECT min(toUnixTimestamp64Nano(Timestamp)) FROM {database}.recorded)), "
            "lower(hex(sipHash128(TraceId, number))), lower(hex(sipHash64(SpanId, number))), "
            "if(ParentSpanId = '', '', lower(hex(sipHash64(ParentSpanId, number)))), "
            f"mapFromArrays(names, {values}), {columns} "
            f"FROM {database}.recorded AS r CROSS JOIN numbers({first}, {min(2_000, rounds - first)}) AS n"
        )
    # The engine would go on to merge what was inserted while it is measured.
    engine.command(f"OPTIMIZE TABLE {database}.otel_traces FINAL")
    return database


def parts(name: str, value: str) -> list[dict[str, Any]]:
    """Divide an attribute before each part that ``spans_files.make_own`` gives it of its own."""

    def part(before: str, kind: int = 0, number: str = "0") -> dict[str, Any]:
        return {"before": before, "kind": kind, "number": int(number)}

    if name in spans_files.TOKENS:
        return [part("", 4, value)]
    found, end = [], 0
    for match in spans_files.OWN.finditer(value):
        identity, key, text, word = match.groups()
        before = value[end : match.start()] + (
            "kb/" if key else "text " if text else f"{word} " if word else ""
        )
        found.append(part(before, 3 if word else 1 if identity else 2, identity or key or text or "0"))
        end = match.end() - (len(".md") if key else 0)
    return [*found, part(value[end:])]


def by_engine(url: str, database: str) -> tuple[dict[str, Any], int]:
    """Read all with the door to ClickHouse."""
    door = ClickHouseDoor(
        ClickHouseOptions(url=url, database=database, user="reader", password=PASSWORD, timeout_sec=3_600),
        selection=Selection((), "service.name"),
        assemble=Assembler(AssembleOptions()),
        tell=print,
        now=lambda: float(spans_files.NOON + DAY),
    )
    found = door.count(door.days({}), PlainCounting(_Forgotten()))
    return shown(found), door.counts.spans_read


def read_only(engine: Engine, database: str) -> None:
    """Read all columns that the door needs, once."""
    engine.command(
        "SELECT count(), sum(values), sum(length(starts) + length(spans) + length(parents)) FROM ("
        "SELECT sum(arraySum(v -> length(v), mapValues(SpanAttributes)) + length(mapKeys(SpanAttributes)) + "
        "length(mapKeys(ResourceAttributes)) + length(`Events.Name`) + Duration) AS values, "
        "groupArray(Timestamp) AS starts, groupArray(sipHash64(SpanId)) AS spans, "
        "groupArray(sipHash64(ParentSpanId)) AS parents "
        f"FROM {database}.otel_traces GROUP BY cityHash64(TraceId))"
    )


def by_files(folder: str) -> tuple[dict[str, Any], int]:
    """Read all with the door to files."""
    door = FilesDoor(
        FilesOptions(files=(folder,)),
        selection=Selection((), "service.name"),
        assemble=Assembler(AssembleOptions()),
        tell=print,
        now=lambda: float(spans_files.NOON + DAY),
    )
    found = door.count(door.days({}), PlainCounting(_Forgotten()))
    door.close()
    return shown(found), door.counts.spans_read


def measure(what: Callable[..., tuple[dict[str, Any], int]], *arguments: str) -> Result:
    """Run it in a process of its own."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_measured, args=(what, arguments, results))
    process.start()
    found: Result = results.get()
    process.join()
    return found


def _measured(what: Callable[..., tuple[dict[str, Any], int]], arguments: Any, results: Any) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    totals, spans = what(*arguments)
    spent = time.process_time() - cpu, time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.put((totals["answers"], spans, *spent, memory))


def server_of(folder: Path) -> int:
    """The process of the server whose folder this is."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder).encode() in command and command[1].endswith(b"/server.py"):
            return int(path.parent.name)
    raise RuntimeError("the server does not run")


def cpu_of(process: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> float:
    """Most megabytes that a process had."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Write the spans twice, measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=10_000_000)
    parser.add_argument("--format", choices=("protobuf", "json", "none"), default="protobuf")
    parser.add_argument("--others", type=int, default=0)
    given = parser.parse_args()
    top = Path(tempfile.mkdtemp(prefix="spans-"))
    try:
        with running(top / "server") as engine:
            process = server_of(top / "server")
            database = fill(engine, given.spans, given.others)
            before, begun = cpu_of(process), time.perf_counter()
            read_only(engine, database)
            print(
                f"floor      {given.spans:>12,} spans {time.perf_counter() - begun:27.1f} s; CPU s: engine "
                f"{cpu_of(process) - before:.1f}",
                flush=True,
            )
            Path(f"/proc/{process}/clear_refs").write_text("5")  # The most is that from here on.
            before, idle = cpu_of(process), memory_of(process)
            answers, spans, own, wall, memory = measure(by_engine, engine.url, database)
            print(
                f"clickhouse {spans:>12,} spans {answers:>10,} answers {wall:8.1f} s; CPU s: engine "
                f"{cpu_of(process) - before:.1f}, own {own:.1f}; MB: engine {memory_of(process):.0f} "
                f"(before {idle:.0f}), own {memory:.0f}",
                flush=True,
            )
        if given.format == "none":
            return
        folder = top / given.format
        folder.mkdir()
        spans_files.write(folder, given.spans, given.format, others=given.others)
        answers, spans, own, slow, memory = measure(by_files, str(folder))
        print(
            f"{given.format:10} {spans:>12,} spans {answers:>10,} answers {slow:8.1f} s; CPU s: own {own:.1f}; "
            f"MB: own {memory:.0f}\nclickhouse takes 1/{slow / wall:.1f} of the time"
        )
    finally:
        shutil.rmtree(top)


if __name__ == "__main__":
    main()
