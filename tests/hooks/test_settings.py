"""Settings: nothing in the environment raises, and a mistake in the code is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datahub_llmops.hooks.settings import Settings
from hooks.test_faults import ENVIRONMENT

NUMBERS = {
    "MAX_BYTES": 512 * 2**20,
    "MAX_DAYS": 30.0,
    "SAMPLE": 1.0,
    "SHIP_EVERY": 900.0,
}


@pytest.mark.parametrize("value", ["nan", "-1", "x", "0x10", " ", "-inf", "1,5"])
@pytest.mark.parametrize("variable", NUMBERS)
def test_a_variable_that_is_no_number(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(f"DATAHUB_LLMOPS_{variable}", value)
    settings = Settings("a")
    assert getattr(settings, variable.lower()) == NUMBERS[variable]
    assert any(variable in note for note in settings.notes)


@pytest.mark.parametrize("value", ["inf", "1e308", "1e400", "9" * 400])
def test_as_much_as_possible(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for variable in NUMBERS:
        monkeypatch.setenv(f"DATAHUB_LLMOPS_{variable}", value)
    settings = Settings("a")
    assert (settings.max_bytes, settings.max_days, settings.sample) == (2**50, 36_500, 1.0)
    assert Settings("a", max_days=float("inf"), max_bytes=10**400).max_days == 36_500


@pytest.mark.parametrize(
    "options",
    [
        {"sample": "x"},
        {"max_bytes": "5"},
        {"max_bytes": float("nan")},
        {"store": 5},
        {"store": "a\0b"},
        {"ship": 5},
        {"source_keys": []},
        {"ship_every": object()},
    ],
)
def test_a_mistake_in_the_code_is_a_value_error(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Settings("a", **options)


def test_names_of_any_type(tmp_path: Path) -> None:
    settings = Settings(5, version=object(), store=os.fsencode(tmp_path / "a.db"))  # type: ignore[arg-type]  # on purpose
    assert (settings.application, settings.version, settings.store) == ("5", None, str(tmp_path / "a.db"))
    assert settings.notes == ["attach(version=...) is not text: it was ignored"]


@pytest.mark.parametrize(
    "variables",
    [
        {"DATAHUB_LLMOPS_MAX_BYTES": "inf"},
        {"DATAHUB_LLMOPS_VERSION": "v\udcff", "DATAHUB_LLMOPS_KEY": "k\udcff"},
        {"XDG_STATE_HOME": "relative/path"},
    ],
    ids=["inf", "no texts", "relative"],
)
def test_it_is_imported_and_attached_all_the_same(tmp_path: Path, variables: dict[str, str]) -> None:
    """Also where the working directory is gone."""
    program = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "import datahub_llmops.hooks as lineage\n"
        f"handle = lineage.attach('a', store={str(tmp_path / 'a.db')!r})\n"
        "with lineage.answer(): pass\n"
        "assert handle.flush(10) and not handle.stats()['errors'], handle.stats()\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        env={**ENVIRONMENT, **variables},
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
