"""``llm-propagation`` over a DataHub server made of recorded exchanges, beside a local catalog with the same model.

The walk down from the index was recorded. That from the table above it is put together from the same recording, two
hops further away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import GlossaryTermsClass, MetadataChangeProposalClass
from typing_extensions import override

from catalog.recorded import (
    RecordedServer,
    exchanges,
    proposals,
    scrolled,
    stored,
    write_local,
)
from datahub_llmops.propagation import PropagationReport, PropagationSource
from propagation.estate import OURS, column, write
from support.stub import Call, Reply, Stub, answer_json

INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.reviews,PROD)"
RETRIEVER = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.reviews-retriever,PROD)"
APPLICATION = "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),support-bot)"
ANSWERS = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.answers,PROD)"
CUSTOMERS = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.customers,PROD)"
PERSONAL = "urn:li:glossaryTerm:PersonalData"
REVIEWS = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.reviews,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed-reviews)"
EMAIL = column(CUSTOMERS, "email")
FIELD = column(INDEX, "customer_email")
STAMP = {"time": 1, "actor": "urn:li:corpuser:ada"}


class TakingServer(RecordedServer):
    """Also says which server it is, and takes what is sent to it. Nobody has set a term yet."""

    def __init__(self) -> None:
        self.stored = stored(proposals())
        for urn, aspect in ((CUSTOMERS, "editableSchemaMetadata"), (FIELD, "glossaryTerms")):
            del self.stored[urn][aspect]
        super().__init__(self.stored)
        self.extra["typeNames"] = scrolled([])
        self.taken: list[dict[str, Any]] = []
        self.walks_end_at_the_index = False
        """The index of the graph has no edge yet that leaves the vector index."""

    @override
    def answer(self, call: Call) -> Reply:
        if call.path == "/config":
            return answer_json(exchanges("config")[0]["response"]["body"])
        if call.path.startswith("/aspects/"):
            return answer_json({"status": 404}, 404)
        if call.path == "/aspects":
            body = call.json
            self.taken += body["proposals"] if "proposals" in body else [body["proposal"]]
            return answer_json({"value": "success"})
        if call.path == "/api/graphql" and call.json["variables"].get("input", {}).get("urn") == CUSTOMERS:
            return answer_json(below_customers())
        if self.walks_end_at_the_index and b"searchAcrossLineage" in call.body:
            return answer_json(exchanges("lineage_unknown")[0]["response"]["body"])
        return super().answer(call)

    def set(self, urn: str, *entries: dict[str, Any]) -> None:
        """Terms on an asset or column."""
        self.stored.setdefault(urn, {})["glossaryTerms"] = {"terms": list(entries), "auditStamp": STAMP}

    def listed(self, *urns: str) -> None:
        """What the search index says has terms."""
        self.extra["glossaryTerms"] = scrolled(list(urns))

    def patches(self) -> dict[str, list[tuple[str, str]]]:
        """By URN what was sent; nothing else may have been, but the pipeline's word that it ran."""
        sent = [one for one in self.taken if not one["entityType"].startswith("dataHub")]
        assert {(one["changeType"], one["aspectName"]) for one in sent} <= {("PATCH", "glossaryTerms")}
        return {one["entityUrn"]: steps(one["aspect"]["value"]) for one in sent}


def steps(patch: str | bytes) -> list[tuple[str, str]]:
    """Operation and path of each step of a patch, with where the term comes from."""
    found = []
    for step in json.loads(patch)["patch"]:
        assert step["path"] == f"/terms/{PERSONAL}/{OURS}"
        detail = step["value"].get("attribution", {}).get("sourceDetail", {})
        found.append((step["op"], detail.get("origin", "")))
    return found


def below_customers() -> Any:
    answer = exchanges("lineage_downstream")[0]["response"]["body"]
    found = answer["data"]["searchAcrossLineage"]
    for hit in found["searchResults"]:
        hit["degree"] += 2
    for degree, (urn, kind) in enumerate(((JOB, "DATA_JOB"), (INDEX, "DATASET")), start=1):
        found["searchResults"].append({"degree": degree, "entity": {"urn": urn, "type": kind}, "paths": []})
    found.update(total=5, count=5)
    return answer


