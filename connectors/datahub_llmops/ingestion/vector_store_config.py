"""Recipe options and report of every vector store."""

from __future__ import annotations

from dataclasses import dataclass, field

from datahub.configuration.common import AllowDenyPattern
from pydantic import Field, field_validator

from datahub_llmops.ingestion.key_counts import SOURCE_KEY
from datahub_llmops.ingestion.source import CatalogConfig, CatalogReport
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.lineage.provenance import ProvenanceConfig
from datahub_llmops.mapping.embedding_jobs import job_urn


class VectorStoreConfig(CatalogConfig):
    """Options that every vector store shares; a connector adds where the store is and its filters."""

    domain: dict[str, AllowDenyPattern] = Field(
        default_factory=dict,
        description="Domain (URN, id, or name on a server) -> which collections belong to it, by their dotted name, "
        "for example `{'urn:li:domain:support': {allow: ['.*docs']}}`.",
    )
    embedding_jobs: list[EmbeddingJobConfig] = Field(
        default_factory=list, description="The jobs that fill the collections, and what they read."
    )
    provenance: ProvenanceConfig = Field(
        default_factory=ProvenanceConfig, description="How upstream datasets are found in the payload."
    )

    @property
    def counted_fields(self) -> list[str]:
        """The payload fields whose values a reader counts: those that name sources, and those with keys of rows."""
        return list(dict.fromkeys([*self.provenance.fields, *self.key_fields]))

    @property
    def key_fields(self) -> list[str]:
        """The payload fields with keys of rows. Without ``provenance.fields`` only those that jobs name."""
        stamped = [SOURCE_KEY] if self.provenance.fields else []
        return list(
            dict.fromkeys([*stamped, *(job.key_field for job in self.embedding_jobs if job.key_field)])
        )

    @field_validator("embedding_jobs")
    @classmethod
    def _jobs_are_distinct(cls, value: list[EmbeddingJobConfig]) -> list[EmbeddingJobConfig]:
        seen: set[tuple[str, str]] = set()
        for job in value:
            declaration = job_urn(job, "PROD"), job.index
            if declaration in seen:
                raise ValueError(
                    f"embedding_jobs: the job {job.name!r} is declared twice for the index {job.index!r} in the same "
                    "flow. Give both statements in one `upstream` list, or rename one job"
                )
            seen.add(declaration)
        return value


@dataclass
class VectorStoreReport(CatalogReport):
    """Counts of what was found; they never contain a payload value."""

    embedding_jobs: int = 0
    declared_upstreams: int = 0
    payload_upstreams: int = 0
    column_edges: int = 0
    stopped_at_tables: int = 0
    """Statements of declared jobs with output columns that could not be traced to columns."""
    provenance_rows_scanned: int = 0
    provenance_rows_total: int = 0
    provenance_values_unmatched: int = 0
    provenance_chunks_unmatched: int = 0
    collections_with_hidden_rows: int = 0
    outputs_without_field: int = 0
    """Output columns of jobs for which the index has no field; keys of rows are usual among them."""
    jobs_without_index: list[str] = field(default_factory=list)
    jobs_unresolved: list[str] = field(default_factory=list)
    """Jobs of which nothing was written; each is a failure."""
