"""A connector that is added as docs/add-a-connector.md says is whole, and touches as many files as the page says."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from journeys.demo import DEMO_SECONDS
from journeys.processes import run
from support.paths import ROOT

pytestmark = pytest.mark.timeout(DEMO_SECONDS)

# What a connector is added to.
COPIED = (
    "CHANGELOG.md",
    "README.md",
    "connectors",
    "docs",
    "examples",
    "pyproject.toml",
    "uv.lock",
    "recipes",
    "tests",
    "tools",
)
GENERATED = {"README.md", "docs/faults.md", "docs/faults/acme-db.json", "docs/stores.md"}


@pytest.fixture(scope="module")
def with_connector(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the repository with a new connector, as docs/add-a-connector.md says, and its PYTHONPATH."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    run(["python", "tools/connector/new.py", "acme", "--title", "Acme DB"], copy)
    # Stands for installing the copy: the entry point that the skeleton added to pyproject.toml.
    added = tomllib.loads((copy / "pyproject.toml").read_text())["project"]["entry-points"]
    target = added["datahub.ingestion.source.plugins"]["llm-acme"]
    info = tmp_path_factory.mktemp("installed") / "acme-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[datahub.ingestion.source.plugins]\nllm-acme = {target}\n")
    path = os.pathsep.join(map(str, (copy / "connectors", info.parent)))
    pytest_of = ["python", "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    run([*pytest_of, "tests/vector_stores/acme"], copy, PYTHONPATH=path)
    run([*pytest_of, "tests/faults/test_matrix.py", "-k", "acme"], copy, PYTHONPATH=path, WRITE_FAULTS="1")
    run(["python", "docs/generate.py"], copy, PYTHONPATH=path)
    return copy, path


def test_the_skeleton_of_a_connector_is_whole_and_well_formed(with_connector: tuple[Path, str]) -> None:
    copy, path = with_connector
    run(["python", "-m", "ruff", "check", "."], copy)
    run(["python", "-m", "ruff", "format", "--check", "."], copy)
    run(
        [
            "python",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/test_inventory.py",
            "-k",
            "acme or left",
        ],
        copy,
        PYTHONPATH=path,
    )


def test_a_new_connector_touches_as_many_files_as_the_page_says(with_connector: tuple[Path, str]) -> None:
    copy, _ = with_connector
    files = {
        path.relative_to(copy)
        for path in copy.rglob("*")
        if path.is_file() and not {"__pycache__", ".ruff_cache", ".hypothesis", "build"} & set(path.parts)
    }
    touched = {
        path
        for path in files
        if not (ROOT / path).is_file() or filecmp.cmp(ROOT / path, copy / path, False) is False
    }
    package = {
        path for path in touched if path.is_relative_to("connectors/datahub_llmops/vector_stores/acme")
    }
    generated = {path for path in touched - package if path.as_posix() in GENERATED}
    page = (ROOT / "docs" / "add-a-connector.md").read_text()
    said = re.search(r"\*\*(\d+) files by hand and (\d+) that commands write\*\*", page)
    assert said is not None
    by_hand = touched - package - generated
    # And uv.lock, which knows the extras: renewing it needs the network.
    assert (len(by_hand), len(generated) + 1) == (int(said[1]), int(said[2])), sorted(touched)
    assert len(by_hand) <= 8


def test_the_connector_of_the_skeleton_works(with_connector: tuple[Path, str], tmp_path: Path) -> None:
    copy, path = with_connector
    folder = tmp_path / "vectors"
    folder.mkdir()
    for name in ("guides", "notes"):
        point = {"vector": [0.1, 0.9], "payload": {"text": "Fold.", "source": "s3://kb/guides.pdf"}}
        (folder / f"{name}.jsonl").write_text(f"{json.dumps(point)}\n")
    recipe = str(copy / "recipes" / "acme.dhub.yaml")
    run(["python", str(ROOT / "examples/demo/ingest.py"), recipe], tmp_path, PYTHONPATH=path)
    walk = run(["datahub-llmops", "--catalog", "catalog.db", "lineage", "acme:guides", "--up"], tmp_path)
    assert "kb/guides.pdf" in walk
