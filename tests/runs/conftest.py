"""What every test of `llm-runs` begins with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import guard
from hooks.parts import NamedEmbedding
from runs.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    guard.reraise = True
    handle = lineage.attach("support-bot", version="7", store=tmp_path / "answers.db", source_keys="clear")
    world = World(tmp_path, handle, [], NamedEmbedding(size=8))
    yield world
    world.close()
    handle.detach()
    guard.reraise = False
