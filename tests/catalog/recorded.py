"""A DataHub server made of recorded exchanges, and the model that was written to it while they were recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.api.sink import NoopWriteCallback
from datahub.ingestion.graph.client import entity_type_to_graphql
from datahub.metadata.schema_classes import (
    DataJobInputOutputClass,
    GenericAspectClass,
    MetadataChangeProposalClass,
)

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.sink import LocalSink
from datahub_llmops.catalog.urn_text import entity_type, key_parts
from support import paths
from support.stub import Call, Reply, Stub, answer_json

WIRE = paths.WIRE / "gms"
READ = [*(f"lineage_{name}" for name in ("upstream", "downstream", "field_upstream", "unknown"))]
READ += ["search_subtype", "search_words", "entities_openapi_v3"]


def exchanges(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((WIRE / f"{name}.json").read_text())
    return found


def proposals() -> list[MetadataChangeProposalClass]:
    """The model, as its proposals were sent."""
    sent = [exchange["request"]["body"]["proposal"] for exchange in exchanges("emit_model")]
    return [
        MetadataChangeProposalClass(
            entityType=proposal["entityType"],
            entityUrn=proposal["entityUrn"],
            changeType=proposal["changeType"],
            aspectName=proposal["aspectName"],
            aspect=GenericAspectClass(
                value=proposal["aspect"]["value"].encode(), contentType=proposal["aspect"]["contentType"]
            ),
        )
        for proposal in sent
    ]


def write_local(path: Path, written: list[MetadataChangeProposalClass]) -> LocalCatalog:
    """The same proposals, through the real sink, in a local catalog."""
    sink = LocalSink.create({"path": str(path)}, PipelineContext(run_id="test"))
    for proposal in written:
        sink.write_record_async(RecordEnvelope(proposal, {}), NoopWriteCallback())
    sink.flush()
    sink.close()
    assert not sink.get_report().failures
    return LocalCatalog(path)


def stored(written: list[MetadataChangeProposalClass]) -> dict[str, dict[str, Any]]:
    """What the server holds after the proposals, by URN and aspect. The model's one PATCH adds to what is not there."""
    held: dict[str, dict[str, Any]] = {}
    for proposal in written:
        assert proposal.aspect
        assert proposal.aspectName
        value = json.loads(proposal.aspect.value)
        if proposal.changeType == "PATCH":
            assert proposal.aspectName == "structuredProperties"
            value = {"properties": [step["value"] for step in value["patch"]]}
        held.setdefault(str(proposal.entityUrn), {})[proposal.aspectName] = value
    for urn, aspects in held.items():
        if urn.startswith("urn:li:dataset:"):
            platform, name, origin = key_parts(urn)
            aspects["datasetKey"] = {"name": name, "platform": platform, "origin": origin}
    return held


EDGE_FIELDS = frozenset(
    annotation["fieldName"]
    for field in DataJobInputOutputClass.RECORD_SCHEMA.fields
    if field.name in ("inputDatasets", "inputDatasetEdges", "outputDatasets", "outputDatasetEdges")
    for annotation in field.other_props["Searchable"].values()
)
"""How a server's index calls what jobs read and write, in DataHub's own schema."""


