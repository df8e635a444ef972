"""``llm-runs`` against a DataHub server, whose wire a stand-in speaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops.aspects.manifest import aspect_names
from datahub_llmops.runs.embedding_mismatch import SETTLED
from datahub_llmops.urns import embedding_mismatch
from ingestion.test_server_run import StandIn, recorded
from ingestion.test_server_typed import with_plugin
from runs.world import INDEX, JOB, LOG, PROMPT, RETRIEVER, World
from support.stub import Stub

WRITTEN = {"llmUsage", "retrieverInfo", "promptInfo", "llmApplicationInfo"}


def run(world: World, stand_in: StandIn, **config: Any) -> Pipeline:
    assert world.handle.flush(10)
    with Stub(stand_in.answer) as stub:
        pipeline = Pipeline.create(
            {
                # With a rule for the index nothing is searched for, which the stand-in cannot answer.
                "source": {
                    "type": "llm-runs",
                    "config": {"store": str(world.store), "instances": [{"platform": "chroma"}], **config},
                },
                "sink": {"type": "datahub-rest", "config": {"server": stub.url}},
            },
            no_progress=True,
            report_to=None,
        )
        pipeline.run()
        pipeline.raise_from_status()
    return pipeline


def ours(stand_in: StandIn) -> set[str]:
    return {name for _, name in stand_in.written} & aspect_names()


def test_a_server_with_the_plugin_gets_them(world: World) -> None:
    world.ask()
    stand_in = StandIn(config=with_plugin())
    run(world, stand_in)
    assert ours(stand_in) == WRITTEN
    assert stand_in.held[JOB]["llmUsage"]["inputTokens"] == 30
    assert stand_in.held[RETRIEVER]["retrieverInfo"]["k"] == 2
    assert stand_in.held[PROMPT]["promptInfo"]["promptVersion"] == "3"


def test_a_server_without_it_gets_all_the_rest(world: World) -> None:
    world.ask()
    stand_in = StandIn(config=recorded("config")["body"])
    pipeline = run(world, stand_in)
    assert ours(stand_in) == set()
    assert "no model plugin" in str(pipeline.source.get_report().as_obj()["custom_aspects"])
    assert stand_in.held[LOG]["datasetUsageStatistics"]["totalSqlQueries"] == 1


def test_edges_that_an_earlier_release_wrote_on_instances_are_taken_back(world: World) -> None:
    world.ask()
    stand_in = StandIn(config=recorded("config")["body"])
    run(world, stand_in)
    [day] = [urn for urn in stand_in.held if urn.startswith("urn:li:dataProcessInstance:")]
    stand_in.held[day]["dataProcessInstanceOutput"] = {
        "outputs": [],
        "outputEdges": [{"destinationUrn": LOG}],
    }
    run(world, stand_in)
    assert stand_in.held[day]["dataProcessInstanceOutput"] == {"outputs": [], "outputEdges": []}
    stand_in.written.clear()
    run(world, stand_in)
    assert (day, "dataProcessInstanceOutput") not in stand_in.written


def test_one_that_is_refused_costs_the_run_that_one(world: World) -> None:
    world.ask()
    stand_in = StandIn(config=with_plugin(), refuses=frozenset({"llmUsage"}))
    pipeline = run(world, stand_in)
    assert ours(stand_in) == WRITTEN - {"llmUsage"}
    assert "Typed aspect refused" in str(pipeline.source.get_report().warnings)
    assert {
        edge["destinationUrn"] for edge in stand_in.held[JOB]["dataJobInputOutput"]["inputDatasetEdges"]
    } == {
        RETRIEVER,
        PROMPT,
    }


@pytest.mark.parametrize("logo", ["assets/langchain.png", None])
def test_a_logo_that_the_server_has_stays(world: World, logo: str | None) -> None:
    world.ask()
    stand_in = StandIn(config=with_plugin())
    platform = "urn:li:dataPlatform:langchain"
    info = {"name": "langchain", "type": "OTHERS", "datasetNameDelimiter": ".", "displayName": "Chains"}
    stand_in.held[platform] = {"dataPlatformInfo": {**info, **({"logoUrl": logo} if logo else {})}}
    run(world, stand_in)
    stored = json.dumps(stand_in.held[platform]["dataPlatformInfo"])
    assert ("Chains" in stored) == bool(logo)
    assert (logo or "data:image/svg") in stored


def test_an_incident_is_raised_and_resolved(world: World) -> None:
    stand_in = StandIn(config=recorded("config")["body"])
    urn = embedding_mismatch(INDEX)
    world.index()
    world.embedded_with("another")
    world.ask()
    world.long_ago(2 * SETTLED)
    run(world, stand_in, incidents=False)
    assert urn not in stand_in.held
    run(world, stand_in)
    assert stand_in.held[urn]["incidentInfo"]["status"]["state"] == "ACTIVE"
    world.embedded_with("text-embedding-3-small")
    world.ask()
    run(world, stand_in)
    assert stand_in.held[urn]["incidentInfo"]["status"]["state"] == "RESOLVED"
    assert stand_in.written.count((urn, "incidentInfo")) == 2