@pytest.fixture
def running() -> Iterator[tuple[TakingServer, Stub]]:
    server = TakingServer()
    with Stub(server.answer) as stub:
        yield server, stub
    assert not server.unmatched


def run(url: str) -> PropagationReport:
    """The recipe without ``catalog``: it reads the server of its sink."""
    recipe = {
        "source": {"type": "llm-propagation", "config": {}},
        "sink": {"type": "datahub-rest", "config": {"server": url}},
    }
    pipeline = Pipeline.create(recipe)
    pipeline.run()
    assert not pipeline.sink.get_report().failures
    report = pipeline.source.get_report()
    assert isinstance(report, PropagationReport)
    return report


def carried(origin: str) -> dict[str, Any]:
    """A term as a run before this one attached it."""
    return {
        "urn": PERSONAL,
        "attribution": {
            "time": 5,
            "actor": "urn:li:corpuser:datahub",
            "source": OURS,
            "sourceDetail": {"propagated": "true", "origin": origin},
        },
    }


def test_a_columns_term_reaches_the_index_through_the_job(running: tuple[TakingServer, Stub]) -> None:
    server, stub = running
    server.set(EMAIL, {"urn": PERSONAL})
    server.set(FIELD, carried(EMAIL))
    server.listed(EMAIL, FIELD)
    report = run(stub.url)
    assert (report.labels_added, report.labels_kept, report.labels_removed) == (2, 1, 0)
    assert server.patches() == {INDEX: [("add", EMAIL)], JOB: [("add", EMAIL)]}
    assert report.stopped_at_table_edges == 1
    assert dict(report.table_edges) == {f"{INDEX} -> {RETRIEVER}": 1}


def test_a_term_on_an_index_reaches_retriever_application_and_answers(
    running: tuple[TakingServer, Stub],
) -> None:
    server, stub = running
    server.set(INDEX, {"urn": PERSONAL})
    server.listed(INDEX)
    report = run(stub.url)
    assert (report.labels_added, list(report.failures)) == (3, [])
    assert server.patches() == {urn: [("add", INDEX)] for urn in (RETRIEVER, APPLICATION, ANSWERS)}


def test_the_local_catalog_gives_the_same_patches(running: tuple[TakingServer, Stub], tmp_path: Path) -> None:
    server, stub = running
    server.set(EMAIL, {"urn": PERSONAL})
    server.set(INDEX, {"urn": PERSONAL})
    server.set(RETRIEVER, carried(CUSTOMERS))
    server.set(ANSWERS, carried(INDEX))
    server.set(REVIEWS, carried(INDEX))
    labelled = (EMAIL, INDEX, RETRIEVER, ANSWERS, REVIEWS)
    server.listed(*labelled)
    run(stub.url)

    catalog = tmp_path / "catalog.db"
    unset = [one for one in proposals() if one.aspectName not in ("glossaryTerms", "editableSchemaMetadata")]
    write_local(catalog, unset).close()
    aspects = {
        urn: GlossaryTermsClass.from_obj(dict(server.stored[urn]["glossaryTerms"])) for urn in labelled
    }
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspects[urn]) for urn in aspects])
    source = PropagationSource.create({"catalog": str(catalog)}, PipelineContext(run_id="test"))
    found: dict[str | None, list[tuple[str, str]]] = {}
    for unit in source.get_workunits():
        assert isinstance(unit.metadata, MetadataChangeProposalClass)
        assert unit.metadata.aspect
        found[unit.metadata.entityUrn] = steps(unit.metadata.aspect.value)
    assert found == server.patches()
    assert found == {
        JOB: [("add", EMAIL)],
        FIELD: [("add", EMAIL)],
        RETRIEVER: [("add", INDEX)],
        APPLICATION: [("add", INDEX)],
        REVIEWS: [("remove", "")],
    }


