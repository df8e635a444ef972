"""A warehouse, an embedding job and a Chroma index in a local catalog, put there by the recipes a user would run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import chromadb
from chromadb.config import Settings
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.api.sink import NoopWriteCallback
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import (
    AuditStampClass,
    EditableSchemaFieldInfoClass,
    EditableSchemaMetadataClass,
    GlobalTagsClass,
    GlossaryTermAssociationClass,
    GlossaryTermsClass,
    MetadataChangeEventClass,
    MetadataChangeProposalClass,
    TagAssociationClass,
)

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.sink import LocalSink
from datahub_llmops.propagation import PropagationReport

CUSTOMERS = "urn:li:dataset:(urn:li:dataPlatform:sqlite,main.customers,PROD)"
REVIEWS = "urn:li:dataset:(urn:li:dataPlatform:sqlite,main.reviews,PROD)"
SIGNED = "urn:li:dataset:(urn:li:dataPlatform:sqlite,main.signed_reviews,PROD)"
"""The view."""
INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.reviews,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,knowledge-base,PROD),embed-reviews)"
PERSONAL = "urn:li:glossaryTerm:Privacy.PersonalData"
OURS = "urn:li:dataHubAction:datahub-llmops"
STAMP = AuditStampClass(time=1, actor="urn:li:corpuser:ada")

Written: TypeAlias = MetadataChangeProposalWrapper | MetadataChangeProposalClass | MetadataChangeEventClass

_TABLES = """
create table customers (id integer primary key, email text, city text);
create table reviews (id integer primary key, customer integer, body text,
    constraint of_customer foreign key (customer) references customers (id));
create view signed_reviews as
    select r.id as id, r.body as body, c.email as author, c.city as city
    from main.reviews r join main.customers c on c.id = r.customer;
"""

_GLOSSARY = """
version: 1
source: DataHub
owners: {users: [ada]}
nodes:
  - name: Privacy
    description: What data protection asks for.
    terms:
      - {name: PersonalData, description: It says something about a person.}
      - {name: Public, description: Anybody may read it.}
"""


def column(asset: str, name: str) -> str:
    return f"urn:li:schemaField:({asset},{name})"


def warehouse_and_glossary(folder: Path) -> None:
    """Through DataHub's own sources into ``folder/catalog.db``; an index's files beside it."""
    with sqlite3.connect(folder / "warehouse.db") as database:
        database.executescript(_TABLES)
    (folder / "glossary.yml").write_text(_GLOSSARY)
    ingest(folder, "datahub-business-glossary", {"file": str(folder / "glossary.yml")})
    uri = f"sqlite:///{folder / 'warehouse.db'}"
    ingest(folder, "sqlalchemy", {"platform": "sqlite", "connect_uri": uri})
    settings = Settings(anonymized_telemetry=False)
    client: Any = chromadb.PersistentClient(str(folder / "chroma"), settings=settings)
    client.create_collection("reviews").add(
        ids=["1"], embeddings=[[0.5, 0.5]], documents=["good"], metadatas=[{"author": "a", "city": "b"}]
    )


def index(
    folder: Path, sql: str = "select body, author, city from main.signed_reviews", **change: Any
) -> None:
    """The index with its embedding job, by ``llm-chroma``. ``change`` are other options of the job."""
    job = {
        "name": "embed-reviews",
        "flow": "knowledge-base",
        "orchestrator": "airflow",
        "index": "reviews",
        "upstream": {"platform": "sqlite", "default_schema": "main", "sql": sql},
        "text_columns": ["body"],
        "embedding_model": "openai/text-embedding-3-small",
        **change,
    }
    ingest(folder, "llm-chroma", {"path": str(folder / "chroma"), "embedding_jobs": [job]})


def ingest(folder: Path, source: str, config: Mapping[str, Any], **more: Any) -> Pipeline:
    """One recipe through DataHub's own pipeline."""
    recipe = {
        "pipeline_name": source,
        "source": {"type": source, "config": dict(config)},
        "sink": {"type": "llm-local", "config": {"path": str(folder / "catalog.db")}},
        **more,
    }
    pipeline = Pipeline.create(recipe)
    pipeline.run()
    pipeline.raise_from_status()
    return pipeline


def propagate(folder: Path, **config: Any) -> PropagationReport:
    """A run of ``llm-propagation``."""
    report = ingest(folder, "llm-propagation", config).source.get_report()
    assert isinstance(report, PropagationReport)
    return report


def write(path: Path, proposals: Iterable[Written]) -> None:
    """What a person or another tool stores, through the real sink."""
    sink = LocalSink.create({"path": str(path)}, PipelineContext(run_id="test"))
    for proposal in proposals:
        sink.write_record_async(RecordEnvelope(proposal, {}), NoopWriteCallback())
    sink.flush()
    sink.close()
    assert not sink.get_report().failures


def terms(urn: str, *names: str) -> MetadataChangeProposalWrapper:
    """Terms as a person sets them on an asset or column; they replace what is there."""
    given = [GlossaryTermAssociationClass(name) for name in names]
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=GlossaryTermsClass(given, STAMP))


def tags(urn: str, *names: str) -> MetadataChangeProposalWrapper:
    return MetadataChangeProposalWrapper(
        entityUrn=urn, aspect=GlobalTagsClass([TagAssociationClass(name) for name in names])
    )


def edited(asset: str, **fields: str) -> MetadataChangeProposalWrapper:
    """A term on each of some columns, as the Columns tab stores it."""
    infos = [
        EditableSchemaFieldInfoClass(
            fieldPath=path, glossaryTerms=GlossaryTermsClass([GlossaryTermAssociationClass(term)], STAMP)
        )
        for path, term in fields.items()
    ]
    return MetadataChangeProposalWrapper(entityUrn=asset, aspect=EditableSchemaMetadataClass(infos))


def attached(path: Path, urn: str) -> dict[tuple[str, str | None], str | None]:
    """(Term or tag, who attached it) -> its origin, of one asset's or column's own."""
    with LocalCatalog(path) as catalog:
        aspects = catalog.aspects(urn, ("glossaryTerms", "globalTags"))
    entries = [(entry["urn"], entry) for entry in aspects.get("glossaryTerms", {}).get("terms", ())]
    entries += [(entry["tag"], entry) for entry in aspects.get("globalTags", {}).get("tags", ())]
    found: dict[tuple[str, str | None], str | None] = {}
    for label, entry in entries:
        attribution = entry.get("attribution") or {}
        key = (label, attribution.get("source"))
        assert key not in found
        found[key] = attribution.get("sourceDetail", {}).get("origin")
    return found


def ours(path: Path, label: str = PERSONAL) -> dict[str, str | None]:
    """Asset or column -> origin, wherever propagation attached ``label``."""
    with LocalCatalog(path) as catalog:
        labelled = list(catalog.labelled())
    found = {urn: attached(path, urn) for urn in labelled}
    return {urn: entries[label, OURS] for urn, entries in found.items() if (label, OURS) in entries}
