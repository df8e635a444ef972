"""A small estate in a local catalog: two tables, the job that embeds them, its model, the index, and who asks it.

Everything in it is ok. A case of a test takes facts away, or puts others in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

from catalog.local.local_runs import column, dataset, raw, run
from datahub_llmops.catalog.local.catalog import LocalCatalog

NOW: Final = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
WRITTEN: Final = NOW - timedelta(hours=8)

INDEX: Final = dataset("default_database.docs", "chroma")
REVIEWS: Final = dataset("shop.public.reviews")
CUSTOMERS: Final = dataset("shop.public.customers")
JOB: Final = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed-docs)"
OTHER_JOB: Final = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed-more)"
MODEL: Final = "urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)"
RETRIEVER: Final = dataset("docs-bot.docs", "langchain")
BOT: Final = "urn:li:dataJob:(urn:li:dataFlow:(langchain,docs-bot,PROD),docs-bot)"
ANSWERS: Final = dataset("docs-bot.answers", "langchain")
OWNER: Final = "urn:li:corpuser:ada"

Facts: TypeAlias = dict[tuple[str, str], Any]
"""(URN, aspect) -> its value."""


def milliseconds(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def operation(when: datetime) -> dict[str, Any]:
    at = milliseconds(when)
    return {"timestampMillis": at, "operationType": "UPDATE", "lastUpdatedTimestamp": at}


def schema(*columns: str, types: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "schemaName": "s",
        "platform": "urn:li:dataPlatform:postgres",
        "version": 0,
        "hash": "",
        "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
        "fields": [
            {
                "fieldPath": name,
                "type": {"type": {"com.linkedin.schema.StringType": {}}},
                "nativeDataType": (types or {}).get(name, "text"),
            }
            for name in columns
        ],
    }


def fine_grained(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {"upstreamType": "FIELD_SET", "downstreamType": "FIELD", "upstreams": [up], "downstreams": [down]}
        for up, down in pairs
    ]


def inputs_and_outputs(sources: list[str], index: str, *pairs: tuple[str, str]) -> dict[str, Any]:
    return {
        "inputDatasets": [],
        "outputDatasets": [],
        "inputDatasetEdges": [{"destinationUrn": urn} for urn in sources],
        "outputDatasetEdges": [{"destinationUrn": index}],
        "fineGrainedLineages": fine_grained(*pairs),
    }


def estate() -> Facts:
    """All facts of the estate, in which every check is ok."""
    stamp = {"time": milliseconds(NOW - timedelta(days=10)), "actor": OWNER}
    return {
        ("urn:li:glossaryNode:Privacy", "glossaryNodeInfo"): {"definition": "Who may see it."},
        ("urn:li:glossaryTerm:Privacy.Personal", "glossaryTermInfo"): {
            "definition": "",
            "termSource": "INTERNAL",
        },
        ("urn:li:glossaryTerm:Privacy.Public", "glossaryTermInfo"): {
            "definition": "",
            "termSource": "INTERNAL",
        },
        (REVIEWS, "datasetProperties"): {"name": "reviews"},
        (REVIEWS, "subTypes"): {"typeNames": ["Table"]},
        (REVIEWS, "schemaMetadata"): schema("id", "body", "customer_id"),
        (REVIEWS, "operation"): operation(WRITTEN - timedelta(hours=1)),
        (CUSTOMERS, "datasetProperties"): {"name": "customers"},
        (CUSTOMERS, "subTypes"): {"typeNames": ["Table"]},
        (CUSTOMERS, "schemaMetadata"): schema("id", "email"),
        (CUSTOMERS, "operation"): operation(WRITTEN - timedelta(days=30)),
        (JOB, "dataJobInfo"): {
            "name": "embed-docs",
            "type": {"string": "EMBEDDING"},
            "customProperties": {"schedule": "@hourly"},
        },
        (JOB, "subTypes"): {"typeNames": ["Embedding Job"]},
        (JOB, "ownership"): {
            "owners": [{"owner": OWNER, "type": "TECHNICAL_OWNER"}],
            "lastModified": stamp,
        },
        (JOB, "dataJobInputOutput"): inputs_and_outputs(
            [REVIEWS, CUSTOMERS],
            INDEX,
            (column(REVIEWS, "body"), column(INDEX, "document")),
            (column(CUSTOMERS, "email"), column(INDEX, "email")),
        ),
        (JOB, "embeddingJobInfo"): {"embeddingModel": "openai/text-embedding-3-small"},
        (INDEX, "datasetProperties"): {"name": "docs", "lastModified": {"time": milliseconds(WRITTEN)}},
        (INDEX, "subTypes"): {"typeNames": ["Vector Collection"]},
        (INDEX, "schemaMetadata"): schema("embedding", "document", "email"),
        (INDEX, "embeddingInfo"): {
            "embeddingModel": "openai/text-embedding-3-small",
            "embeddingModelKnownFrom": "recorded",
        },
        (MODEL, "mlModelProperties"): {"name": "text-embedding-3-small", "downstreamJobs": [JOB]},
        (RETRIEVER, "datasetProperties"): {"name": "docs"},
        (RETRIEVER, "subTypes"): {"typeNames": ["Retriever"]},
        (RETRIEVER, "upstreamLineage"): {
            "upstreams": [{"dataset": INDEX, "type": "VIEW", "auditStamp": stamp}]
        },
        (BOT, "dataJobInfo"): {"name": "docs-bot", "type": {"string": "LLM"}},
        (BOT, "subTypes"): {"typeNames": ["LLM Application"]},
        (BOT, "dataJobInputOutput"): {
            "inputDatasets": [],
            "outputDatasets": [],
            "inputDatasetEdges": [{"destinationUrn": RETRIEVER}],
            "outputDatasetEdges": [{"destinationUrn": ANSWERS}],
        },
        (ANSWERS, "datasetProperties"): {"name": "docs-bot answers"},
        (ANSWERS, "subTypes"): {"typeNames": ["Answer Log"]},
        (ANSWERS, "datasetUsageStatistics"): {
            "timestampMillis": milliseconds(NOW - timedelta(days=1)),
            "eventGranularity": {"unit": "DAY", "multiple": 1},
            "partitionSpec": {"partition": "host=a", "type": "PARTITION"},
            "totalSqlQueries": 214,
        },
    }


def write(path: Path, facts: Facts) -> LocalCatalog:
    """Write facts through the real sink, and open the catalog. ``None`` leaves one out."""
    report = run(
        path, *(raw(urn, aspect, value) for (urn, aspect), value in facts.items() if value is not None)
    )
    assert not report.failures, report.failures
    return LocalCatalog(path)
