from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    AssertionInfoClass,
    AssertionResultClass,
    AssertionRunEventClass,
    AuditStampClass,
    CustomAssertionInfoClass,
    DataProcessInstanceRelationshipsClass,
    DataProcessInstanceRunEventClass,
    DatasetPropertiesClass,
    DatasetUsageStatisticsClass,
    IncidentInfoClass,
    IncidentStatusClass,
    MetadataChangeProposalClass,
    PartitionSpecClass,
    StatusClass,
    StructuredPropertiesClass,
    StructuredPropertyValueAssignmentClass,
    SubTypesClass,
    VolumeAssertionInfoClass,
)

from catalog.local.local_runs import WIRE, column, contents, dataset, pipeline, raw, run
from datahub_llmops.catalog.aspect_facts import LISTED_PROPERTIES, PROPERTY_PREFIX
from datahub_llmops.catalog.local import file
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.protocol import Direction, Lineage
from datahub_llmops.errors import CatalogError, UnknownAssetError

INDEX = dataset("default_database.reviews", "chroma")
CUSTOMERS, REVIEWS = dataset("shop.public.customers"), dataset("shop.public.reviews")
EMBED = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed-reviews)"
TERM, TAG = "urn:li:glossaryTerm:Personal", "urn:li:tag:raw"
STAMP = {"time": 0, "actor": "urn:li:corpuser:a"}


def recorded() -> Iterator[MetadataChangeProposalClass]:
    """The model that DataHub's client wrote to a real server, proposal by proposal."""
    for exchange in json.loads((WIRE / "emit_model.json").read_text()):
        yield MetadataChangeProposalClass.from_obj(exchange["request"]["body"]["proposal"])


@pytest.fixture
def model(tmp_path: Path) -> Iterator[LocalCatalog]:
    report = run(tmp_path / "catalog.db", *recorded())
    assert list(report.failures) == []
    with LocalCatalog(tmp_path / "catalog.db") as catalog:
        yield catalog


def degrees(found: Lineage) -> dict[str, int]:
    return {node.urn: node.hops for node in found.nodes if node.urn != found.root}


def server_degrees(name: str) -> dict[str, int]:
    body = json.loads((WIRE / name).read_text())[0]["response"]["body"]
    results = body["data"]["searchAcrossLineage"]["searchResults"]
    return {result["entity"]["urn"]: result["degree"] for result in results}


@pytest.mark.parametrize(
    ("root", "direction", "name"),
    [
        (INDEX, "up", "lineage_upstream.json"),
        (INDEX, "down", "lineage_downstream.json"),
        (column(INDEX, "customer_email"), "up", "lineage_field_upstream.json"),
    ],
)
def test_walks_are_those_of_the_server(
    root: str, direction: Direction, name: str, model: LocalCatalog
) -> None:
    found = model.lineage(root, direction)
    assert degrees(found) == server_degrees(name)
    assert found.nodes[0].urn == root
    assert [node.hops for node in found.nodes] == sorted(node.hops for node in found.nodes)


def test_nodes_carry_names_owners_and_terms_of_their_fields(model: LocalCatalog) -> None:
    nodes = {node.urn: node for node in model.lineage(INDEX, "up").nodes}
    index, job, customers = nodes[INDEX], nodes[EMBED], nodes[CUSTOMERS]
    assert (index.name, index.type, index.subtype, index.platform) == (
        "reviews",
        "dataset",
        "Vector Collection",
        "chroma",
    )
    assert (job.name, job.subtype, job.platform) == ("embed-reviews", "Embedding Job", "airflow")
    assert customers.owners == ("urn:li:corpuser:datahub",)
    assert customers.terms == (
        "urn:li:glossaryTerm:PersonalData",
    )  # on the column, in editableSchemaMetadata
    assert index.terms == ("urn:li:glossaryTerm:PersonalData",)  # on the schemaField entity


