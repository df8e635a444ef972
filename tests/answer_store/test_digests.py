"""The file of the key is its owner's alone, whoever made it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datahub_llmops.answer_store import digests


def test_a_looser_mode_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "a.db.key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o644)
    assert digests.key(str(tmp_path / "a.db")) == b"k" * 32
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_that_cannot_be_tightened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db.key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o644)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchmod", refuse)  # As for a file of somebody else.
    with pytest.raises(OSError, match="make it 0600"):
        digests.key(str(tmp_path / "a.db"))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.db.key")
    with pytest.raises(OSError, match="not a regular file"):
        digests.key(str(tmp_path / "a.db"))


def test_a_key_of_the_environment_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(digests.KEY_VARIABLE, "k\udcff")
    assert len(digests.key("nowhere") or b"") == 32
