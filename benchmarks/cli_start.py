"""Measures how much longer ``datahub-llmops show`` and ``--help`` take than ``python -c pass`` (limit: 0.15 s).

    python benchmarks/cli_start.py [runs]

The commands take turns, so that a busy machine slows all of them equally. It prints wall time and CPU time.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.api.sink import NoopWriteCallback
from datahub.metadata.schema_classes import (
    DatasetLineageTypeClass,
    DatasetPropertiesClass,
    OtherSchemaClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StringTypeClass,
    SubTypesClass,
    UpstreamClass,
    UpstreamLineageClass,
)

from datahub_llmops.catalog.local.sink import LocalSink

ALLOWED_SECONDS = 0.15
TABLES = 200
STRING: type[StringTypeClass] = StringTypeClass


def urn(platform: str, name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:{platform},{name},PROD)"


def model() -> Iterator[MetadataChangeProposalWrapper]:
    """Build a collection with twenty fields, fed by two hundred tables."""
    tables = [urn("sqlite", f"main.table_{number}") for number in range(TABLES)]
    for table in tables:
        yield MetadataChangeProposalWrapper(entityUrn=table, aspect=SubTypesClass(typeNames=["Table"]))
    index = urn("chroma", "default_database.docs")
    fields = [
        SchemaFieldClass(
            fieldPath=f"field_{number}",
            type=SchemaFieldDataTypeClass(type=STRING()),
            nativeDataType="string",
        )
        for number in range(20)
    ]
    for aspect in (
        DatasetPropertiesClass(name="docs", customProperties={"hnsw:space": "cosine"}),
        SubTypesClass(typeNames=["Vector Collection"]),
        SchemaMetadataClass(
            schemaName="docs",
            platform="urn:li:dataPlatform:chroma",
            version=0,
            hash="",
            platformSchema=OtherSchemaClass(rawSchema=""),
            fields=fields,
        ),
        UpstreamLineageClass(
            upstreams=[
                UpstreamClass(dataset=table, type=DatasetLineageTypeClass.TRANSFORMED) for table in tables
            ]
        ),
    ):
        yield MetadataChangeProposalWrapper(entityUrn=index, aspect=aspect)


def write(path: Path) -> None:
    sink = LocalSink.create({"path": str(path)}, PipelineContext(run_id="benchmark"))
    for proposal in model():
        sink.write_record_async(RecordEnvelope(proposal, {}), NoopWriteCallback())
    sink.flush()
    sink.close()


def run(command: list[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Return wall and CPU seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, env=dict(env), check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    command = str(Path(sys.executable).with_name("datahub-llmops"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "--help": [command, "--help"],
        "show": [command, "show", "docs"],
        "show --json": [command, "show", "docs", "--json"],
        "lineage": [command, "lineage", "docs"],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        write(path)
        # As installed: pip compiles a package, and a checkout is compiled by its first run unless that is forbidden.
        env = {
            **os.environ,
            "DATAHUB_LLMOPS_CATALOG": str(path),
            "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled"),
        }
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for arguments in commands.values():
            run(arguments, env)
        for _ in range(runs):
            for name, arguments in commands.items():
                times[name].append(run(arguments, env))
    wall = {name: statistics.median(each[0] for each in measured) for name, measured in times.items()}
    cpu = {name: statistics.median(each[1] for each in measured) for name, measured in times.items()}
    base = "python -c pass"
    print(f"median of {runs} runs, allowed over {base}: {ALLOWED_SECONDS:.2f} s")
    for name in commands:
        over = wall[name] - wall[base]
        verdict = "" if name == base else "  within" if over <= ALLOWED_SECONDS else "  OVER"
        print(
            f"{name:16} wall {wall[name]:.3f} s, over by {over:.3f} s (x{wall[name] / wall[base]:.1f}); "
            f"CPU {cpu[name]:.3f} s, over by {cpu[name] - cpu[base]:.3f} s{verdict}"
        )


if __name__ == "__main__":
    main()
