"""What lies below a folder is told by its layout and its first bytes, within bounds, and what was not seen is said."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from datahub_llmops.setup.folders import Limits, candidates, look_below, shown_path
from support.paths import WIRE
from support.repositories import Repository

SPANS = json.dumps({"resourceSpans": [{"resource": {}}]})


def write(path: Path, content: str | bytes = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def found(root: Path, limits: Limits | None = None) -> list[tuple[str, str, str]]:
    """What was found below a folder: system, place and how."""
    return [(one.system.key, one.place, one.found) for one in candidates(look_below(root, limits), root)]


@pytest.mark.engine
def test_a_chroma_and_a_lancedb_that_their_clients_wrote(
    chroma_folder: Path, lancedb_folder: Path, tmp_path: Path
) -> None:
    assert chroma_folder.parent == lancedb_folder.parent == tmp_path
    assert found(tmp_path) == [
        ("chroma-folder", "./chroma", "a folder of Chroma"),
        ("lancedb", "./kb", "a folder of LanceDB"),
    ]
    assert found(chroma_folder) == [("chroma-folder", ".", "a folder of Chroma")]


def test_a_file_that_only_has_the_name_is_no_chroma(tmp_path: Path) -> None:
    write(tmp_path / "a" / "chroma.sqlite3", "hello")
    write(tmp_path / "b.lance" / "data", "hello")
    assert found(tmp_path) == []


def test_an_answer_store_is_told_by_its_mark(tmp_path: Path) -> None:
    marked, other = tmp_path / "answers.db", tmp_path / "other.db"
    for path, mark in ((marked, 0x44484C53), (other, 7)):
        database = sqlite3.connect(path)
        database.execute(f"PRAGMA application_id = {mark}")
        database.execute("CREATE TABLE t (a)")
        database.close()
    write(tmp_path / "third.db", "not SQLite")
    assert found(tmp_path) == [("runs", "./answers.db", "an answer store")]


@pytest.mark.parametrize("layout", ["json", "json.gz", "recorded"])
def test_spans_are_told_by_their_first_bytes(layout: str, tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    if layout == "recorded":
        shutil.copytree(WIRE / "spans" / "collector", folder)
    else:
        packed = gzip.compress(SPANS.encode()) if layout == "json.gz" else SPANS
        write(folder / "year=2026" / f"a.{layout}", packed)
        write(folder / "year=2027" / f"a.{layout}", packed)
    write(tmp_path / "package.json", "{}")
    write(tmp_path / "broken.json.gz", b"\x1f\x8b\x08broken")
    ((system, place, how),) = found(tmp_path)
    assert (system, place) == ("spans", "./traces")
    assert how == ("1 file of spans" if layout == "recorded" else "2 files of spans")


def test_spans_of_tests_are_no_spans_of_applications(tmp_path: Path) -> None:
    write(tmp_path / "bot" / "tests" / "wire" / "a.json", SPANS)
    write(tmp_path / "bot" / "latests" / "b.json", SPANS)
    assert found(tmp_path) == [("spans", "./bot/latests", "1 file of spans")]
    assert found(tmp_path / "bot" / "tests") == [("spans", "./wire", "1 file of spans")]


def test_prompt_files_are_found_in_git_and_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "loose" / "prompts" / "a.md", "Answer.")
    write(tmp_path / "loose" / "prompts" / "deep" / "b.txt", "Answer.")
    Repository(tmp_path / "versioned")
    write(tmp_path / "versioned" / "bot" / "answer.prompty", "Answer.")
    assert found(tmp_path) == [
        ("prompt-files", "./loose", "2 prompt files"),
        ("prompt-files", "./versioned/bot", "1 prompt file in git"),
    ]


def test_packages_and_hidden_folders_are_not_entered(tmp_path: Path) -> None:
    for folder in (".cache", "node_modules", "lib/site-packages", "old-env"):
        write(tmp_path / folder / "answer.prompty", "Answer.")
    write(tmp_path / "old-env" / "pyvenv.cfg")
    (tmp_path / "link").symlink_to(tmp_path / "node_modules")
    assert found(tmp_path) == []


def test_what_was_not_looked_into_is_said(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "c" / "answer.prompty")
    write(tmp_path / "a" / "answer.prompty")
    shallow = look_below(tmp_path, Limits(depth=1))
    assert [path.name for path in shallow.prompts] == ["answer.prompty"]
    assert shallow.not_seen == ["1 folder more than 1 levels down"]
    few = look_below(tmp_path, Limits(entries=1))
    assert few.not_seen == ["1 folder, as the search takes too long"]
    assert look_below(tmp_path, Limits(seconds=-1)).not_seen == ["1 folder, as the search takes too long"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    assert look_below(tmp_path).not_seen == [f"{closed}: Permission denied"]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    assert look_below(tmp_path / "gone").not_seen == [f"{tmp_path / 'gone'}: No such file or directory"]


def test_a_path_is_relative_where_it_lies_below(tmp_path: Path) -> None:
    assert shown_path(tmp_path / "a" / "b", tmp_path) == "./a/b"
    assert shown_path(tmp_path, tmp_path) == "."
    assert shown_path(Path("/var/lib"), tmp_path) == "/var/lib"
