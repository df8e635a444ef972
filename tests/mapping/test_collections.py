"""A collection's facts as DataHub aspects: whole values, and nothing that the store did not say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.sink.file import write_metadata_file
from datahub.ingestion.source.file import read_metadata_file
from datahub.metadata.schema_classes import MetadataChangeProposalClass, SchemaMetadataClass

from datahub_llmops.assets.collections import Collection, Container, PayloadField, Vector
from datahub_llmops.mapping.collections import (
    collection_proposals,
    container_proposals,
    place_collection,
    vector_proposals,
)
from datahub_llmops.mapping.proposals import Proposal
from datahub_llmops.urns import Deployment

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MODIFIED = datetime(2026, 1, 1, tzinfo=UTC)
DEPLOYMENT = Deployment(platform="chroma")
URN = "urn:li:dataset:(urn:li:dataPlatform:chroma,db.docs,PROD)"
SERVER = Container(kind="Server", name="127.0.0.1:8000", properties={"version": "1.5.9"})
DATABASE = Container(kind="Database", name="db")

FULL = Collection(
    name=("db", "docs"),
    containers=(SERVER, DATABASE),
    vectors=(
        Vector(
            name="embedding",
            dimension=768,
            metric="cosine",
            index_type="hnsw",
            index_parameters={"hnsw.ef_search": "100"},
            element_type="float32",
            embedding_model="openai/text-embedding-3-small",
        ),
    ),
    fields=(
        PayloadField(path="document", type="string", native_type="string"),
        PayloadField(path="page", type="integer", native_type="int", nullable=False),
    ),
    text_field="document",
    count=5000,
    size_bytes=123,
    created=MODIFIED,
    modified=MODIFIED,
    aliases=("current",),
    properties={"shards": "2"},
)


def _aspects(proposals: list[Proposal]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for proposal in proposals:
        name = proposal.aspectName or ""
        assert name not in found
        if isinstance(proposal, MetadataChangeProposalWrapper):
            assert proposal.validate(), name
            assert proposal.aspect is not None
            found[name] = proposal.aspect.to_obj()
        else:
            assert isinstance(proposal, MetadataChangeProposalClass)
            assert proposal.aspect is not None
            found[name] = json.loads(proposal.aspect.value)
    return found


def test_every_fact_has_its_place() -> None:
    aspects = _aspects(
        list(
            collection_proposals(place_collection(FULL, DEPLOYMENT, declared={"chunk_size": 512.0}), now=NOW)
        )
    )
    assert set(aspects) == {
        "dataPlatformInstance",
        "container",
        "subTypes",
        "datasetProperties",
        "schemaMetadata",
        "datasetProfile",
        "operation",
        "structuredProperties",
    }
    assert aspects["subTypes"] == {"typeNames": ["Vector Collection"]}
    assert aspects["datasetProperties"] == {
        "name": "docs",
        "qualifiedName": "db.docs",
        "customProperties": {
            "shards": "2",
            "aliases": "current",
            "element_type": "float32",
            "hnsw.ef_search": "100",
        },
        "created": {"time": 1767225600000},
        "lastModified": {"time": 1767225600000},
        "tags": [],
    }
    fields = [
        (field["fieldPath"], field["nativeDataType"], field["nullable"])
        for field in aspects["schemaMetadata"]["fields"]
    ]
    assert fields == [
        ("embedding", "vector(768)", False),
        ("document", "string", True),
        ("page", "int", False),
    ]
    profile = aspects["datasetProfile"]
    assert (profile["rowCount"], profile["columnCount"], profile["sizeInBytes"]) == (5000, 3, 123)
    assert profile["timestampMillis"] == 1767312000000
    assert aspects["operation"]["lastUpdatedTimestamp"] == 1767225600000
    assert aspects["operation"]["timestampMillis"] == 1767225600000
    assigned = {
        patch["value"]["propertyUrn"].rpartition(".")[2]: patch["value"]["values"]
        for patch in aspects["structuredProperties"]["patch"]
    }
    assert assigned == {
        "dimension": [{"double": 768.0}],
        "metric": [{"string": "cosine"}],
        "index_type": [{"string": "hnsw"}],
        "index_parameters": [{"string": "hnsw.ef_search=100"}],
        "embedding_model": [{"string": "openai/text-embedding-3-small"}],
        "chunk_size": [{"double": 512.0}],
    }


def test_what_the_store_does_not_say_is_absent() -> None:
    bare = Collection(name=("db", "docs"), vectors=(Vector(name="embedding"),))
    aspects = _aspects(
        list(collection_proposals(place_collection(bare, DEPLOYMENT, declared={"chunk_size": None}), now=NOW))
    )
    assert set(aspects) == {"dataPlatformInstance", "subTypes", "datasetProperties", "schemaMetadata"}
    assert aspects["datasetProperties"] == {
        "name": "docs",
        "qualifiedName": "db.docs",
        "customProperties": {},
        "tags": [],
    }
    assert [field["nativeDataType"] for field in aspects["schemaMetadata"]["fields"]] == ["vector"]
    assert list(vector_proposals(place_collection(bare, DEPLOYMENT))) == []


def test_facts_of_several_vectors_sit_on_the_vectors_only() -> None:
    two = Collection(
        name=("db", "docs"),
        vectors=(
            Vector(name="title", dimension=3, index_parameters={"m": "16"}),
            Vector(name="body", dimension=4, sparse=True, index_parameters={"m": "24"}),
        ),
    )
    aspects = _aspects(list(collection_proposals(place_collection(two, DEPLOYMENT), now=NOW)))
    assert "structuredProperties" not in aspects
    assert aspects["datasetProperties"]["customProperties"] == {"title.m": "16", "body.m": "24"}
    native = [field["nativeDataType"] for field in aspects["schemaMetadata"]["fields"]]
    assert native == ["vector(3)", "sparsevector(4)"]
    on_fields = {str(proposal.entityUrn) for proposal in vector_proposals(place_collection(two, DEPLOYMENT))}
    assert on_fields == {f"urn:li:schemaField:({URN},title)", f"urn:li:schemaField:({URN},body)"}


def test_an_estimate_is_marked() -> None:
    guess = Collection(name=("db", "docs"), count=10, count_is_estimate=True)
    aspects = _aspects(list(collection_proposals(place_collection(guess, DEPLOYMENT), now=NOW)))
    assert aspects["datasetProperties"]["customProperties"] == {"count_is_estimate": "true"}


def test_what_stewards_edit_is_a_patch() -> None:
    changes = {
        proposal.aspectName: proposal.changeType
        for proposal in collection_proposals(place_collection(FULL, DEPLOYMENT), now=NOW)
    }
    assert changes.pop("structuredProperties") == "PATCH"
    assert set(changes.values()) == {"UPSERT"}


def test_containers_nest() -> None:
    outer = _aspects(list(container_proposals((SERVER,), DEPLOYMENT)))
    inner = _aspects(list(container_proposals((SERVER, DATABASE), DEPLOYMENT)))
    assert "container" not in outer
    assert outer["containerProperties"]["customProperties"] == {"version": "1.5.9"}
    assert inner["subTypes"] == {"typeNames": ["Database"]}
    assert inner["container"]["container"] == next(iter(container_proposals((SERVER,), DEPLOYMENT))).entityUrn


def test_datahubs_file_format_gives_back_what_was_emitted(tmp_path: Path) -> None:
    emitted = [
        *collection_proposals(place_collection(FULL, DEPLOYMENT), now=NOW),
        *vector_proposals(place_collection(FULL, DEPLOYMENT)),
    ]
    file = tmp_path / "emitted.json"
    write_metadata_file(file, emitted)
    back = list(read_metadata_file(file))
    assert len(back) == len(emitted)
    schema = next(
        item.aspect
        for item in back
        if isinstance(item, MetadataChangeProposalWrapper) and isinstance(item.aspect, SchemaMetadataClass)
    )
    wanted = next(
        item.aspect
        for item in emitted
        if isinstance(item, MetadataChangeProposalWrapper) and isinstance(item.aspect, SchemaMetadataClass)
    )
    assert schema.to_obj() == wanted.to_obj()
