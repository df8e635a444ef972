"""Hooks attached to a store of the test's own; a mistake of ours raises here, and only here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks import guard, runtime
from hooks.seen import Host


@pytest.fixture(autouse=True)
def _own_mistakes_raise() -> Iterator[None]:
    guard.reraise = True
    runtime.reset()
    yield
    guard.reraise = False


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """An application with the hooks attached."""
    handle = lineage.attach("support-bot", version="7", store=tmp_path / "answers.db")
    yield Host(handle, tmp_path / "answers.db")
    handle.detach()
