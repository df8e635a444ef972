"""The examples in the package's docstrings hold."""

from __future__ import annotations

import doctest
import importlib

import pytest

from support.paths import ROOT

_CONNECTORS = ROOT / "connectors"
WITH_EXAMPLES = [
    ".".join(path.relative_to(_CONNECTORS).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(_CONNECTORS.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_hold(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed
