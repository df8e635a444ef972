"""A declared job, its index and its tables: what tests of a source's runs declare, and read back from the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, PayloadField, ProvenanceCount
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.urns import Deployment
from support.scripted import collection

DEPLOYMENT = Deployment(platform="scripted")
INDEX = urns.collection(DEPLOYMENT, ("db", "docs"))
DOCS = "urn:li:dataset:(urn:li:dataPlatform:sqlite,main.Docs,PROD)"
PEOPLE = "urn:li:dataset:(urn:li:dataPlatform:sqlite,main.people,PROD)"
FLOW = "urn:li:dataFlow:(airflow,kb,PROD)"
JOB = f"urn:li:dataJob:({FLOW},embed)"
MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,small,PROD)"
S3 = "urn:li:dataset:(urn:li:dataPlatform:s3,lake/{},PROD)"
SECRET = "c0nfidential-payload-value"

DECLARED: Mapping[str, Any] = {
    "name": "embed",
    "flow": "kb",
    "orchestrator": "airflow",
    "schedule": "@daily",
    "owners": ["urn:li:corpuser:ada"],
    "index": "docs",
    "upstream": {
        "platform": "sqlite",
        "sql": "select d.title, d.body, p.email as contact from docs d join people p on p.id = d.person",
    },
    "text_columns": ["body"],
    "fields": {"contact": "maintainer"},
    "embedding_model": "openai/small",
    "chunking": {"method": "recursive", "size": 512, "overlap": 64},
}

Emit = Callable[..., None]
Run = Callable[..., Pipeline]


def docs(**sources: int) -> Collection:
    """The index, with chunks from objects of a bucket."""
    values = {f"s3://lake/{name}": chunks for name, chunks in sources.items()}
    return replace(
        collection("db", "docs"),
        fields=tuple(
            PayloadField(path=path, type="string", native_type="string")
            for path in ("document", "title", "maintainer")
        ),
        text_field="document",
        provenance=(
            ProvenanceCount(
                field="source",
                values=values,
                rows_scanned=sum(sources.values()),
                rows_total=sum(sources.values()),
            ),
        ),
    )


def aspect(catalog: Path, urn: str, name: str) -> Any:
    with LocalCatalog(catalog) as reader:
        return reader.aspects(urn, [name]).get(name)


def upstreams(catalog: Path) -> dict[str, dict[str, str]]:
    found = aspect(catalog, INDEX, "upstreamLineage") or {"upstreams": []}
    return {edge["dataset"]: edge.get("properties") or {} for edge in found["upstreams"]}


def warnings(pipeline: Pipeline) -> dict[str | None, list[str]]:
    return {entry.title: list(entry.context) for entry in pipeline.source.get_report().warnings}
