from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp_patch_builder import MetadataPatchProposal
from datahub.metadata.schema_classes import (
    AuditStampClass,
    ChartTypeClass,
    DocumentationAssociationClass,
    DomainAssociationClass,
    EdgeClass,
    FineGrainedLineageClass,
    FormPromptClass,
    FormPromptTypeClass,
    InstitutionalMemoryMetadataClass,
    MetadataAttributionClass,
    PropertyValueClass,
    TagAssociationClass,
    TimeStampClass,
)
from datahub.specific.api import ApiPatchBuilder
from datahub.specific.aspect_helpers.institutional_memory import HasInstitutionalMemoryPatch
from datahub.specific.chart import ChartPatchBuilder
from datahub.specific.dashboard import DashboardPatchBuilder
from datahub.specific.datajob import DataJobPatchBuilder
from datahub.specific.dataproduct import DataProductPatchBuilder
from datahub.specific.dataset import DatasetPatchBuilder
from datahub.specific.form import FormPatchBuilder
from datahub.specific.status import StatusPatchBuilder
from datahub.specific.structured_property import StructuredPropertyPatchBuilder

from catalog.local.local_runs import WIRE, new_sink, raw, run, write
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.json_patch import PatchError
from datahub_llmops.catalog.local.patches import apply_patch, parse_patch

SEQUENCES: list[dict[str, Any]] = json.loads((WIRE / "patches.json").read_text())
TABLE = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.orders,PROD)"
OTHER = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.users,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed)"
CHART = "urn:li:chart:(looker,1)"
DASHBOARD = "urn:li:dashboard:(looker,1)"


def without_times(value: object) -> object:
    """What the server says, but for when it said so and what it computes on its own."""
    if isinstance(value, dict):
        return {
            key: without_times(below) for key, below in value.items() if key not in ("time", "ownerTypes")
        }
    if isinstance(value, list):
        return [without_times(entry) for entry in value]
    return value


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: str(sequence["name"]))
def test_the_sink_stores_what_a_server_stored(sequence: dict[str, Any], tmp_path: Path) -> None:
    path, urn = tmp_path / "catalog.db", sequence["urn"]
    for step in sequence["steps"]:
        report = run(path, raw(urn, step["aspectName"], step["value"], step["changeType"]))
        assert (report.refused == 0) == step["accepted"]
        assert len(report.failures) == report.refused
        with LocalCatalog(path) as catalog:
            stored = catalog.aspects(urn)[sequence["aspect"]]
        assert without_times(stored) == without_times(step["stored"])


def test_the_recorded_sequences_are_all_there() -> None:
    assert len(SEQUENCES) == 29
    assert sum(not step["accepted"] for sequence in SEQUENCES for step in sequence["steps"]) == 4


def stored(tmp_path: Path, urn: str, aspect: str, *builders: MetadataPatchProposal) -> Any:
    path = tmp_path / "catalog.db"
    for builder in builders:
        report = run(path, *builder.build())
        assert list(report.failures) == []
    with LocalCatalog(path) as catalog:
        return catalog.aspects(urn)[aspect]


def attribution(source: str) -> MetadataAttributionClass:
    return MetadataAttributionClass(time=1, actor="urn:li:corpuser:datahub", source=source)


def lineage(*columns: str) -> FineGrainedLineageClass:
    return FineGrainedLineageClass(
        upstreamType="FIELD_SET",
        downstreamType="FIELD",
        upstreams=[f"urn:li:schemaField:({OTHER},{column})" for column in columns],
        downstreams=[f"urn:li:schemaField:({TABLE},name)"],
    )


def test_field_patches_of_a_dataset(tmp_path: Path) -> None:
    added = DatasetPatchBuilder(TABLE)
    added.for_field("a/b").add_tag(TagAssociationClass(tag="urn:li:tag:one")).add_tag(
        TagAssociationClass(tag="urn:li:tag:two")
    )
    added.for_field("c").add_tag(TagAssociationClass(tag="urn:li:tag:one"))
    removed = DatasetPatchBuilder(TABLE)
    removed.for_field("a/b").remove_tag("urn:li:tag:one")
    fields = stored(tmp_path, TABLE, "editableSchemaMetadata", added, removed)["editableSchemaFieldInfo"]
    assert [
        (field["fieldPath"], [tag["tag"] for tag in field["globalTags"]["tags"]]) for field in fields
    ] == [
        ("a/b", ["urn:li:tag:two"]),
        ("c", ["urn:li:tag:one"]),
    ]


