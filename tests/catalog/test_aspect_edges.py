from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import avro.schema
import pytest
from datahub._codegen.aspect import _Aspect
from datahub.emitter.aspect import ASPECT_MAP
from datahub.metadata.schema_classes import ChartInfoClass, EdgeClass, MLModelPropertiesClass
from typing_extensions import override

from catalog.local.local_runs import WIRE, column, dataset
from datahub_llmops.catalog.aspect_edges import carries_lineage, column_edges_of, edges_of
from datahub_llmops.catalog.local.encoding import aspect_text
from datahub_llmops.catalog.protocol import ColumnPair

JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed)"
MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,small,PROD)"


def ends(urn: str, name: str, aspect: dict[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(edge.upstream, edge.downstream, edge.found_by) for edge in edges_of(urn, name, aspect)]


def test_upstreams_with_the_way_each_was_found() -> None:
    a, b, index = dataset("a"), dataset("b"), dataset("docs", "chroma")
    aspect = {
        "upstreams": [
            {"dataset": a, "type": "COPY", "properties": {"found_by": "declared, payload", "chunks": "4"}},
            {"dataset": b, "type": "COPY"},
        ]
    }
    assert ends(index, "upstreamLineage", aspect) == [(a, index, ("declared", "payload")), (b, index, ())]


def test_inputs_and_outputs_of_a_job_old_fields_too() -> None:
    a, b, c = dataset("a"), dataset("b"), dataset("c")
    aspect = {
        "inputDatasets": [a, b],
        "inputDatasetEdges": [{"destinationUrn": a, "properties": {"found_by": "declared"}}],
        "outputDatasetEdges": [{"destinationUrn": c}],
        "inputDatajobs": [],
    }
    assert ends(JOB, "dataJobInputOutput", aspect) == [(a, JOB, ("declared",)), (b, JOB, ()), (JOB, c, ())]


def test_jobs_of_a_model_by_their_direction() -> None:
    properties = MLModelPropertiesClass(trainingJobs=[JOB + "train"], downstreamJobs=[JOB])
    aspect = json.loads(aspect_text(properties))
    assert ends(MODEL, "mlModelProperties", aspect) == [(JOB + "train", MODEL, ()), (MODEL, JOB, ())]


def test_inputs_of_a_chart_that_are_a_union() -> None:
    table, chart = dataset("a"), "urn:li:chart:(looker,1)"
    stamp: Any = {"created": {"time": 0, "actor": "x"}, "lastModified": {"time": 0, "actor": "x"}}
    typed = ChartInfoClass.from_obj(
        {"title": "t", "description": "d", "lastModified": stamp, "inputs": [{"string": table}]}
    )
    typed.inputEdges = [EdgeClass(destinationUrn=dataset("b"))]
    aspect = json.loads(aspect_text(typed))
    assert ends(chart, "chartInfo", aspect) == [(table, chart, ()), (dataset("b"), chart, ())]


def lineage_annotations(schema: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """By plain recursion over the schemas, independent of the module: every lineage annotation's name."""
    if isinstance(schema, avro.schema.RecordSchema):
        if schema.fullname in above:
            return
        for field in schema.fields:
            relationship = field.other_props.get("Relationship")
            if relationship and '"isLineage": true' in json.dumps(relationship):
                yield field.name
            yield from lineage_annotations(field.type, (*above, schema.fullname))
    elif schema.type == "array":
        yield from lineage_annotations(schema.items, above)
    elif schema.type == "map":
        yield from lineage_annotations(schema.values, above)
    elif schema.type == "union":
        for branch in schema.schemas:
            yield from lineage_annotations(branch, above)


def test_every_annotated_aspect_of_datahub_is_read_and_no_other() -> None:
    annotated = {name for name, kind in ASPECT_MAP.items() if list(lineage_annotations(kind.RECORD_SCHEMA))}
    assert annotated > {
        "upstreamLineage",
        "dataJobInputOutput",
        "mlModelProperties",
        "dataProcessInstanceInput",
    }
    assert {name for name in ASPECT_MAP if carries_lineage(name)} == annotated


def test_columns_stand_between_datasets_or_behind_a_job() -> None:
    up, down = column(dataset("a"), "x"), column(dataset("docs", "chroma"), "text")
    entry = {"upstreamType": "FIELD_SET", "upstreams": [up, dataset("a")], "downstreams": [down]}
    (own,) = column_edges_of(
        dataset("docs", "chroma"), "upstreamLineage", {"fineGrainedLineages": [entry, entry]}
    )
    assert (own.pair, own.via) == (ColumnPair(upstream=up, downstream=down), None)
    (through,) = column_edges_of(JOB, "dataJobInputOutput", {"fineGrainedLineages": [entry]})
    assert (through.pair, through.via) == (own.pair, JOB)


@pytest.mark.parametrize(
    "aspect",
    [
        {"upstreams": None},
        {"upstreams": "text"},
        {"upstreams": [None, 3, {"dataset": 5}, {"dataset": "no urn"}]},
        {"fineGrainedLineages": [{"upstreams": None, "downstreams": 1}, 7]},
    ],
)
def test_what_does_not_fit_is_no_edge(aspect: dict[str, Any]) -> None:
    assert edges_of(dataset("a"), "upstreamLineage", aspect) == []
    assert column_edges_of(dataset("a"), "upstreamLineage", aspect) == []


def custom_schema() -> Any:
    return avro.schema.make_avsc_object(
        {
            "type": "record",
            "name": "VectorIndexLineage",
            "namespace": "com.linkedin.pegasus2avro.llmops",
            "fields": [
                {
                    "name": "model",
                    "type": ["null", "string"],
                    "default": None,
                    "Relationship": {"name": "EmbeddedBy", "isLineage": True, "entityTypes": ["mlModel"]},
                },
                {
                    "name": "feeds",
                    "type": {"type": "array", "items": "string"},
                    "Relationship": {"/*": {"name": "Feeds", "isLineage": True, "isUpstream": False}},
                },
                {"name": "plain", "type": "string", "Relationship": {"name": "Related"}},
            ],
        }
    )


class VectorIndexLineage(_Aspect):
    ASPECT_NAME, ASPECT_INFO = "vectorIndexLineage", {}
    RECORD_SCHEMA = custom_schema()

    @override
    def _restore_defaults(self) -> None:
        self._inner_dict.update(model=None, feeds=[], plain="")


def test_an_aspect_registered_later_is_read_by_its_annotations() -> None:
    aspect = {"model": MODEL, "feeds": [JOB], "plain": "urn:li:tag:a"}
    index = dataset("docs", "chroma")
    assert edges_of(index, "vectorIndexLineage", aspect) == []
    ASPECT_MAP["vectorIndexLineage"] = VectorIndexLineage
    try:
        assert ends(index, "vectorIndexLineage", aspect) == [(MODEL, index, ()), (index, JOB, ())]
    finally:
        del ASPECT_MAP["vectorIndexLineage"]


def test_the_recorded_model_has_the_edges_that_the_server_walked() -> None:
    found = set()
    for exchange in json.loads((WIRE / "emit_model.json").read_text()):
        proposal = exchange["request"]["body"]["proposal"]
        if proposal["changeType"] == "UPSERT":
            aspect = json.loads(proposal["aspect"]["value"])
            for edge in edges_of(proposal["entityUrn"], proposal["aspectName"], aspect):
                found.add((edge.upstream.split(",")[1], edge.downstream.split(",")[1]))
    walked = json.loads((WIRE / "lineage_upstream.json").read_text())[0]["response"]["body"]["data"]
    for result in walked["searchAcrossLineage"]["searchResults"]:
        for path in result["paths"]:
            urns = [step["urn"].split(",")[1] for step in path["path"]]
            assert set(zip(urns[1:], urns[:-1], strict=True)) <= found
