"""`llm-weaviate` through DataHub's pipeline, twice, over servers that fail: nothing that exists is ever deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from datahub_llmops import urns
from datahub_llmops.testing import Config, SourceContract
from datahub_llmops.testing.runs import aspect, assigned, failures, ingest, live, report
from datahub_llmops.urns import Deployment
from datahub_llmops.vector_stores.weaviate.source import WeaviateConfig, WeaviateSource
from support.stub import FAULTS, Call, Fault, Reply, time_out
from vector_stores.weaviate.service import PLANTED, WeaviateService, answered

SECRET = "planted-key-5ec7e7"
WEAVIATE = "weaviate"


def urn(name: str) -> str:
    return urns.collection(Deployment(platform=WEAVIATE), (name,))


@pytest.fixture
def service() -> Iterator[WeaviateService]:
    with WeaviateService() as server:
        yield server


class TestSource(SourceContract):
    source = WeaviateSource
    system = WEAVIATE
    collections = frozenset(item["class"] for item in answered("/v1/schema")["classes"])
    filters: ClassVar[Config] = {"collection_pattern": {"allow": ["A.*"], "deny": ["Awake"]}}
    kept = frozenset({"Article", "Author"})
    filtered = len(collections) - 2
    job: ClassVar[Config] = {"index": "Notes", "fields": {"url": "source"}}
    job_edges = frozenset({("body", "text"), ("body", "vector"), ("url", "source")})
    wrong_recipes = (
        ({}, "url"),
        ({"url": "http://b", "api_kye": SECRET}, "api_kye"),
        ({"url": "http://b", "max_tenants": -1, "api_key": SECRET}, "max_tenants"),
        ({"url": "http://b", "collection_pattern": SECRET, "api_key": SECRET}, "collection_pattern"),
    )
    secrets = (SECRET, PLANTED)
    provenance_fields = ("source", "title", "body")

    @pytest.fixture
    def recipe(self, service: WeaviateService) -> Config:
        service.key = SECRET
        return {"url": service.url, "api_key": SECRET}

    @pytest.fixture
    def refused(self, recipe: Config) -> Config:
        return {**recipe, "api_key": "another"}

    @pytest.fixture
    def telling(self, recipe: Config, service: WeaviateService) -> Config:
        service.fail("500", when=lambda call: call.query.get("class") == ["Notes"])
        return {**recipe, "timeout_sec": 2.0, "retry_max_times": 1}

    def test_what_the_filter_leaves_out_is_not_asked_for(
        self, recipe: Config, service: WeaviateService, tmp_path: Path
    ) -> None:
        ingest(tmp_path, WEAVIATE, **recipe, **self.filters)
        assert any(b"Article" in call.body for call in service.calls)
        assert not any(
            b"Plain" in call.body or call.query.get("class") == ["Plain"] for call in service.calls
        )


@pytest.fixture(scope="session")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    with WeaviateService() as server:
        assert failures(ingest(folder, WEAVIATE, url=server.url)) == []
        assert live(folder, WEAVIATE) == server.names
    return folder


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_graphql_deletes_what_exists(fault: Fault, service: WeaviateService, known: Path) -> None:
    # Everything else that can go wrong is in the fault matrix.
    service.fail(fault, when=lambda call: call.path == "/v1/graphql" and b"Plain" in call.body)
    options = {"timeout_sec": time_out(fault), "retry_max_times": 1, "max_workers": 1}
    pipeline = ingest(known, WEAVIATE, url=service.url, **options)
    assert live(known, WEAVIATE) == service.names
    messages = failures(pipeline)
    if fault in ("401", "403", "404", "gateway_404", "login_page", "redirect"):
        # GraphQL is not for everybody: what it does not count is scanned.
        assert messages == []
        assert report(pipeline).items_scanned == len(service.names)
        return
    assert messages
    for message in messages:
        assert f"Weaviate at 127.0.0.1:{service.port}" in message
    if fault != "killed":
        assert "/v1/graphql" in messages[0]
        assert report(pipeline).items_scanned == len(service.names) - 1


@pytest.mark.parametrize("words", ["", "<h1>404</h1>", '{"error": "not found"}'])
def test_a_404_about_what_the_schema_still_has_deletes_nothing(
    words: str, service: WeaviateService, known: Path
) -> None:
    usual = service.answer

    def answer(call: Call) -> Reply:
        gone = call.query.get("class") == ["Plain"]
        return Reply(status=404, body=words.encode()) if gone else usual(call)

    service.answer = answer
    assert failures(ingest(known, WEAVIATE, url=service.url))
    assert live(known, WEAVIATE) == service.names


def test_what_is_deleted_in_the_store_goes_and_the_rest_stays(known: Path, service: WeaviateService) -> None:
    service.drop("Notes")
    assert failures(ingest(known, WEAVIATE, url=service.url)) == []
    assert live(known, WEAVIATE) == service.names


def test_what_is_deleted_while_it_is_read_goes_too(known: Path, service: WeaviateService) -> None:
    usual = service.answer

    def answer(call: Call) -> Reply:
        reply = usual(call)
        if call.path == "/v1/schema":
            service.drop("Notes")
        return reply

    service.answer = answer
    pipeline = ingest(known, WEAVIATE, url=service.url)
    assert (failures(pipeline), report(pipeline).items_vanished) == ([], 1)
    assert live(known, WEAVIATE) == service.names


def test_a_store_that_became_empty_fails_the_run(known: Path, service: WeaviateService) -> None:
    # So does a role that lost its rights: to it Weaviate shows no collection, and says nothing else.
    names = service.names
    service.classes = []
    pipeline = ingest(known, WEAVIATE, url=service.url)
    assert live(known, WEAVIATE) == names
    assert report(pipeline).failures


def test_what_arrives_in_the_catalog(read_once: Path) -> None:
    properties = aspect(read_once, urn("Article"), "datasetProperties")
    assert (properties["name"], properties["description"]) == ("Article", "Release notes")
    assert "created" not in properties
    custom = properties["customProperties"]
    assert custom["aliases"] == "Articles, Current"
    assert (custom["#body.efConstruction"], custom["late.muvera_ksim"]) == ("120", "4")
    assert aspect(read_once, urn("Tenanted"), "datasetProperties")["customProperties"]["partitions"] == (
        "acme, globex, initech"
    )
    fields = {
        field["fieldPath"]: field["nativeDataType"]
        for field in aspect(read_once, urn("Article"), "schemaMetadata")["fields"]
    }
    assert (fields["#body"], fields["late"], fields["unused"]) == ("vector(4)", "multivector(4)", "vector")
    assert (fields["body"], fields["writtenBy"], fields["metadata.source"]) == ("text", "Author", "text")
    body = assigned(read_once, urns.schema_field(urn("Article"), "#body"))
    assert {
        key: body[key] for key in ("dimension", "metric", "index_type", "quantization", "embedding_model")
    } == {
        "dimension": 4.0,
        "metric": "cosine",
        "index_type": "hnsw",
        "quantization": "sq",
        "embedding_model": "openai/text-embedding-3-small",
    }
    # One vector: its facts are the collection's too.
    assert assigned(read_once, urn("Notes"))["dimension"] == 8.0
    assert assigned(read_once, urn("Article")) == {}
    assert aspect(read_once, urn("Tenanted"), "datasetProfile") == {}
    upstreams = aspect(read_once, urn("Plain"), "upstreamLineage")["upstreams"]
    assert {edge["dataset"] for edge in upstreams} == {
        urns.dataset("s3", f"b/{n}", env="PROD") for n in range(3)
    }


def test_the_key_goes_where_weaviate_asks_for_it(service: WeaviateService) -> None:
    service.key = SECRET
    config = WeaviateConfig.model_validate({"url": service.url, "api_key": f"{SECRET}\n"})
    with closing(WeaviateSource.open(config)) as reader:
        assert list(reader.names())
    assert {call.headers["Authorization"] for call in service.calls} == {f"Bearer {SECRET}"}