def test_set_replaces_whole_arrays(tmp_path: Path) -> None:
    first = DataJobPatchBuilder(JOB).add_input_dataset(OTHER).add_output_dataset(TABLE)
    second = DataJobPatchBuilder(JOB).set_input_datasets([EdgeClass(destinationUrn=TABLE)])
    aspect = stored(tmp_path, JOB, "dataJobInputOutput", first, second)
    assert [edge["destinationUrn"] for edge in aspect["inputDatasetEdges"]] == [TABLE]
    assert [edge["destinationUrn"] for edge in aspect["outputDatasetEdges"]] == [TABLE]


def test_fields_of_a_job_are_named_by_their_key(tmp_path: Path) -> None:
    field = f"urn:li:schemaField:({OTHER},a)"
    added = DataJobPatchBuilder(JOB).add_input_dataset_field(field).add_output_dataset_field(field)
    aspect = stored(tmp_path, JOB, "dataJobInputOutput", added)
    assert aspect["inputDatasetFields"] == aspect["outputDatasetFields"] == [field]
    removed = DataJobPatchBuilder(JOB).remove_input_dataset_field(field)
    assert stored(tmp_path, JOB, "dataJobInputOutput", removed)["inputDatasetFields"] == []


def test_fine_grained_lineages_keep_query_and_lowest_confidence(tmp_path: Path) -> None:
    sure, unsure = lineage("a"), lineage("b")
    sure.confidenceScore, unsure.confidenceScore = 0.9, 0.4
    asked = lineage("c")
    asked.query = "urn:li:query:1"
    builder = DatasetPatchBuilder(TABLE)
    for entry in (sure, unsure, asked):
        builder.add_fine_grained_lineage(entry)
    entries = stored(tmp_path, TABLE, "upstreamLineage", builder)["fineGrainedLineages"]
    assert [(len(entry["upstreams"]), entry["confidenceScore"], entry.get("query")) for entry in entries] == [
        (2, 0.4, None),
        (1, 1.0, "urn:li:query:1"),
    ]


def test_structured_property_definition(tmp_path: Path) -> None:
    urn = "urn:li:structuredProperty:a.b"
    builder = StructuredPropertyPatchBuilder(urn)
    builder.set_qualified_name("a.b").set_value_type("urn:li:dataType:datahub.string").set_cardinality(
        "SINGLE"
    )
    builder.add_entity_type("urn:li:entityType:datahub.dataset").add_entity_type(
        "urn:li:entityType:datahub.dataJob"
    )
    builder.add_allowed_value(PropertyValueClass(value="one")).add_allowed_value(
        PropertyValueClass(value="two")
    )
    again = StructuredPropertyPatchBuilder(urn).add_allowed_value(
        PropertyValueClass(value="one", description="1")
    )
    aspect = stored(tmp_path, urn, "propertyDefinition", builder, again)
    assert [(allowed["value"], allowed.get("description")) for allowed in aspect["allowedValues"]] == [
        ({"string": "one"}, "1"),
        ({"string": "two"}, None),
    ]
    assert len(aspect["entityTypes"]) == 2


def form_of(builder: FormPatchBuilder) -> FormPatchBuilder:
    prompt = FormPromptClass(id="1", title="t", type=FormPromptTypeClass.STRUCTURED_PROPERTY)
    return (
        builder.set_name("f").set_type("COMPLETION").add_prompt(prompt).add_assigned_user("urn:li:corpuser:a")
    )