def test_columns_stand_on_the_edge_that_leaves_the_job(model: LocalCatalog) -> None:
    edges = {(edge.upstream, edge.downstream): edge for edge in model.lineage(INDEX, "up").edges}
    assert edges[CUSTOMERS, EMBED].columns == ()
    assert edges[CUSTOMERS, EMBED].found_by == ("declared",)
    pairs = [(pair.upstream, pair.downstream) for pair in edges[EMBED, INDEX].columns]
    assert (column(CUSTOMERS, "email"), column(INDEX, "customer_email")) in pairs
    assert pairs == sorted(pairs)


def test_a_column_walk_holds_its_own_pairs_only(model: LocalCatalog) -> None:
    root = column(INDEX, "customer_email")
    found = model.lineage(root, "up")
    ends = {(edge.upstream, edge.downstream): edge.columns for edge in found.edges}
    assert set(ends) == {(CUSTOMERS, EMBED), (EMBED, root)}
    assert [(pair.upstream, pair.downstream) for pair in ends[EMBED, root]] == [
        (column(CUSTOMERS, "email"), root)
    ]
    back = model.lineage(column(CUSTOMERS, "email"), "down")
    assert degrees(back) == {EMBED: 1, INDEX: 1}
    assert [(edge.upstream, edge.downstream) for edge in back.edges] == [
        (EMBED, INDEX),
        (column(CUSTOMERS, "email"), EMBED),
    ]


def test_an_unknown_asset_is_an_error(model: LocalCatalog) -> None:
    for urn in (dataset("nope"), column(INDEX, "nope"), "docs"):
        with pytest.raises(UnknownAssetError, match="does not know"):
            model.lineage(urn, "up")


def test_a_column_without_lineage_is_a_walk_of_one(model: LocalCatalog) -> None:
    found = model.lineage(column(CUSTOMERS, "email"), "up")
    assert [node.name for node in found.nodes] == ["email"]
    assert found.edges == ()


def upstream(urn: str, *above: str, properties: dict[str, str] | None = None) -> MetadataChangeProposalClass:
    entries = [
        {"dataset": up, "type": "COPY", "auditStamp": STAMP, "properties": properties or {}} for up in above
    ]
    return raw(urn, "upstreamLineage", {"upstreams": entries})


def status(*urns: str, removed: bool = False) -> list[MetadataChangeProposalClass]:
    return [raw(urn, "status", {"removed": removed}) for urn in urns]


A, B, C, D = (dataset(name) for name in "abcd")


def walked(
    path: Path, root: str, direction: Direction = "up", hops: int = 5
) -> tuple[dict[str, int], set[tuple[str, str]]]:
    with LocalCatalog(path) as catalog:
        found = catalog.lineage(root, direction, hops)
    return {node.urn: node.hops for node in found.nodes}, {
        (edge.upstream, edge.downstream) for edge in found.edges
    }


def test_hops_limit_the_walk(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, *status(A, B, C, D), upstream(A, B), upstream(B, C), upstream(C, D))
    assert walked(path, A, hops=2) == ({A: 0, B: 1, C: 2}, {(B, A), (C, B)})
    assert walked(path, D, "down", hops=1) == ({D: 0, C: 1}, {(D, C)})
    assert walked(path, A, hops=0) == ({A: 0}, set())


def test_the_nearest_way_counts_and_cycles_end(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, *status(A, B, C), upstream(A, B, C), upstream(B, C), upstream(C, A, C))
    nodes, edges = walked(path, A)
    assert nodes == {A: 0, B: 1, C: 1}
    assert edges == {(B, A), (C, A), (C, B), (A, C), (C, C)}


def test_an_asset_never_emitted_is_no_node_and_no_end_of_an_edge(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, *status(A, C), upstream(A, B, D, C))
    assert walked(path, A) == ({A: 0, C: 1}, {(C, A)})
    run(path, *status(D), raw(D, "datasetKey", None, "DELETE"))
    assert walked(path, A) == ({A: 0, C: 1}, {(C, A)})


def test_hop_numbers_jump_over_what_was_never_emitted(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    job = "urn:li:dataJob:(urn:li:dataFlow:(airflow,f,PROD),j)"
    io = {"inputDatasetEdges": [{"destinationUrn": B}], "inputDatasets": [], "outputDatasets": []}
    run(
        path,
        *status(A, C),
        upstream(A, D),
        raw(job, "dataJobInputOutput", {**io, "outputDatasetEdges": [{"destinationUrn": D}]}),
    )
    run(
        path,
        *status(C),
        raw(
            job,
            "dataJobInputOutput",
            {
                **io,
                "inputDatasetEdges": [{"destinationUrn": C}],
                "outputDatasetEdges": [{"destinationUrn": D}],
            },
        ),
    )
    nodes, edges = walked(path, A)
    assert nodes == {A: 0, job: 2, C: 3}
    assert edges == {(D, A), (job, D), (C, job)}
    assert walked(path, D)[0] == {D: 0, job: 1, C: 2}  # even as a root


def test_soft_deleted_assets_leave_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, *status(A, B, C), upstream(A, B), upstream(B, C))
    assert run(path, *status(B, removed=True)).removed == 1
    assert walked(path, A) == ({A: 0}, set())
    with LocalCatalog(path) as catalog:
        assert [node.urn for node in catalog.nodes([A, B, C])] == [A, C]
        assert catalog.schemas(B) == {}
        assert B not in catalog.candidates("b")
        with pytest.raises(UnknownAssetError, match="removed"):
            catalog.lineage(B, "up")
        assert catalog.aspects(B)["status"] == {"removed": True}
    run(path, *status(B))
    assert walked(path, A)[0] == {A: 0, B: 1, C: 2}


def test_a_column_walk_does_not_enter_what_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"

    def fed(urn: str, above: str) -> MetadataChangeProposalClass:
        entry = {"upstreamType": "FIELD_SET", "upstreams": [column(above, "x")], "downstreamType": "FIELD"}
        entries = [{**entry, "downstreams": [column(urn, "x")]}]
        return raw(urn, "upstreamLineage", {"upstreams": [], "fineGrainedLineages": entries})

    run(path, *status(A, B, C), fed(A, B), fed(B, C))
    assert walked(path, column(A, "x"))[0] == {column(A, "x"): 0, B: 1, C: 2}
    run(path, *status(B, removed=True))
    assert walked(path, column(A, "x"))[0] == {column(A, "x"): 0}


def schema(*fields: str | dict[str, Any]) -> dict[str, Any]:
    entries = [field if isinstance(field, dict) else {"fieldPath": field} for field in fields]
    plain = {"nativeDataType": "text", "type": {"type": {"com.linkedin.schema.StringType": {}}}}
    return {
        "schemaName": "s",
        "platform": "urn:li:dataPlatform:postgres",
        "version": 0,
        "hash": "",
        "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
        "fields": [{**plain, **entry} for entry in entries],
    }


def terms(*urns: str) -> dict[str, Any]:
    return {"terms": [{"urn": urn} for urn in urns], "auditStamp": STAMP}


def tags(*urns: str) -> dict[str, Any]:
    return {"tags": [{"tag": urn} for urn in urns]}


