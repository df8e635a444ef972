"""A declared embedding job as a DataHub dataJob in its dataFlow, with the tables it reads and the index it writes.

https://docs.datahub.com/docs/generated/metamodel/entities/datajob
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    DataFlowInfoClass,
    DataJobInfoClass,
    DataJobInputOutputClass,
    DataTransformClass,
    DataTransformLogicClass,
    EdgeClass,
    FineGrainedLineageClass,
    FineGrainedLineageDownstreamTypeClass,
    FineGrainedLineageUpstreamTypeClass,
    MLModelKeyClass,
    MLModelPropertiesClass,
    OwnerClass,
    OwnershipTypeClass,
    QueryStatementClass,
    SubTypesClass,
)
from datahub.metadata.urns import DataJobUrn, MlModelUrn
from datahub.specific.datajob import DataJobPatchBuilder

from datahub_llmops import urns
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.lineage.declared_jobs import JobLineage
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.mapping.collections import Proposal
from datahub_llmops.mapping.edge_properties import beside_hook, found_by, without
from datahub_llmops.mapping.properties import AssetPatch, PropertyValues

EMBEDDING_JOB: Final = "Embedding Job"
_TYPE: Final = "EMBEDDING"
_NO_OPERATION: Final = "NONE"
"""As a DataHub server writes a column edge without one when it applies a patch."""


def flow_urn(job: EmbeddingJobConfig, env: str) -> str:
    """The flow that the job belongs to."""
    if job.job_urn is not None:
        return DataJobUrn.from_string(job.job_urn).flow
    return urns.flow(job.orchestrator_name, job.flow_name, env=env)


def job_urn(job: EmbeddingJobConfig, env: str) -> str:
    """The job itself."""
    return job.job_urn or urns.job(flow_urn(job, env), job.name)


def flow_proposals(job: EmbeddingJobConfig, env: str) -> Iterator[Proposal]:
    """The flow, for a catalog that does not have it yet: it is shared with the orchestrator's own plugin."""
    info = DataFlowInfoClass(name=job.flow_name, env=env)
    yield MetadataChangeProposalWrapper(entityUrn=flow_urn(job, env), aspect=info)


def job_proposals(lineage: JobLineage, env: str, present: Mapping[str, Any]) -> Iterator[Proposal]:
    """Everything about a job that this recipe owns.

    ``present`` is the job's ``dataJobInputOutput`` in the catalog: what a hook found stays.
    """
    job, statements = lineage.job, lineage.sql
    urn = job_urn(job, env)
    yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=_info(job, statements, env))
    yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=SubTypesClass(typeNames=[EMBEDDING_JOB]))
    yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=_whole(lineage, present))
    if statements:
        transforms = [DataTransformClass(queryStatement=QueryStatementClass(value=sql)) for sql in statements]
        yield MetadataChangeProposalWrapper(
            entityUrn=urn, aspect=DataTransformLogicClass(transforms=transforms)
        )
    yield from _stewards_part(job, urn)


def foreign_job_proposals(lineage: JobLineage, present: Mapping[str, Any]) -> Iterator[Proposal]:
    """Inputs and outputs only, as patches, for a job that the orchestrator's own plugin owns.

    ``present`` is the job's ``dataJobInputOutput`` in the catalog; what an earlier run declared and this one does
    not is taken away.
    """
    wanted = _input_output(lineage, present)
    patch = DataJobPatchBuilder(lineage.job.job_urn or "")
    edges = {edge.destinationUrn: edge for edge in wanted.inputDatasetEdges or []}
    for edge in present.get("inputDatasetEdges") or []:
        urn = edge["destinationUrn"]
        if urn not in edges and "declared" in found_by(edge):
            rest = without("declared", edge)
            if rest is None:
                patch.remove_input_dataset(urn)
            else:
                patch.add_input_dataset(EdgeClass(destinationUrn=urn, properties=rest))
    for edge in edges.values():
        patch.add_input_dataset(edge)
    patch.add_output_dataset(EdgeClass(destinationUrn=lineage.index_urn))
    gone = _column_pairs(present, lineage.index_urn) - set(_columns(lineage))
    for up, down in sorted(gone):
        patch.remove_fine_grained_lineage(_fine_grained(down, [up]))
    for fine in wanted.fineGrainedLineages or []:
        patch.add_fine_grained_lineage(fine)
    yield from patch.build()


def model_proposals(
    name: str, env: str, jobs: Iterable[str], present: Mapping[str, Any]
) -> Iterator[Proposal]:
    """The model with ``jobs`` among those it is used by; ``present`` is its ``mlModelProperties`` in the catalog.

    The aspect has no patch builder and is shared with other recipes and tools, hence read, modify, write.
    """
    urn = urns.model(name, env=env)
    properties = MLModelPropertiesClass.from_obj(dict(present)) if present else MLModelPropertiesClass()
    properties.name = properties.name or MlModelUrn.from_string(urn).name
    properties.downstreamJobs = sorted({*(properties.downstreamJobs or []), *jobs})
    yield MetadataChangeProposalWrapper(entityUrn=urn, aspect=properties)