def test_what_lost_its_reason_goes(running: tuple[TakingServer, Stub]) -> None:
    server, stub = running
    server.set(JOB, carried(EMAIL))
    server.set(FIELD, carried(EMAIL))
    server.listed(JOB, FIELD)
    report = run(stub.url)
    assert report.labels_removed == 2
    assert server.patches() == {JOB: [("remove", "")], FIELD: [("remove", "")]}


def test_an_origin_that_the_search_index_lost_is_looked_at_itself(
    running: tuple[TakingServer, Stub],
) -> None:
    server, stub = running
    server.set(INDEX, {"urn": PERSONAL})
    for urn in (RETRIEVER, APPLICATION, ANSWERS):
        server.set(urn, carried(INDEX))
    server.listed(RETRIEVER)
    report = run(stub.url)
    assert (report.labels_kept, report.labels_removed, server.patches()) == (3, 0, {})


@pytest.mark.parametrize("part", ["scrollAcrossEntities", "batchGet", "searchAcrossLineage"])
def test_a_server_that_fails_in_the_middle_loses_nothing(
    running: tuple[TakingServer, Stub], part: str
) -> None:
    server, stub = running
    server.set(INDEX, {"urn": PERSONAL})
    server.set(ANSWERS, carried(CUSTOMERS))
    server.listed(INDEX, ANSWERS)
    stub.fail("404", when=lambda call: part in call.path or part.encode() in call.body)
    report = run(stub.url)
    assert server.patches() == {}
    (failure,) = report.failures
    assert failure.title == "Cannot read the catalog"


def test_edges_that_the_graphs_index_lacks_are_read_from_the_assets(
    running: tuple[TakingServer, Stub],
) -> None:
    """As right after ``llm-runs``: in the index of the graph nothing reads the vector index yet."""
    server, stub = running
    server.set(INDEX, {"urn": PERSONAL})
    server.listed(INDEX)
    server.extra["typeNames"] = scrolled([INDEX, RETRIEVER, APPLICATION])
    server.walks_end_at_the_index = True
    report = run(stub.url)
    assert server.patches() == {urn: [("add", INDEX)] for urn in (RETRIEVER, APPLICATION, ANSWERS)}
    assert report.late_edges == 1
    (warning,) = report.warnings
    assert warning.title == "The server's lineage is behind"
    assert list(warning.context) == [f"{INDEX} -> {RETRIEVER}"]


def test_a_label_stays_where_only_the_graphs_index_lost_the_edge(running: tuple[TakingServer, Stub]) -> None:
    server, stub = running
    server.set(INDEX, {"urn": PERSONAL})
    for urn in (RETRIEVER, APPLICATION, ANSWERS):
        server.set(urn, carried(INDEX))
    server.listed(INDEX, RETRIEVER, APPLICATION, ANSWERS)
    server.extra["typeNames"] = scrolled([INDEX])
    server.walks_end_at_the_index = True
    report = run(stub.url)
    assert (report.labels_kept, report.labels_removed, server.patches()) == (3, 0, {})
    assert report.late_edges == 1


@pytest.mark.parametrize("outputs", ["outputDatasetEdges", "outputDatasets"])
def test_a_job_within_one_table_that_only_an_orchestrators_plugin_describes(
    running: tuple[TakingServer, Stub], outputs: str
) -> None:
    """It has no subtype of ours, and no walk down from the table comes to it."""
    server, stub = running
    body, vector = column(INDEX, "document"), column(INDEX, "embedding")
    theirs = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),update-vectors)"
    fine = {
        "upstreamType": "FIELD_SET",
        "upstreams": [body],
        "downstreamType": "FIELD",
        "downstreams": [vector],
    }
    written: Any = [INDEX] if outputs == "outputDatasets" else [{"destinationUrn": INDEX}]
    server.stored[theirs] = {
        "dataJobInfo": {"name": "update-vectors", "type": "COMMAND"},
        "dataJobInputOutput": {
            "inputDatasets": [],
            "outputDatasets": [],
            "fineGrainedLineages": [fine],
            outputs: written,
        },
    }
    server.set(body, {"urn": PERSONAL})
    server.listed(body)
    run(stub.url)
    sent = server.patches()
    assert (sent[vector], sent[theirs]) == ([("add", body)], [("add", body)])
    server.stored[theirs]["status"] = {"removed": True}
    server.taken.clear()
    run(stub.url)
    assert not {vector, theirs} & server.patches().keys()


