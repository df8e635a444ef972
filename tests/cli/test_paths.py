"""Options and arguments that name files: what is empty, and what is not a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from datahub_llmops.catalog.open import open_catalog
from datahub_llmops.cli.main import main
from datahub_llmops.errors import CatalogError


@pytest.mark.parametrize(
    "arguments",
    [
        ["--catalog", "", "check", "docs"],
        ["--catalog", " ", "show", "docs"],
        ["check", "docs", "--policy", ""],
        ["affected", "docs", "--policy", ""],
        ["explain", "1", "--store", ""],
        ["explain", "1", "--recipe", ""],
        ["answers", "--prices", ""],
        ["report", "--out", ""],
        ["init", "--out", ""],
        ["doctor", ""],
        ["export", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_wrong_usage(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, "it is empty" in done.output) == (2, True), done.output


@pytest.mark.parametrize("command", [["export"], ["answers", "export"]])
def test_a_file_to_write_is_not_standard_output(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [*command, "-"])
    assert (done.exit_code, "written to a file" in done.output) == (2, True), done.output
    assert list(tmp_path.iterdir()) == []


def test_lineage_goes_one_way() -> None:
    done = CliRunner().invoke(main, ["lineage", "docs", "--up", "--down"])
    assert (done.exit_code, "not both" in done.output) == (2, True), done.output


def test_an_empty_variable_does_not_mean_the_default_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAHUB_LLMOPS_CATALOG", "")
    with pytest.raises(CatalogError, match="the name of the catalog is empty"):
        open_catalog()
    with pytest.raises(CatalogError, match="the name of the catalog is empty"):
        open_catalog("")
