"""A memory of a recipe from one run to the next: a checkpoint of its own beside that of stale removal.

The same state provider keeps both. Without stateful ingestion the memory is empty.
"""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.ingestion_job_checkpointing_provider_base import JobId
from datahub.ingestion.source.state.checkpoint import Checkpoint, CheckpointStateBase
from datahub.ingestion.source.state.stale_entity_removal_handler import StatefulStaleMetadataRemovalConfig
from datahub.ingestion.source.state.stateful_ingestion_base import StateProviderWrapper
from datahub.ingestion.source.state.use_case_handler import StatefulIngestionUsecaseHandlerBase
from typing_extensions import override

StateT = TypeVar("StateT", bound=CheckpointStateBase)


class RecipeMemory(StatefulIngestionUsecaseHandlerBase[StateT], Generic[StateT]):
    """Reads the state of the last run and commits that of this one, at most once."""

    subject: ClassVar[str]
    """What is remembered: the end of the checkpoint's name."""
    state_type: type[StateT]

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
        self._job = JobId(f"{platform}_{self.subject}")
        self.committed = False
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
    def create_checkpoint(self) -> Checkpoint[StateT] | None:
        if not self.is_checkpointing_enabled() or (self._config and self._config.ignore_new_state):
            return None
        return Checkpoint(
            job_name=self._job,
            pipeline_name=self._ctx.pipeline_name or "",
            run_id=self._ctx.run_id,
            state=self.state_type(),
        )

    def read_state(self) -> StateT:
        """Read what the last run remembered; an empty state if there was none."""
        if not self.is_checkpointing_enabled():
            return self.state_type()
        try:
            last = self._provider.get_last_checkpoint(self._job, self.state_type)
        except BaseException:
            # A memory that cannot be read must not be overwritten either.
            self.committed = True
            raise
        return last.state if last else self.state_type()

    def state_to_commit(self) -> StateT | None:
        """The state of this run, to be filled; ``None`` if nothing is remembered. The memory is committed from now."""
        self.committed = True
        checkpoint = self._provider.get_current_checkpoint(self._job)
        return checkpoint.state if checkpoint is not None else None
