"""The GitHub Action that checks an index in a deployment, run as its runner would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from governance.estate import INDEX, REVIEWS, Facts, estate, write
from support.paths import ROOT

FOLDER = ROOT / ".github" / "actions" / "check"


def run(catalog: Path, indexes: str, allow: str = "false") -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "INDEXES": indexes,
        "DATAHUB_LLMOPS_CATALOG": str(catalog),
        "POLICY": "",
        "ALLOW_NOT_KNOWN": allow,
    }
    return subprocess.run(
        ["bash", str(FOLDER / "check.sh")], env=environment, capture_output=True, text=True, check=False
    )


def catalog(tmp_path: Path, **more: object) -> Path:
    path = tmp_path / "catalog.db"
    facts: Facts = estate()
    if more:
        facts[REVIEWS, "deprecation"] = {"deprecated": True, "note": "", "actor": "urn:li:corpuser:ada"}
    write(path, facts).close()
    return path


def test_what_is_not_ok_fails_the_deployment(tmp_path: Path) -> None:
    done = run(catalog(tmp_path, deprecated=True), INDEX, allow="true")
    assert done.returncode == 1
    assert "::error::" in done.stdout


@pytest.mark.parametrize(
    "indexes", ["nothing", f"{INDEX} nothing", "*", "$(touch hacked)", "--help", "--nosuch"]
)
def test_what_cannot_be_checked_fails_the_deployment(tmp_path: Path, indexes: str) -> None:
    assert run(catalog(tmp_path), indexes, allow="true").returncode == 1
    assert not Path("hacked").exists()


def test_a_verdict_that_is_not_known_passes_only_if_it_may(tmp_path: Path) -> None:
    path = catalog(tmp_path)
    refused, passed = run(path, INDEX), run(path, INDEX, allow="true")
    assert (refused.returncode, passed.returncode) == (1, 0), passed.stdout
    assert "::warning::" in passed.stdout
    assert "not known  coverage" in passed.stdout


def test_an_index_that_could_not_be_checked_never_passes(tmp_path: Path) -> None:
    done = run(tmp_path / "none.db", INDEX, allow="true")
    assert done.returncode == 1
    assert "could not be checked" in done.stdout
    assert "::warning::" not in done.stdout


@pytest.mark.parametrize("indexes", ["", " \n"])
def test_a_deployment_without_an_index_fails(tmp_path: Path, indexes: str) -> None:
    done = run(catalog(tmp_path), indexes, allow="true")
    assert done.returncode == 1
    assert "::error::no index was given" in done.stdout


def test_inputs_are_data_and_no_part_of_a_script() -> None:
    action = yaml.safe_load((FOLDER / "action.yml").read_text())
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"
    used = {
        value.removeprefix("${{ inputs.").removesuffix(" }}")
        for step in action["runs"]["steps"]
        for value in step.get("env", {}).values()
    }
    assert used == set(action["inputs"])
