"""The first answer of an application is one that it gives while the interpreter ends, by the Pythons that are here.

From 3.12 on no thread can be started then: ``RuntimeError: can't create new thread at interpreter shutdown``, in which
of these moments differs from version to version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hooks.at_shutdown import AFTER, BEFORE, LOST
from hooks.seen import stored_answers

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "connectors")}
"""Nothing but this package: it needs no other to record."""
FOUND = "import sqlite3, sys; print('%d.%d' % sys.version_info[:2])"


def python(version: str) -> str:
    """An interpreter of ``version``: on the path, else one of pyenv's. Skips where there is none."""
    for found in (shutil.which(f"python{version}"), *of_pyenv(version)):
        if found is not None:
            said = subprocess.run(
                [found, "-c", FOUND], capture_output=True, text=True, check=False, timeout=60
            )
            if said.stdout.strip() == version:
                return found
    pytest.skip(f"neither python{version} on the path nor among pyenv's versions")


def of_pyenv(version: str) -> list[str]:
    root = os.environ.get("PYENV_ROOT")
    if root is None and shutil.which("pyenv") is not None:
        said = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False, timeout=60)
        root = said.stdout.strip()
    return [str(one) for one in Path(root).glob(f"versions/{version}.*/bin/python")] if root else []


def end(interpreter: str, store: Path, when: str) -> tuple[str, bool]:
    """The id of the answer given ``when``, and whether a thread could have been started for it."""
    command = [interpreter, str(HERE / "at_shutdown.py"), str(store), when]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, ""), when
    given, could = done.stdout.split(maxsplit=1)
    return given, could == "could\n"


@pytest.mark.parametrize("version", ["this", "3.12", "3.13"])
def test_the_first_answer_is_given_when_the_interpreter_ends(tmp_path: Path, version: str) -> None:
    interpreter = sys.executable if version == "this" else python(version)
    threads = {}
    for number, when in enumerate([*BEFORE, *AFTER]):
        store = tmp_path / f"{number}.db"
        given, threads[when] = end(interpreter, store, when)
        assert [one.id for one in stored_answers(store)] == [given], when
    if version != "this":
        assert not all(threads.values()), "a thread could be started every time: this proves nothing"


@pytest.mark.parametrize("version", ["this", "3.12", "3.13"])
def test_an_answer_that_nothing_can_be_imported_for_is_lost_and_raises_nothing(
    tmp_path: Path, version: str
) -> None:
    interpreter = sys.executable if version == "this" else python(version)
    for when in LOST:
        end(interpreter, tmp_path / "answers.db", when)
    assert not (tmp_path / "answers.db").exists()
