"""Measures `report` over a whole local catalog, and of one index: time, memory and size of each format.

    python benchmarks/report_command.py [--assets 2000 20000] [--formats html md dot]

The catalog is made from a seed: of ten assets six are tables of ten columns, two are jobs and two are indexes, with 2.5
edges an asset. Each report is a process of its own, so that its peak of memory is its own; the time has the start of
Python in it. Several numbers of assets show whether the time grows with them.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from upstream_walk import column

from datahub_llmops.catalog.local import file
from datahub_llmops.catalog.local.encoding import json_text
from datahub_llmops.catalog.local.spool import Change, Op
from datahub_llmops.catalog.local.writer import Writer

COLUMNS = 10
TABLE_UPSTREAMS = 3
JOB_INPUTS = 4
STAMP = {"time": 0, "actor": "urn:li:corpuser:datahub"}


def table(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.table_{number},PROD)"


def index(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.index_{number},PROD)"


def job(number: int) -> str:
    return f"urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed_{number})"


def schema(kind: str) -> dict[str, Any]:
    return {
        "schemaName": "s",
        "platform": f"urn:li:dataPlatform:{kind}",
        "version": 0,
        "hash": "",
        "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
        "fields": [
            {
                "fieldPath": f"column_{number}",
                "type": {"type": {"com.linkedin.schema.StringType": {}}},
                "nativeDataType": "text",
                "description": f"The column number {number}",
            }
            for number in range(COLUMNS)
        ],
    }


def pairs(upstreams: list[str], target: str) -> list[dict[str, Any]]:
    return [
        {
            "upstreamType": "FIELD_SET",
            "upstreams": [column(up, f"column_{number}")],
            "downstreamType": "FIELD",
            "downstreams": [column(target, f"column_{number}")],
        }
        for number, up in enumerate(upstreams)
    ]


def of_table(number: int, count: int, seeded: random.Random) -> dict[str, dict[str, Any]]:
    written: dict[str, dict[str, Any]] = {
        "datasetProperties": {"name": f"table_{number}", "description": f"Rows of kind {number}"},
        "subTypes": {"typeNames": ["Table"]},
        "schemaMetadata": schema("postgres"),
        "ownership": {
            "owners": [{"owner": f"urn:li:corpuser:user_{number % 50}", "type": "DATAOWNER"}],
            "lastModified": STAMP,
        },
        "glossaryTerms": {
            "terms": [{"urn": f"urn:li:glossaryTerm:term_{number % 20}"}],
            "auditStamp": STAMP,
        },
    }
    above = number - count // 5
    if above >= 0:
        near = sorted({table(max(0, above - seeded.randrange(20))) for _ in range(TABLE_UPSTREAMS)})
        written["upstreamLineage"] = {
            "upstreams": [{"dataset": up, "type": "TRANSFORMED", "auditStamp": STAMP} for up in near],
            "fineGrainedLineages": pairs(near, table(number)),
        }
    return written


def of_job(number: int, count: int, seeded: random.Random) -> dict[str, dict[str, Any]]:
    inputs = sorted({table(seeded.randrange(count)) for _ in range(JOB_INPUTS)})
    return {
        "dataJobInfo": {"name": f"embed_{number}", "type": {"string": "EMBEDDING"}},
        "subTypes": {"typeNames": ["Embedding Job"]},
        "dataJobInputOutput": {
            "inputDatasets": [],
            "outputDatasets": [],
            "inputDatasetEdges": [{"destinationUrn": up} for up in inputs],
            "outputDatasetEdges": [{"destinationUrn": index(number)}],
            "fineGrainedLineages": pairs(inputs, index(number)),
        },
    }


def of_index(number: int) -> dict[str, dict[str, Any]]:
    return {
        "datasetProperties": {"name": f"index_{number}", "lastModified": {"time": 1_764_000_000_000}},
        "subTypes": {"typeNames": ["Vector Collection"]},
        "schemaMetadata": schema("chroma"),
    }


def assets(count: int) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    seeded = random.Random(16)
    tables = count * 6 // 10
    for number in range(tables):
        yield table(number), of_table(number, tables, seeded)
    for number in range(count * 2 // 10):
        yield job(number), of_job(number, tables, seeded)
        yield index(number), of_index(number)


def build(path: Path, count: int) -> None:
    connection = file.open_writer(path)
    writer = Writer(connection)
    for urn, written in assets(count):
        for name, aspect in written.items():
            writer.apply(Change(op=Op.UPSERT, urn=urn, aspect=name, body=json_text(aspect)))
    writer.finish()
    file.commit(connection)
    file.close(connection)


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(catalog: Path, *arguments: str) -> tuple[float, float, str]:
    """The seconds that a command took, those of a processor, and what it said."""
    command = [str(Path(sys.executable).with_name("datahub-llmops")), "--catalog", str(catalog), "report"]
    begun, used = time.perf_counter(), cpu_of_children()
    done = subprocess.run([*command, *arguments, "--force"], capture_output=True, text=True, check=True)
    return time.perf_counter() - begun, cpu_of_children() - used, done.stdout.strip().partition(" to ")[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--formats", nargs="+", default=["html", "md", "dot"])
    options = parser.parse_args()
    for count in sorted(options.assets):
        with tempfile.TemporaryDirectory() as folder:
            catalog, out = Path(folder) / "catalog.db", Path(folder) / "report"
            build(catalog, count)
            asked = [["--format", form] for form in options.formats]
            asked.append(["chroma:default_database.index_7", "--columns", "--format", "mermaid"])
            for arguments in asked:
                seconds, cpu, said = measure(catalog, *arguments, "--out", str(out))
                size = out.stat().st_size / 1_000_000
                print(
                    f"{count:>6,} assets: {' '.join(arguments):60} {seconds:6.2f} s, CPU {cpu:6.2f} s, "
                    f"{cpu / count * 1_000_000:5.0f} µs an asset, {size:6.2f} MB. {said}"
                )
        # Of all children so far: the numbers of assets go up, so it is that of the largest.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{count:>6,} assets: peak of memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
