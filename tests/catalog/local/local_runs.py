"""Runs of the real sink into a local catalog, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.api.sink import WriteCallback
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import GenericAspectClass, MetadataChangeProposalClass
from typing_extensions import override

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.sink import LocalSink, LocalSinkReport
from support import paths

WIRE = paths.WIRE / "gms"
PATCH = "application/json-patch+json"


class Calls(WriteCallback):
    """How often the sink called back, and with what."""

    def __init__(self) -> None:
        self.succeeded = 0
        self.failures: list[Exception] = []

    @override
    def on_success(self, record_envelope: RecordEnvelope[Any], success_metadata: dict[str, Any]) -> None:
        self.succeeded += 1

    @override
    def on_failure(
        self,
        record_envelope: RecordEnvelope[Any],
        failure_exception: Exception,
        failure_metadata: dict[str, Any],
    ) -> None:
        self.failures.append(failure_exception)


def new_sink(path: Path, **options: Any) -> LocalSink:
    return LocalSink.create({"path": str(path), **options}, PipelineContext(run_id="test"))


def write(sink: LocalSink, records: Iterable[Any]) -> Calls:
    calls = Calls()
    for record in records:
        sink.write_record_async(RecordEnvelope(record, {"workunit_id": "test"}), calls)
    return calls


def run(path: Path, *records: Any) -> LocalSinkReport:
    """A whole run: records written, flushed, the sink closed."""
    sink = new_sink(path)
    write(sink, records)
    sink.flush()
    sink.close()
    return sink.get_report()


def raw(urn: str, aspect: str, value: object, change_type: str = "UPSERT") -> MetadataChangeProposalClass:
    """A proposal whose aspect is given as the JSON that goes over the wire; of a PATCH the patch."""
    generic = None
    if value is not None:
        content_type = PATCH if change_type == "PATCH" else "application/json"
        generic = GenericAspectClass(value=json.dumps(value).encode(), contentType=content_type)
    return MetadataChangeProposalClass(
        entityType=urn.split(":")[2], entityUrn=urn, changeType=change_type, aspectName=aspect, aspect=generic
    )


def dataset(name: str, platform: str = "postgres") -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:{platform},{name},PROD)"


def column(urn: str, path: str) -> str:
    return f"urn:li:schemaField:({urn},{path})"


def contents(path: Path) -> dict[tuple[str, str], Any]:
    """Every versioned aspect and every latest time series record of the catalog, as they are stored."""
    with LocalCatalog(path) as catalog:
        return {(record.urn, record.name): record.aspect for record in catalog.records()}


def pipeline(path: Path, source: dict[str, Any], name: str | None = None) -> Pipeline:
    """A pipeline from any DataHub source into the catalog, run to its end, whatever that was."""
    recipe: dict[str, Any] = {
        "run_id": "test",
        "source": source,
        "sink": {"type": "llm-local", "config": {"path": str(path)}},
    }
    if name is not None:
        recipe["pipeline_name"] = name
    made = Pipeline.create(recipe, report_to=None)
    made.run()
    return made


def proposals_file(path: Path, proposals: Iterable[tuple[str, str, object]]) -> Path:
    """A file in DataHub's metadata file format, of (URN, aspect name, aspect)."""
    path.write_text(
        json.dumps(
            [
                {
                    "entityType": urn.split(":")[2],
                    "entityUrn": urn,
                    "changeType": "UPSERT",
                    "aspectName": name,
                    "aspect": {"json": aspect},
                }
                for urn, name, aspect in proposals
            ]
        )
    )
    return path
