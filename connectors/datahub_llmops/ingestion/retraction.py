"""Which structured properties and typed aspects earlier runs wrote, so that what does not hold any more is taken back.

A vector column is dropped, an index goes and its metric with it, a second vector makes the dataset's own facts
ambiguous: a patch that only adds would leave the old facts for ever. The memory is a checkpoint of its own beside that
of stale removal, kept by the same state provider.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from datahub.configuration.common import ConfigModel
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.ingestion_job_checkpointing_provider_base import JobId
from datahub.ingestion.source.state.checkpoint import Checkpoint, CheckpointStateBase
from datahub.ingestion.source.state.stale_entity_removal_handler import StatefulStaleMetadataRemovalConfig
from datahub.ingestion.source.state.stateful_ingestion_base import StateProviderWrapper
from datahub.ingestion.source.state.use_case_handler import StatefulIngestionUsecaseHandlerBase
from pydantic import Field
from typing_extensions import override

from datahub_llmops.assets.collections import Name

_JOB: Final = "assigned_facts"


class AssignedDataset(ConfigModel):
    """What one run assigned for one collection: asset URN (the dataset, its schemaFields) -> property names."""

    name: list[str]
    properties: dict[str, list[str]] = Field(default_factory=dict)
    typed: bool = False
    """Typed aspects were written, too."""


class AssignedState(CheckpointStateBase):
    """Everything that a recipe assigned, by dataset URN."""

    datasets: dict[str, AssignedDataset] = Field(default_factory=dict)


class Assigned(StatefulIngestionUsecaseHandlerBase[AssignedState]):
    """Memory of one recipe. Without stateful ingestion it remembers nothing, and nothing is ever taken back."""

    def __init__(
        self,
        provider: StateProviderWrapper,
        config: StatefulStaleMetadataRemovalConfig | None,
        ctx: PipelineContext,
        platform: str,
    ) -> None:
        self._provider = provider
        self._config = config
        self._ctx = ctx
        self._job = JobId(f"{platform}_{_JOB}")
        self._settled = False
        self.now: dict[str, AssignedDataset] = {}
        provider.register_stateful_ingestion_usecase_handler(self)

    @property
    @override
    def job_id(self) -> JobId:
        return self._job

    @override
    def is_checkpointing_enabled(self) -> bool:
        return bool(
            self._provider.is_stateful_ingestion_configured()
            and self._config
            and self._config.remove_stale_metadata
        )

    @override
    def create_checkpoint(self) -> Checkpoint[AssignedState] | None:
        if not self.is_checkpointing_enabled() or (self._config and self._config.ignore_new_state):
            return None
        return Checkpoint(
            job_name=self._job,
            pipeline_name=self._ctx.pipeline_name or "",
            run_id=self._ctx.run_id,
            state=AssignedState(),
        )

    def before(self) -> Mapping[str, AssignedDataset]:
        """What the last run assigned, by dataset URN."""
        if not self.is_checkpointing_enabled():
            return {}
        try:
            last = self._provider.get_last_checkpoint(self._job, AssignedState)
        except BaseException:
            # What cannot be read is not overwritten either.
            self._settled = True
            raise
        return last.state.datasets if last else {}

    def note(
        self, dataset: str, name: Name, assigned: Mapping[str, Iterable[str]], *, typed: bool = False
    ) -> None:
        """This run assigns these properties, and writes typed aspects or none."""
        if not self.is_checkpointing_enabled():
            return
        properties = {asset: sorted(names) for asset, names in assigned.items()}
        self.now[dataset] = AssignedDataset(name=list(name), properties=properties, typed=typed)

    def too_many(self, vanished: int) -> bool:
        """Is that more of what the last run knew than stale removal would believe to be gone at once?"""
        known = len(self.before())
        threshold = self._config.fail_safe_threshold if self._config else 100.0
        return bool(known) and threshold < 100.0 and 100.0 * vanished / known > threshold

    def taken_back(self, vanished: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Asset -> properties that the last run assigned and that do not hold any more.

        Of datasets that this run noted, and of those that ``vanished``; the others are left as they are, and
        forgotten. After that the memory is this run's.
        """
        gone = set(vanished)
        for dataset, old in self.before().items():
            if dataset not in self.now and dataset not in gone:
                continue
            kept = self.now[dataset].properties if dataset in self.now else {}
            for asset, names in old.properties.items():
                if stale := sorted(set(names) - set(kept.get(asset, ()))):
                    yield asset, stale
        self._settle()

    def emptied(self, vanished: Iterable[str]) -> list[str]:
        """Datasets whose typed aspects, of the last run, do not hold any more.

        To be asked before ``taken_back``, which forgets the last run.
        """
        gone = set(vanished)
        return [
            dataset
            for dataset, old in self.before().items()
            if old.typed and (dataset in gone if dataset not in self.now else not self.now[dataset].typed)
        ]

    def carry_over(self) -> None:
        """Remember what this run assigned and all of before: nothing was taken back, the next good run does it."""
        if self._settled:
            return
        for dataset, old in self.before().items():
            now = self.now.setdefault(dataset, old)
            now.typed = now.typed or old.typed
            for asset, names in old.properties.items():
                now.properties[asset] = sorted({*names, *now.properties.get(asset, ())})
        self._settle()

    def _settle(self) -> None:
        self._settled = True
        checkpoint = self._provider.get_current_checkpoint(self._job)
        if checkpoint is not None:
            known = {dataset: entry for dataset, entry in self.now.items() if entry.properties or entry.typed}
            checkpoint.state.datasets = dict(sorted(known.items()))
