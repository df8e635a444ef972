"""Typed aspects on their way to a DataHub server: cut to what its plugin knows, left out where it refuses them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops.aspects.generated import SCHEMAS_VERSION
from datahub_llmops.aspects.manifest import aspect_names, package_data
from ingestion.test_server_run import INDEX, StandIn, recorded
from support.scripted import SOURCE, STORE, collection
from support.stub import Stub

JOB = {"name": "embed", "index": "docs", "embedding_model": "openai/small"}
MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,small,PROD)"
WRITTEN = {"vectorIndexInfo", "vectorIndexVectors", "embeddingInfo", "embeddingJobInfo"}


def with_plugin(version: str = SCHEMAS_VERSION, name: str = "config_plugin_loaded") -> dict[str, Any]:
    """A recorded ``/config``, the plugin's version exchanged."""
    config: dict[str, Any] = recorded(name)["body"]
    (said,) = config["models"]["datahub-llmops"].values()
    config["models"]["datahub-llmops"] = {version: said}
    return config


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    STORE.clear()
    for name in ("docs", "faq"):
        STORE["db", name] = replace(collection("db", name), text_field="document")
    yield StandIn(config=with_plugin())
    STORE.clear()


def run(stand_in: StandIn, *, dry_run: bool = False, **options: Any) -> Pipeline:
    with Stub(stand_in.answer) as stub:
        pipeline = Pipeline.create(
            {
                "source": {"type": SOURCE, "config": {"embedding_jobs": [JOB], **options}},
                "sink": {"type": "datahub-rest", "config": {"server": stub.url}},
            },
            no_progress=True,
            report_to=None,
            dry_run=dry_run,
        )
        pipeline.run()
        pipeline.raise_from_status()
    return pipeline


def ours(stand_in: StandIn) -> set[str]:
    """Our aspects that the server holds."""
    return {name for aspects in stand_in.held.values() for name in aspects} & aspect_names()


def warnings(pipeline: Pipeline) -> dict[str | None, list[str]]:
    return {entry.title: list(entry.context) for entry in pipeline.source.get_report().warnings}


def decision(pipeline: Pipeline) -> str:
    return str(pipeline.source.get_report().as_obj()["custom_aspects"])


@pytest.mark.parametrize("version", [SCHEMAS_VERSION, "99.0.0"], ids=["same", "newer"])
def test_a_server_with_the_plugin_gets_everything(stand_in: StandIn, version: str) -> None:
    stand_in.config = with_plugin(version)
    pipeline = run(stand_in)
    assert ours(stand_in) == WRITTEN
    assert stand_in.held[INDEX]["embeddingInfo"]["embeddingModels"] == [MODEL]
    assert version in decision(pipeline)
    assert warnings(pipeline) == {}


def test_a_server_without_it_gets_none_and_the_report_says_so(stand_in: StandIn) -> None:
    stand_in.config = recorded("config")["body"]
    pipeline = run(stand_in)
    assert ours(stand_in) == set()
    assert "datasetProperties" in stand_in.held[INDEX]
    assert "no model plugin" in decision(pipeline)
    assert warnings(pipeline) == {}


def test_an_older_plugin_gets_what_it_knows(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    # As the table will look once a second version is released.
    older = {"vectorIndexInfo": ["engine"], "embeddingInfo": ["embeddingModel", "textFields"]}
    monkeypatch.setitem(package_data()["versions"], "0.0.5", older)
    stand_in.config = with_plugin("0.0.5")
    pipeline = run(stand_in)
    assert ours(stand_in) == set(older)
    assert stand_in.held[INDEX]["vectorIndexInfo"] == {"engine": "scripted"}
    assert stand_in.held[INDEX]["embeddingInfo"] == {
        "embeddingModel": "openai/small",
        "textFields": "document",
    }
    assert "models install" in warnings(pipeline)["Typed aspects"][0]


def test_a_plugin_that_failed_to_load_gets_nothing_and_a_warning(stand_in: StandIn) -> None:
    stand_in.config = with_plugin(name="config_plugin_failed")
    pipeline = run(stand_in)
    assert ours(stand_in) == set()
    assert "Aspect vectorIndexInfo does not exist" in warnings(pipeline)["Typed aspects"][0]


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_an_aspect_that_is_refused_all_the_same_costs_the_run_that_aspect(
    stand_in: StandIn, mode: str
) -> None:
    stand_in.refuses = frozenset({"vectorIndexInfo"})
    pipeline = run(stand_in, custom_aspects=mode)
    assert ours(stand_in) == WRITTEN - {"vectorIndexInfo"}
    (reason,) = warnings(pipeline)["Typed aspect refused"]
    assert "Unknown aspect vectorIndexInfo for entity dataset" in reason
    for urn in (INDEX, INDEX.replace("docs", "faq")):
        assert {"datasetProperties", "schemaMetadata", "vectorIndexVectors"} <= set(stand_in.held[urn])


def test_on_writes_to_a_server_that_does_not_say_that_it_has_the_plugin(stand_in: StandIn) -> None:
    stand_in.config = recorded("config")["body"]
    run(stand_in, custom_aspects="on")
    assert ours(stand_in) == WRITTEN


def test_on_before_a_server_that_refuses_all_of_them(stand_in: StandIn) -> None:
    stand_in.refuses = aspect_names()
    pipeline = run(stand_in, custom_aspects="on")
    assert ours(stand_in) == set()
    assert len(warnings(pipeline)["Typed aspect refused"]) == len(WRITTEN)
    assert "datasetProperties" in stand_in.held[INDEX]


def test_off_writes_none(stand_in: StandIn) -> None:
    pipeline = run(stand_in, custom_aspects="off")
    assert ours(stand_in) == set()
    assert "custom_aspects is off" in decision(pipeline)


def test_a_dry_run_writes_nothing(stand_in: StandIn) -> None:
    pipeline = run(stand_in, dry_run=True)
    assert SCHEMAS_VERSION in decision(pipeline)
    assert stand_in.written == []


def test_the_model_is_there_before_an_index_points_to_it(stand_in: StandIn) -> None:
    run(stand_in)
    assert stand_in.written.index((MODEL, "mlModelKey")) < min(
        position for position, (_, name) in enumerate(stand_in.written) if name.startswith("embedding")
    )
    assert "mlModelProperties" in stand_in.held[MODEL]
    before = len(stand_in.written)
    run(stand_in)
    assert (MODEL, "mlModelKey") not in stand_in.written[before:]


def test_a_server_that_does_not_say_what_it_has_loaded(stand_in: StandIn) -> None:
    """DataHub's client asks for ``/config`` too, and remembers the answer: the last time it is asked is by us."""
    with Stub(stand_in.answer) as stub:
        recipe = {
            "source": {"type": SOURCE, "config": {"embedding_jobs": [JOB]}},
            # DataHub's client would wait for half a minute between its attempts.
            "sink": {"type": "datahub-rest", "config": {"server": stub.url, "retry_max_times": 1}},
        }
        Pipeline.create(recipe, no_progress=True, report_to=None)
        asked = stub.count("/config")
        stub.fail("500", when=lambda call: call.path == "/config" and stub.count("/config") >= 2 * asked)
        pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
        stub.heal()
        pipeline.run()
        pipeline.raise_from_status()
    assert "it answered 500" in warnings(pipeline)["Typed aspects"][0]
    assert ours(stand_in) == set()
    assert "datasetProperties" in stand_in.held[INDEX]
