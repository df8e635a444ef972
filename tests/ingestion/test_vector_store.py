"""Jobs, payload provenance, models and stewards' edits: a real warehouse, a real pipeline, the catalog it ends in."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datahub.configuration.common import PipelineExecutionError
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DataJobInfoClass,
    EdgeClass,
    GlobalTagsClass,
    MLModelPropertiesClass,
    OwnerClass,
    OwnershipTypeClass,
    TagAssociationClass,
    UpstreamClass,
)
from datahub.specific.datajob import DataJobPatchBuilder
from datahub.specific.dataset import DatasetPatchBuilder

from datahub_llmops import urns
from datahub_llmops.assets.collections import ProvenanceCount, Vector
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.encoding import same_but_for_audit
from datahub_llmops.errors import UnreadableError
from ingestion.recipes import (
    DECLARED,
    DEPLOYMENT,
    DOCS,
    FLOW,
    INDEX,
    JOB,
    MODEL,
    PEOPLE,
    S3,
    SECRET,
    Emit,
    Run,
    aspect,
    docs,
    upstreams,
    warnings,
)
from support.scripted import STORE, collection


def test_a_declared_job_ties_columns_to_fields(run: Run, catalog: Path) -> None:
    run(DECLARED)
    with LocalCatalog(catalog) as reader:
        lineage = reader.lineage(INDEX, "up")
    assert {(node.name, node.type, node.hops) for node in lineage.nodes} == {
        ("docs", "dataset", 0),
        ("embed", "dataJob", 1),
        ("Docs", "dataset", 2),
        ("people", "dataset", 2),
        ("small", "mlModel", 1),
    }
    edges = {(edge.upstream, edge.downstream): edge for edge in lineage.edges}
    assert edges[DOCS, JOB].found_by == ("declared",)
    pairs = {
        (pair.upstream.removeprefix("urn:li:schemaField:"), pair.downstream.rpartition(",")[2].rstrip(")"))
        for pair in edges[JOB, INDEX].columns
    }
    assert pairs == {
        (f"({DOCS},body)", "document"),
        (f"({DOCS},body)", "embedding"),
        (f"({DOCS},title)", "title"),
        (f"({PEOPLE},email)", "maintainer"),
    }


def test_the_job_has_a_page_of_its_own(run: Run, catalog: Path) -> None:
    run(DECLARED)
    info = aspect(catalog, JOB, "dataJobInfo")
    # A description is for people to write: the SQL has a tab of its own.
    assert "description" not in info
    assert "select d.title" in str(aspect(catalog, JOB, "dataTransformLogic"))
    assert info["customProperties"] == {
        "schedule": "@daily",
        "embedding_model": "openai/small",
        "text_columns": "body",
        "chunking.method": "recursive",
        "chunking.size": "512",
        "chunking.overlap": "64",
    }
    assert aspect(catalog, JOB, "subTypes") == {"typeNames": ["Embedding Job"]}
    assert [owner["owner"] for owner in aspect(catalog, JOB, "ownership")["owners"]] == [
        "urn:li:corpuser:ada"
    ]
    assert aspect(catalog, FLOW, "dataFlowInfo")["name"] == "kb"
    assert upstreams(catalog) == {}
    for urn in (JOB, INDEX):
        values = {
            item["propertyUrn"].rpartition(".")[2]: item["values"]
            for item in aspect(catalog, urn, "structuredProperties")["properties"]
        }
        assert values["embedding_model"] == [{"string": "openai/small"}]
        assert values["chunk_size"] == [{"double": 512.0}]


def test_no_edge_ends_at_an_asset_without_an_aspect(run: Run, catalog: Path) -> None:
    STORE["db", "docs"] = docs(a=2, b=3)
    run(DECLARED)
    with LocalCatalog(catalog) as reader:
        lineage = reader.lineage(INDEX, "up")
        assert {S3.format("a"), S3.format("b")} <= {node.urn for node in lineage.nodes}
        for edge in lineage.edges:
            assert reader.aspects(edge.upstream), edge.upstream
            assert reader.aspects(edge.downstream), edge.downstream


def test_payload_sources_come_and_go_with_their_chunks(run: Run, catalog: Path) -> None:
    STORE["db", "docs"] = docs(a=2, b=3)
    run()
    assert upstreams(catalog) == {
        S3.format("a"): {"found_by": "payload", "chunks": "2"},
        S3.format("b"): {"found_by": "payload", "chunks": "3"},
    }
    STORE["db", "docs"] = docs(b=4, c=1)
    run()
    assert upstreams(catalog) == {
        S3.format("b"): {"found_by": "payload", "chunks": "4"},
        S3.format("c"): {"found_by": "payload", "chunks": "1"},
    }


def test_rows_that_cannot_be_asked_for_take_no_edge_away(run: Run, catalog: Path) -> None:
    STORE["db", "docs"] = docs(a=2)
    run()
    unseen = ProvenanceCount(field="source", values={}, rows_scanned=0, rows_total=2)
    STORE["db", "docs"] = replace(docs(), provenance=(unseen,))
    report: Any = run().source.get_report()
    assert (report.provenance_rows_scanned, report.provenance_rows_total) == (0, 2)
    assert upstreams(catalog) == {S3.format("a"): {"found_by": "payload", "chunks": "2"}}
    # Looked at, and no row says where it came from.
    STORE["db", "docs"] = replace(docs(), provenance=())
    run()
    assert upstreams(catalog) == {}


@pytest.mark.parametrize("unseen", [{"rows_total": 9}, {"rows_total": None}, {"values_dropped": 1}])
def test_a_source_that_a_sample_does_not_name_may_still_be_there(
    run: Run, catalog: Path, unseen: dict[str, int | None]
) -> None:
    STORE["db", "docs"] = docs(a=2, b=3)
    run()
    (whole,) = docs(b=3).provenance
    STORE["db", "docs"] = replace(docs(), provenance=(replace(whole, **unseen),))  # type: ignore[arg-type]
    for _ in range(2):
        run()
        edge = upstreams(catalog)[S3.format("a")]
        since = edge.pop("not_confirmed_since")
        assert edge == {"found_by": "payload", "chunks": "2"}
        assert upstreams(catalog)[S3.format("b")] == {"found_by": "payload", "chunks": "3"}
    # Seen again, and then known to be gone.
    STORE["db", "docs"] = docs(a=1, b=3)
    run()
    assert since not in str(upstreams(catalog))
    STORE["db", "docs"] = docs(b=3)
    run()
    assert S3.format("a") not in upstreams(catalog)


def test_edges_of_others_stay(run: Run, catalog: Path, emit: Emit) -> None:
    STORE["db", "docs"] = docs(a=2, b=3)
    run()
    patch = DatasetPatchBuilder(INDEX)
    patch.add_upstream_lineage(UpstreamClass(dataset=DOCS, type="COPY"))
    both = {"found_by": "payload,hook", "last_seen": "1"}
    patch.add_upstream_lineage(UpstreamClass(dataset=S3.format("a"), type="TRANSFORMED", properties=both))
    emit(*patch.build())
    STORE["db", "docs"] = docs(b=3)
    run()
    assert upstreams(catalog) == {
        DOCS: {},
        S3.format("a"): {"found_by": "hook", "last_seen": "1"},
        S3.format("b"): {"found_by": "payload", "chunks": "3"},
    }
    STORE["db", "docs"] = docs(a=7, b=3)
    run()
    assert upstreams(catalog)[S3.format("a")] == {
        "found_by": "payload,hook",
        "last_seen": "1",
        "chunks": "7",
    }


def test_declared_and_found_is_one_edge(run: Run, catalog: Path) -> None:
    rule = {
        "match": "s3://lake/(?P<table>.+)",
        "urn": "urn:li:dataset:(urn:li:dataPlatform:sqlite,main.{table},PROD)",
    }
    STORE["db", "docs"] = docs(docs=5)
    run(DECLARED, provenance={"rules": [rule]})
    inputs = {
        edge["destinationUrn"]: edge["properties"]
        for edge in aspect(catalog, JOB, "dataJobInputOutput")["inputDatasetEdges"]
    }
    owned = json.dumps({"scripted": {INDEX: ""}})
    assert inputs == {
        DOCS: {"declared_by": owned, "found_by": "declared,payload", "chunks": "5"},
        PEOPLE: {"declared_by": owned, "found_by": "declared"},
    }
    assert upstreams(catalog) == {}


def test_a_model_keeps_the_jobs_of_others(run: Run, catalog: Path, emit: Emit) -> None:
    other = "urn:li:dataJob:(urn:li:dataFlow:(airflow,other,PROD),other)"
    properties = MLModelPropertiesClass(name="Small", description="by hand", downstreamJobs=[other])
    emit(MetadataChangeProposalWrapper(entityUrn=MODEL, aspect=properties))
    run(DECLARED)
    stored = aspect(catalog, MODEL, "mlModelProperties")
    assert (stored["name"], stored["description"]) == ("Small", "by hand")
    assert stored["downstreamJobs"] == sorted([other, JOB])


def test_without_a_catalog_the_model_stands_alone_and_says_so(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    pipeline = run(DECLARED, sink={"type": "file", "config": {"filename": str(out)}})
    assert warnings(pipeline)["Model without its jobs"] == ["openai/small"]
    assert "downstreamJobs" not in out.read_text()
    assert "mlModelKey" in out.read_text()


def test_a_job_of_the_orchestrators_plugin_gets_inputs_and_outputs_only(
    run: Run, catalog: Path, emit: Emit
) -> None:
    info = DataJobInfoClass(name="from the plugin", type="COMMAND")
    theirs = S3.format("plugin")
    patch = DataJobPatchBuilder(JOB).add_input_dataset(theirs)
    emit(MetadataChangeProposalWrapper(entityUrn=JOB, aspect=info), *patch.build())
    ours = {key: DECLARED[key] for key in ("name", "index", "upstream", "text_columns", "fields")}
    run({**ours, "job_urn": JOB})
    assert aspect(catalog, JOB, "dataJobInfo")["name"] == "from the plugin"
    assert aspect(catalog, JOB, "subTypes") is None
    stored = aspect(catalog, JOB, "dataJobInputOutput")
    assert {edge["destinationUrn"] for edge in stored["inputDatasetEdges"]} == {theirs, DOCS, PEOPLE}
    assert [edge["destinationUrn"] for edge in stored["outputDatasetEdges"]] == [INDEX]
    assert len(stored["fineGrainedLineages"]) == 4
    narrower = {**DECLARED["upstream"], "sql": "select title, body from docs"}
    run({**ours, "job_urn": JOB, "upstream": narrower, "fields": {}})
    stored = aspect(catalog, JOB, "dataJobInputOutput")
    assert {edge["destinationUrn"] for edge in stored["inputDatasetEdges"]} == {theirs, DOCS}
    assert len(stored["fineGrainedLineages"]) == 3
    # Not declared any more: the plugin's job is not ours to remove.
    run()
    assert aspect(catalog, JOB, "status") != {"removed": True}


def test_a_job_that_is_not_declared_any_more_is_retired(run: Run, catalog: Path) -> None:
    STORE["db", "faq"] = collection("db", "faq")
    run(DECLARED)
    run()
    assert aspect(catalog, JOB, "status") == {"removed": True}
    # Shared with other recipes and tools: never removed by ours.
    assert (aspect(catalog, FLOW, "status") or {}).get("removed") is not True
    assert (aspect(catalog, MODEL, "status") or {}).get("removed") is not True
    with LocalCatalog(catalog) as reader:
        assert [node.urn for node in reader.lineage(INDEX, "up").nodes] == [INDEX]


def test_what_stewards_edit_is_theirs(run: Run, catalog: Path, emit: Emit) -> None:
    run(DECLARED)
    by_hand = DatasetPatchBuilder(INDEX)
    by_hand.set_structured_property("company.tier", "gold")
    by_hand.add_owner(OwnerClass(owner="urn:li:corpuser:grace", type=OwnershipTypeClass.DATAOWNER))
    by_hand.add_tag(TagAssociationClass(tag="urn:li:tag:reviewed"))
    job_by_hand = DataJobPatchBuilder(JOB)
    job_by_hand.add_owner(OwnerClass(owner="urn:li:corpuser:grace", type=OwnershipTypeClass.DATAOWNER))
    emit(*by_hand.build(), *job_by_hand.build())
    run(DECLARED)
    properties = {
        item["propertyUrn"] for item in aspect(catalog, INDEX, "structuredProperties")["properties"]
    }
    assert "urn:li:structuredProperty:company.tier" in properties
    assert aspect(catalog, INDEX, "ownership")["owners"][0]["owner"] == "urn:li:corpuser:grace"
    assert GlobalTagsClass.from_obj(aspect(catalog, INDEX, "globalTags")).tags[0].tag == "urn:li:tag:reviewed"
    owners = {owner["owner"] for owner in aspect(catalog, JOB, "ownership")["owners"]}
    assert owners == {"urn:li:corpuser:ada", "urn:li:corpuser:grace"}


def properties(catalog: Path, urn: str) -> set[str]:
    stored = aspect(catalog, urn, "structuredProperties") or {"properties": []}
    return {item["propertyUrn"].rpartition(".")[2] for item in stored["properties"]}


def test_facts_that_do_not_hold_any_more_are_taken_back(run: Run, catalog: Path) -> None:
    field = urns.schema_field(INDEX, "embedding")
    indexed = replace(
        docs(), vectors=(Vector(name="embedding", dimension=3, metric="l2", index_type="hnsw"),)
    )
    STORE["db", "docs"] = indexed
    run(DECLARED)
    assert properties(catalog, field) == {"dimension", "metric", "index_type"}
    assert {"metric", "chunk_size"} <= properties(catalog, INDEX)
    STORE["db", "docs"] = docs()
    run({key: value for key, value in DECLARED.items() if key != "chunking"})
    assert properties(catalog, field) == {"dimension"}
    assert properties(catalog, INDEX) == {"dimension", "embedding_model"}
    # A second vector: the dataset cannot speak for one of them.
    two = (Vector(name="embedding", dimension=3), Vector(name="title", dimension=2))
    STORE["db", "docs"] = replace(docs(), vectors=two)
    run(DECLARED)
    assert "dimension" not in properties(catalog, INDEX)
    assert properties(catalog, urns.schema_field(INDEX, "title")) == {"dimension"}


def test_a_run_with_a_failure_takes_nothing_back_and_the_next_one_does(run: Run, catalog: Path) -> None:
    field = urns.schema_field(INDEX, "embedding")
    STORE["db", "docs"] = replace(docs(), vectors=(Vector(name="embedding", dimension=3, metric="l2"),))
    run()
    STORE["db", "docs"] = docs()
    STORE["db", "other"] = UnreadableError("not today")
    with pytest.raises(PipelineExecutionError):
        run()
    assert properties(catalog, field) == {"dimension", "metric"}
    STORE["db", "other"] = collection("db", "other")
    run()
    assert properties(catalog, field) == {"dimension"}


def test_a_retired_collection_keeps_its_facts(run: Run, catalog: Path) -> None:
    STORE["db", "faq"] = collection("db", "faq")
    run()
    del STORE["db", "faq"]
    run()
    faq = urns.collection(DEPLOYMENT, ("db", "faq"))
    assert aspect(catalog, faq, "status") == {"removed": True}
    assert properties(catalog, faq) == {"dimension"}


def test_a_second_run_changes_nothing(run: Run) -> None:
    STORE["db", "docs"] = docs(a=2)
    run(DECLARED)
    second = run(DECLARED)
    assert second.sink.get_report().as_obj()["changed"] == 0


def test_domains_are_added_by_pattern(run: Run, catalog: Path) -> None:
    STORE["db", "faq"] = collection("db", "faq")
    run(domain={"urn:li:domain:kb": {"allow": ["db\\.docs"]}})
    stored = aspect(catalog, INDEX, "domains")
    assert stored["domainAssociations"][0]["domain"] == "urn:li:domain:kb"
    assert aspect(catalog, urns.collection(DEPLOYMENT, ("db", "faq")), "domains") is None


def test_at_most_nine_events_for_a_bare_collection(run: Run) -> None:
    each = []
    for custom_aspects in ("off", "auto"):
        counts = []
        for number in (10, 30):
            STORE.clear()
            STORE.update({("db", f"c{i}"): collection("db", f"c{i}") for i in range(number)})
            report = run(custom_aspects=custom_aspects).source.get_report()
            counts.append(report.events_produced)
        each.append((counts[1] - counts[0]) / 20)
    # One vector each: its facts on its schemaField are the optional tenth.
    assert each[0] <= 10
    # And two of our own aspects: what the index is, and its vectors.
    assert each[1] <= 12


def test_no_payload_value_leaves(run: Run, catalog: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    values = {SECRET: 3, f"s3://lake/{SECRET}\x00": 1, f"mail to {SECRET}": 2}
    STORE["db", "docs"] = replace(
        docs(), provenance=(ProvenanceCount(field="source", values=values, rows_scanned=6),)
    )
    pipeline = run(DECLARED)
    report = pipeline.source.get_report()
    assert report.as_obj()["provenance_chunks_unmatched"] == 6
    assert SECRET not in report.as_string()
    assert SECRET not in pipeline.sink.get_report().as_string()
    assert SECRET not in caplog.text
    assert SECRET.encode() not in catalog.read_bytes()


def test_edges_carry_no_clock(run: Run, catalog: Path) -> None:
    """An edge that is stamped with the time of the run would be a new version of its aspect on every run."""
    STORE["db", "docs"] = docs(a=1)
    run(DECLARED)
    edges = aspect(catalog, JOB, "dataJobInputOutput")["inputDatasetEdges"]
    assert all("created" not in edge and "lastModified" not in edge for edge in edges)
    stamp = aspect(catalog, INDEX, "upstreamLineage")["upstreams"][0]["auditStamp"]
    assert AuditStampClass.from_obj(stamp).time == 0
    assert EdgeClass.from_obj(edges[0]).created is None


def test_datahubs_file_sink_and_source_carry_the_whole_run(run: Run, catalog: Path, tmp_path: Path) -> None:
    STORE["db", "docs"] = docs(a=2)
    out, again = tmp_path / "out.json", tmp_path / "again.db"
    run(
        DECLARED,
        sink={"type": "file", "config": {"filename": str(out)}},
        catalog=str(catalog),
        custom_aspects="on",
    )
    replay = Pipeline.create(
        {
            "source": {"type": "file", "config": {"path": str(out)}},
            "sink": {"type": "llm-local", "config": {"path": str(again)}},
        },
        no_progress=True,
    )
    replay.run()
    replay.raise_from_status()
    run(DECLARED)
    for urn in (INDEX, JOB, FLOW, MODEL):
        with LocalCatalog(catalog) as direct, LocalCatalog(again) as carried:
            there, here = carried.aspects(urn), direct.aspects(urn)
        assert there.keys() == here.keys()
        for name in here:
            assert same_but_for_audit(name, json.dumps(there[name]), json.dumps(here[name])), (urn, name)
