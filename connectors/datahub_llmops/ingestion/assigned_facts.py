"""A memory of the structured properties and typed aspects that earlier runs wrote, so that outdated ones are retracted.

A vector column is dropped, an index and its metric disappear, a second vector makes the dataset's own facts ambiguous:
patches that only add would leave the old facts for ever. The memory is a checkpoint of its own, kept by the same state
provider as that of stale removal.
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
    """What one run assigned for one dataset."""

    name: list[str]
    properties: dict[str, list[str]] = Field(default_factory=dict)
    """URN of the dataset or of one of its fields -> property names."""
    typed: bool = False
    """Whether typed aspects were written too."""


class AssignedState(CheckpointStateBase):
    """All that a recipe assigned, by dataset URN."""

    datasets: dict[str, AssignedDataset] = Field(default_factory=dict)


class AssignedFacts(StatefulIngestionUsecaseHandlerBase[AssignedState]):
    """The memory of one recipe. Without stateful ingestion it is empty, and nothing is ever retracted."""

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
        self._committed = False
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

    def read_last_run(self) -> Mapping[str, AssignedDataset]:
        """Read what the last run assigned, by dataset URN."""
        if not self.is_checkpointing_enabled():
            return {}
        try:
            last = self._provider.get_last_checkpoint(self._job, AssignedState)
        except BaseException:
            # A memory that cannot be read must not be overwritten either.
            self._committed = True
            raise
        return last.state.datasets if last else {}

    def remember(
        self, dataset: str, name: Name, assigned: Mapping[str, Iterable[str]], *, typed: bool = False
    ) -> None:
        """Remember that this run assigns these properties, and whether it writes typed aspects."""
        if not self.is_checkpointing_enabled():
            return
        properties = {asset: sorted(names) for asset, names in assigned.items()}
        self.now[dataset] = AssignedDataset(name=list(name), properties=properties, typed=typed)

    def exceeds_threshold(self, vanished: int) -> bool:
        """Whether so many of the last run's datasets vanished at once that stale removal would not believe it."""
        known = len(self.read_last_run())
        threshold = self._config.fail_safe_threshold if self._config else 100.0
        return bool(known) and threshold < 100.0 and 100.0 * vanished / known > threshold

    def retract_properties(self, vanished: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """List asset -> properties that the last run assigned and that are outdated, then commit this run's memory.

        Only datasets that this run remembers, and those that ``vanished``, lose properties. Any other one keeps them
        and is forgotten.
        """
        gone = set(vanished)
        for dataset, old in self.read_last_run().items():
            if dataset not in self.now and dataset not in gone:
                continue
            current = self.now[dataset].properties if dataset in self.now else {}
            for asset, names in old.properties.items():
                if outdated := sorted(set(names) - set(current.get(asset, ()))):
                    yield asset, outdated
        self._commit()

    def find_outdated_typed(self, vanished: Iterable[str]) -> list[str]:
        """List the datasets whose typed aspects of the last run are outdated.

        Call it before ``retract_properties``, which forgets the last run.
        """
        gone = set(vanished)
        return [
            dataset
            for dataset, old in self.read_last_run().items()
            if old.typed and (dataset in gone if dataset not in self.now else not self.now[dataset].typed)
        ]

    def keep_for_next_run(self) -> None:
        """Remember what this run and the last one assigned: nothing was retracted, the next good run does it."""
        if self._committed:
            return
        for dataset, old in self.read_last_run().items():
            now = self.now.setdefault(dataset, old)
            now.typed = now.typed or old.typed
            for asset, names in old.properties.items():
                now.properties[asset] = sorted({*names, *now.properties.get(asset, ())})
        self._commit()

    def _commit(self) -> None:
        self._committed = True
        checkpoint = self._provider.get_current_checkpoint(self._job)
        if checkpoint is not None:
            known = {dataset: entry for dataset, entry in self.now.items() if entry.properties or entry.typed}
            checkpoint.state.datasets = dict(sorted(known.items()))
