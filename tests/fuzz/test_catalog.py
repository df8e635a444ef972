"""Damaged catalogs, and records and patches that no source should write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from datahub.ingestion.api.common import PipelineContext

from catalog.local.local_runs import PATCH, column, dataset, new_sink, raw, run, write
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.checkpoint import LocalCheckpointProvider
from datahub_llmops.cli.main import main
from datahub_llmops.errors import CatalogError, SinkError
from fuzz.mutate import mutate_bytes, mutate_json
from fuzz.rounds import rounds

pytestmark = pytest.mark.fuzz

DOCS, TABLE = dataset("default.docs", "chroma"), dataset("shop.reviews")
FIELDS: list[dict[str, Any]] = [
    {"fieldPath": name, "nativeDataType": "text", "type": {"type": {"com.linkedin.schema.StringType": {}}}}
    for name in ("body", "email")
]
SCHEMA = {
    "schemaName": "s",
    "platform": "urn:li:dataPlatform:postgres",
    "version": 0,
    "hash": "",
    "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
    "fields": FIELDS,
}
STAMP = {"time": 5, "actor": "urn:li:corpuser:ada"}
LINEAGE = {
    "upstreams": [{"dataset": TABLE, "type": "COPY", "auditStamp": STAMP}],
    "fineGrainedLineages": [
        {
            "upstreamType": "FIELD_SET",
            "downstreamType": "FIELD",
            "upstreams": [column(TABLE, "body")],
            "downstreams": [column(DOCS, "body")],
        }
    ],
}
RECORDS: tuple[tuple[str, str, Any, str], ...] = (
    (TABLE, "schemaMetadata", SCHEMA, "UPSERT"),
    (DOCS, "schemaMetadata", SCHEMA, "UPSERT"),
    (DOCS, "upstreamLineage", LINEAGE, "UPSERT"),
    (DOCS, "datasetProperties", {"name": "docs", "customProperties": {"a": "b"}, "tags": []}, "UPSERT"),
    (DOCS, "datasetProfile", {"timestampMillis": 5, "rowCount": 3}, "UPSERT"),
    (
        DOCS,
        "ownership",
        {"owners": [{"owner": "urn:li:corpuser:ada", "type": "DATAOWNER"}], "lastModified": STAMP},
        "UPSERT",
    ),
    (TABLE, "glossaryTerms", {"terms": [{"urn": "urn:li:glossaryTerm:pii"}], "auditStamp": STAMP}, "UPSERT"),
    (DOCS, "unheardOf", {"a": [1, {"b": None}]}, "UPSERT"),
    (
        DOCS,
        "globalTags",
        [{"op": "add", "path": "/tags/urn:li:tag:x", "value": {"tag": "urn:li:tag:x"}}],
        "PATCH",
    ),
    (
        DOCS,
        "structuredProperties",
        {
            "arrayPrimaryKeys": {"properties": ["propertyUrn"]},
            "patch": [
                {"op": "add", "path": "/properties/urn:li:structuredProperty:p", "value": {"values": [1]}}
            ],
        },
        "PATCH",
    ),
)


def test_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, *(raw(*record) for record in RECORDS))
    whole = path.read_bytes()
    commands = (["show", DOCS], ["show", DOCS, "--json"], ["lineage", DOCS, "--columns"], ["search", "docs"])
    for chance in rounds("catalog"):
        changed = bytearray(whole)
        for _ in range(chance.choice((1, 5, 50, 400))):
            changed[chance.randrange(100, len(changed))] = chance.randrange(256)
        path.write_bytes(mutate_bytes(whole, chance) if chance.random() < 0.2 else changed)
        for arguments in (*commands, ["export", "--force", str(tmp_path / "out.json")]):
            done = CliRunner().invoke(main, ["--catalog", str(path), *arguments])
            with chance.tells("catalog", SystemExit):
                if done.exception is not None:
                    raise done.exception
        with chance.tells("catalog", CatalogError):
            LocalCheckpointProvider.create({"path": str(path)}, PipelineContext(run_id="fuzz"))
        before = path.read_bytes()
        try:
            run(path, *(raw(*record) for record in RECORDS))
        except SinkError:
            assert path.read_bytes() == before, chance.number
        for beside in tmp_path.glob("catalog.db-*"):
            beside.unlink()


def test_records(tmp_path: Path) -> None:
    good = dataset("good")
    for chance in rounds("records"):
        path = tmp_path / f"{chance.number}.db"
        urn, aspect, value, change = chance.choice(RECORDS)
        proposal = raw(urn, aspect, value, change)
        assert proposal.aspect is not None
        if chance.random() < 0.15:
            proposal.aspect.value = mutate_bytes(json.dumps(value).encode(), chance)
        else:
            proposal.aspect.value = json.dumps(mutate_json(value, chance)).encode()
        if chance.random() < 0.1:
            proposal.aspect.contentType = chance.choice((PATCH, "application/json", "", "x"))
        with chance.tells("records"):
            sink = new_sink(path)
            write(sink, [raw(DOCS, "status", {"removed": False}), *(raw(*record) for record in RECORDS)])
            write(sink, [proposal, raw(good, "status", {"removed": False})])
            sink.flush()
            sink.close()
            with LocalCatalog(path) as catalog:
                assert catalog.aspects(good) == {"status": {"removed": False}}
                assert catalog.aspects(DOCS)
                list(catalog.records())
        path.unlink()
