"""What ``doctor`` says of a local catalog, in every state that its file can be in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from catalog.local.broken import BROKEN, good, locked, newer, scribbled
from datahub_llmops.setup.catalogs import examine_catalog
from datahub_llmops.setup.diagnosis import Diagnosis


def examined(path: Path, seconds: float = 10) -> Diagnosis:
    (found,) = examine_catalog(str(path), time.time(), seconds)
    assert found.name == str(path)
    return found


def test_a_whole_one_says_what_it_holds_and_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    found = examined(path)
    assert found.verdict == "ok"
    assert found.message.startswith("41 assets, ")
    assert " kB, format 1, changed " in found.message
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize("state", BROKEN)
def test_a_broken_one_is_not_ok_and_says_what_to_do(state: str, tmp_path: Path) -> None:
    make, words = BROKEN[state]
    make(tmp_path / "catalog.db")
    found = examined(tmp_path / "catalog.db")
    assert found.verdict == "not ok"
    assert words.removeprefix("is ") in f"{found.message} {found.to_do}"
    assert found.to_do


def test_pages_that_were_overwritten_are_found(tmp_path: Path) -> None:
    scribbled(tmp_path / "catalog.db")
    found = examined(tmp_path / "catalog.db")
    assert found.verdict == "not ok"
    assert "damaged or cut off" in found.message
    assert found.to_do == "Restore a copy, or delete it and run the recipes again."


def test_a_page_that_only_the_check_reads_is_found(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4096)
        file.write(b"\xff" * 4096)
    found = examined(path)
    assert found.verdict == "not ok"
    assert found.message.startswith("41 assets, ")


def test_a_newer_one_says_to_upgrade(tmp_path: Path) -> None:
    newer(tmp_path / "catalog.db")
    found = examined(tmp_path / "catalog.db")
    assert found.verdict == "not ok"
    assert "upgrade it" in f"{found.message}{found.to_do}"


def test_a_locked_one_and_one_that_is_not_there_yet_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    assert examined(path).verdict == "not known"
    good(path)
    with locked(path, "exclusive"):
        found = examined(path)
    assert found.verdict == "not known"
    assert (found.message, found.to_do) == (
        "Another process keeps it locked.",
        "Let that run end, then try again.",
    )


def test_one_that_is_written_meanwhile_is_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    with locked(path, "writing"):
        assert examined(path).verdict == "ok"


def test_a_check_that_takes_too_long_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    good(path)
    found = examined(path, seconds=-1)
    assert found.verdict == "not known"
    assert "could not all be checked" in found.message