def test_labels_come_from_all_four_places_and_go_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    edited = {"created": STAMP, "lastModified": STAMP}

    def seen(urn: str = A) -> tuple[Sequence[str], Sequence[str]]:
        with LocalCatalog(path) as catalog:
            (node,) = catalog.nodes([urn])
            return node.terms, node.tags

    run(
        path,
        raw(
            A,
            "schemaMetadata",
            schema({"fieldPath": "x", "glossaryTerms": terms("urn:li:glossaryTerm:1")}, "y"),
        ),
        raw(
            A,
            "editableSchemaMetadata",
            {**edited, "editableSchemaFieldInfo": [{"fieldPath": "y", "globalTags": tags(TAG)}]},
        ),
        raw(column(A, "y"), "glossaryTerms", terms("urn:li:glossaryTerm:2")),
        raw(A, "glossaryTerms", terms("urn:li:glossaryTerm:3")),
    )
    assert seen() == (("urn:li:glossaryTerm:1", "urn:li:glossaryTerm:2", "urn:li:glossaryTerm:3"), (TAG,))
    assert seen(column(A, "y")) == (("urn:li:glossaryTerm:2",), (TAG,))
    with LocalCatalog(path) as catalog:
        assert list(catalog.labelled()) == sorted([A, column(A, "x"), column(A, "y")])
    run(path, raw(A, "schemaMetadata", schema("x", "y")), raw(A, "glossaryTerms", terms()))
    assert seen() == (("urn:li:glossaryTerm:2",), (TAG,))
    run(path, *status(column(A, "y"), removed=True))
    assert seen() == ((), (TAG,))
    run(path, *status(column(A, "y")))
    run(path, raw(A, "editableSchemaMetadata", {**edited, "editableSchemaFieldInfo": []}))
    assert seen() == (("urn:li:glossaryTerm:2",), ())
    run(path, raw(column(A, "y"), "glossaryTerms", terms()))
    assert seen() == ((), ())
    with LocalCatalog(path) as catalog:
        assert list(catalog.labelled()) == []


