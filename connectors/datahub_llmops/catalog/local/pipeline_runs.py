"""How the last run of each pipeline into a local catalog ended, in a table beside the assets.

A pipeline is what DataHub takes for one: ``pipeline_name``, type of the source and platform instance. A recipe without
a ``pipeline_name`` shares its row with others of its type.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from datahub_llmops.catalog.local import file

RunOutcome: TypeAlias = Literal["SUCCESS", "FAILURE", "CANCELLED", "UNKNOWN"]
"""DataHub's own words."""

OUTCOMES: Final[tuple[RunOutcome, ...]] = get_args(RunOutcome)
KEPT_DAYS: Final = 90
"""Days after which a pipeline that has not run again is forgotten: nobody runs it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """The last run of a pipeline. Times are milliseconds since the epoch.

    ``succeeded`` is the end of the last run that ended well; ``None`` if none has.
    """

    pipeline: str
    source: str
    instance: str
    run_id: str
    began: int
    ended: int
    outcome: RunOutcome
    succeeded: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells pipelines apart."""
        return self.pipeline, self.source, self.instance


def note(path: Path, run: PipelineRun, timeout: float) -> None:
    """Store how a run ended, in a transaction of its own. ``timeout`` is the wait for another writer in seconds.

    Raises:
        CatalogError: the file cannot be written; says why and what to do.
    """
    connection = file.open_writer(path, timeout)
    try:
        with file.explaining(path):
            _replace(connection, run)
            file.commit(connection)
    finally:
        file.close(connection)


def _replace(connection: sqlite3.Connection, run: PipelineRun) -> None:
    connection.execute("delete from pipeline_run where ended < ?", (run.ended - KEPT_DAYS * 86_400_000,))
    connection.execute(
        "insert into pipeline_run values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (pipeline, source, instance) do update "
        "set run_id = excluded.run_id, began = excluded.began, ended = excluded.ended, outcome = excluded.outcome, "
        "succeeded = coalesce(excluded.succeeded, succeeded)",
        (*run.key, run.run_id, run.began, run.ended, run.outcome, run.succeeded),
    )


def read(path: Path) -> tuple[PipelineRun, ...]:
    """List the last run of each pipeline. A file of an earlier release has none.

    Raises:
        CatalogError: it cannot be opened or read; says why and what to do.
    """
    with closing(file.open_reader(path)) as connection, file.explaining(path):
        return tuple(_rows(connection))


def _rows(connection: sqlite3.Connection) -> Iterator[PipelineRun]:
    if not connection.execute("select 1 from sqlite_master where name = 'pipeline_run'").fetchone():
        return
    for pipeline, source, instance, run_id, began, ended, outcome, succeeded in connection.execute(
        "select pipeline, source, instance, run_id, began, ended, outcome, succeeded from pipeline_run "
        "order by pipeline, source, instance"
    ):
        yield PipelineRun(
            pipeline=str(pipeline),
            source=str(source),
            instance=str(instance),
            run_id=str(run_id),
            began=int(began),
            ended=int(ended),
            outcome=outcome if outcome in OUTCOMES else "UNKNOWN",
            succeeded=None if succeeded is None else int(succeeded),
        )
