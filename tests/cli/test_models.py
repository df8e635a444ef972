"""``datahub-llmops models``: what a person reads, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from aspects.examples import WIRE
from datahub_llmops.aspects.generated import ASPECTS, SCHEMAS_VERSION
from datahub_llmops.cli.models import models
from support.stub import Fault, Stub, refused_url, replay


def gms(name: str) -> Stub:
    (exchange,) = json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))
    return Stub(replay({"GET /config": exchange["response"]["body"]}, missing={}))


def test_install_says_what_comes_next(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    first = CliRunner().invoke(models, ["install", str(folder)])
    assert first.exit_code == 0, first.output
    assert f"Installed {folder / 'datahub-llmops' / SCHEMAS_VERSION}" in first.output
    assert "restart the server" in first.output
    again = CliRunner().invoke(models, ["install", str(folder)])
    assert again.exit_code == 0
    assert "nothing was changed" in again.output


def test_install_into_a_file_fails_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    done = CliRunner().invoke(models, ["install", str(tmp_path / "models")])
    assert done.exit_code == 1
    assert "a file is in the way" in done.output


def test_status_of_a_server_with_the_plugin() -> None:
    with gms("config_plugin_loaded") as server:
        done = CliRunner().invoke(models, ["status", server.url, "--json"])
        assert done.exit_code == 0, done.output
        said = json.loads(done.output)
        # The recorded server has version 0.1.0 of the plugin, which is older than ours.
        assert said["state"] == "older"
        since = {"llmScores"}
        assert said["aspects"] == sorted({kind.ASPECT_NAME for kind in ASPECTS} - since)
        assert (
            CliRunner().invoke(models, ["status", server.url]).output.startswith("Typed aspects are written")
        )


@pytest.mark.parametrize(
    ("name", "words"), [("config", "no model plugin"), ("config_plugin_failed", "does not exist")]
)
def test_status_of_a_server_without_it(name: str, words: str) -> None:
    with gms(name) as server:
        done = CliRunner().invoke(models, ["status", server.url])
    assert done.exit_code == 1
    assert words in done.output


@pytest.mark.parametrize("fault", ["401", "404", "login_page", "garbage", "half"])
def test_status_of_what_is_no_server(fault: Fault) -> None:
    with gms("config") as server:
        server.fail(fault)
        done = CliRunner().invoke(models, ["status", server.url])
    assert done.exit_code == 1
    assert done.output.startswith("Error: DataHub server http://127.0.0.1")


def test_status_of_nobody() -> None:
    with refused_url() as url:
        done = CliRunner().invoke(models, ["status", url])
    assert done.exit_code == 1
    assert "nobody answers there" in done.output


def test_the_group_costs_no_import_of_datahub() -> None:
    code = (
        "import sys, datahub_llmops.cli.models; sys.exit('datahub' in sys.modules or 'avro' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
