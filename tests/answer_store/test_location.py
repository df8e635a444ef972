"""The default files on the three systems, whichever of them this is."""

from __future__ import annotations

from pathlib import Path

import pytest

from datahub_llmops.answer_store.location import default_catalog, default_store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


SYSTEMS = {
    "linux": (".local/share/datahub-llmops/catalog.db", ".local/state/datahub-llmops/answers.db"),
    "darwin": (
        "Library/Application Support/datahub-llmops/catalog.db",
        "Library/Application Support/datahub-llmops/answers.db",
    ),
    "win32": ("AppData/Local/datahub-llmops/catalog.db", "AppData/Local/datahub-llmops/answers.db"),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_folders_of_each_system(home: Path, system: str) -> None:
    catalog, store = SYSTEMS[system]
    assert default_catalog(system, {}) == home / catalog
    assert Path(default_store(system, {})) == home / store


def test_variables_of_the_system_move_both(home: Path) -> None:
    xdg = {"XDG_DATA_HOME": str(home / "data"), "XDG_STATE_HOME": str(home / "state")}
    assert default_catalog("linux", xdg) == home / "data" / "datahub-llmops" / "catalog.db"
    assert Path(default_store("linux", xdg)) == home / "state" / "datahub-llmops" / "answers.db"
    assert default_catalog("linux", {"XDG_DATA_HOME": "relative"}) == home / SYSTEMS["linux"][0]
    local = {"LOCALAPPDATA": str(home / "Local")}
    assert default_catalog("win32", local) == home / "Local" / "datahub-llmops" / "catalog.db"
    assert Path(default_store("win32", local)) == home / "Local" / "datahub-llmops" / "answers.db"


@pytest.mark.parametrize("system", SYSTEMS)
def test_our_own_variables_win(home: Path, system: str) -> None:
    named = {"DATAHUB_LLMOPS_CATALOG": "~/c.db", "DATAHUB_LLMOPS_STORE": "a.db"}
    assert default_catalog(system, named) == home / "c.db"
    assert default_store(system, named) == str(Path.cwd() / "a.db")
    server = {"DATAHUB_LLMOPS_CATALOG": "https://datahub.example.org"}
    assert default_catalog(system, server) == default_catalog(system, {})


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_a_store_at_the_path_of_earlier_versions_is_used_until_there_is_a_new_one(
    home: Path, system: str
) -> None:
    old, new = home / SYSTEMS["linux"][1], home / SYSTEMS[system][1]
    old.parent.mkdir(parents=True)
    old.touch()
    assert Path(default_store(system, {})) == old
    new.parent.mkdir(parents=True)
    new.touch()
    assert Path(default_store(system, {})) == new
