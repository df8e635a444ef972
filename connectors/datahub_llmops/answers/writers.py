"""Finds the job runs that wrote the chunks of an answer, in the answer store of the host that recorded them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_writes
from datahub_llmops.answer_store.queries import WriteRow
from datahub_llmops.answer_store.recorded import Chunk, Identities, Raw, RecordedWrites
from datahub_llmops.answers.resolver import Resolver, job_of
from datahub_llmops.assets.usage import model_name
from datahub_llmops.errors import RecordError
from datahub_llmops.lineage.addresses import dataset_urn


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingJob:
    """The job run that wrote a document, as this host recorded it. Times are in seconds since the epoch."""

    run: str
    job: str
    flow: str
    orchestrator: str
    embedding_model: str | None
    sources: tuple[str, ...]
    """Datasets that the run as a whole read, if it recorded them."""
    started: float
    ended: float


class Writers:
    """The job runs behind chunks. What cannot be read is added to ``gaps``."""

    def __init__(self, store: Store, resolver: Resolver, gaps: dict[str, None]) -> None:
        self._store, self._resolver, self._gaps = store, resolver, gaps
        self._secret = digests.key(store.path, create=False)
        self._identities = Identities(store)
        self.jobs: dict[str, WritingJob] = {}
        """The jobs of all runs that were found, by run."""

    def run(self, number: int | None, chunk: Chunk, index: str | None) -> str | None:
        """Return the run that wrote a chunk last; its job is kept in ``jobs``.

        ``number`` is that of the raw identity of the chunk's index, and ``index`` its URN.
        """
        found = self._last_write(number, chunk, index)
        if found is None and chunk.run is not None:
            found = self._load(self._store.run(chunk.run))
        if found is None:
            return chunk.run
        if found.run not in self.jobs:
            self.jobs[found.run] = _writing_job(found)
        return found.run

    def _load(self, row: WriteRow | None) -> RecordedWrites | None:
        try:
            return None if row is None else load_writes(row, self._identities)
        except RecordError as error:
            self._gaps.setdefault(f"a run of writes cannot be read: {error}")
            return None

    def _last_write(self, number: int | None, chunk: Chunk, index: str | None) -> RecordedWrites | None:
        """The newest write of the chunk into its index, under whichever of its names the index was written."""
        if chunk.id is None or self._secret is None:
            return None
        key = digests.chunk_key(self._secret, chunk.id)
        found = []
        for other, raw in self._indexes:
            written = self._load(self._store.writer_of(other, key))
            if written is not None and (other == number or (index and self._resolver.index(raw) == index)):
                found.append(written)
        return max(found, key=lambda write: write.ended, default=None)

    @cached_property
    def _indexes(self) -> list[tuple[int, Raw]]:
        return list(self._store.identities("index"))


def _writing_job(run: RecordedWrites) -> WritingJob:
    orchestrator, flow, job = job_of(run)
    return WritingJob(
        run=run.run,
        job=job,
        flow=flow,
        orchestrator=orchestrator,
        embedding_model=model_name(run.embedding),
        sources=tuple(sorted(urn for raw, _ in run.sources if (urn := dataset_urn(str(raw.get("urn")))))),
        started=run.started,
        ended=run.ended,
    )
