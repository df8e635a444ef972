"""A declared embedding job as a DataHub dataJob in its dataFlow, with the tables it reads and the index it writes.

https://docs.datahub.com/docs/generated/metamodel/entities/datajob
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    DataFlowInfoClass,
    DataJobInfoClass,
    DataTransformClass,
    DataTransformLogicClass,
    MLModelKeyClass,
    MLModelPropertiesClass,
    OwnerClass,
    OwnershipTypeClass,
    QueryStatementClass,
    SubTypesClass,
)
from datahub.metadata.urns import DataJobUrn, MlModelUrn

from datahub_llmops import urns
from datahub_llmops.mapping.properties import AssetPatch, PropertyValues
from datahub_llmops.mapping.proposals import Proposal, propose

if TYPE_CHECKING:
    # It loads the parser of SQL, and the sources of prompts need none.
    from datahub_llmops.lineage.job_config import EmbeddingJobConfig

EMBEDDING_JOB: Final = "Embedding Job"
_TYPE: Final = "EMBEDDING"
MOST_LISTED: Final = 20
"""Datasets that one custom property names at most."""
STATED: Final = ("embedding_model", "chunking_method", "chunk_size", "chunk_overlap")
"""What a job may state about the vectors of its index: structured properties of both, without their namespace."""


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


def combine(declarations: Sequence[EmbeddingJobConfig]) -> EmbeddingJobConfig:
    """Describe a job that a recipe declares for several indexes. Where its declarations differ, the first counts."""
    first = declarations[0]
    upstream = {one.model_dump_json(): one for job in declarations for one in job.upstream}
    return first.model_copy(
        update={
            "upstream": list(upstream.values()),
            "text_columns": list(dict.fromkeys(name for job in declarations for name in job.text_columns)),
            "owners": list(dict.fromkeys(owner for job in declarations for owner in job.owners)),
            "key_field": first.key_field if len({job.key_field for job in declarations}) == 1 else None,
            "chunks_per_row": first.chunks_per_row
            if len({job.chunks_per_row for job in declarations}) == 1
            else None,
            "change_column": first.change_column
            if len({job.change_column for job in declarations}) == 1
            else None,
        }
    )


def job_proposals(job: EmbeddingJobConfig, env: str, every_row_of: Sequence[str] = ()) -> Iterator[Proposal]:
    """Describe a job that this recipe owns, without its edges.

    ``every_row_of`` are the datasets of which it embeds every row, if that is so of all that it reads.
    """
    urn, statements = job_urn(job, env), tuple(dict.fromkeys(job.statements))
    yield propose(urn, _info(job, env, every_row_of))
    yield subtype_proposal(urn)
    if statements:
        transforms = [DataTransformClass(queryStatement=QueryStatementClass(value=sql)) for sql in statements]
        yield propose(urn, DataTransformLogicClass(transforms=transforms))
    yield from _shared_with_stewards(job, urn)


def subtype_proposal(urn: str) -> Proposal:
    """Say that a job is an embedding job, which changes nothing on one that is."""
    return propose(urn, SubTypesClass(typeNames=[EMBEDDING_JOB]))


def model_proposal(
    name: str,
    env: str,
    jobs: Iterable[str],
    present: Mapping[str, Any],
    without: Collection[str] = frozenset(),
    facts: Mapping[str, str] | None = None,
) -> Proposal:
    """Add ``jobs`` to those that use the model, and remove those ``without`` it.

    ``present`` is its ``mlModelProperties`` in the catalog, and ``facts`` are custom properties to set.

    Other recipes and tools write the aspect too, and it has no patch builder: hence read, modify, write.
    """
    urn = urns.model(name, env=env)
    properties = MLModelPropertiesClass.from_obj(dict(present)) if present else MLModelPropertiesClass()
    properties.name = properties.name or MlModelUrn.from_string(urn).name
    properties.downstreamJobs = sorted({*(properties.downstreamJobs or []), *jobs} - set(without))
    if facts:
        properties.customProperties = {**(properties.customProperties or {}), **facts}
    return propose(urn, properties)


def model_key_proposal(name: str, env: str) -> MetadataChangeProposalWrapper:
    """Describe a bare model: for an edge to end at, or where no catalog can say which jobs use it already."""
    urn = MlModelUrn.from_string(urns.model(name, env=env))
    key = MLModelKeyClass(name=urn.name, platform=urn.platform, origin=urn.env)
    return propose(urn.urn(), key)


def declared_properties(job: EmbeddingJobConfig) -> PropertyValues:
    """List what a job declares about its vectors, as structured properties of the job and of its index."""
    chunking = job.chunking
    values = (
        job.embedding_model,
        chunking.method if chunking else None,
        _number(chunking.size if chunking else None),
        _number(chunking.overlap if chunking else None),
    )
    return dict(zip(STATED, values, strict=True))


def _number(value: int | None) -> float | None:
    return float(value) if value is not None else None


def _info(job: EmbeddingJobConfig, env: str, every_row_of: Sequence[str]) -> DataJobInfoClass:
    properties = {
        "schedule": job.schedule,
        "embedding_model": job.embedding_model,
        "text_columns": ", ".join(job.text_columns),
        "key_field": job.key_field,
        "chunks_per_row": str(job.chunks_per_row) if job.chunks_per_row else None,
        "change_column": job.change_column,
        # Between URNs a space: they have commas in them.
        "every_row_of": " ".join(every_row_of) if len(every_row_of) <= MOST_LISTED else None,
    }
    if job.chunking is not None:
        chunking = job.chunking.model_dump(exclude_none=True)
        properties.update({f"chunking.{key}": str(value) for key, value in chunking.items()})
    # No description: the SQL is the job's logic, which has a tab of its own, and a description is for people to write.
    return DataJobInfoClass(
        name=job.name,
        type=_TYPE,
        flowUrn=flow_urn(job, env),
        customProperties={key: value for key, value in properties.items() if value},
        env=env,
    )


def _shared_with_stewards(job: EmbeddingJobConfig, urn: str) -> Iterator[Proposal]:
    patch = AssetPatch(urn).set_properties(declared_properties(job))
    for owner in job.owners:
        patch.add_owner(OwnerClass(owner=owner, type=OwnershipTypeClass.TECHNICAL_OWNER))
    yield from patch.build()
