"""A recipe whose extra is missing says what to install, through DataHub's own command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dulwich import porcelain

from datahub_llmops.assets.extras import not_installed, pip_install
from support.paths import TESTS

SCRIPT = TESTS / "support" / "without_extras.py"


def test_the_command_names_every_extra() -> None:
    assert pip_install("pgvector", "milvus") == "pip install 'datahub-llmops[pgvector,milvus]'"


@pytest.mark.parametrize(
    ("error", "named"),
    [(ModuleNotFoundError(name="lance.blob"), " (lance)"), (ImportError("no pq wrapper available"), "")],
)
def test_an_error_names_the_package_if_python_does(error: ImportError, named: str) -> None:
    found = str(not_installed("LanceDB", "lancedb", error))
    assert found == f"LanceDB needs a package that is not installed{named}: {pip_install('lancedb')}"


NEEDED: dict[str, tuple[str, dict[str, Any], str]] = {
    "lancedb": ("llm-lancedb", {"path": "."}, "lancedb"),
    "milvus": ("llm-milvus", {"url": "http://127.0.0.1:9"}, "milvus"),
    "pgvector": ("llm-pgvector", {"connection": "postgresql://ada@127.0.0.1:9/kb"}, "pgvector"),
    "pgvector-parts": ("llm-pgvector", {"connection": {"host": "127.0.0.1", "port": 9}}, "pgvector"),
    "git": ("llm-prompt-files", {"path": "./git"}, "prompt-files"),
    "spans": ("llm-spans", {"files": "./spans"}, "spans"),
    "bucket": ("llm-spans", {"files": "s3://bucket/spans"}, "spans"),
}
"""The type of a recipe, its options, and the extra that it needs."""


def write(folder: Path, name: str, kind: str, config: dict[str, Any]) -> Path:
    path = folder / f"{name}.yaml"
    sink = {"type": "llm-local", "config": {"path": str(folder / f"{name}.db")}}
    path.write_text(yaml.safe_dump({"source": {"type": kind, "config": config}, "sink": sink}))
    return path


def test_each_recipe_says_the_extra_that_it_needs(tmp_path: Path) -> None:
    porcelain.init(tmp_path / "git")
    (tmp_path / "spans").mkdir()
    (tmp_path / "folder" / "prompts").mkdir(parents=True)
    (tmp_path / "folder" / "prompts" / "a.txt").write_text("---\nname: a\n---\nSay {{x}}\n")
    recipes = {name: write(tmp_path, name, kind, config) for name, (kind, config, _) in NEEDED.items()}
    recipes["folder"] = write(tmp_path, "folder-recipe", "llm-prompt-files", {"path": "./folder"})
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, recipes.values())],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "DATAHUB_TELEMETRY_ENABLED": "false"},
    )
    shown = dict(
        zip(recipes, (part.partition("\n")[2] for part in done.stdout.split("== ")[1:]), strict=True)
    )
    for name, (_, _, extra) in NEEDED.items():
        assert pip_install(extra) in shown[name], name
        assert "acryl-datahub[" not in shown[name], name
    # A plain folder needs no library of git.
    assert (tmp_path / "folder-recipe.db").exists()
    assert "pip install" not in shown["folder"]
