"""A catalog and an answer store that release 0.1.0 made are read as it read them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

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
        assert output == expected[command], command
