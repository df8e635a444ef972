"""A disk that is full, under the output of any command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest

from datahub_llmops.cli.main import main
from governance.estate import INDEX, estate, write

FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("full") / "catalog.db"
    write(path, estate()).close()
    return str(path)


@contextmanager
def full_disk() -> Iterator[None]:
    """Put standard output on a disk that is full. Not a fixture: pytest has its own output again in the test."""
    if not FULL.exists():
        pytest.skip(f"this system has no {FULL}")
    with FULL.open("w", encoding="utf-8") as stream, redirect_stdout(stream):
        yield


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--version"], 1),
        (["--help"], 1),
        (["completion", "bash"], 1),
        (["show", INDEX], 1),
        (["show", INDEX, "--json"], 1),
        (["report", "--format", "md"], 1),
        # 1 is a verdict.
        (["check", INDEX], 2),
    ],
)
def test_output_that_cannot_be_written_ends_the_command_in_one_line(
    catalog: str, words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with full_disk(), pytest.raises(SystemExit) as ended:
        main(["--catalog", catalog, *words])
    assert ended.value.code == code
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Reading")]
    assert said[-1:] == ["Error: the output cannot be written: No space left on device"]
    assert not any("Traceback" in line for line in said)


@pytest.mark.parametrize("words", [["--version"], ["show", INDEX]])
def test_an_output_that_is_closed_is_an_error_too(
    catalog: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with redirect_stdout(None), pytest.raises(SystemExit) as ended:
        main(["--catalog", catalog, *words])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "Error: the output cannot be written: it is closed\n"
