"""A registry's recipe against a DataHub server, whose wire a stand-in speaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops import urns
from ingestion.test_server_run import StandIn
from support.scripted_prompts import PLATFORM, SOURCE, clear, fill, prompt, text, version
from support.stub import Stub


@pytest.fixture
def server() -> Iterator[tuple[Stub, StandIn]]:
    clear()
    stand_in = StandIn()
    with Stub(stand_in.answer) as stub:
        yield stub, stand_in
    clear()


def run(stub: Stub) -> Pipeline:
    pipeline = Pipeline.create(
        {
            "source": {"type": SOURCE, "config": {}},
            "sink": {"type": "datahub-rest", "config": {"server": stub.url}},
        },
        no_progress=True,
        report_to=None,
    )
    pipeline.run()
    pipeline.raise_from_status()
    return pipeline


def urn(name: str, number: str) -> str:
    return urns.prompt_version(PLATFORM, name, number, env="PROD")


def test_a_version_is_in_its_set_before_the_set_names_it(server: tuple[Stub, StandIn]) -> None:
    stub, stand_in = server
    fill(prompt("a", version("1"), version("2")), prompt("b"))
    run(stub)
    for name, latest in (("a", "2"), ("b", "1")):
        group = urns.prompt_set(PLATFORM, name, env="PROD")
        joined = stand_in.written.index((urn(name, latest), "versionProperties"))
        assert joined < stand_in.written.index((group, "versionSetProperties"))
        assert stand_in.held[group]["versionSetProperties"]["latest"] == urn(name, latest)
    assert "isLatest" not in stand_in.held[urn("a", "2")]["versionProperties"]


def test_typed_aspects_are_left_out_where_the_plugin_is_not_loaded(server: tuple[Stub, StandIn]) -> None:
    stub, stand_in = server
    fill(prompt("a", version("1", labels=("production",))))
    run(stub)
    assert "promptInfo" not in stand_in.held[urn("a", "1")]
    assert {"structuredProperties", "viewProperties", "schemaMetadata"} <= stand_in.held[urn("a", "1")].keys()


def test_a_text_that_no_server_takes_is_left_out_and_said(server: tuple[Stub, StandIn]) -> None:
    stub, stand_in = server
    long = "ä" * 2_500_000
    fill(prompt("a", version("1", template=text(long)), version("2", template=text("ä" * 499_990))))
    report: Any = run(stub).source.get_report()
    assert "viewProperties" not in stand_in.held[urn("a", "1")]
    assert "viewProperties" in stand_in.held[urn("a", "2")]
    properties = stand_in.held[urn("a", "1")]["datasetProperties"]["customProperties"]
    assert properties["characters"] == "2500000"
    assert properties["text_left_out"] == "5,000,000 bytes"
    assert report.texts_too_long == 1
    shown = [str(context) for entry in report.warnings for context in entry.context]
    assert shown == ["a.v1: 5,000,000 bytes, more than 1,000,000"]
