from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import MetadataChangeProposalClass

from ingestion.recipes import Emit, Run, docs
from support.scripted import SOURCE, STORE
from support.writing import write


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog that holds the warehouse, read by DataHub's own source."""
    warehouse = tmp_path / "warehouse.db"
    with sqlite3.connect(warehouse) as connection:
        connection.executescript(
            "create table people (id integer primary key, email text);"
            "create table Docs (id integer primary key, title text, body text, person integer,"
            " constraint written_by foreign key (person) references people (id));"
        )
    connection.close()
    file = tmp_path / "catalog.db"
    pipeline = Pipeline.create(
        {
            "source": {
                "type": "sqlalchemy",
                "config": {"connect_uri": f"sqlite:///{warehouse}", "platform": "sqlite"},
            },
            "sink": {"type": "llm-local", "config": {"path": str(file)}},
        },
        no_progress=True,
    )
    pipeline.run()
    pipeline.raise_from_status()
    return file


@pytest.fixture
def emit(catalog: Path) -> Emit:
    """Write to the catalog as another tool or a person would."""

    def _emit(*proposals: MetadataChangeProposalWrapper | MetadataChangeProposalClass) -> None:
        write(catalog, proposals)

    return _emit


@pytest.fixture
def run(catalog: Path) -> Iterator[Run]:
    STORE.clear()
    STORE["db", "docs"] = docs()

    def _run(
        *jobs: Mapping[str, Any],
        sink: Mapping[str, Any] | None = None,
        recipe: str = "scripted",
        **options: Any,
    ) -> Pipeline:
        local = {"path": str(catalog)}
        written = {
            "pipeline_name": recipe,
            "source": {
                "type": SOURCE,
                "config": {
                    "embedding_jobs": list(jobs),
                    "stateful_ingestion": {
                        "enabled": True,
                        "state_provider": {"type": "llm-local", "config": local},
                    },
                    **options,
                },
            },
            "sink": sink or {"type": "llm-local", "config": local},
        }
        pipeline = Pipeline.create(written, no_progress=True)
        pipeline.run()
        pipeline.raise_from_status()
        return pipeline

    yield _run
    STORE.clear()
