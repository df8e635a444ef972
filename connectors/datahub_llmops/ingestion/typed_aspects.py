"""The part of a vector store's source that emits our own typed aspects, of collections and of their jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from datahub.ingestion.api.source import SourceReport
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.aspects.generated import EmbeddingInfoClass
from datahub_llmops.assets.collections import Collection
from datahub_llmops.ingestion.emitter import Emission, RunEmitter
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.lineage.declared_jobs import JobLineage
from datahub_llmops.mapping import embedding_jobs, index_aspects
from datahub_llmops.mapping.collections import PlacedCollection


@dataclass(slots=True)
class TypedAspects(SourcePart[Collection]):
    """Emits the typed aspects of each collection, as far as the target accepts them.

    What a job declared about a collection stays until a run without failures finds that no job declares it any more.
    """

    emitter: RunEmitter
    env: str
    """That of models and jobs."""
    report: SourceReport
    _undeclared: list[tuple[PlacedCollection, EmbeddingInfoClass]] = field(default_factory=list)
    """Collections whose declared facts this run does not know, and what it knows without them."""

    @override
    def emissions(self, placed: PlacedCollection) -> Iterator[Emission]:
        if not self.emitter.writes_typed:
            return
        models = index_aspects.embedding_models(placed.item, placed.declared)
        yield from self.emitter.emit_missing_models(models)
        aspects = index_aspects.index_aspects(
            placed.item,
            engine=placed.deployment.platform,
            declared=placed.declared,
            models={name: urns.model(name, env=self.env) for name in models},
        )
        known = [self._keep_declared(placed, aspect) for aspect in aspects]
        yield from self.emitter.emit_typed(placed.urn, known, primary=not placed.shared)

    def _keep_declared(self, placed: PlacedCollection, aspect: LlmopsAspect) -> LlmopsAspect:
        if not isinstance(aspect, EmbeddingInfoClass):
            return aspect
        present = self.emitter.read_aspect(placed.urn, aspect.ASPECT_NAME)
        kept = index_aspects.keep_declared(aspect, present)
        if kept != aspect:
            self._undeclared.append((placed, aspect))
        return kept

    @override
    def conclusion(self, reader: Reader[Collection]) -> Iterator[Emission]:
        if self.report.failures:
            return
        for placed, aspect in self._undeclared:
            yield from self.emitter.emit_typed(placed.urn, [aspect], primary=not placed.shared)

    def job_emissions(self, lineage: JobLineage) -> Iterator[Emission]:
        """Emit the typed aspect of a declared job."""
        if not self.emitter.writes_typed:
            return
        job, model = lineage.job, lineage.job.embedding_model
        yield from self.emitter.emit_missing_models([model] if model else [])
        aspect = index_aspects.job_aspect(lineage, urns.model(model, env=self.env) if model else None)
        urn = embedding_jobs.job_urn(job, self.env)
        yield from self.emitter.emit_typed(urn, [aspect], primary=job.job_urn is None)
