"""A recipe against a DataHub server, whose wire a stand-in speaks: what is sent, and in which order.

The stand-in keeps aspects by URN, answers `/config` and batch reads in the recorded form, and applies patches as the
local catalog does, which is held to what a real server stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops.catalog.local.patches import apply_patch, parse_patch
from datahub_llmops.mapping.properties import PROPERTIES
from support import paths
from support.scripted import SOURCE, STORE, collection
from support.stub import Call, Reply, Stub, answer_json

WIRE = paths.WIRE / "gms"


def recorded(name: str) -> Any:
    """The response of a recorded exchange."""
    (exchange,) = json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))
    return exchange["response"]


INDEX = "urn:li:dataset:(urn:li:dataPlatform:scripted,db.docs,PROD)"
JOB = {"name": "embed", "index": "docs", "embedding_model": "openai/small"}


@dataclass
class StandIn:
    """The part of a DataHub server that a recipe touches."""

    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: list[tuple[str, str]] = field(default_factory=list)
    """URN and aspect of every proposal, in the order they came in."""
    config: dict[str, Any] = field(default_factory=lambda: recorded("config")["body"])
    refuses: frozenset[str] = frozenset()
    """Aspects that it does not know: one of them costs the whole request."""
    refused_urn: str | None = None
    """An asset that it lets nobody write, in the words that a server used for another refusal."""
    forgotten_urn: str | None = None
    """An asset that it says it stored, and does not have."""

    def answer(self, call: Call) -> Reply:
        if call.path == "/config":
            return answer_json(self.config)
        if call.path == "/aspects":
            body = call.json
            proposals = body.get("proposals") or [body["proposal"]]
            if self.refuses & {proposal["aspectName"] for proposal in proposals}:
                kind = "batch" if "proposals" in body else "single"
                refusal = recorded(f"unknown_aspect_{kind}")
                return answer_json(refusal["body"], refusal["status"])
            if self.refused_urn in {proposal["entityUrn"] for proposal in proposals}:
                refusal = recorded("is_latest_refused")
                return answer_json(refusal["body"], refusal["status"])
            for proposal in proposals:
                if proposal["entityUrn"] != self.forgotten_urn:
                    self._take(proposal)
            return answer_json({"value": "ok"})
        if match := re.fullmatch(r"/openapi/v3/entity/(\w+)/batchGet", call.path):
            asked = [entry["urn"] for entry in call.json]
            return answer_json(
                [
                    {"urn": urn, **{name: {"value": value} for name, value in self.held[urn].items()}}
                    for urn in asked
                    if urn in self.held and urn.startswith(f"urn:li:{match[1]}:")
                ]
            )
        if call.path == "/api/graphql" and "searchAcrossLineage" in call.json["query"]:
            return answer_json({"data": {"searchAcrossLineage": self._instances(call.json["variables"])}})
        if call.path == "/api/graphql":
            return answer_json(
                {"data": {"scrollAcrossEntities": {"nextScrollId": None, "searchResults": []}}}
            )
        return answer_json({"message": "not found", "status": 404}, 404)

    def _instances(self, variables: dict[str, Any]) -> dict[str, Any]:
        """What stands before an asset, as far as process instances say so."""
        asked = variables["input"]["urn"]
        hits = [
            {"degree": 1, "entity": {"urn": urn, "type": "DATA_PROCESS_INSTANCE"}, "paths": []}
            for urn, aspects in self.held.items()
            for edge in aspects.get("dataProcessInstanceOutput", {}).get("outputEdges") or []
            if edge["destinationUrn"] == asked
        ]
        return {"start": 0, "count": 100, "total": len(hits), "searchResults": hits}

    def _take(self, proposal: dict[str, Any]) -> None:
        urn, name, text = proposal["entityUrn"], proposal["aspectName"], proposal["aspect"]["value"]
        self.written.append((urn, name))
        aspects = self.held.setdefault(urn, {})
        if proposal["changeType"] == "PATCH":
            aspects[name] = apply_patch(name, aspects.get(name), parse_patch(text))
        else:
            aspects[name] = json.loads(text)


@pytest.fixture
def server() -> Iterator[tuple[Stub, StandIn]]:
    STORE.clear()
    STORE["db", "docs"] = collection("db", "docs")
    stand_in = StandIn()
    with Stub(stand_in.answer) as stub:
        yield stub, stand_in
    STORE.clear()


def run(stub: Stub, *, failing: bool = False) -> Pipeline:
    pipeline = Pipeline.create(
        {
            "source": {"type": SOURCE, "config": {"embedding_jobs": [JOB]}},
            "sink": {"type": "datahub-rest", "config": {"server": stub.url}},
        },
        no_progress=True,
        report_to=None,
    )
    pipeline.run()
    if not failing:
        pipeline.raise_from_status()
    return pipeline


def test_definitions_are_stored_before_the_first_assignment(server: tuple[Stub, StandIn]) -> None:
    stub, stand_in = server
    run(stub)
    names = [name for _, name in stand_in.written]
    last_definition = max(i for i, name in enumerate(names) if name == "propertyDefinition")
    assert last_definition < names.index("structuredProperties")
    assert names.count("propertyDefinition") == names.count("structuredPropertySettings") == len(PROPERTIES)


def test_definitions_that_are_there_are_left_as_stewards_set_them(server: tuple[Stub, StandIn]) -> None:
    stub, stand_in = server
    run(stub)
    before = len(stand_in.written)
    run(stub)
    assert "propertyDefinition" not in [name for _, name in stand_in.written[before:]]


DIMENSION = "urn:li:structuredProperty:datahub_llmops.dimension"


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        ("refused_urn", "IsLatest should not be specified, this is a computed field."),
        ("forgotten_urn", "cannot be read back"),
    ],
)
def test_a_property_without_its_definition_is_not_assigned(
    server: tuple[Stub, StandIn], problem: str, reason: str
) -> None:
    """A server indexes such an assignment as empty, and never finds it again."""
    stub, stand_in = server
    setattr(stand_in, problem, DIMENSION)
    pipeline = run(stub, failing=True)
    (failure,) = pipeline.source.get_report().failures
    assert "definition of a structured property" in str(failure.title)
    (context,) = failure.context
    assert "could not write the definition of datahub_llmops.dimension" in str(context)
    assert reason in str(context)
    assigned = stand_in.held[INDEX]["structuredProperties"]["properties"]
    assert assigned
    assert DIMENSION not in str(stand_in.held[INDEX])
    # Once the definition is there the values follow.
    setattr(stand_in, problem, None)
    run(stub)
    assert DIMENSION in str(stand_in.held[INDEX]["structuredProperties"])


def test_the_servers_models_and_assets_are_extended_not_replaced(server: tuple[Stub, StandIn]) -> None:
    stub, stand_in = server
    model = "urn:li:mlModel:(urn:li:dataPlatform:openai,small,PROD)"
    other = "urn:li:dataJob:(urn:li:dataFlow:(airflow,other,PROD),other)"
    stand_in.held[model] = {
        "mlModelProperties": {"customProperties": {"a": "b"}, "downstreamJobs": [other], "tags": []}
    }
    by_hand = {"propertyUrn": "urn:li:structuredProperty:company.tier", "values": [{"string": "gold"}]}
    stand_in.held[INDEX] = {"structuredProperties": {"properties": [by_hand]}}
    run(stub)
    stored = stand_in.held[model]["mlModelProperties"]
    assert stored["customProperties"] == {"a": "b"}
    assert other in stored["downstreamJobs"]
    assert len(stored["downstreamJobs"]) == 2
    assert by_hand in stand_in.held[INDEX]["structuredProperties"]["properties"]


def test_a_platform_that_the_server_does_not_know_gets_a_logo_and_one_that_it_ships_keeps_its_own(
    server: tuple[Stub, StandIn],
) -> None:
    stub, stand_in = server
    shipped = {
        "name": "airflow",
        "type": "OTHERS",
        "datasetNameDelimiter": ".",
        "logoUrl": "assets/airflow.png",
    }
    stand_in.held["urn:li:dataPlatform:openai"] = {"dataPlatformInfo": {**shipped, "name": "openai"}}
    run(stub)
    logo = stand_in.held["urn:li:dataPlatform:custom"]["dataPlatformInfo"]["logoUrl"]
    assert logo.startswith("data:image/svg+xml;base64,")
    assert stand_in.held["urn:li:dataPlatform:scripted"]["dataPlatformInfo"]["logoUrl"] == logo
    assert stand_in.held["urn:li:dataPlatform:openai"]["dataPlatformInfo"]["logoUrl"] == "assets/airflow.png"


def test_an_asset_whose_urn_is_too_long_is_a_failure_and_all_others_are_sent(
    server: tuple[Stub, StandIn],
) -> None:
    stub, stand_in = server
    name = "\u00e9" * 80
    STORE["db", name] = collection("db", name)
    pipeline = run(stub, failing=True)
    (failure,) = pipeline.source.get_report().failures
    assert str(failure.title) == "URN too long"
    assert list(failure.context) == [f"urn:li:dataset:(urn:li:dataPlatform:scripted,db.{name},PROD)"]
    assert INDEX in stand_in.held
    assert [(urn, aspect) for urn, aspect in stand_in.written if name in urn] == []
