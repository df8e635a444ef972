"""Versions are judged by those of the table, which says what the tests run with."""

from __future__ import annotations

import tomllib
from importlib.metadata import version

import pytest

from datahub_llmops.setup import versions
from datahub_llmops.setup.versions import VersionSpan, examine_versions, judge
from support.paths import ROOT

LOCK = {
    package["name"]: package.get("version")
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
}


def test_the_newest_are_those_of_the_lock_file() -> None:
    assert {one.package: one.newest for one in versions.tested_packages()} == {
        one.package: LOCK[one.package] for one in versions.tested_packages()
    }


def test_what_the_tests_run_with_is_ok() -> None:
    found = {one.name: one for one in examine_versions()}
    assert {one.verdict for one in found.values()} == {"ok"}
    assert found["acryl-datahub"].message.startswith(f"{version('acryl-datahub')} (tested: 1.7.0.8 to ")
    assert {"Python", "datahub-llmops", "langchain-core", "llama-index-core"} <= set(found)


def test_an_older_one_is_not_ok_and_a_newer_one_is_not_known() -> None:
    installed = {"acryl-datahub": "1.6.0", "langchain-core": "2.0.1", "lancedb": "built from source"}
    found = {one.name: one for one in examine_versions(lambda package: installed.get(package))}
    assert found["acryl-datahub"].verdict == "not ok"
    assert (
        found["acryl-datahub"].to_do == "Install a newer one: pip install --upgrade 'acryl-datahub>=1.7.0.8'"
    )
    assert found["langchain-core"].verdict == "not known"
    assert found["langchain-core"].to_do is not None
    assert f"pip install 'langchain-core<={LOCK['langchain-core']}'" in found["langchain-core"].to_do
    assert found["lancedb"].verdict == "not known"
    assert "psycopg" not in found


def test_without_datahub_nothing_runs() -> None:
    found = {one.name: one for one in examine_versions(lambda package: None)}
    assert (found["acryl-datahub"].verdict, found["acryl-datahub"].to_do) == (
        "not ok",
        "pip install 'acryl-datahub>=1.7.0.8'",
    )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ("1.7.0.7", "not ok"),
        ("1.7.0.8", "ok"),
        ("1.7.0.18", "ok"),
        ("1.7.1", "not known"),
        ("1.7.1.2", "not known"),
        ("1.8.0", "not known"),
    ],
)
def test_a_patch_of_a_tested_series_is_ok(found: str, verdict: str) -> None:
    assert judge(found, VersionSpan(package="acryl-datahub", oldest="1.7.0.8", newest="1.7.0.17")) == verdict


def test_another_python_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 4, "final", 0))
    python = examine_versions()[0]
    assert (python.name, python.verdict) == ("Python", "not known")
