"""Whether the catalog that a recipe reads is the one that its own sink begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.run.pipeline_config import PipelineConfig

from datahub_llmops.ingestion.recipe_catalog import recipe_catalog

SOURCE = {"type": "llm-chroma", "config": {"path": "chroma"}}


@pytest.mark.parametrize(
    ("sink", "where", "is_new"),
    [
        ({"type": "llm-local", "config": {"path": "catalog.db"}}, None, True),
        ({"type": "llm-local", "config": {"path": "catalog.db"}}, "./catalog.db", True),
        ({"type": "llm-local", "config": {"path": "catalog.db"}}, "other.db", False),
        ({"type": "file", "config": {"filename": "out.json"}}, "catalog.db", False),
    ],
)
def test_only_a_file_that_the_sink_begins_is_new(
    sink: dict[str, Any], where: str | None, is_new: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = PipelineConfig.model_validate({"source": SOURCE, "sink": sink})
    opened = recipe_catalog(PipelineContext(run_id="test", pipeline_config=config), where)
    assert opened.catalog is None
    assert opened.unwritten
    assert opened.is_new is is_new
