"""The exit codes of ``check``: those of its verdicts, and that of *not known* for whatever kept it from looking."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.cli.main import main
from governance.estate import ANSWERS, INDEX, REVIEWS, estate, write

DEPRECATED = {"deprecated": True, "note": "", "actor": "urn:li:corpuser:ada"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "catalog.db"
    write(found, estate()).close()
    return found


def check(path: Path | str, *words: str) -> Result:
    return CliRunner().invoke(main, ["--catalog", str(path), "check", *words])


def test_what_is_not_ok_ends_with_1(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    write(path, {**estate(), (REVIEWS, "deprecation"): DEPRECATED}).close()
    assert check(path, INDEX).exit_code == 1


def test_what_is_not_known_ends_with_2(path: Path) -> None:
    done = check(path, ANSWERS)
    assert done.exit_code == 2
    assert "NOT KNOWN" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["docs"],  # The index, and the retriever.
        [INDEX, "--policy", "no-such-file.yaml"],
        [INDEX, "--no-such-option"],
        [],
    ],
)
def test_what_could_not_be_checked_ends_with_2_and_without_a_report(path: Path, words: list[str]) -> None:
    done = check(path, *words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Error: " in done.stderr


def test_a_catalog_that_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    damaged = tmp_path / "catalog.db"
    damaged.write_text("no catalog")
    for where in (damaged, tmp_path / "none.db", "http://127.0.0.1:9"):
        done = check(where, INDEX)
        assert (done.exit_code, done.stdout) == (2, ""), where


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, BrokenPipeError])
def test_no_failure_ends_with_the_code_of_a_verdict(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(LocalCatalog, "quality", fail)
    assert check(path, INDEX).exit_code == 2
