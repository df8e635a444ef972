"""Our aspects come back as they went: through files, DataHub's client, and the local catalog with their lineage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import DatahubClientConfig
from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.sink.file import write_metadata_file
from datahub.ingestion.source.file import read_metadata_file
from datahub.metadata.schema_classes import StatusClass

from aspects.examples import INDEX, MODEL, WIRE, examples
from datahub_llmops.aspects.admission import AspectGate, decide
from datahub_llmops.aspects.base import LlmopsAspect
from datahub_llmops.aspects.generated import (
    EmbeddingInfoClass,
    LlmUsageClass,
    VectorIndexInfoClass,
    register,
)
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.server.client import Gms
from datahub_llmops.errors import CatalogError
from support.stub import Call, Reply, Stub, answer_json


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()
    register()


def proposals() -> list[MetadataChangeProposalWrapper]:
    return [MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect) for urn, aspect in examples()]


def pairs(records: Iterator[Any] | list[Any]) -> list[tuple[str, Any]]:
    return [(record.entityUrn, record.aspect) for record in records]


def exchange(name: str) -> dict[str, Any]:
    (found,) = json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))
    return dict(found)


def test_through_a_file_and_back(tmp_path: Path) -> None:
    path = tmp_path / "aspects.json"
    write_metadata_file(path, proposals())
    assert pairs(list(read_metadata_file(path))) == examples()


def test_through_datahubs_pipeline_from_file_to_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    write_metadata_file(first, proposals())
    run_pipeline(first, {"type": "file", "config": {"filename": str(second)}})
    assert pairs(list(read_metadata_file(second))) == examples()


def run_pipeline(path: Path, sink: dict[str, Any]) -> None:
    recipe = {"source": {"type": "file", "config": {"path": str(path)}}, "sink": sink}
    pipeline = Pipeline.create(recipe, report_to=None)
    pipeline.run()
    pipeline.raise_from_status()


def test_without_registration_datahub_gives_the_raw_proposal(tmp_path: Path) -> None:
    """What ``register`` is for; in a process of its own, since registering cannot be undone."""
    path = tmp_path / "aspects.json"
    write_metadata_file(path, proposals())
    code = (
        "import sys; from datahub.ingestion.source.file import read_metadata_file; from pathlib import Path\n"
        "import datahub_llmops.aspects.generated as ours\n"
        "read = lambda: {type(getattr(r, 'aspect')).__name__ for r in read_metadata_file(Path(sys.argv[1]))}\n"
        "before = read(); ours.register(); after = read()\n"
        "assert before == {'GenericAspectClass'}, before\n"
        "assert after == {kind.__name__ for kind in ours.ASPECTS}, after\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


class Server:
    """Keeps what is written to it and gives it back, in the form of the recorded exchanges."""

    def __init__(self, refuses: str | None = None) -> None:
        self.refuses = refuses
        self.proposals: list[dict[str, Any]] = []

    def answer(self, call: Call) -> Reply:
        if call.path == "/config":
            return answer_json(exchange("config_plugin_loaded")["response"]["body"])
        if call.method == "POST":
            proposal = call.json["proposal"]
            if proposal["aspectName"] == self.refuses:
                refusal = exchange("unknown_aspect_single")["response"]
                return answer_json(refusal["body"], refusal["status"])
            self.proposals.append(proposal)
            return answer_json({"value": proposal["entityUrn"]})
        urn, name = unquote(call.path.removeprefix("/aspects/")), call.query["aspect"][0]
        for proposal in self.proposals:
            if (proposal["entityUrn"], proposal["aspectName"]) == (urn, name):
                kind = f"org.datahubllmops.metadata.{name[0].upper()}{name[1:]}"
                return answer_json({"version": 0, "aspect": {kind: json.loads(proposal["aspect"]["value"])}})
        return answer_json({}, 404)


def client(stub: Stub) -> Gms:
    return Gms(DataHubGraph(DatahubClientConfig(server=stub.url, timeout_sec=5, retry_max_times=1)))


@pytest.mark.parametrize(("urn", "aspect"), examples(), ids=lambda value: getattr(value, "ASPECT_NAME", ""))
def test_through_datahubs_client_and_back(urn: str, aspect: LlmopsAspect) -> None:
    server = Server()
    with Stub(server.answer) as stub:
        with closing(client(stub)) as gms:
            gms.write(urn, aspect)
        (proposal,) = server.proposals
        recorded = exchange("unknown_aspect_single")["request"]["body"]["proposal"]
        assert set(proposal) == set(recorded)
        assert proposal["aspect"]["contentType"] == recorded["aspect"]["contentType"]
        assert type(aspect).from_obj(json.loads(proposal["aspect"]["value"])) == aspect
        if aspect.get_aspect_type() != "timeseries":
            graph = DataHubGraph(DatahubClientConfig(server=stub.url, timeout_sec=5, retry_max_times=1))
            assert graph.get_aspect(urn, type(aspect)) == aspect
            graph.close()


def test_a_server_that_refuses_an_aspect_all_the_same() -> None:
    server, reports = Server(refuses="vectorIndexInfo"), list[tuple[str, str]]()
    with Stub(server.answer) as stub, closing(client(stub)) as gms:
        decision = decide("auto", "server", config=gms.config())
        assert decision.enabled
        gate = AspectGate(decision, send=gms.write, report_rejection=lambda *report: reports.append(report))
        admitted = [aspect for urn, aspect in examples() if gate.admit(urn, aspect) is not None]
        assert gate.admit(INDEX, VectorIndexInfoClass(engine="chroma")) is None
    # The server that was recorded has the first version of the schemas, without scores.
    missing = {type(aspect).__name__ for _, aspect in examples()} - {
        type(aspect).__name__ for aspect in admitted
    }
    assert missing == {"VectorIndexInfoClass", "LlmScoresClass"}
    ((name, reason),) = reports
    assert name == "vectorIndexInfo"
    assert "Unknown aspect vectorIndexInfo for entity dataset" in reason


def test_a_server_that_says_nothing_while_it_is_asked() -> None:
    with Stub(Server().answer) as stub:
        stub.fail("silence")
        graph = DataHubGraph(DatahubClientConfig(server=stub.url, timeout_sec=5, retry_max_times=1))
        with pytest.raises(CatalogError, match="no whole answer within"):
            Gms(graph, timeout=0.3).config()


def test_through_the_local_catalog_and_back_with_lineage_to_the_model(tmp_path: Path) -> None:
    source, catalog = tmp_path / "aspects.json", tmp_path / "catalog.db"
    status = [
        MetadataChangeProposalWrapper(entityUrn=urn, aspect=StatusClass(removed=False))
        for urn in (INDEX, MODEL)
    ]
    write_metadata_file(source, [*status, *proposals()])
    run_pipeline(source, {"type": "llm-local", "config": {"path": str(catalog)}})
    with closing(LocalCatalog(catalog)) as local:
        for urn, aspect in examples():
            if aspect.get_aspect_type() != "timeseries":
                stored = local.aspects(urn, [aspect.ASPECT_NAME])[aspect.ASPECT_NAME]
                assert type(aspect).from_obj(dict(stored)) == aspect
        (usage,) = (aspect for _, aspect in examples() if isinstance(aspect, LlmUsageClass))
        assert "llmUsage" not in local.aspects(MODEL)
        assert LlmUsageClass.from_obj(dict(local.latest(MODEL)["llmUsage"])) == usage
        walk = local.lineage(INDEX, "up")
        (edge,) = walk.edges
        assert (edge.upstream, edge.downstream, edge.aspect) == (MODEL, INDEX, EmbeddingInfoClass.ASPECT_NAME)
        assert [node.urn for node in walk.nodes] == [INDEX, MODEL]
        assert [node.urn for node in local.lineage(MODEL, "down").nodes] == [MODEL, INDEX]
