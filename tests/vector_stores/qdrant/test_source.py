"""`llm-qdrant` through DataHub's pipeline, twice, over servers that fail: nothing that exists is ever deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from datahub_llmops import urns
from datahub_llmops.testing import Config, SourceContract
from datahub_llmops.testing.runs import aspect, assigned, failures, ingest, live, report
from datahub_llmops.urns import Deployment
from datahub_llmops.vector_stores.qdrant.source import QdrantConfig, QdrantSource
from support.stub import Call, Reply, Stub
from vector_stores.qdrant.engine import QdrantEngine, served
from vector_stores.qdrant.stores import COLLECTIONS, PLANTED

SECRET = "planted-key-5ec7e7"
QDRANT = "qdrant"


def urn(name: str) -> str:
    return urns.collection(Deployment(platform=QDRANT), (name,))


class TestSource(SourceContract):
    source = QdrantSource
    system = QDRANT
    collections = frozenset(COLLECTIONS)
    filters: ClassVar[Config] = {"collection_pattern": {"allow": ["[a-n].*"], "deny": ["EMPTY"]}}
    kept = frozenset({"articles", "llama", "notes"})
    filtered = 3
    job: ClassVar[Config] = {"index": "notes", "fields": {"url": "metadata.source"}}
    job_edges = frozenset({("body", "page_content"), ("body", "vector"), ("url", "metadata.source")})
    wrong_recipes = (
        ({}, "url"),
        ({"url": "http://b", "api_kye": SECRET}, "api_kye"),
        ({"url": "http://b", "timeout_sec": 0, "api_key": SECRET}, "timeout_sec"),
        ({"url": "http://b", "collection_pattern": SECRET, "api_key": SECRET}, "collection_pattern"),
    )
    secrets = (SECRET, PLANTED)
    provenance_fields = ("source", "tenant", "dense")

    @pytest.fixture
    def recipe(self, qdrant_server: Stub) -> Config:
        return {"url": qdrant_server.url}

    @pytest.fixture
    def refused(self, qdrant_server: Stub) -> Config:
        # Qdrant says who it is to anybody, and asks for the key afterwards.
        qdrant_server.fail("403", when=lambda call: call.path != "/")
        return {"url": qdrant_server.url}

    @pytest.fixture
    def telling(self, qdrant_server: Stub) -> Config:
        qdrant_server.fail("500", when=lambda call: call.path.endswith("/notes"))
        return {"url": qdrant_server.url, "api_key": SECRET, "timeout_sec": 2.0, "retry_max_times": 1}


@pytest.fixture(scope="session")
def read_once(qdrant_written: QdrantEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    with served(qdrant_written) as server:
        assert failures(ingest(folder, QDRANT, url=server.url)) == []
    assert live(folder, QDRANT) == COLLECTIONS
    return folder


@pytest.mark.parametrize(
    "words", ["", "<h1>404</h1>", '{"error": "not found"}', '{"status": {"error": "Not found"}}']
)
def test_a_404_that_is_not_qdrants_own_deletes_nothing(
    words: str, qdrant_engine: QdrantEngine, qdrant_server: Stub, known: Path
) -> None:
    def answer(call: Call) -> Reply:
        gone = call.path.endswith("/articles")
        return Reply(status=404, body=words.encode()) if gone else qdrant_engine.answer(call)

    qdrant_server.answer = answer
    pipeline = ingest(known, QDRANT, url=qdrant_server.url)
    assert "but not as Qdrant does it" in failures(pipeline)[0]
    assert live(known, QDRANT) == COLLECTIONS


def without(name: str, engine: QdrantEngine) -> Callable[[Call], Reply]:
    """The engine without one collection, or without all by ``*``: it is asked for names that it does not have."""

    def answer(call: Call) -> Reply:
        gone = r"/collections/[^/]+" if name == "*" else f"/collections/{name}"
        reply = engine.answer(replace(call, path=re.sub(rf"^{gone}(?=/|$)", "/collections/gone", call.path)))
        if call.path != "/collections":
            return reply
        listed = json.loads(reply.body)
        entries = listed["result"]["collections"]
        listed["result"]["collections"] = [e for e in entries if name not in ("*", e["name"])]
        return replace(reply, body=json.dumps(listed).encode())

    return answer


def test_what_is_deleted_in_the_store_goes_and_the_rest_stays(
    known: Path, qdrant_engine: QdrantEngine, qdrant_server: Stub
) -> None:
    qdrant_server.answer = without("notes", qdrant_engine)
    assert failures(ingest(known, QDRANT, url=qdrant_server.url)) == []
    assert live(known, QDRANT) == COLLECTIONS - {"notes"}


def test_a_store_that_became_empty_fails_the_run(
    known: Path, qdrant_engine: QdrantEngine, qdrant_server: Stub
) -> None:
    qdrant_server.answer = without("*", qdrant_engine)
    pipeline = ingest(known, QDRANT, url=qdrant_server.url)
    assert live(known, QDRANT) == COLLECTIONS
    assert report(pipeline).failures


def test_what_arrives_in_the_catalog(read_once: Path) -> None:
    properties = aspect(read_once, urn("articles"), "datasetProperties")
    assert properties["name"] == "articles"
    assert properties["created"]["time"] == 1793608200123
    custom = properties["customProperties"]
    assert (custom["aliases"], custom["partitions"]) == ("a-stable, current", "eu, us")
    assert (custom["#dense.m"], custom["late.m"], custom["bm25.modifier"]) == ("24", "0", "idf")
    fields = {
        field["fieldPath"]: field["nativeDataType"]
        for field in aspect(read_once, urn("articles"), "schemaMetadata")["fields"]
    }
    assert (fields["#dense"], fields["late"], fields["bm25"]) == (
        "vector(4)",
        "multivector(3)",
        "sparsevector",
    )
    assert (fields["dense"], fields["source"]) == ("string", "keyword")
    dense = urns.schema_field(urn("articles"), "#dense")
    assert assigned(read_once, dense) == {
        "dimension": 4.0,
        "metric": "Cosine",
        "index_type": "hnsw",
        "quantization": "scalar int8",
        "embedding_model": "openai/text-embedding-3-small",
        "index_parameters": "ef_construct=120, full_scan_threshold=20, m=24, quantization_quantile=0.99, "
        "vectors_on_disk=true",
    }
    # One vector: its facts are the collection's too.
    assert assigned(read_once, urn("notes"))["dimension"] == 8.0
    assert assigned(read_once, urn("articles")) == {}
    upstreams = aspect(read_once, urn("plain"), "upstreamLineage")["upstreams"]
    assert {edge["dataset"] for edge in upstreams} == {
        urns.dataset("s3", f"b/{n}", env="PROD") for n in range(3)
    }


def test_a_job_may_name_an_alias(known: Path, qdrant_server: Stub) -> None:
    job = {"name": "embed", "upstream": {"platform": "postgres", "tables": ["shop.public.articles"]}}
    jobs = [{**job, "index": "current"}, {**job, "name": "gone", "index": "artcles"}]
    (failure,) = failures(ingest(known, QDRANT, url=qdrant_server.url, embedding_jobs=jobs))
    assert "gone: artcles; the nearest collections are articles" in failure
    flow = "urn:li:dataFlow:(custom,embed,PROD)"
    outputs = aspect(known, f"urn:li:dataJob:({flow},embed)", "dataJobInputOutput")["outputDatasetEdges"]
    assert [edge["destinationUrn"] for edge in outputs] == [urn("articles")]


def test_the_key_goes_where_qdrant_asks_for_it(qdrant_server: Stub) -> None:
    config = QdrantConfig.model_validate({"url": qdrant_server.url, "api_key": f"{SECRET}\n"})
    with closing(QdrantSource.open(config)) as reader:
        assert list(reader.names())
    assert {call.headers["Api-Key"] for call in qdrant_server.calls} == {SECRET}
