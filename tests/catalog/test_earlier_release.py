"""A catalog and an answer store that release 0.1.0 made are read as it read them, or better."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from support.paths import TESTS

FOLDER = TESTS / "wire" / "catalog"


def test_every_output_is_what_it_was(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("record_catalog", FOLDER / "record.py")
    assert spec
    assert spec.loader
    record = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(record)
    record.restore(tmp_path)
    expected = json.loads((FOLDER / "outputs-0.1.0.json").read_text("utf-8"))
    found = record.outputs(tmp_path)
    assert found.keys() == expected.keys()
    for command, output in found.items():
        assert holds(output, expected[command]), command


def holds(found: Any, expected: Any) -> bool:
    """Whether everything that the earlier release printed is there still, in its order; later ones may print more."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            key in found and holds(found[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        rest = iter(found)
        return all(any(holds(candidate, wanted) for candidate in rest) for wanted in expected)
    return bool(found == expected)


def test_what_is_missing_or_out_of_order_does_not_hold() -> None:
    assert holds({"a": [1, 2, 3], "b": 4}, {"a": [1, 3]})
    assert not holds({"a": [3, 1]}, {"a": [1, 3]})
    assert not holds({"a": None}, {"a": 1})
    assert not holds({}, {"a": None})
