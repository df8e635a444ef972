"""``llm-local`` keeps the state of stateful ingestion in the same file as the catalog.

The sink ``llm-local`` of the same file stores the states of its run in the transaction of the run, so that neither is
there without the other. Beside another sink, the states are committed after the sink's ``flush``, in one transaction: a
run that dies in between leaves the catalog of after and the state of before.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.ingestion_job_checkpointing_provider_base import (
    IngestionCheckpointingProviderBase,
    IngestionCheckpointingProviderConfig,
    JobId,
)
from datahub.metadata.schema_classes import DatahubIngestionCheckpointClass
from pydantic import Field
from typing_extensions import override

from datahub_llmops.answer_store.location import default_catalog
from datahub_llmops.catalog.local import file
from datahub_llmops.catalog.local.encoding import aspect_text
from datahub_llmops.catalog.pipeline_config import pipeline_config
from datahub_llmops.errors import CatalogError, NoCatalogError


class LocalCheckpointConfig(IngestionCheckpointingProviderConfig):
    """Options of the state provider."""

    path: Path = Field(
        default_factory=default_catalog,
        description="The catalog's file; the same default as the sink's.",
    )
    lock_timeout_seconds: float = Field(
        default=file.LOCK_TIMEOUT,
        ge=0,
        description="How long to wait for another run that is being stored in the same file.",
    )


class LocalCheckpointProvider(IngestionCheckpointingProviderBase):
    """Keeps the state of one or many pipelines, by pipeline and job."""

    def __init__(self, config: LocalCheckpointConfig) -> None:
        super().__init__(type(self).__name__)
        self.config = config
        self._path = config.path.expanduser()
        self._stored_with_run: dict[JobId, DatahubIngestionCheckpointClass] = {}

    @classmethod
    @override
    def create(cls, config_dict: dict[str, Any], ctx: PipelineContext) -> LocalCheckpointProvider:
        """
        Raises:
            PipelineInitError: options are wrong.
            CatalogError: there is a file and it cannot be read; the run ends before anything is read or deleted.
        """
        provider = cls(pipeline_config(LocalCheckpointConfig, config_dict, of="state_provider llm-local"))
        provider._stored("", "")
        return provider

    @override
    def get_latest_checkpoint(
        self, pipeline_name: str, job_name: JobId
    ) -> DatahubIngestionCheckpointClass | None:
        """Read the last committed state, or ``None`` if this pipeline never finished in this file.

        Raises:
            CatalogError: the file is there and cannot be read, or the state in it is damaged.
        """
        body = self._stored(pipeline_name, job_name)
        if body is None:
            return None
        try:
            return DatahubIngestionCheckpointClass.from_obj(json.loads(body))
        except (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError) as error:
            raise CatalogError(
                f"local catalog {self._path}: the state of pipeline {pipeline_name} is damaged; restore a copy of the "
                "file, or set ignore_old_state for one run"
            ) from error

    def _stored(self, pipeline: str, job: str) -> str | None:
        try:
            connection = file.open_reader(self._path)
        except NoCatalogError:
            return None
        try:
            with file.explaining(self._path):
                row = connection.execute(
                    "select body from checkpoint where pipeline = ? and job = ?", (pipeline, job)
                ).fetchone()
        finally:
            file.close(connection)
        return None if row is None else str(row[0])

    @override
    def commit(self) -> None:
        """Store the state of every job of the run, or of none, unless the sink has stored them.

        Raises:
            CatalogError: the file cannot be written; the state of before stays.
        """
        if not self.state_to_commit:
            return
        try:
            if self._stored_with_run != self.state_to_commit:
                self._commit()
        except CatalogError as error:
            raise CatalogError(
                f"{error}. What the sink of this run stored is in the catalog; only the state of stale removal is that "
                "of the run before, and the next run finds out again what was removed"
            ) from error
        self.committed = True

    def _commit(self) -> None:
        connection = file.open_writer(self._path, self.config.lock_timeout_seconds)
        try:
            with file.explaining(self._path):
                self.write(connection)
                file.commit(connection)
        finally:
            file.close(connection)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write the states in a transaction of somebody else, who calls ``note_stored`` after its end."""
        for job, state in self.state_to_commit.items():
            connection.execute(
                "insert or replace into checkpoint values (?, ?, ?)",
                (state.pipelineName, job, aspect_text(state)),
            )

    def note_stored(self) -> None:
        """Take note that the states are stored, so that ``commit`` has nothing to do."""
        self._stored_with_run = dict(self.state_to_commit)

    def is_in(self, path: Path) -> bool:
        """Whether the states are kept in the file at ``path``."""
        return self._path.resolve() == path.resolve()