STAMP = AuditStampClass(time=1, actor="urn:li:corpuser:a")
BUILDERS: dict[str, tuple[str, str, Callable[[], MetadataPatchProposal], Callable[[Any], object], object]] = {
    "api": (
        "urn:li:api:1",
        "apiSignature",
        lambda: ApiPatchBuilder("urn:li:api:1").add_input_dataset(TABLE),
        lambda aspect: aspect["inputDatasetEdges"][0]["destinationUrn"],
        TABLE,
    ),
    "chart edges": (
        CHART,
        "chartInfo",
        lambda: ChartPatchBuilder(CHART).add_input_edge(TABLE).set_title("t").set_type(ChartTypeClass.BAR),
        lambda aspect: (aspect["inputEdges"][0]["destinationUrn"], aspect["title"], aspect["type"]),
        (TABLE, "t", "BAR"),
    ),
    "chart inputs": (
        CHART,
        "chartInfo",
        lambda: ChartPatchBuilder(CHART).add_inputs([TABLE]).set_title("t"),
        lambda aspect: aspect["inputs"],
        [{"string": TABLE}],
    ),
    "dashboard": (
        DASHBOARD,
        "dashboardInfo",
        lambda: (
            DashboardPatchBuilder(DASHBOARD)
            .add_dataset_edge(TABLE)
            .add_chart_edge(CHART)
            .add_charts([CHART])
            .add_datasets([TABLE])
            .set_title("t")
        ),
        lambda aspect: (
            aspect["datasetEdges"][0]["destinationUrn"],
            aspect["chartEdges"][0]["destinationUrn"],
            aspect["charts"],
            aspect["datasets"],
        ),
        (TABLE, CHART, [CHART], [TABLE]),
    ),
    "data product": (
        "urn:li:dataProduct:p",
        "dataProductProperties",
        lambda: DataProductPatchBuilder("urn:li:dataProduct:p").add_asset(TABLE).set_name("p"),
        lambda aspect: (aspect["assets"][0]["destinationUrn"], aspect["name"]),
        (TABLE, "p"),
    ),
    "form": (
        "urn:li:form:f",
        "formInfo",
        lambda: form_of(FormPatchBuilder("urn:li:form:f")),
        lambda aspect: (aspect["prompts"][0]["id"], aspect["actors"]["users"]),
        ("1", ["urn:li:corpuser:a"]),
    ),
    "status": (
        TABLE,
        "status",
        lambda: StatusPatchBuilder(TABLE).set_removed(True),
        lambda aspect: aspect["removed"],
        True,
    ),
    "documentation": (
        TABLE,
        "documentation",
        lambda: DatasetPatchBuilder(TABLE).add_documentation(
            DocumentationAssociationClass(documentation="text")
        ),
        lambda aspect: aspect["documentations"],
        [{"documentation": "text"}],
    ),
    "domain": (
        TABLE,
        "domains",
        lambda: DatasetPatchBuilder(TABLE).add_domain(
            DomainAssociationClass(
                domain="urn:li:domain:d", attribution=attribution("urn:li:dataHubAction:one")
            )
        ),
        lambda aspect: aspect["domainAssociations"][0]["domain"],
        "urn:li:domain:d",
    ),
    "link": (
        TABLE,
        "institutionalMemory",
        lambda: HasInstitutionalMemoryPatch(TABLE).add_institutional_memory(
            InstitutionalMemoryMetadataClass(
                url="https://example.org/a/b", description="d", createStamp=STAMP
            )
        ),
        lambda aspect: aspect["elements"][0]["url"],
        "https://example.org/a/b",
    ),
    "siblings": (
        TABLE,
        "siblings",
        lambda: DatasetPatchBuilder(TABLE).add_sibling(OTHER, primary=True),
        lambda aspect: (aspect["siblings"], aspect["primary"]),
        ([OTHER], True),
    ),
    "dataset properties": (
        TABLE,
        "datasetProperties",
        lambda: (
            DatasetPatchBuilder(TABLE)
            .set_description("d")
            .set_display_name("n")
            .set_last_modified(TimeStampClass(time=5))
            .add_custom_property("k", "v")
        ),
        lambda aspect: (
            aspect["description"],
            aspect["name"],
            aspect["lastModified"]["time"],
            aspect["customProperties"],
        ),
        ("d", "n", 5, {"k": "v"}),
    ),
    "editable description": (
        TABLE,
        "editableDatasetProperties",
        lambda: DatasetPatchBuilder(TABLE).set_description("d", editable=True),
        lambda aspect: aspect["description"],
        "d",
    ),
}


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_builder_of_datahub_can_be_stored_and_again_changes_nothing(kind: str, tmp_path: Path) -> None:
    urn, name, build, part, expected = BUILDERS[kind]
    assert part(stored(tmp_path, urn, name, build())) == expected
    report = run(tmp_path / "catalog.db", *build().build())
    assert (report.changed, report.refused) == (0, 0)
    with LocalCatalog(tmp_path / "catalog.db") as catalog:
        assert part(catalog.aspects(urn)[name]) == expected


