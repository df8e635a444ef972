"""Writes to a local catalog as another tool or a person would."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.api.sink import NoopWriteCallback
from datahub.metadata.schema_classes import MetadataChangeProposalClass

from datahub_llmops.catalog.local.sink import LocalSink


def write(
    catalog: Path, proposals: Iterable[MetadataChangeProposalWrapper | MetadataChangeProposalClass]
) -> None:
    """Write the proposals to the catalog in the file."""
    sink = LocalSink.create({"path": str(catalog)}, PipelineContext(run_id="other"))
    for proposal in proposals:
        sink.write_record_async(RecordEnvelope(proposal, {}), NoopWriteCallback())
    sink.flush()
    sink.close()
    assert not sink.get_report().failures
