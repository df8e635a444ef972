"""The one import of connector authors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from datahub_llmops import ingestion


@pytest.mark.parametrize("name", ingestion.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(ingestion, name) is not None


def test_type_checkers_see_what_is_imported_on_use() -> None:
    tree = ast.parse(Path(str(ingestion.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (alias.name, node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    used = {(name, f"datahub_llmops.{module}") for name, module in ingestion._MODULES.items()}
    assert seen - {("errors", "datahub_llmops")} == used
    assert {name for name, _ in seen} == set(ingestion.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Shelf'"):
        _ = ingestion.Shelf
