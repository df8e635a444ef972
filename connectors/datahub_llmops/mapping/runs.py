"""Applications, answer logs, retrievers, prompts and embedding runs that the hooks saw, as DataHub aspects.

In a lineage graph a job is a square without a name, so an application always has an answer log as output, which
carries its name, its usage and its quality.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

from datahub.emitter.mce_builder import datahub_guid
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DataFlowInfoClass,
    DataJobInfoClass,
    DataProcessInstanceInputClass,
    DataProcessInstanceOutputClass,
    DataProcessInstancePropertiesClass,
    DataProcessInstanceRelationshipsClass,
    DataProcessInstanceRunEventClass,
    DataProcessInstanceRunResultClass,
    DatasetLineageTypeClass,
    DatasetPropertiesClass,
    DatasetUsageStatisticsClass,
    EdgeClass,
    IncidentInfoClass,
    IncidentSourceClass,
    IncidentStatusClass,
    OtherSchemaClass,
    PartitionSpecClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StringTypeClass,
    SubTypesClass,
    TimeWindowSizeClass,
    UpstreamClass,
)
from datahub.metadata.urns import DataProcessInstanceUrn, IncidentUrn
from datahub.specific.datajob import DataJobPatchBuilder
from datahub.specific.dataset import DatasetPatchBuilder

from datahub_llmops import urns
from datahub_llmops.mapping.collections import Proposal
from datahub_llmops.mapping.edges import found_by

APPLICATION: Final = "LLM Application"
ANSWER_LOG: Final = "Answer Log"
RETRIEVER: Final = "Retriever"
PROMPT: Final = "Prompt"
EMBEDDING_JOB: Final = "Embedding Job"
NO_REGISTRY: Final = "custom"
"""Platform of prompts whose name and version the application gave, and no registry."""
RETIRED_DAYS: Final = 30
"""Days without use after which an edge that a hook found is taken away."""

_LOG_FIELDS: Final = (
    ("answer_id", "Id that `datahub-llmops explain` takes."),
    ("status", "ok, error, interrupted."),
)
_RETRIEVER_FIELDS: Final = (("chunk_id", "Id of the chunk."), ("score", "Score that the store gave it."))


def application_urns(name: str, platform: str, env: str) -> tuple[str, str, str]:
    """Flow, job and answer log of an application."""
    flow = urns.flow(platform, name, env=env)
    return flow, urns.job(flow, name), urns.dataset(platform, f"{name}.answers", env=env)


def application_proposals(name: str, platform: str, env: str) -> Iterator[Proposal]:
    """The application and its answer log, without edges."""
    flow, job, log = application_urns(name, platform, env)
    yield _aspect(flow, DataFlowInfoClass(name=name, env=env))
    yield _aspect(job, DataJobInfoClass(name=name, type="APPLICATION", flowUrn=flow))
    yield _aspect(job, SubTypesClass(typeNames=[APPLICATION]))
    yield from dataset_proposals(log, f"{name} answers", ANSWER_LOG, _LOG_FIELDS, platform)


def dataset_proposals(
    urn: str, name: str, subtype: str, fields: Sequence[tuple[str, str]], platform: str
) -> Iterator[Proposal]:
    """A dataset that the hooks know and nobody else catalogs."""
    yield _aspect(urn, DatasetPropertiesClass(name=name))
    yield _aspect(urn, SubTypesClass(typeNames=[subtype]))
    if fields:
        yield _aspect(
            urn,
            SchemaMetadataClass(
                schemaName=name,
                platform=urns.platform(platform),
                version=0,
                hash="",
                platformSchema=OtherSchemaClass(rawSchema=""),
                fields=[
                    SchemaFieldClass(
                        fieldPath=path,
                        type=_text_type(),
                        nativeDataType="string",
                        description=text,
                        nullable=True,
                    )
                    for path, text in fields
                ],
            ),
        )


def _text_type() -> SchemaFieldDataTypeClass:
    return SchemaFieldDataTypeClass(type=StringTypeClass())  # type: ignore[no-untyped-call]  # of DataHub's generator


def retriever_proposals(urn: str, name: str, platform: str) -> Iterator[Proposal]:
    """A retriever, without edges."""
    yield from dataset_proposals(urn, name, RETRIEVER, _RETRIEVER_FIELDS, platform)


def job_edges(
    job: str,
    inputs: Mapping[str, float],
    outputs: Mapping[str, float],
    present: Mapping[str, Any],
    now: float,
) -> Iterator[Proposal]:
    """Patches that add what was seen and take away what a hook found long ago; the edges of others stay.

    An edge that a recipe declared stays as declared: said twice, each run of either would change it back.
    """
    patch = DataJobPatchBuilder(job)
    for urn, seen in _own(inputs, present.get("inputDatasetEdges")):
        patch.add_input_dataset(EdgeClass(destinationUrn=urn, properties=_seen(seen)))
    for urn, seen in _own(outputs, present.get("outputDatasetEdges")):
        patch.add_output_dataset(EdgeClass(destinationUrn=urn, properties=_seen(seen)))
    for field, kept, remove in (
        ("inputDatasetEdges", inputs, patch.remove_input_dataset),
        ("outputDatasetEdges", outputs, patch.remove_output_dataset),
    ):
        for edge in present.get(field) or []:
            if edge["destinationUrn"] not in kept and retired(edge.get("properties") or {}, now):
                remove(edge["destinationUrn"])
    yield from patch.build()


def _own(
    seen: Mapping[str, float], present: Sequence[Mapping[str, Any]] | None
) -> Iterator[tuple[str, float]]:
    """Without the edges that others drew."""
    drawn = {edge["destinationUrn"] for edge in present or () if "hook" not in found_by(edge)}
    for urn in sorted(seen.keys() - drawn):
        yield urn, seen[urn]


def upstream_edges(
    dataset: str, upstreams: Mapping[str, float], present: Mapping[str, Any], now: float
) -> Iterator[Proposal]:
    """The same for a retriever and its indexes."""
    patch = DatasetPatchBuilder(dataset)
    for urn, seen in sorted(upstreams.items()):
        patch.add_upstream_lineage(
            UpstreamClass(dataset=urn, type=DatasetLineageTypeClass.VIEW, properties=_seen(seen))
        )
    for edge in present.get("upstreams") or []:
        if edge["dataset"] not in upstreams and retired(edge.get("properties") or {}, now):
            patch.remove_upstream_lineage(edge["dataset"])
    yield from patch.build()


def retired(properties: Mapping[str, str], now: float) -> bool:
    """Whether an edge was found by a hook alone, and not seen for long."""
    if properties.get("found_by") != "hook":
        return False
    try:
        seen = datetime.fromisoformat(properties.get("last_seen", "")).replace(tzinfo=timezone.utc)
    except ValueError:
        return False
    return now - seen.timestamp() > RETIRED_DAYS * 86_400


def _seen(when: float) -> dict[str, str]:
    # A day, not a second: what changes every run makes a new version of the aspect every run.
    return {"found_by": "hook", "last_seen": day(when)}


def day(when: float) -> str:
    """Seconds since the epoch as a date in UTC."""
    return datetime.fromtimestamp(when, timezone.utc).date().isoformat()


def usage_proposal(urn: str, hour: int, host: str, calls: int) -> Proposal:
    """Calls of one hour, counted on one host: hosts are partitions, or two workers would overwrite each other."""
    return _aspect(
        urn,
        DatasetUsageStatisticsClass(
            timestampMillis=hour * 1000,
            eventGranularity=TimeWindowSizeClass(unit="HOUR", multiple=1),
            partitionSpec=PartitionSpecClass(type="PARTITION", partition=f"host={host}"),
            totalSqlQueries=calls,
        ),
    )


def instance_proposals(
    key: Mapping[str, str],
    name: str,
    job: str,
    *,
    started: float,
    ended: float,
    properties: Mapping[str, str],
    inputs: Sequence[str],
    outputs: Sequence[str],
    failed: bool,
) -> Iterator[Proposal]:
    """A process instance of ``job``: an embedding run, or a day of one version of an application."""
    urn = DataProcessInstanceUrn(datahub_guid(dict(key))).urn()
    begun, done = round(started * 1000), round(ended * 1000)
    stamp = AuditStampClass(time=begun, actor=urns.ACTOR)
    yield _aspect(
        urn,
        DataProcessInstancePropertiesClass(
            name=name, created=stamp, customProperties=dict(properties), type="BATCH_SCHEDULED"
        ),
    )
    yield _aspect(urn, DataProcessInstanceRelationshipsClass(upstreamInstances=[], parentTemplate=job))
    if inputs:
        edges = [EdgeClass(destinationUrn=one) for one in inputs]
        yield _aspect(urn, DataProcessInstanceInputClass(inputs=[], inputEdges=edges))
    if outputs:
        edges = [EdgeClass(destinationUrn=one) for one in outputs]
        yield _aspect(urn, DataProcessInstanceOutputClass(outputs=[], outputEdges=edges))
    yield _aspect(urn, DataProcessInstanceRunEventClass(timestampMillis=begun, status="STARTED"))
    result = DataProcessInstanceRunResultClass(
        type="FAILURE" if failed else "SUCCESS", nativeResultType="hooks"
    )
    yield _aspect(
        urn,
        DataProcessInstanceRunEventClass(
            timestampMillis=max(done, begun + 1),
            status="COMPLETE",
            result=result,
            durationMillis=done - begun,
        ),
    )


def embedding_job_proposals(
    orchestrator: str, flow: str, job: str, env: str, properties: Mapping[str, str]
) -> tuple[str, list[Proposal]]:
    """URN and aspects of a job that was seen to write, without edges."""
    flow_urn = urns.flow(orchestrator, flow, env=env)
    urn = urns.job(flow_urn, job)
    info = DataJobInfoClass(name=job, type="EMBEDDING", flowUrn=flow_urn, customProperties=dict(properties))
    return urn, [
        _aspect(flow_urn, DataFlowInfoClass(name=flow, env=env)),
        _aspect(urn, info),
        _aspect(urn, SubTypesClass(typeNames=[EMBEDDING_JOB])),
    ]


def mismatch_urn(index: str) -> str:
    """The one incident of an index that its queries are embedded with another model."""
    return IncidentUrn(datahub_guid({"kind": "embedding-model-mismatch", "index": index})).urn()


def mismatch_proposal(
    index: str, built: str, queried: Sequence[str], now: float, *, solved: bool
) -> Proposal:
    """Raised or resolved, on the same URN."""
    stamp = AuditStampClass(time=round(now * 1000), actor=urns.ACTOR)
    text = f"The index was built with `{built}`; queries are embedded with {', '.join(f'`{one}`' for one in queried)}."
    return _aspect(
        mismatch_urn(index),
        IncidentInfoClass(
            type="CUSTOM",
            customType="Embedding model mismatch",
            title="Queries are embedded with another model than the index",
            description="Queries are embedded with the model of the index again." if solved else text,
            entities=[index],
            status=IncidentStatusClass(state="RESOLVED" if solved else "ACTIVE", lastUpdated=stamp),
            created=stamp,
            source=IncidentSourceClass(type="MANUAL"),
        ),
    )


def _aspect(urn: str, aspect: Any) -> MetadataChangeProposalWrapper:
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect)
