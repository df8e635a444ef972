"""From a column to the answers: lineage and terms through index, retriever and application."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from click.testing import CliRunner
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    AuditStampClass,
    GlossaryTermAssociationClass,
    GlossaryTermsClass,
    OtherSchemaClass,
    SchemaFieldClass,
    SchemaFieldDataTypeClass,
    SchemaMetadataClass,
    StringTypeClass,
)
from langchain_core.documents import Document

import datahub_llmops.hooks as lineage
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.cli import main
from hooks.parts import Model
from runs.world import INDEX, JOB, LOG, RETRIEVER, TABLE, World

PERSONAL = "urn:li:glossaryTerm:personal-data"
PUBLIC = "urn:li:glossaryTerm:public"
DECLARED = {
    "name": "embed articles",
    "flow": "kb",
    "orchestrator": "airflow",
    "index": "docs",
    "upstream": {
        "platform": "postgres",
        "default_db": "shop",
        "default_schema": "public",
        "sql": "select body, author from articles",
    },
    "text_columns": ["body"],
    "fields": {"author": "author"},
}


def column(name: str, term: str | None) -> SchemaFieldClass:
    terms = None
    if term:
        stamp = AuditStampClass(time=0, actor="urn:li:corpuser:ada")
        terms = GlossaryTermsClass(terms=[GlossaryTermAssociationClass(urn=term)], auditStamp=stamp)
    kind = SchemaFieldDataTypeClass(type=StringTypeClass())  # type: ignore[no-untyped-call]  # of DataHub's generator
    return SchemaFieldClass(fieldPath=name, type=kind, nativeDataType="text", glossaryTerms=terms)


@pytest.fixture
def estate(world: World) -> World:
    """A table with a term on a column, an index of it with two payload fields, and an answer."""
    schema = SchemaMetadataClass(
        schemaName="articles",
        platform="urn:li:dataPlatform:postgres",
        version=0,
        hash="",
        platformSchema=OtherSchemaClass(rawSchema=""),
        fields=[column("body", PUBLIC), column("author", PERSONAL)],
    )
    world.emit(MetadataChangeProposalWrapper(entityUrn=TABLE, aspect=schema))
    documents = [Document(f"text {n}", metadata={"author": "ada"}) for n in range(3)]
    with lineage.job("embed articles", flow="kb", orchestrator="airflow", source=TABLE):
        world.chroma().add_documents(documents)
    world.connector(embedding_jobs=[DECLARED])
    world.ask()
    return world


def terms(world: World, urn: str) -> set[str]:
    found = world.aspect(urn, "glossaryTerms") or {}
    return {term["urn"] for term in found.get("terms") or []}


def propagate(world: World) -> Any:
    return world.ingest("llm-propagation", {}, state=False)


def test_terms_of_columns_reach_the_answers(estate: World) -> None:
    propagate(estate)
    assert terms(estate, INDEX) == {PERSONAL, PUBLIC}
    estate.runs()
    propagate(estate)
    for urn in (RETRIEVER, JOB, LOG):
        assert terms(estate, urn) == {PERSONAL, PUBLIC}, urn
    assert terms(estate, f"urn:li:schemaField:({RETRIEVER},author)") == {PERSONAL}
    assert propagate(estate).labels_added == 0


def test_they_are_taken_back_when_the_column_has_them_no_more(estate: World) -> None:
    estate.runs()
    propagate(estate)
    schema = estate.aspect(TABLE, "schemaMetadata")
    bare = SchemaMetadataClass.from_obj(dict(schema))
    bare.fields = [column("body", PUBLIC), column("author", None)]
    estate.emit(MetadataChangeProposalWrapper(entityUrn=TABLE, aspect=bare))
    propagate(estate)
    for urn in (INDEX, RETRIEVER, JOB, LOG):
        assert terms(estate, urn) == {PUBLIC}, urn


def test_a_retriever_returns_the_fields_of_its_index_and_no_vector(estate: World) -> None:
    estate.runs()
    fields = {field["fieldPath"] for field in estate.aspect(RETRIEVER, "schemaMetadata")["fields"]}
    assert {"chunk_id", "score", "author", "document"} <= fields
    assert "embedding" not in fields
    index = {field["fieldPath"] for field in estate.aspect(INDEX, "schemaMetadata")["fields"]}
    assert "embedding" in index


def test_the_whole_chain_is_drawn_from_the_application(estate: World) -> None:
    estate.runs()
    with closing(LocalCatalog(estate.catalog)) as catalog:
        walk = catalog.lineage(f"urn:li:schemaField:({TABLE},author)", "down", 10)
    assert {INDEX, RETRIEVER, LOG} <= {node.urn for node in walk.nodes}
    command = ["--catalog", str(estate.catalog), "lineage", JOB, "--up", "--hops", "10", "--columns"]
    shown = CliRunner().invoke(main.main, command).output
    for expected in (
        "docs  Retriever",
        "support.v3",
        "docs  Vector Collection",
        "embed articles  Embedding Job",
        "articles  Dataset",
        "docs.author → docs.author",
        "found by declared, hook",
    ):
        assert expected in shown


def test_an_index_without_a_schema_in_the_catalog_has_no_columns_to_follow(world: World) -> None:
    world.index()
    world.ask()
    world.runs()
    world.runs()
    assert not world.aspect(RETRIEVER, "upstreamLineage").get("fineGrainedLineages")
    with lineage.answer():
        Model().invoke("q")
    world.runs()
    assert world.edges(JOB) >= {RETRIEVER}
