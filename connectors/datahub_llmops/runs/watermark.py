"""Remembers how far a store was read, with DataHub's own checkpoint, which is committed after the sink's flush."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.ingestion_job_checkpointing_provider_base import JobId
from datahub.ingestion.source.state.checkpoint import Checkpoint, CheckpointStateBase
from datahub.ingestion.source.state.stateful_ingestion_base import StatefulIngestionSourceBase
from datahub.ingestion.source.state.use_case_handler import StatefulIngestionUsecaseHandlerBase
from pydantic import Field
from typing_extensions import override

from datahub_llmops.errors import StoreError
from datahub_llmops.runs.config import RunsConfig

MAX_STORES: Final = 1_000
"""Stores that one recipe remembers: pods come and go, each with one of its own."""

FORMAT: Final = 1
"""The form in which runs are sent. Raise it when what was sent before has to be sent again."""


class RunsState(CheckpointStateBase):
    """The position in each store: the last sequence numbers of answers and of writes, by ``store_key``."""

    format: int = 0
    typed: bool = False
    """Whether the target accepted typed aspects. Those of the past are sent once it does."""
    answers: dict[str, int] = Field(default_factory=dict)
    writes: dict[str, int] = Field(default_factory=dict)
    served: dict[str, Any] = Field(default_factory=dict)
    """The models that served last: see ``answers.served_models``."""

    def is_outdated(self, *, typed: bool) -> bool:
        """Whether everything has to be sent again: in a newer form, or with ``typed`` aspects for the first time."""
        return self.format < FORMAT or (typed and not self.typed)

    def after(
        self,
        key: str,
        answers: int,
        writes: int,
        *,
        typed: bool = False,
        served: Mapping[str, Any] | None = None,
    ) -> RunsState:
        """Return the state with the new position of one store, without the oldest positions beyond the limit.

        Outdated positions are forgotten: those stores are read from their beginning once.
        """
        known = self if not self.is_outdated(typed=typed) else RunsState()
        return RunsState(
            format=FORMAT,
            typed=typed,
            answers=_newest(known.answers, key, answers),
            writes=_newest(known.writes, key, writes),
            served=dict(self.served if served is None else served),
        )


def _newest(known: dict[str, int], key: str, value: int) -> dict[str, int]:
    place = key.rpartition("#")[0]
    others = [(name, at) for name, at in known.items() if name.rpartition("#")[0] != place]
    return dict([*others, (key, value)][-MAX_STORES:])


def store_key(path: str) -> str:
    """Identify a store by host, path and file. Hosts with the same recipe share the path, and a file may be replaced.

    Raises:
        StoreError: the file went away.
    """
    try:
        number = Path(path).stat().st_ino
    except OSError as error:
        raise StoreError(f"answer store {path}: {os.strerror(error.errno or 0)}") from error
    return f"{socket.gethostname()}:{path}#{number}"


class Watermark(StatefulIngestionUsecaseHandlerBase[RunsState]):
    """Keeps ``RunsState`` by DataHub's checkpoint, which is committed after the sink's flush."""

    def __init__(self, source: StatefulIngestionSourceBase, config: RunsConfig, ctx: PipelineContext) -> None:
        self._provider = source.state_provider
        self._ignored = config.stateful_ingestion is not None and config.stateful_ingestion.ignore_new_state
        self._pipeline, self._run = ctx.pipeline_name, ctx.run_id
        self._provider.register_stateful_ingestion_usecase_handler(self)

    @property
    @override
    def job_id(self) -> JobId:
        return JobId("llm-runs_watermark")

    @override
    def is_checkpointing_enabled(self) -> bool:
        return bool(self._provider.is_stateful_ingestion_configured())

    @override
    def create_checkpoint(self) -> Checkpoint[RunsState] | None:
        if not self.is_checkpointing_enabled() or self._ignored or self._pipeline is None:
            return None
        return Checkpoint(
            job_name=self.job_id, pipeline_name=self._pipeline, run_id=self._run, state=RunsState()
        )

    def last(self) -> RunsState:
        """Return the position at which the last confirmed run ended."""
        if not self.is_checkpointing_enabled():
            return RunsState()
        found = self._provider.get_last_checkpoint(self.job_id, RunsState)
        return found.state if found is not None else RunsState()

    def reached(self, state: RunsState) -> None:
        """Set the position that is committed after the sink has confirmed."""
        current = (
            self._provider.get_current_checkpoint(self.job_id) if self.is_checkpointing_enabled() else None
        )
        if current is not None:
            current.state = state
