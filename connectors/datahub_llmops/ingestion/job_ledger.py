"""What one run does to the edges of declared jobs: it declares, keeps and retracts.

A run changes only what its own recipe declared. A declaration that could not be resolved keeps its edges, marked as not
confirmed. A run without failures retracts what no recipe declares any more, if the recipe has a memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from datahub.ingestion.source.state.checkpoint import CheckpointStateBase
from pydantic import Field

from datahub_llmops.aspects.generated import EmbeddingInfoClass, EmbeddingJobInfoClass
from datahub_llmops.catalog.confirmation import NOT_CONFIRMED_SINCE
from datahub_llmops.catalog.urn_text import platform as platform_of
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.recipe_memory import RecipeMemory
from datahub_llmops.lineage.declared_jobs import ColumnEdge, Input, JobLineage
from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.mapping import embedding_jobs as jobs
from datahub_llmops.mapping.job_edges import Declaration, JobEdges, stated_by_recipes
from datahub_llmops.mapping.properties import AssetPatch, PropertyValues
from datahub_llmops.net.json_values import objects
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

    def stated_by_others(self, index: str) -> PropertyValues:
        """List what jobs of other recipes state about an index, as structured properties without their namespace.

        If it is not known what one of them states, what the catalog says of the index stands for it.
        """
        present = self._stated_of(index)
        if not present and not self.emitter.read_aspect(index, EmbeddingInfoClass.ASPECT_NAME):
            return {}  # No job has stated anything, so there is no need to look for jobs.
        found: dict[str, str | float] = {}
        for job in self.emitter.list_jobs_into(index):
            if self._is_live(job):
                edges = self.emitter.read_aspect(job, "dataJobInputOutput")
                for recipe, stated in sorted(stated_by_recipes(edges, index).items()):
                    if recipe != self.recipe:
                        found = {**(present if stated is None else stated), **found}
        return found

    def _stated_of(self, asset: str) -> dict[str, str | float]:
        """What the catalog says of an asset that jobs state."""
        assigned = self.emitter.read_aspect(asset, "structuredProperties").get("properties")
        values = {
            one.get("propertyUrn"): value
            for one in objects(assigned)
            for given in objects(one.get("values"))
            for value in given.values()
            if isinstance(value, str | float | int)
        }
        named = {name: structured_property(name) for name in jobs.STATED}
        return {name: values[urn] for name, urn in named.items() if urn in values}

    def unseen_payload(self, index: str, traced: Sequence[JobLineage]) -> list[Input]:
        """List the sources in the payload of an index that only edges of a job hold, and not for much longer.

        The recipe no longer declares them. Call it before ``declare``, in a run that did not see the whole payload.
        """
        resolved = {jobs.job_urn(one.job, self.env): one for one in traced if not one.unresolved}
        unresolved = {jobs.job_urn(one.job, self.env) for one in traced if one.unresolved}
        wanted = {source.urn for one in resolved.values() for source in one.inputs}
        found: dict[str, Input] = {}
        for urn, foreign in self._known().items():
            if urn not in unresolved:
                for source in self._of(urn, foreign=foreign).payload_for(Declaration(self.recipe, index)):
                    if source.urn not in wanted:
                        found.setdefault(source.urn, source)
        return list(found.values())

    def declare(self, lineage: JobLineage, payload_unseen_since: str | None = None) -> Iterator[Emission]:
        """Write the edges of one declaration, all of them confirmed; see ``JobEdges.declare``."""
        job, urn = lineage.job, jobs.job_urn(lineage.job, self.env)
        edges = self._of(urn, foreign=job.job_urn is not None)
        edges.declare(Declaration(self.recipe, lineage.index_urn), lineage, payload_unseen_since)
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
        now = self._declared_now()
        for urn, foreign in sorted(self._known().items()):
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
            left = urn not in now and not edges.declarations
            if gone or left:
                yield from self._write(urn, edges, primary=urn in now and not foreign)
            if left:
                # No recipe declares it any more, and somebody else keeps the job.
                yield from self.emitter.emit_typed(urn, [EmbeddingJobInfoClass()])
            if urn not in now and not foreign:
                # Mentioned as somebody else's, so that stale removal leaves it.
                yield Emission(jobs.subtype_proposal(urn), primary=False)
        self._commit(now)

    def keep_memory(self) -> None:
        """Remember the jobs of this run and of the last one: nothing was retracted."""
        if not self.memory.committed:
            self._commit(self._known())

    def _declared_now(self) -> dict[str, bool]:
        """The jobs of this run, as the memory keeps them."""
        return {jobs.job_urn(job, self.env): job.job_urn is not None for job in self.declared}

    def _known(self) -> dict[str, bool]:
        """The jobs of this run and of the last one."""
        return {**self.memory.read_state().jobs, **self._declared_now()}

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
        before, stated = edges.stated_before, edges.stated
        for model in before.get(jobs.STATED[0], frozenset()) - stated.get(jobs.STATED[0], frozenset()):
            self.emitter.drop_model_user(str(model), urn)
        yield from emit(edges.proposals(), primary=primary)
        values = {
            NOT_CONFIRMED_SINCE: edges.not_confirmed_since,
            ACCEPTED_GAPS: ", ".join(sorted(self._gaps.get(urn, ()))) or None,
            # On a job of somebody else we assign none of these.
            **dict.fromkeys(before.keys() - stated.keys() if not edges.foreign else ()),
        }
        stored = self.emitter.read_aspect(urn, "structuredProperties").get("properties") or []
        there = {one.get("propertyUrn") for one in stored}
        patch = AssetPatch(urn).set_properties(values)
        patch.remove_properties(
            name for name, value in values.items() if value is None and structured_property(name) in there
        )
        yield from emit(patch.build(), primary=primary)
