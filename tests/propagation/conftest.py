"""A warehouse, an index and their catalog: made once, and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from propagation.estate import index, warehouse_and_glossary


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    warehouse_and_glossary(folder)
    index(folder)
    return folder


@pytest.fixture
def estate(built: Path, tmp_path: Path) -> Path:
    """The folder of a catalog in which nobody has set a term yet."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def catalog(estate: Path) -> Path:
    return estate / "catalog.db"
