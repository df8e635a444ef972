"""Emits embedding jobs, what they read and wrote, and a process instance for each run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from datahub_llmops import urns
from datahub_llmops.answer_store.keys import OPEN, WritesKey
from datahub_llmops.answer_store.recorded import RecordedWrites
from datahub_llmops.answers.resolver import Resolver, job_of
from datahub_llmops.assets.usage import model_name
from datahub_llmops.ingestion.applications.emission import Guard
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.addresses import dataset_urn
from datahub_llmops.mapping import application_aspects, observed_edges
from datahub_llmops.mapping import applications as mapping


@dataclass(frozen=True, slots=True)
class _Edges:
    """What a job was seen to read and to write, by URN, with the time in seconds."""

    inputs: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, float] = field(default_factory=dict)


class WritesOptions(Protocol):
    """The options of a recipe that recorded writes need."""

    env: str
    max_embedding_runs: int
    """Newest runs that become process instances."""
    source_rules: list[provenance.RuleConfig]


class WritesReport(Protocol):
    """What a run counts of recorded writes."""

    embedding_runs: int
    unmatched_sources: int


class EmbeddingRuns:
    """Emits everything about recorded writes."""

    def __init__(
        self, options: WritesOptions, report: WritesReport, emitter: RunEmitter, guard: Guard, now: float
    ) -> None:
        """``guard`` passes on what one asset emits. ``now`` is the time in seconds since the epoch."""
        self._env = options.env
        self._max_runs = options.max_embedding_runs
        self._rules = provenance.compile_rules(
            provenance.ProvenanceConfig(rules=options.source_rules), env=options.env
        )
        self._report = report
        self._emitter = emitter
        self._guard = guard
        self._now = now

    def emissions(self, runs: list[RecordedWrites], resolver: Resolver) -> Iterator[Emission]:
        """Yield everything except the models, which applications may use as well. One that fails stops no other."""
        edges: dict[str, _Edges] = defaultdict(_Edges)
        for one in sorted(runs, key=lambda one: one.ended, reverse=True):  # A job is what its newest run was.
            index = resolver.index(one.index)
            if index is not None:
                yield from self._guard(f"embedding run {one.run}", self._run(one, index, edges))
        for job, seen in edges.items():
            yield from self._guard(job, self._edges(job, seen))

    def _run(self, one: RecordedWrites, index: str, edges: dict[str, _Edges]) -> Iterator[Emission]:
        orchestrator, flow, name = job_of(one)
        job, proposals = mapping.embedding_job_proposals(
            orchestrator, flow, name, self._env, self._job_properties(one)
        )
        yield from self._emitter.emit_platform(orchestrator)
        model = model_name(one.embedding)
        if job not in edges and not self._declared(job):
            yield from self._emitter.emit_new(proposals)
            yield from self._typed(job, one, model)
        sources = self._sources(one)
        yield from self._emitter.emit_missing_datasets([*sources, index])
        seen = edges[job]
        for source in sources:
            seen.inputs.setdefault(source, one.ended)
        seen.outputs.setdefault(index, one.ended)
        if model is not None:
            self._emitter.add_model_user(model, job)
        if self._report.embedding_runs < self._max_runs:
            self._report.embedding_runs += 1
            yield from emit(
                mapping.instance_proposals(
                    run_key(one.run, index),
                    f"{one.job or one.application} {observed_edges.day(one.started)}",
                    job,
                    started=one.started,
                    ended=one.ended,
                    properties={"run": one.run, **{key: str(count) for key, count in one.counts.items()}},
                    inputs=sources,
                    outputs=(index,),
                    failed=one.error is not None,
                    running=one.error is None and one.facts.get(WritesKey.STATE) == OPEN,
                ),
                primary=False,
            )

    def _edges(self, job: str, seen: _Edges) -> Iterator[Emission]:
        present = self._emitter.read_aspect(job, "dataJobInputOutput")
        yield from emit(
            observed_edges.job_edges(job, seen.inputs, seen.outputs, present, self._now), primary=False
        )

    def _typed(self, job: str, one: RecordedWrites, model: str | None) -> Iterator[Emission]:
        if self._emitter.writes_typed:
            yield from self._emitter.emit_missing_models([model] if model else [])
            urn = urns.model(model, env=self._env) if model else None
            yield from self._emitter.emit_typed(
                job, [application_aspects.job_aspect(model, urn, one.splitter or {})]
            )

    def _declared(self, job: str) -> bool:
        """Return whether a recipe or an orchestrator's plugin already describes the job. Either knows it better."""
        info = self._emitter.read_aspect(job, "dataJobInfo")
        return bool(info) and "application" not in (info.get("customProperties") or {})

    def _job_properties(self, one: RecordedWrites) -> dict[str, str]:
        splitter = one.splitter or {}
        found = {
            "application": one.application,
            "embedding_model": model_name(one.embedding),
            "splitter": splitter.get("class"),
            "chunk_size": splitter.get("size"),
            "chunk_overlap": splitter.get("overlap"),
            "loader": one.facts.get("loader"),
            "record_manager_namespace": one.facts.get("namespace"),
        }
        return {key: str(value) for key, value in found.items() if value is not None}

    def _sources(self, one: RecordedWrites) -> list[str]:
        found: set[str] = set()
        for raw, count in one.sources:
            given = raw.get("urn")
            urn = (
                dataset_urn(given) if isinstance(given, str) else self._rules.match(str(raw.get("value", "")))
            )
            if urn is None:
                self._report.unmatched_sources += count
            else:
                found.add(urn)
        return sorted(found)


def run_key(run: str, index: str) -> dict[str, str]:
    """Return what identifies an embedding run."""
    return {"run": run, "index": index}