class RecordedServer:
    """Answers what was recorded, matched on method, path and body, and batch reads from the model.

    GraphQL is compared token by token, since clients differ in white space, and the size of a page does not count.
    Batch reads were recorded for two URNs only: the others are answered in the form of that recording. One hop's
    lineage, which is asked for with a filter on the degree, is the recorded answer's part of that degree. Jobs that
    write to datasets are searched in the model, by the fields that the schema of their aspect names for the search.
    So are the live assets of some types and subtypes.
    Every other request ends in ``unmatched``, and the fixture that made the server fails the test.
    """

    def __init__(self, held: Mapping[str, Mapping[str, Any]]) -> None:
        self.held = held
        self.unmatched: list[str] = []
        self.extra: dict[str, Any] = {}
        """More answers by ``field`` of the GraphQL filter that asks for them."""
        self._known = {
            _key(request["method"], request["path"], request["body"]): exchange["response"]["body"]
            for name in READ
            for exchange in exchanges(name)
            for request in [exchange["request"]]
        }

    def answer(self, call: Call) -> Reply:
        body: Any = json.loads(call.body) if call.body else None
        key = _key(call.method, call.path, body)
        if key in self._known:
            return answer_json(self._known[key])
        if call.method == "POST" and (match := re.fullmatch(r"/openapi/v3/entity/(\w+)/batchGet", call.path)):
            return answer_json(self._batch(match[1], body))
        if call.path == "/api/graphql":
            filtered = self._filtered(body)
            if filtered is not None:
                return answer_json(filtered)
        self.unmatched.append(f"{call.method} {call.path} {json.dumps(body)[:2000]}")
        return answer_json({"message": "this was not recorded"}, 400)

    def _batch(self, kind: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for entry in asked:
            urn = entry["urn"]
            assert urn.startswith(f"urn:li:{kind}:")
            wanted = entry.keys() - {"urn"}
            aspects = self.held.get(urn, {})
            chosen = {
                name: {"value": value} for name, value in aspects.items() if not wanted or name in wanted
            }
            if aspects:
                found.append({"urn": urn, **chosen})
        return found

    def _filtered(self, body: Mapping[str, Any]) -> Any:
        variables = body["variables"]
        rules = [rule for either in _filters(variables) for rule in either["and"]]
        degrees = [rule["values"] for rule in rules if rule["field"] == "degree"]
        if degrees:
            plain = json.loads(json.dumps(body))
            del plain["variables"]["input"]["orFilters"]
            whole = json.loads(json.dumps(self._known[_key("POST", "/api/graphql", plain)]))
            answer = whole["data"]["searchAcrossLineage"]
            kept = [hit for hit in answer["searchResults"] if str(hit["degree"]) in degrees[0]]
            answer.update(searchResults=kept, total=len(kept))
            return whole
        if written := {field: rule["values"] for rule in rules if (field := rule["field"]) in EDGE_FIELDS}:
            return scrolled(sorted(self._jobs_beside(written)))
        if jobs := [rule["values"] for rule in rules if rule["field"] == "parentTemplate"]:
            return self._runs_of(jobs[0], variables["input"]["count"])
        kinds = variables.get("types")
        if kinds and {rule["field"] for rule in rules} <= {"removed", "typeNames"}:
            subtypes = next((rule["values"] for rule in rules if rule["field"] == "typeNames"), None)
            return scrolled(sorted(self._live(kinds, subtypes)))
        return next((self.extra[rule["field"]] for rule in rules if rule["field"] in self.extra), None)

    def _live(self, kinds: list[str], subtypes: list[str] | None) -> Iterator[str]:
        for urn, aspects in self.held.items():
            removed = aspects.get("status", {}).get("removed")
            named = aspects.get("subTypes", {}).get("typeNames", [])
            of_these = subtypes is None or set(subtypes) & set(named)
            if entity_type_to_graphql(entity_type(urn)) in kinds and of_these and not removed:
                yield urn

    def _runs_of(self, jobs: list[str], most: int) -> dict[str, Any]:
        """The process instances in the model, the newest first, in the form of a search's answer."""
        runs = {
            urn: aspects["dataProcessInstanceProperties"]["created"]["time"]
            for urn, aspects in self.held.items()
            if aspects.get("dataProcessInstanceRelationships", {}).get("parentTemplate") in jobs
        }
        newest = sorted(runs, key=lambda urn: -runs[urn])
        results = [{"entity": {"urn": urn, "type": "DATA_PROCESS_INSTANCE"}} for urn in newest[:most]]
        return {"data": {"searchAcrossEntities": {"total": len(runs), "searchResults": results}}}

    def _jobs_beside(self, datasets: Mapping[str, list[str]]) -> Iterator[str]:
        for urn, aspects in self.held.items():
            held = aspects.get("dataJobInputOutput", {})
            indexed = {
                "inputs": held.get("inputDatasets") or [],
                "inputDatasetEdges": [edge["destinationUrn"] for edge in held.get("inputDatasetEdges") or []],
                "outputs": held.get("outputDatasets") or [],
                "outputDatasetEdges": [
                    edge["destinationUrn"] for edge in held.get("outputDatasetEdges") or []
                ],
            }
            removed = aspects.get("status", {}).get("removed")
            if not removed and any(set(indexed[field]) & set(asked) for field, asked in datasets.items()):
                yield urn


def scrolled(urns: list[str], following: str | None = None) -> dict[str, Any]:
    """A scroll's answer in the form of ``search_subtype``."""
    results = [{"entity": {"urn": urn}, "extraProperties": []} for urn in urns]
    return {
        "data": {"scrollAcrossEntities": {"nextScrollId": following, "searchResults": results}},
        "extensions": {},
    }


@contextmanager
def recorded_server(held: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[RecordedServer, Stub]]:
    server = RecordedServer(held)
    with Stub(server.answer) as stub:
        yield server, stub
    assert not server.unmatched, "the client asked what was not recorded:\n" + "\n".join(server.unmatched)


def _filters(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        variables.get("orFilters") or variables.get("input", {}).get("orFilters") or []
    )
    return found


def _key(method: str, path: str, body: Any) -> str:
    if isinstance(body, dict) and "query" in body:
        body = json.loads(json.dumps(body))
        body["query"] = re.findall(r"\w+|[^\w\s,]", body["query"])
        body.get("variables", {}).get("input", {}).pop("count", None)
        body.get("variables", {}).pop("skipCache", None)
    return f"{method} {path} {json.dumps(body, sort_keys=True)}"
