"""Stores for the tests of connectors, written by the vendors' own clients, once a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vectors.chroma_stores import ChromaServer, copy_of, fill


@pytest.fixture(scope="session")
def chroma_written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nobody writes to; not to be changed."""
    original = tmp_path_factory.mktemp("written") / "chroma"
    fill(original)
    # The client that wrote keeps the original open for as long as the process lives.
    return copy_of(original, tmp_path_factory.mktemp("store") / "chroma")


@pytest.fixture
def chroma_folder(chroma_written: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return copy_of(chroma_written, tmp_path / "chroma")


@pytest.fixture(scope="session")
def chroma_server(chroma_written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    """A real server over a copy of it; tests that change it take another name for what they make."""
    with ChromaServer(copy_of(chroma_written, tmp_path_factory.mktemp("served") / "chroma")) as server:
        yield server
