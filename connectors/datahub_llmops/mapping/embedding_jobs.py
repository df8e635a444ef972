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
from datahub_llmops.mapping.edge_properties import beside_hook, column_edges, fine_grained, found_by, without
from datahub_llmops.mapping.properties import AssetPatch, PropertyValues
from datahub_llmops.mapping.proposals import Proposal, propose

EMBEDDING_JOB: Final = "Embedding Job"
_TYPE: Final = "EMBEDDING"


def flow_urn(job: EmbeddingJobConfig, env: str) -> str:
    """Build the URN of the flow that the job belongs to."""
    if job.job_urn is not None:
        return DataJobUrn.from_string(job.job_urn).flow
    return urns.flow(job.orchestrator_name, job.flow_name, env=env)


def job_urn(job: EmbeddingJobConfig, env: str) -> str:
    """Build the URN of the job, unless the recipe names it."""
    return job.job_urn or urns.job(flow_urn(job, env), job.name)


def flow_proposals(job: EmbeddingJobConfig, env: str) -> Iterator[Proposal]:
    """Describe the flow. The orchestrator's own plugin may do so too: write this only where the catalog has none."""
    info = DataFlowInfoClass(name=job.flow_name, env=env)
    yield propose(flow_urn(job, env), info)


def job_proposals(lineage: JobLineage, env: str, present: Mapping[str, Any]) -> Iterator[Proposal]:
    """Describe a job that this recipe owns.

    ``present`` is the job's ``dataJobInputOutput`` in the catalog. Edges that a hook found stay.
    """
    job, statements = lineage.job, lineage.sql
    urn = job_urn(job, env)
    yield propose(urn, _info(job, statements, env))
    yield propose(urn, SubTypesClass(typeNames=[EMBEDDING_JOB]))
    yield propose(urn, _all_edges(lineage, present))
    if statements:
        transforms = [DataTransformClass(queryStatement=QueryStatementClass(value=sql)) for sql in statements]
        yield propose(urn, DataTransformLogicClass(transforms=transforms))
    yield from _shared_with_stewards(job, urn)


def foreign_job_proposals(lineage: JobLineage, present: Mapping[str, Any]) -> Iterator[Proposal]:
    """Patch only the inputs and outputs of a job that the orchestrator's own plugin owns.

    ``present`` is the job's ``dataJobInputOutput`` in the catalog. Edges that an earlier run declared and this one does
    not are removed.
    """
    wanted = _declared_edges(lineage, present)
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
    known = {(up, down) for up, down in column_edges(present) if asset_of(down) == lineage.index_urn}
    for up, down in sorted(known - set(_columns(lineage))):
        patch.remove_fine_grained_lineage(fine_grained([up], down))
    for fine in wanted.fineGrainedLineages or []:
        patch.add_fine_grained_lineage(fine)
    yield from patch.build()


def model_proposal(name: str, env: str, jobs: Iterable[str], present: Mapping[str, Any]) -> Proposal:
    """Add ``jobs`` to those that use the model; ``present`` is its ``mlModelProperties`` in the catalog.

    Other recipes and tools write the aspect too, and it has no patch builder: hence read, modify, write.
    """
    urn = urns.model(name, env=env)
    properties = MLModelPropertiesClass.from_obj(dict(present)) if present else MLModelPropertiesClass()
    properties.name = properties.name or MlModelUrn.from_string(urn).name
    properties.downstreamJobs = sorted({*(properties.downstreamJobs or []), *jobs})
    return propose(urn, properties)


def model_key_proposal(name: str, env: str) -> MetadataChangeProposalWrapper:
    """Describe a bare model: for an edge to end at, or where no catalog can say which jobs use it already."""
    urn = MlModelUrn.from_string(urns.model(name, env=env))
    key = MLModelKeyClass(name=urn.name, platform=urn.platform, origin=urn.env)
    return propose(urn.urn(), key)


def declared_properties(job: EmbeddingJobConfig) -> PropertyValues:
    """List what a job declares about its vectors, as structured properties of the job and of its index."""
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
    """List the column edges as pairs of ``schemaField`` URNs, upstream first."""
    for edge in lineage.columns:
        yield urns.schema_field(edge.dataset, edge.column), urns.schema_field(lineage.index_urn, edge.field)


def _all_edges(lineage: JobLineage, present: Mapping[str, Any]) -> DataJobInputOutputClass:
    """Build the edges that the recipe declares, and those that only hooks found."""
    aspect = _declared_edges(lineage, present)
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


def _declared_edges(lineage: JobLineage, present: Mapping[str, Any]) -> DataJobInputOutputClass:
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
        # What another writer's patch leaves there: otherwise the two would change the aspect back and forth.
        inputDatajobEdges=[],
        inputDatasetFields=[],
        outputDatasetFields=[],
        fineGrainedLineages=[fine_grained(upstreams, field) for field, upstreams in by_field.items()],
    )


def _shared_with_stewards(job: EmbeddingJobConfig, urn: str) -> Iterator[Proposal]:
    patch = AssetPatch(urn).set_properties(declared_properties(job))
    for owner in job.owners:
        patch.add_owner(OwnerClass(owner=owner, type=OwnershipTypeClass.TECHNICAL_OWNER))
    yield from patch.build()
