"""Tabs as a person without a server sees them, and which aspects need the plugin."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aspects.examples import INDEX, examples
from datahub_llmops.aspects.generated import ASPECTS
from datahub_llmops.aspects.manifest import Tab, aspect_names, tabs


def test_every_aspect_needs_the_plugin() -> None:
    assert aspect_names() == {kind.ASPECT_NAME for kind in ASPECTS}


def test_tabs_show_what_the_ui_shows() -> None:
    found = {
        tab.title: tab
        for tab in tabs({a.ASPECT_NAME: dict(a.to_obj()) for urn, a in examples() if urn == INDEX})
    }
    assert list(found) == ["Vector Index", "Vectors", "Embedding", "Prompt", "Retriever"]
    assert found["Vectors"].columns[:3] == ("name", "dimension", "metric")
    assert [row[:2] for row in found["Vectors"].rows] == [("embedding", "768"), ("words", "")]
    assert found["Vectors"].rows[1][found["Vectors"].columns.index("sparse")] == "true"
    assert ("embeddingModel", "openai/text-embedding-3-small") in found["Embedding"].rows
    assert "embeddingModels" not in {row[0] for row in found["Embedding"].rows}


@pytest.mark.parametrize("value", [None, "x", [], {}, {"vectors": []}, {"vectors": None}, {"vectors": ["x"]}])
def test_what_is_no_table_has_no_tab(value: object) -> None:
    assert tabs({"vectorIndexVectors": value, "vectorIndexInfo": {}, "status": {"removed": False}}) == []


def test_a_tab_of_one_fact() -> None:
    assert tabs({"vectorIndexInfo": {"engine": "chroma", "vectorFields": 1, "later": "x"}}) == [
        Tab(
            title="Vector Index",
            columns=("Name", "Value"),
            rows=(("engine", "chroma"), ("vectorFields", "1")),
        )
    ]


def test_it_costs_no_import_of_datahub() -> None:
    code = (
        "import sys; from datahub_llmops.aspects.manifest import tabs; tabs({})\n"
        "sys.exit('datahub' in sys.modules or 'avro' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