def test_what_is_in_the_graphs_index_is_not_late(running: tuple[TakingServer, Stub]) -> None:
    server, stub = running
    server.set(INDEX, {"urn": PERSONAL})
    server.listed(INDEX)
    server.extra["typeNames"] = scrolled([INDEX, RETRIEVER, APPLICATION, ANSWERS, JOB])
    report = run(stub.url)
    assert (report.labels_added, report.late_edges, list(report.warnings)) == (3, 0, [])


@pytest.mark.parametrize("gone", [RETRIEVER, ANSWERS])
def test_a_label_stays_behind_an_asset_that_was_removed(
    running: tuple[TakingServer, Stub], gone: str
) -> None:
    server, stub = running
    server.set(INDEX, {"urn": PERSONAL})
    server.stored[gone]["status"] = {"removed": True}
    for urn in (RETRIEVER, APPLICATION, ANSWERS):
        server.set(urn, carried(INDEX))
    server.listed(*({INDEX, RETRIEVER, APPLICATION, ANSWERS} - {gone}))
    report = run(stub.url)
    assert (report.labels_removed, server.patches()) == (0, {})
    told = [line for failure in report.failures for line in failure.context]
    assert told == (
        [f"{APPLICATION}: it still names {RETRIEVER}, which was removed"] if gone == RETRIEVER else []
    )


def test_an_edge_that_is_marked_on_the_server_is_named(running: tuple[TakingServer, Stub]) -> None:
    server, stub = running
    server.set(EMAIL, {"urn": PERSONAL})
    server.listed(EMAIL)
    server.stored[JOB] = json.loads(json.dumps(server.stored[JOB]))
    for edge in server.stored[JOB]["dataJobInputOutput"]["inputDatasetEdges"]:
        edge["properties"] = {"not_confirmed_since": "2026-11-29T05:30:00+00:00"}
    report = run(stub.url)
    assert (report.labels_added, report.labels_not_confirmed) == (3, 3)
    (failure,) = report.failures
    assert list(failure.context) == [f"{JOB}: its edges are not confirmed since 2026-11-29T05:30:00+00:00"]


def test_a_label_in_the_schema_of_a_column_whose_own_entity_does_not_exist(
    running: tuple[TakingServer, Stub],
) -> None:
    server, stub = running
    field = {"fieldPath": "email", "glossaryTerms": {"terms": [{"urn": PERSONAL}], "auditStamp": STAMP}}
    server.stored[CUSTOMERS]["editableSchemaMetadata"] = {"editableSchemaFieldInfo": [field]}
    server.listed(CUSTOMERS)
    report = run(stub.url)
    assert (report.labels_added, report.labels_not_confirmed) == (3, 0)
    # The warehouse's recipe no longer finds the column, and that of the index has not run since.
    schema = json.loads(json.dumps(server.stored[CUSTOMERS]["schemaMetadata"]))
    schema["fields"] = [one for one in schema["fields"] if one["fieldPath"] != "email"]
    server.stored[CUSTOMERS]["schemaMetadata"] = schema
    server.set(JOB, carried(EMAIL))
    server.listed(CUSTOMERS, JOB)
    report = run(stub.url)
    assert (report.labels_removed, report.labels_not_confirmed) == (0, 3)
    told = [line for failure in report.failures for line in failure.context]
    assert told == [f"{JOB}: it still names {EMAIL}, which its schema no longer has"]
