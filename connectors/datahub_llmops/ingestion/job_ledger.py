"""What one run does to the edges of declared jobs: it declares, keeps and takes back.

A run changes only what its own recipe declared. A declaration that could not be resolved keeps its edges, marked as not
confirmed. What no recipe declares any more is taken back by a run without failures, if the recipe has a memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from datahub.ingestion.source.state.checkpoint import CheckpointStateBase
from pydantic import Field

from datahub_llmops.catalog.confirmation import NOT_CONFIRMED_SINCE
from datahub_llmops.catalog.urn_text import platform as platform_of
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.recipe_memory import RecipeMemory
from datahub_llmops.lineage.declared_jobs import ColumnEdge, JobLineage
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.mapping import embedding_jobs as jobs
from datahub_llmops.mapping.job_edges import Declaration, JobEdges
from datahub_llmops.mapping.properties import AssetPatch
from datahub_llmops.urns import structured_property

ACCEPTED_GAPS = "accepted_gaps"


class DeclaredState(CheckpointStateBase):
    """The jobs that a recipe declared: URN -> whether the orchestrator's plugin describes it."""

    jobs: dict[str, bool] = Field(default_factory=dict)


class DeclaredMemory(RecipeMemory[DeclaredState]):
    """Remembers which jobs a recipe declared."""

    subject = "declared_jobs"
    state_type = DeclaredState


@dataclass(slots=True, kw_only=True)
class JobLedger:
    """The jobs of one recipe during one run. Every method raises ``CatalogError`` if the catalog cannot answer."""

    recipe: str
    """Its ``pipeline_name``, which owns what it declares."""
    platform: str
    """That of the recipe's indexes."""
    env: str
    now: datetime
    declared: list[EmbeddingJobConfig]
    emitter: RunEmitter
    memory: DeclaredMemory
    _edges: dict[str, JobEdges] = field(default_factory=dict)
    _settled: dict[str, set[str]] = field(default_factory=dict)
    """Job -> the indexes that this run has declared or kept."""
    _gaps: dict[str, set[str]] = field(default_factory=dict)

    def earlier_columns(self, job: EmbeddingJobConfig, index: str) -> frozenset[ColumnEdge]:
        """List the column edges into an index that the job has in the catalog."""
        return self._of(jobs.job_urn(job, self.env), foreign=job.job_urn is not None).columns_into(index)

    def described(self, job: EmbeddingJobConfig) -> EmbeddingJobConfig:
        """Describe a job by all its declarations in this recipe."""
        urn = jobs.job_urn(job, self.env)
        return jobs.combine([one for one in self.declared if jobs.job_urn(one, self.env) == urn])

    def declare(self, lineage: JobLineage) -> Iterator[Emission]:
        """Write the edges of one declaration, all of them confirmed."""
        job, urn = lineage.job, jobs.job_urn(lineage.job, self.env)
        edges = self._of(urn, foreign=job.job_urn is not None)
        edges.declare(Declaration(self.recipe, lineage.index_urn), lineage)
        self._settle(urn, lineage.index_urn)
        self._gaps.setdefault(urn, set()).update(lineage.accepted)
        yield from self._write(urn, edges, primary=job.job_urn is None)

    def keep(self, job: EmbeddingJobConfig, index: str | None = None) -> Iterator[Emission]:
        """Keep and mark the edges of a declaration that this run could not resolve.

        Without an ``index``, which could not be found, these are all edges of the job in this recipe that no other
        declaration has settled.
        """
        urn, own = jobs.job_urn(job, self.env), job.job_urn is None
        if not self._is_live(urn):
            return
        edges = self._of(urn, foreign=not own)
        indexes = [index] if index is not None else self._unsettled(urn, edges)
        since = self.now.isoformat(timespec="seconds")
        marked = [edges.mark(Declaration(self.recipe, one), since) for one in indexes]
        for one in indexes:
            self._settle(urn, one)
        if any(marked):
            yield from self._write(urn, edges, primary=own)
        elif own and self.emitter.read_aspect(urn, "dataJobInfo"):
            # Mentioned, so that stale removal does not take the job for gone.
            yield Emission(jobs.subtype_proposal(urn))

    def withdraw(self) -> Iterator[Emission]:
        """Take back what this recipe no longer declares. Call it at the end of a run without failures."""
        if not self.memory.is_checkpointing_enabled():
            return
        now = {jobs.job_urn(job, self.env): job.job_urn is not None for job in self.declared}
        for urn, foreign in sorted({**self.memory.read_state().jobs, **now}.items()):
            edges = self._of(urn, foreign=foreign)
            if urn not in now and not foreign and not edges.kept_by_others(self.recipe, self._is_ours):
                continue  # Stale removal retires the job, and its edges with it.
            gone = {
                who
                for who in edges.declarations
                if who.recipe == self.recipe and who.index not in self._settled.get(urn, ())
            }
            for who in sorted(gone):
                edges.withdraw(who)
            if gone:
                yield from self._write(urn, edges, primary=urn in now and not foreign)
            if urn not in now and not foreign:
                # Mentioned as somebody else's, so that stale removal leaves it.
                yield Emission(jobs.subtype_proposal(urn), primary=False)
        self._commit(now)

    def keep_memory(self) -> None:
        """Remember the jobs of this run and of the last one: nothing was taken back."""
        if not self.memory.committed:
            now = {jobs.job_urn(job, self.env): job.job_urn is not None for job in self.declared}
            self._commit({**self.memory.read_state().jobs, **now})

    def _commit(self, known: dict[str, bool]) -> None:
        state = self.memory.state_to_commit()
        if state is not None:
            state.jobs = dict(sorted(known.items()))

    def _of(self, urn: str, *, foreign: bool) -> JobEdges:
        if urn not in self._edges:
            present = self.emitter.read_aspect(urn, "dataJobInputOutput")
            retired = bool(present) and not self._is_live(urn)
            self._edges[urn] = JobEdges(urn, present, foreign=foreign, retired=retired)
        return self._edges[urn]

    def _is_live(self, urn: str) -> bool:
        return not self.emitter.read_aspect(urn, "status").get("removed")

    def _is_ours(self, index: str) -> bool:
        return platform_of(index) == self.platform

    def _settle(self, urn: str, index: str) -> None:
        self._settled.setdefault(urn, set()).add(index)

    def _unsettled(self, urn: str, edges: JobEdges) -> list[str]:
        owned = {who.index for who in edges.declarations if who.recipe == self.recipe}
        legacy = {index for index in edges.unowned() if self._is_ours(index)}
        return sorted((owned | legacy) - self._settled.get(urn, set()))

    def _write(self, urn: str, edges: JobEdges, *, primary: bool) -> Iterator[Emission]:
        yield from emit(edges.proposals(), primary=primary)
        values = {
            NOT_CONFIRMED_SINCE: edges.not_confirmed_since,
            ACCEPTED_GAPS: ", ".join(sorted(self._gaps.get(urn, ()))) or None,
        }
        stored = self.emitter.read_aspect(urn, "structuredProperties").get("properties") or []
        there = {one.get("propertyUrn") for one in stored}
        patch = AssetPatch(urn).set_properties(values)
        patch.remove_properties(
            name for name, value in values.items() if value is None and structured_property(name) in there
        )
        yield from emit(patch.build(), primary=primary)
