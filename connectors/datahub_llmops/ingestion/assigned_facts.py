"""A memory of the structured properties and typed aspects that earlier runs wrote, so that outdated ones are retracted.

A vector column is dropped, an index and its metric disappear, a second vector makes the dataset's own facts ambiguous:
patches that only add would leave the old facts for ever. The memory is a checkpoint of its own, kept by the same state
provider as that of stale removal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from datahub.configuration.common import ConfigModel
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.source.state.checkpoint import CheckpointStateBase
from datahub.ingestion.source.state.stale_entity_removal_handler import StatefulStaleMetadataRemovalConfig
from datahub.ingestion.source.state.stateful_ingestion_base import StateProviderWrapper
from pydantic import Field

from datahub_llmops.assets.collections import Name
from datahub_llmops.ingestion.recipe_memory import RecipeMemory


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


class AssignedFacts(RecipeMemory[AssignedState]):
    """The memory of one recipe. Without stateful ingestion it is empty, and nothing is ever retracted."""

    subject = "assigned_facts"
    state_type = AssignedState

    def __init__(
        self,
        provider: StateProviderWrapper,
        config: StatefulStaleMetadataRemovalConfig | None,
        ctx: PipelineContext,
        platform: str,
    ) -> None:
        super().__init__(provider, config, ctx, platform)
        self.now: dict[str, AssignedDataset] = {}

    def read_last_run(self) -> Mapping[str, AssignedDataset]:
        """Read what the last run assigned, by dataset URN."""
        return self.read_state().datasets

    def remember(
        self, dataset: str, name: Name, assigned: Mapping[str, Iterable[str]], *, typed: bool = False
    ) -> None:
        """Remember that this run assigns these properties, and whether it writes typed aspects."""
        if not self.is_checkpointing_enabled():
            return
        properties = {asset: sorted(names) for asset, names in assigned.items()}
        self.now[dataset] = AssignedDataset(name=list(name), properties=properties, typed=typed)

    def carry_over(self, dataset: str) -> None:
        """Remember that what the last run assigned still holds."""
        if (last := self.read_last_run().get(dataset)) is not None:
            self.now[dataset] = last

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
        if self.committed:
            return
        for dataset, old in self.read_last_run().items():
            now = self.now.setdefault(dataset, old)
            now.typed = now.typed or old.typed
            for asset, names in old.properties.items():
                now.properties[asset] = sorted({*names, *now.properties.get(asset, ())})
        self._commit()

    def _commit(self) -> None:
        state = self.state_to_commit()
        if state is not None:
            # Those without facts too: the next run asks for each one that it no longer finds in the list.
            state.datasets = dict(sorted(self.now.items()))
