"""``datahub-llmops doctor`` as a person runs it: what the terminal shows, the exit codes, and the same as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from catalog.local.broken import good
from datahub_llmops.cli.main import main
from support.paths import TESTS
from support.terminal import Terminal

BIN = Path(sys.executable).parent
SECRET = "planted-key-5ec7e7"


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def put(name: str, kind: str, **config: Any) -> None:
    sink = {"type": "llm-local", "config": {"path": "./catalog.db"}}
    Path(name).write_text(yaml.safe_dump({"source": {"type": kind, "config": config}, "sink": sink}))


def doctor(*words: str, where: str = "catalog.db") -> Result:
    return CliRunner().invoke(main, ["--catalog", where, "doctor", *words], terminal_width=100)


def test_all_is_ok(tmp_path: Path) -> None:
    good(tmp_path / "catalog.db")
    done = doctor()
    assert done.exit_code == 0, done.output
    assert "OK  " in done.stdout


def test_what_is_not_known_ends_with_2_and_what_is_not_ok_with_1() -> None:
    assert doctor().exit_code == 2
    put("a.dhub.yaml", "llm-chroma", url="${CHROMA_URL}")
    assert doctor().exit_code == 1
    assert doctor("--timeout", "never").exit_code == 2


def test_json_says_the_same(tmp_path: Path) -> None:
    good(tmp_path / "catalog.db")
    put("a.dhub.yaml", "llm-chroma", url="${CHROMA_URL}", token=SECRET)
    shown, parsed = doctor().stdout, json.loads(doctor("--json").stdout)
    assert parsed["verdict"] == "not ok"
    flat = " ".join(shown.split())
    for one in parsed["diagnoses"]:
        # Sizes and times are the same within a second.
        assert one["verdict"] in flat
        assert f"{one['name']}: {one['message'].partition(', changed')[0]}"[:60] in flat
        assert one["to_do"] is None or one["to_do"] in flat
    assert SECRET not in shown


def test_in_a_terminal(tmp_path: Path) -> None:
    good(tmp_path / "catalog.db")
    put("a.dhub.yaml", "llm-qdrant", url="${QDRANT_URL}", api_key=SECRET)
    environment = {name: os.environ[name] for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    command = [str(BIN / "datahub-llmops"), "--catalog", "catalog.db", "doctor"]
    with Terminal(command, cwd=tmp_path, env={**environment, "PATH": os.environ["PATH"]}) as terminal:
        assert terminal.end() == 1
        shown = terminal.shown
    assert "Traceback" not in shown
    lines = [line.rstrip() for line in shown.splitlines()]
    at = lines.index("recipes")
    assert lines[at + 1 : at + 3] == [
        "  not ok  a.dhub.yaml: Variables that it names are not set: QDRANT_URL.",
        "          Set them in the environment in which the recipe runs.",
    ]
    assert lines[-1].startswith("NOT OK  ")
    assert SECRET not in shown


def test_an_extra_that_is_missing_is_named_with_its_command(tmp_path: Path) -> None:
    put("a.dhub.yaml", "llm-pgvector", connection="postgresql://ada@127.0.0.1:9/kb")
    put("b.dhub.yaml", "llm-milvus", url="${MILVUS_URL}")
    put("c.dhub.yaml", "llm-lancedb", path=".")
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "import without_extras; without_extras.hide()\n"
        "from datahub_llmops.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(TESTS / "support"), "doctor", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = [one for one in json.loads(done.stdout)["diagnoses"] if one["section"] == "recipes"]
    for name, extra in (("a", "pgvector"), ("b", "milvus"), ("c", "lancedb")):
        told = [one for one in found if one["name"] == f"{name}.dhub.yaml"]
        assert f"pip install 'datahub-llmops[{extra}]'" in str(told), name
        assert {one["verdict"] for one in told} == {"not ok"}
