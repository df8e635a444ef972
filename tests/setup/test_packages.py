"""Which extra a recipe needs, and which of its packages are missing."""

from __future__ import annotations

import importlib.metadata

import pytest

from datahub_llmops.setup import packages
from datahub_llmops.setup.packages import extra_of, missing_packages


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        ("llm-pgvector", "pgvector"),
        ("llm-prompt-files", "prompt-files"),
        ("llm-chroma", "chroma"),
        ("llm-runs", None),
        ("postgres", None),
        ("all", None),
    ],
)
def test_a_recipe_type_has_the_extra_of_its_name(kind: str, extra: str | None) -> None:
    assert extra_of(kind) == extra


def test_nothing_is_missing_where_everything_is_installed() -> None:
    assert missing_packages("lancedb") == missing_packages("prompt-files") == missing_packages("chroma") == ()


def test_a_package_that_is_not_there_or_too_old_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.distribution

    class Old:
        version = "0.1"
        files = ()

    def found(name: str) -> object:
        if name == "lancedb":
            raise importlib.metadata.PackageNotFoundError(name)
        return Old() if name == "pylance" else real(name)

    monkeypatch.setattr(packages, "distribution", found)
    assert missing_packages("lancedb") == ("lancedb", "pylance")