def model_key_proposals(name: str, env: str) -> Iterator[MetadataChangeProposalWrapper]:
    """The bare model: for an edge to end at, and where no catalog can say which jobs it is used by already."""
    urn = MlModelUrn.from_string(urns.model(name, env=env))
    key = MLModelKeyClass(name=urn.name, platform=urn.platform, origin=urn.env)
    yield MetadataChangeProposalWrapper(entityUrn=urn.urn(), aspect=key)


def declared_properties(job: EmbeddingJobConfig) -> PropertyValues:
    """What a job says of the vectors it makes, as structured properties of the job and of its index."""
    chunking = job.chunking
    return {
        "embedding_model": job.embedding_model,
        "chunking_method": chunking.method if chunking else None,
        "chunk_size": _number(chunking.size if chunking else None),
        "chunk_overlap": _number(chunking.overlap if chunking else None),
    }


def _number(value: int | None) -> float | None:
    return float(value) if value is not None else None


def _info(job: EmbeddingJobConfig, statements: Sequence[str], env: str) -> DataJobInfoClass:
    properties = {
        "schedule": job.schedule,
        "embedding_model": job.embedding_model,
        "text_columns": ", ".join(job.text_columns),
    }
    if job.chunking is not None:
        chunking = job.chunking.model_dump(exclude_none=True)
        properties.update({f"chunking.{key}": str(value) for key, value in chunking.items()})
    blocks = [f"```sql\n{sql}\n```" for sql in statements]
    return DataJobInfoClass(
        name=job.name,
        type=_TYPE,
        flowUrn=flow_urn(job, env),
        description="\n\n".join(blocks) or None,
        customProperties={key: value for key, value in properties.items() if value},
        env=env,
    )


def _columns(lineage: JobLineage) -> Iterator[tuple[str, str]]:
    """Column edges as pairs of schemaField URNs, upstream first."""
    for edge in lineage.columns:
        yield urns.schema_field(edge.dataset, edge.column), urns.schema_field(lineage.index_urn, edge.field)


def _whole(lineage: JobLineage, present: Mapping[str, Any]) -> DataJobInputOutputClass:
    """What the recipe declares, and what hooks found besides."""
    aspect = _input_output(lineage, present)
    for field, edges in (
        ("inputDatasetEdges", aspect.inputDatasetEdges),
        ("outputDatasetEdges", aspect.outputDatasetEdges),
    ):
        declared = {edge.destinationUrn for edge in edges or ()}
        for edge in present.get(field) or []:
            if edges is not None and edge["destinationUrn"] not in declared and "hook" in found_by(edge):
                properties = beside_hook((), None, edge)
                edges.append(EdgeClass(destinationUrn=edge["destinationUrn"], properties=properties))
    return aspect


def _input_output(lineage: JobLineage, present: Mapping[str, Any]) -> DataJobInputOutputClass:
    there = {edge["destinationUrn"]: edge for edge in present.get("inputDatasetEdges") or []}
    by_field: dict[str, list[str]] = {}
    for upstream, downstream in _columns(lineage):
        by_field.setdefault(downstream, []).append(upstream)
    return DataJobInputOutputClass(
        inputDatasets=[],
        outputDatasets=[],
        inputDatasetEdges=[
            EdgeClass(
                destinationUrn=edge.urn,
                properties=beside_hook(edge.found_by, edge.chunks, there.get(edge.urn)),
            )
            for edge in lineage.inputs
        ],
        outputDatasetEdges=[EdgeClass(destinationUrn=lineage.index_urn)],
        # What a patch of somebody else would leave there: else the two would change it to and fro.
        inputDatajobEdges=[],
        inputDatasetFields=[],
        outputDatasetFields=[],
        fineGrainedLineages=[_fine_grained(field, upstreams) for field, upstreams in by_field.items()],
    )


def _fine_grained(downstream: str, upstreams: list[str]) -> FineGrainedLineageClass:
    return FineGrainedLineageClass(
        upstreamType=FineGrainedLineageUpstreamTypeClass.FIELD_SET,
        upstreams=upstreams,
        downstreamType=FineGrainedLineageDownstreamTypeClass.FIELD,
        downstreams=[downstream],
        transformOperation=_NO_OPERATION,
    )


def _column_pairs(present: Mapping[str, Any], index_urn: str) -> set[tuple[str, str]]:
    """The column edges into the index that the job has in the catalog."""
    return {
        (upstream, downstream)
        for fine in present.get("fineGrainedLineages") or []
        for downstream in fine.get("downstreams") or []
        for upstream in fine.get("upstreams") or []
        if asset_of(downstream) == index_urn
    }


def _stewards_part(job: EmbeddingJobConfig, urn: str) -> Iterator[Proposal]:
    patch = AssetPatch(urn).set_properties(declared_properties(job))
    for owner in job.owners:
        patch.add_owner(OwnerClass(owner=owner, type=OwnershipTypeClass.TECHNICAL_OWNER))
    yield from patch.build()