def test_what_the_schema_does_not_hold_is_refused_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    report = run(
        path,
        raw(TABLE, "datasetProperties", [{"op": "add", "path": "/description", "value": "kept"}], "PATCH"),
        raw(TABLE, "datasetProperties", [{"op": "add", "path": "/description", "value": 5}], "PATCH"),
        raw(TABLE, "status", {"removed": False}),
    )
    assert report.refused == 1
    assert "datasetProperties" in str(next(iter(report.failures)))
    with LocalCatalog(path) as catalog:
        assert catalog.aspects(TABLE)["datasetProperties"]["description"] == "kept"
        assert catalog.aspects(TABLE)["status"] == {"removed": False}


def test_a_plain_patch_of_an_aspect_without_template_is_refused_as_on_a_server(tmp_path: Path) -> None:
    patch = [{"op": "add", "path": "/name", "value": "n"}]
    report = run(tmp_path / "catalog.db", raw("urn:li:container:c", "subTypes", patch, "PATCH"))
    assert report.refused == 1
    assert "arrayPrimaryKeys" in str(next(iter(report.failures)))


@pytest.mark.parametrize(
    "patch",
    [
        "no list",
        {"arrayPrimaryKeys": {"tags": "tag"}, "patch": []},
        [{"op": "spoil", "path": "/tags"}],
        [{"op": "add", "value": {}}],
        [{"op": "add", "path": "tags", "value": {}}],
        [{"op": "add", "path": "/tags/urn:li:tag:a"}],
        [{"op": "replace", "path": "/tags/urn:li:tag:a", "value": {"tag": "urn:li:tag:a"}}],
        [{"op": "test", "path": "/tags/urn:li:tag:a", "value": {}}],
        [{"op": "move", "path": "/tags/urn:li:tag:a"}],
        [{"op": "add", "path": "/tags", "value": "planted"}],
    ],
)
def test_a_malformed_patch_is_an_error_that_shows_no_value(patch: object) -> None:
    with pytest.raises(PatchError) as caught:
        apply_patch("globalTags", None, patch)
    assert "planted" not in str(caught.value)


def test_move_copy_test_and_positions() -> None:
    current = {"customProperties": {"a": "1", "b": "2"}, "tags": ["x"]}
    patch = [
        {"op": "test", "path": "/customProperties/a", "value": "1"},
        {"op": "copy", "from": "/customProperties/a", "path": "/customProperties/c"},
        {"op": "move", "from": "/customProperties/b", "path": "/customProperties/d"},
        {"op": "replace", "path": "/customProperties/a", "value": "9"},
        {"op": "add", "path": "/tags/-", "value": "z"},
        {"op": "add", "path": "/tags/1", "value": "y"},
        {"op": "remove", "path": "/tags/0"},
    ]
    after = apply_patch("datasetProperties", current, patch)
    assert after == {"customProperties": {"a": "9", "c": "1", "d": "2"}, "tags": ["y", "z"]}
    assert current == {"customProperties": {"a": "1", "b": "2"}, "tags": ["x"]}


def test_a_patch_that_is_not_json_is_an_error() -> None:
    with pytest.raises(PatchError):
        parse_patch(b"{")


def test_patches_see_what_the_run_wrote_before(tmp_path: Path) -> None:
    sink = new_sink(tmp_path / "catalog.db")
    write(
        sink,
        [
            raw(TABLE, "globalTags", {"tags": [{"tag": "urn:li:tag:a"}]}),
            *DatasetPatchBuilder(TABLE).add_tag(TagAssociationClass(tag="urn:li:tag:b")).build(),
        ],
    )
    sink.flush()
    with LocalCatalog(tmp_path / "catalog.db") as catalog:
        assert catalog.aspects(TABLE)["globalTags"] == {
            "tags": [{"tag": "urn:li:tag:a"}, {"tag": "urn:li:tag:b"}]
        }