def test_labelled_names_live_assets_only(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    job, chart = "urn:li:dataJob:(urn:li:dataFlow:(airflow,f,PROD),j)", "urn:li:chart:(looker,1)"
    ghost = column(dataset("never.emitted"), "x")
    run(
        path,
        *(
            raw(urn, "globalTags", tags(TAG))
            for urn in (A, B, job, chart, ghost, column(B, "x"), column(C, "x"))
        ),
        *status(B, removed=True),
        *status(C),
    )
    with LocalCatalog(path) as catalog:
        assert list(catalog.labelled()) == sorted([A, C, job, chart, column(C, "x")])


def test_a_field_path_of_the_v2_form_meets_its_simple_one(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    v2 = "[version=2.0].[type=struct].[type=struct].address.[type=string].city"
    run(path, raw(A, "schemaMetadata", schema({"fieldPath": v2, "globalTags": tags(TAG)})))
    with LocalCatalog(path) as catalog:
        assert catalog.schemas(A) == {A: {"address.city": "text"}}
        (node,) = catalog.nodes([column(A, "address.city")])
        assert (node.name, node.tags) == ("address.city", (TAG,))


def test_columns_are_nodes_where_their_dataset_has_them(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, raw(A, "schemaMetadata", schema("x", "o,d(d)")), *status(B))
    odd = column(A, "o%2Cd%28d%29")
    with LocalCatalog(path) as catalog:
        asked = [column(A, "x"), column(A, "z"), odd, column(B, "x"), column(C, "x"), A]
        assert [node.name for node in catalog.nodes(asked)] == ["x", "o,d(d)", "a"]
    run(path, *status(A, removed=True))
    with LocalCatalog(path) as catalog:
        assert catalog.nodes([column(A, "x")]) == []


def test_schemas_are_found_whatever_their_case(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    lower, upper, bare = dataset("main.entries"), dataset("main.Entries"), dataset("main.ENTRIES")
    run(
        path,
        raw(lower, "schemaMetadata", schema("a")),
        raw(upper, "schemaMetadata", schema("B")),
        *status(bare),
    )
    with LocalCatalog(path) as catalog:
        assert catalog.schemas(dataset("MAIN.entrieS")) == {
            lower: {"a": "text"},
            upper: {"B": "text"},
            bare: None,
        }
        assert catalog.schemas(dataset("main.other")) == {}
        assert catalog.describes("postgres")
        assert not catalog.describes("mysql")
    # A dataset without a schema, or one that is gone, describes nothing.
    run(path, *(raw(urn, "status", {"removed": True}) for urn in (lower, upper)))
    with LocalCatalog(path) as catalog:
        assert not catalog.describes("postgres")


def named(urn: str, name: str, description: str = "") -> MetadataChangeProposalClass:
    return raw(urn, "datasetProperties", {"name": name, "description": description, "customProperties": {}})


def test_search_wants_every_word_and_puts_names_first(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    by_name, by_urn, by_text = dataset("x.1"), dataset("customer orders.2"), dataset("x.3")
    run(
        path,
        named(by_name, "Customer Orders"),
        named(by_urn, "Other"),
        named(by_text, "Third", "all ORDERS of a Customer, größer"),
        raw("urn:li:query:1", "status", {"removed": False}),
        raw(column(by_name, "customer"), "globalTags", tags("urn:li:tag:orders")),
    )
    with LocalCatalog(path) as catalog:
        assert [node.urn for node in catalog.search("orders customer")] == [by_name, by_urn, by_text]
        assert [node.urn for node in catalog.search("orders customer", limit=1)] == [by_name]
        assert [node.urn for node in catalog.search("GRÖSSER orders")] == [by_text]
        assert catalog.search("orders nothing") == []
        assert catalog.search("  ") == []
        assert catalog.search("100%_") == []
        assert catalog.search("cust ord")[0].urn == by_name
    run(path, raw(by_name, "datasetProperties", {"name": "invoiceLines", "customProperties": {}}))
    with LocalCatalog(path) as catalog:
        assert [node.urn for node in catalog.search("lines")] == [by_name]
        assert by_name not in [node.urn for node in catalog.search("customer")]


def test_an_edited_name_is_the_name(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, raw(A, "editableDatasetProperties", {"name": "Edited"}), named(A, "plain"))
    with LocalCatalog(path) as catalog:
        assert catalog.nodes([A])[0].name == "Edited"
        assert catalog.candidates("edited") == [A]
    run(path, raw(A, "editableDatasetProperties", {}))
    with LocalCatalog(path) as catalog:
        assert catalog.nodes([A])[0].name == "plain"
        assert catalog.candidates("plain") == [A]
        assert catalog.candidates("edited") == []


def test_candidates_of_short_names(model: LocalCatalog) -> None:
    assert model.candidates("reviews") == [INDEX, REVIEWS]
    assert model.candidates("chroma:reviews") == [INDEX]
    assert model.candidates("chroma:default_database.reviews") == [INDEX]
    assert model.candidates("Default_Database.REVIEWS") == [INDEX]
    assert model.candidates(INDEX) == [INDEX]
    assert EMBED in model.candidates("embed-reviews")
    assert model.candidates("eviews") == []
    assert model.candidates("") == []
    assert model.candidates(dataset("nope")) == []


def test_the_records_of_one_time_series(tmp_path: Path) -> None:
    records = [
        MetadataChangeProposalWrapper(
            entityUrn=INDEX,
            aspect=DatasetUsageStatisticsClass(
                timestampMillis=at,
                partitionSpec=PartitionSpecClass(type="PARTITION", partition=f"host={host}"),
                totalSqlQueries=at,
            ),
        )
        for at, host in ((3, "a"), (1, "a"), (2, "b"), (2, "a"))
    ]
    assert list(run(tmp_path / "catalog.db", *records).failures) == []
    with LocalCatalog(tmp_path / "catalog.db") as catalog:
        found = catalog.series(INDEX, "datasetUsageStatistics", 2)
        assert [(one["timestampMillis"], one["partitionSpec"]["partition"]) for one in found] == [
            (2, "host=a"),
            (2, "host=b"),
            (3, "host=a"),
        ]
        assert catalog.series(INDEX, "llmUsage", 0) == []
        assert catalog.series("urn:li:dataset:(urn:li:dataPlatform:x,y,PROD)", "llmUsage", 0) == []


def test_whole_time_series_of_many_assets(tmp_path: Path) -> None:
    records = [
        MetadataChangeProposalWrapper(
            entityUrn=urn, aspect=DatasetUsageStatisticsClass(timestampMillis=at, totalSqlQueries=at)
        )
        for urn, at in ((INDEX, 3), (CUSTOMERS, 1), (INDEX, 2))
    ]
    assert list(run(tmp_path / "catalog.db", *records).failures) == []
    with LocalCatalog(tmp_path / "catalog.db") as catalog:
        found = catalog.series_of([INDEX, CUSTOMERS, dataset("nope")], ["datasetUsageStatistics", "llmUsage"])
        assert found == {
            urn: {"datasetUsageStatistics": catalog.series(urn, "datasetUsageStatistics", 0)}
            for urn in (INDEX, CUSTOMERS)
        }
        assert [one["timestampMillis"] for one in found[INDEX]["datasetUsageStatistics"]] == [2, 3]
        assert catalog.series_of([INDEX], ["llmUsage"]) == {}


def test_a_list_of_many_reads_only_aspects_that_assign_what_it_shows(tmp_path: Path) -> None:
    def prompt(name: str, shown: str | None, **values: str) -> list[MetadataChangeProposalWrapper]:
        assigned = [
            StructuredPropertyValueAssignmentClass(propertyUrn=f"{PROPERTY_PREFIX}{key}", values=[value])
            for key, value in values.items()
        ]
        return MetadataChangeProposalWrapper.construct_many(
            f"urn:li:dataset:(urn:li:dataPlatform:mlflow,{name},PROD)",
            [
                SubTypesClass(typeNames=["Prompt"]),
                DatasetPropertiesClass(name=shown),
                StructuredPropertiesClass(properties=assigned),
                StatusClass(removed=name == "gone"),
            ],
        )

    path = tmp_path / "catalog.db"
    assigned = [
        *prompt("a.v2", "a", prompt_labels="production", template_digest="t1:2"),
        *prompt("a.v1", "a", template_digest="t1:1"),
        *prompt("b.v1", None, last_scores="faithfulness 0.9"),
        *prompt("gone", "a", prompt_labels="old"),
    ]
    assert list(run(path, *assigned).failures) == []
    with LocalCatalog(path) as catalog:
        found = {(one.platform, one.name): one for one in catalog.groups("Prompt", LISTED_PROPERTIES)}
    a, b = (f"urn:li:dataset:(urn:li:dataPlatform:mlflow,{name}.v1,PROD)" for name in "ab")
    newer = a.replace("v1", "v2")
    assert found.keys() == {("mlflow", "a"), ("mlflow", "b.v1")}
    assert found["mlflow", "a"][2:] == ([a, newer], {newer: {"prompt_labels": ("production",)}})
    assert found["mlflow", "b.v1"][2:] == ([b], {b: {"last_scores": ("faithfulness 0.9",)}})
    with closing(sqlite3.connect(path)) as connection:
        query = f"select asset from aspect where {file.assigns(LISTED_PROPERTIES)}"
        (plan,) = connection.execute(f"explain query plan {query}").fetchall()
        assert "aspect_listed" in plan[-1]
        connection.execute("drop index aspect_listed")
        connection.commit()
    with LocalCatalog(path) as catalog:
        # A file that an earlier release made has no such index.
        assert {(one.platform, one.name): one for one in catalog.groups("Prompt", LISTED_PROPERTIES)} == found


def test_latest_of_each_time_series(model: LocalCatalog) -> None:
    assert model.latest(INDEX)["datasetProfile"]["rowCount"] == 12345
    assert set(model.latest(INDEX)) == {"datasetProfile", "operation"}
    assert model.latest(CUSTOMERS) == {}


def test_aspects_by_name(model: LocalCatalog) -> None:
    assert set(model.aspects(INDEX, ["status", "nope"])) == {"status"}
    assert "schemaMetadata" in model.aspects(INDEX)
    assert model.aspects(dataset("nope")) == {}


def test_assets_by_their_subtypes(model: LocalCatalog) -> None:
    tables = list(model.of_subtypes(["Table"]))
    assert tables
    assert tables == sorted(tables)
    for urn in tables:
        assert model.aspects(urn, ["subTypes"])["subTypes"]["typeNames"][0] == "Table"
    assert list(model.of_subtypes(["Nothing"])) == []


def test_everything_can_be_replayed_by_datahubs_file_source(model: LocalCatalog, tmp_path: Path) -> None:
    records = list(model.records())
    kinds = [record.urn.split(":")[2] for record in records]
    assert kinds[0] in ("dataPlatform", "structuredProperty")
    assert kinds[-1] == "versionSet"
    exported = [
        {
            "entityType": kind,
            "entityUrn": record.urn,
            "changeType": "UPSERT",
            "aspectName": record.name,
            "aspect": {"json": record.aspect},
        }
        for kind, record in zip(kinds, records, strict=True)
    ]
    (tmp_path / "export.json").write_text(json.dumps(exported))
    copy = tmp_path / "copy.db"
    done = pipeline(copy, {"type": "file", "config": {"path": str(tmp_path / "export.json")}})
    done.raise_from_status()
    assert contents(copy) == contents(model.path)
    assert done.sink.get_report().total_records_written == len(records)


def test_records_are_of_one_moment_while_a_run_ends(model: LocalCatalog) -> None:
    before = len(list(model.records()))
    stream = model.records()
    next(stream)
    run(model.path, *status(A, B, C))
    assert 1 + len(list(stream)) == before
    assert len(list(model.records())) == before + 3


def test_readers_do_not_wait_for_a_writer(model: LocalCatalog) -> None:
    writer = file.open_writer(model.path)
    try:
        writer.execute("delete from aspect")
        assert model.aspects(INDEX)
        with LocalCatalog(model.path) as second:
            assert second.lineage(INDEX, "up").edges
    finally:
        writer.execute("rollback")
        file.close(writer)


def test_a_closed_catalog_says_so(model: LocalCatalog) -> None:
    model.close()
    model.close()
    with pytest.raises(CatalogError, match="closed"):
        model.search("reviews")


def _incident(urn: str, *about: str, state: str = "ACTIVE") -> MetadataChangeProposalWrapper:
    now = AuditStampClass(time=1_700_000_000_000, actor="urn:li:corpuser:ada")
    info = IncidentInfoClass(
        type="CUSTOM",
        entities=list(about),
        status=IncidentStatusClass(state=state, lastUpdated=now),
        created=now,
    )
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=info)


def _assertion(urn: str, **about: Any) -> MetadataChangeProposalWrapper:
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=AssertionInfoClass(**about))


def _quality_records() -> list[MetadataChangeProposalWrapper]:
    ran = AssertionRunEventClass(
        timestampMillis=1_700_000_000_000,
        runId="1",
        asserteeUrn=REVIEWS,
        assertionUrn="urn:li:assertion:rows",
        status="COMPLETE",
        result=AssertionResultClass(type="FAILURE"),
    )
    return [
        _incident("urn:li:incident:late", REVIEWS, INDEX),
        _assertion(
            "urn:li:assertion:rows",
            type="VOLUME",
            volumeAssertion=VolumeAssertionInfoClass(type="ROW_COUNT_TOTAL", entity=REVIEWS),
        ),
        MetadataChangeProposalWrapper(entityUrn="urn:li:assertion:rows", aspect=ran),
        _assertion(
            "urn:li:assertion:custom",
            type="CUSTOM",
            customAssertion=CustomAssertionInfoClass(type="Fresh", entity=INDEX),
        ),
    ]


def test_assertions_and_incidents_are_found_by_what_they_are_about(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, *_quality_records())
    with LocalCatalog(path) as catalog:
        found = catalog.quality([REVIEWS, INDEX, CUSTOMERS])
        assert {urn: sorted(about) for urn, about in found.items()} == {
            REVIEWS: ["urn:li:assertion:rows", "urn:li:incident:late"],
            INDEX: ["urn:li:assertion:custom", "urn:li:incident:late"],
        }
        assert found[REVIEWS]["urn:li:assertion:rows"]["assertionRunEvent"]["result"]["type"] == "FAILURE"
        assert found[REVIEWS]["urn:li:incident:late"]["incidentInfo"]["status"]["state"] == "ACTIVE"


def test_an_incident_that_moves_on_or_is_removed_is_no_longer_found(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, *_quality_records())
    run(
        path,
        _incident("urn:li:incident:late", INDEX),
        MetadataChangeProposalWrapper(entityUrn="urn:li:assertion:rows", aspect=StatusClass(removed=True)),
    )
    with LocalCatalog(path) as catalog:
        assert list(catalog.quality([REVIEWS, INDEX])) == [INDEX]


def test_a_file_of_an_earlier_release_has_its_assertions_and_incidents_too(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, *_quality_records())
    with LocalCatalog(path) as catalog:
        expected = catalog.quality([REVIEWS, INDEX])
    with closing(sqlite3.connect(path)) as database:
        database.execute("drop table subject")
        database.commit()
    with LocalCatalog(path) as catalog:
        assert catalog.quality([REVIEWS, INDEX]) == expected
    run(path, _incident("urn:li:incident:other", CUSTOMERS))
    with LocalCatalog(path) as catalog:
        assert catalog.quality([REVIEWS, INDEX]) == expected
        assert list(catalog.quality([CUSTOMERS])) == [CUSTOMERS]


def _run_records(run_: str, job: str, *times: int) -> list[MetadataChangeProposalWrapper]:
    urn = f"urn:li:dataProcessInstance:{run_}"
    related = DataProcessInstanceRelationshipsClass(parentTemplate=job, upstreamInstances=[])
    return [
        MetadataChangeProposalWrapper(entityUrn=urn, aspect=related),
        *(
            MetadataChangeProposalWrapper(
                entityUrn=urn, aspect=DataProcessInstanceRunEventClass(timestampMillis=at, status="COMPLETE")
            )
            for at in times
        ),
    ]


def test_runs_are_found_by_their_job_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    one, other = (f"urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),{name})" for name in ("one", "other"))
    gone = MetadataChangeProposalWrapper(
        entityUrn="urn:li:dataProcessInstance:gone", aspect=StatusClass(removed=True)
    )
    run(
        path,
        *_run_records("first", one, 10, 20),
        *_run_records("second", one, 15, 30),
        *_run_records("not-begun", one),
        *_run_records("gone", one, 40),
        gone,
        *_run_records("elsewhere", other, 50),
        *_quality_records(),
    )
    first, second = "urn:li:dataProcessInstance:first", "urn:li:dataProcessInstance:second"
    with LocalCatalog(path) as catalog:
        found = catalog.runs([one, REVIEWS])
        assert {job: list(runs) for job, runs in found.items()} == {one: [second, first]}
        assert found[one][second]["dataProcessInstanceRunEvent"]["timestampMillis"] == 30
        assert list(catalog.runs([one], most=1)[one]) == [second]
        assert catalog.quality([one, other]) == {}
    with closing(sqlite3.connect(path)) as database:
        database.execute("drop table subject")
        database.commit()
    with LocalCatalog(path) as catalog:
        assert catalog.runs([one, REVIEWS]) == found
    run(path, *_run_records("third", one, 60))
    with LocalCatalog(path) as catalog:
        assert list(catalog.runs([one])[one]) == ["urn:li:dataProcessInstance:third", second, first]
