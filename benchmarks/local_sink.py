"""Compares the sink ``llm-local`` with DataHub's blackhole sink and DataHub Lite, end to end through a pipeline.

    python benchmarks/local_sink.py [--events 6000] [--flat 60000] [--repeat 3]

Every run is a new process, and sinks take turns. It prints medians of wall and CPU time, time per event, the peak
of resident memory, and ratios. An event is one aspect. Each dataset has five, with a schema of ten columns, and the
status that DataHub adds. ``rerun`` writes the same estate again into the existing file.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import Source, SourceReport
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DatasetLineageTypeClass,
    DatasetPropertiesClass,
    OtherSchemaClass,
    OwnerClass,
    OwnershipClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StringTypeClass,
    SubTypesClass,
    UpstreamClass,
    UpstreamLineageClass,
    _Aspect,
)
from typing_extensions import override

ASPECTS = 6
SINKS = ("blackhole", "llm-local", "rerun", "datahub-lite")


def urn(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.table_{number},PROD)"


def aspects(number: int) -> list[_Aspect]:
    stamp = AuditStampClass(time=1_700_000_000_000, actor="urn:li:corpuser:datahub")
    text = StringTypeClass()  # type: ignore[no-untyped-call]  # DataHub's classes without fields have no annotations
    fields = [
        SchemaFieldClass(
            fieldPath=f"column_{i}",
            type=SchemaFieldDataTypeClass(type=text),
            nativeDataType="varchar(255)",
            description=f"Column {i} of table {number}",
        )
        for i in range(10)
    ]
    schema = SchemaMetadataClass(
        schemaName=f"table_{number}",
        platform="urn:li:dataPlatform:postgres",
        version=0,
        hash="",
        platformSchema=OtherSchemaClass(rawSchema=""),
        fields=fields,
    )
    upstream = UpstreamClass(
        dataset=urn(max(number - 1, 0)), type=DatasetLineageTypeClass.TRANSFORMED, auditStamp=stamp
    )
    return [
        DatasetPropertiesClass(
            name=f"table_{number}",
            description=f"Table {number} of the shop",
            customProperties={"rows": "many", "n": "1"},
        ),
        SubTypesClass(typeNames=["Table"]),
        schema,
        UpstreamLineageClass(upstreams=[upstream]),
        OwnershipClass(
            owners=[OwnerClass(owner="urn:li:corpuser:ada", type="DATAOWNER")], lastModified=stamp
        ),
    ]


class Estate(Source):
    """A source of as many datasets as its options say. It makes them one by one."""

    def __init__(self, datasets: int, ctx: PipelineContext) -> None:
        super().__init__(ctx)
        self.report = SourceReport()
        self.datasets = datasets

    @classmethod
    @override
    def create(cls, config_dict: dict[str, Any], ctx: PipelineContext) -> Estate:
        return cls(int(config_dict["datasets"]), ctx)

    @override
    def get_workunits_internal(self) -> Iterable[MetadataWorkUnit]:
        for number in range(self.datasets):
            for aspect in aspects(number):
                yield MetadataChangeProposalWrapper(entityUrn=urn(number), aspect=aspect).as_workunit()

    @override
    def get_report(self) -> SourceReport:
        return self.report


def sink_config(sink: str, folder: Path) -> dict[str, Any]:
    if sink == "datahub-lite":
        return {"type": sink, "config": {"type": "sqlite", "config": {"file": str(folder / "lite.db")}}}
    if sink in ("llm-local", "rerun"):
        return {"type": "llm-local", "config": {"path": str(folder / "catalog.db")}}
    return {"type": sink}


def run_once(sink: str, events: int, folder: Path) -> dict[str, Any]:
    """Run one pipeline in this process, and measure it from start to end."""
    recipe = {
        "run_id": "benchmark",
        "source": {"type": "local_sink.Estate", "config": {"datasets": events // ASPECTS}},
        "sink": sink_config(sink, folder),
    }
    pipeline = Pipeline.create(recipe, report_to=None)
    wall, cpu = time.perf_counter(), time.process_time()
    pipeline.run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    pipeline.raise_from_status()
    report = pipeline.sink.get_report()
    return {
        "wall": wall,
        "cpu": cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "written": report.total_records_written,
        "changed": getattr(report, "changed", None),
    }


def in_child(sink: str, events: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", sink, "--events", str(events), "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:200] if done.stderr else "no reason given"}
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def measure(sinks: Iterable[str], events: int, repeat: int) -> dict[str, dict[str, Any]]:
    runs: dict[str, list[dict[str, Any]]] = {sink: [] for sink in sinks}
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            for sink in runs:
                runs[sink].append(in_child(sink, events, Path(folder)))
    found: dict[str, dict[str, Any]] = {}
    for sink, results in runs.items():
        failed = next((result["failed"] for result in results if "failed" in result), None)
        if failed:
            found[sink] = {"failed": failed}
            continue
        found[sink] = {
            key: statistics.median(result[key] for result in results) for key in ("wall", "cpu", "peak")
        }
        found[sink]["changed"] = results[-1]["changed"]
    return found


def table(found: dict[str, dict[str, Any]], events: int) -> None:
    base = found["blackhole"]
    print(f"\n{events} events   wall s   CPU s  us/event  peak MB  wall / blackhole  CPU / blackhole")
    for sink, result in found.items():
        if "failed" in result:
            print(f"{sink:12} skipped: {result['failed']}")
            continue
        print(
            f"{sink:12} {result['wall']:8.2f} {result['cpu']:7.2f} {result['wall'] / events * 1e6:9.0f} "
            f"{result['peak']:8.0f} {result['wall'] / base['wall']:17.2f} {result['cpu'] / base['cpu']:16.2f}"
            + (f"   changed {result['changed']}" if result["changed"] is not None else "")
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=6_000)
    parser.add_argument(
        "--flat", type=int, default=60_000, help="events of the run that measures memory; 0 skips it"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", choices=SINKS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_once(options.child, options.events, options.folder)))
        return
    small = measure(SINKS, options.events, options.repeat)
    table(small, options.events)
    ours, lite = small["llm-local"], small["datahub-lite"]
    if "failed" not in lite:
        print(
            f"DataHub Lite / llm-local: {lite['wall'] / ours['wall']:.1f} wall, {lite['cpu'] / ours['cpu']:.1f} CPU"
        )
    if options.flat:
        large = measure(("blackhole", "llm-local"), options.flat, 1)
        table(large, options.flat)
        growth = large["llm-local"]["peak"] / ours["peak"]
        print(f"peak memory, {options.flat} over {options.events} events: {growth:.2f}")


if __name__ == "__main__":
    main()
